# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that a container host does not need."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.host.packages import (
    NOT_INSTALLED,
    minimal_system,
)

from tests.unit.builders.host import snapshot
from tests.unit.builders.judging import finding

BY_ID = {control.id: control for control in NOT_INSTALLED}


def installed(*names, **host):
    return snapshot({"host": {"packages": {"installed": dict.fromkeys(names, "1.0")}, **host}})


@pytest.mark.parametrize(
    ("control_id", "package"),
    [
        ("host.no_desktop", "gnome-shell"),
        ("host.no_desktop", "task-xfce-desktop"),
        ("host.no_desktop", "xserver-xorg-core"),
        ("host.no_compilers", "gcc"),
        ("host.no_compilers", "gcc-14"),
        ("host.no_compilers", "golang-1.24-go"),
        ("host.no_compilers", "openjdk-21-jdk-headless"),
        ("host.no_server_applications", "nginx"),
        ("host.no_server_applications", "postgresql-17"),
        ("host.no_server_applications", "exim4-daemon-light"),
        ("host.no_server_applications", "mariadb-server"),
    ],
)
def test_what_should_not_be_there(control_id, package):
    data = installed("docker.io", package)
    found = finding(BY_ID[control_id], data)
    assert (found["verdict"], [subject["name"] for subject in found["subjects"]]) == ("fail", [package])
    assert finding(BY_ID[control_id], data, allow=[package[:3] + "*"])["verdict"] == "pass"


@pytest.mark.parametrize("target", ["graphical.target", "multi-user.target", None, {"error": "unreadable"}])
def test_a_desktop_that_is_booted(target):
    data = installed("gdm3", "nginx", default_target=target)
    (desktop,) = finding(BY_ID["host.no_desktop"], data)["subjects"]
    assert ("graphical.target" in desktop["evidence"]) == (target == "graphical.target")
    (server,) = finding(BY_ID["host.no_server_applications"], data)["subjects"]
    assert server["evidence"] == "package database"


@pytest.mark.parametrize("control", BY_ID.values(), ids=BY_ID)
@pytest.mark.parametrize(
    "package",
    [
        "gcc-14-base",
        "libgcc-s1",
        "postgresql-client-17",
        "nginx-common",
        "makedev",
        "redis-tools",
        "bind9-host",
    ],
)
def test_what_only_sounds_like_it(control, package):
    assert finding(control, installed(package))["verdict"] == "pass"


@pytest.mark.parametrize("control", [*BY_ID.values(), minimal_system], ids=[*BY_ID, "host.minimal_system"])
def test_packages_unread_or_none(control):
    unread = snapshot({"host": {"packages": {"installed": {"error": "rpm -qa: no database"}}}})
    assert finding(control, unread)["verdict"] == "unknown"
    none = snapshot({"host": {"packages": {"manager": None, "installed": {}}}})
    assert finding(control, none)["verdict"] == "not_applicable"


@pytest.mark.parametrize(
    ("count", "os_release", "verdict"),
    [
        (800, {}, "pass"),
        (801, {}, "fail"),
        (2000, {"ID": "flatcar"}, "pass"),
        (2000, {"ID": "fedora", "VARIANT_ID": "coreos"}, "pass"),
    ],
)
def test_minimal_systems(count, os_release, verdict):
    names = [f"package-{number}" for number in range(count - 2)]
    assert finding(minimal_system, installed(*names, os=os_release))["verdict"] == verdict
