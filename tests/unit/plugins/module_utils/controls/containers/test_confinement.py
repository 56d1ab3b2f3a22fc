# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of seccomp, AppArmor and SELinux: not applicable where the kernel has none of it (R24, R25)."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.containers import (
    confinement as controls,
)

from tests.unit.builders.containers import (
    container,
    default_container,
    engine,
    holding,
    host_with,
    rootless_engine,
    stopped,
)
from tests.unit.builders.judging import changed, finding

APPARMOR = {"host": {"lsm": {"apparmor": {"enabled": True, "profiles": {}}}}}
SELINUX = {"host": {"lsm": {"selinux": {"mode": "enforcing", "configured": "enforcing"}}}}


def verdict(control, snapshot, **parameters):
    found = finding(control, snapshot, **parameters)
    return found["subjects"][0]["actual"] if found["verdict"] == "fail" else found["verdict"]


def on_host(one, lsm, *modules):
    options = ["name=seccomp,profile=builtin", *(f"name={module}" for module in modules)]
    return changed(holding(one, info={"SecurityOptions": options}), lsm)


@pytest.mark.parametrize("options", [None, ["seccomp=unconfined"]])
def test_without_the_security_module_nothing_applies(options):
    """R24, R25: no warning per container, and seccomp=unconfined changes nothing about SELinux."""
    snapshot = holding(default_container(host_config={"SecurityOpt": options}))
    assert verdict(controls.apparmor, snapshot) == "not_applicable"
    assert verdict(controls.selinux, snapshot) == "not_applicable"


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (container(process={"apparmor": "docker-default (enforce)"}), "pass"),
        (container(process={"apparmor": "docker-default (complain)"}), "docker-default (complain)"),
        (container(process={"apparmor": "unconfined"}), "unconfined"),
        (container(process={"apparmor": None}), "unknown"),
        (stopped(apparmor="docker-default"), "pass"),
        (stopped(apparmor=""), "pass"),
        (stopped(apparmor="unconfined"), "unconfined"),
        (stopped(host_config={"SecurityOpt": ["apparmor=unconfined"]}), "unconfined"),
        (stopped(host_config={"SecurityOpt": ["apparmor:unconfined"]}), "unconfined"),
        (stopped(host_config={"Privileged": True}), "unconfined"),
    ],
)
def test_apparmor(one, expected):
    assert verdict(controls.apparmor, on_host(one, APPARMOR, "apparmor")) == expected


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (container(), "pass"),
        (container(host_config={"SecurityOpt": ["label=disable"]}), "label=disable"),
        (container(host_config={"SecurityOpt": ["label:disable"]}), "label=disable"),
        (container(host_config={"SecurityOpt": ["label=type:web_t", "seccomp=unconfined"]}), "pass"),
        (stopped(host_config={"Privileged": True}), "label=disable"),
        (container(host_config={"error": "does not answer"}), "unknown"),
    ],
)
def test_selinux(one, expected):
    assert verdict(controls.selinux, on_host(one, SELINUX, "selinux")) == expected


@pytest.mark.parametrize(("control", "lsm"), [(controls.apparmor, APPARMOR), (controls.selinux, SELINUX)])
def test_an_engine_that_ignores_the_module_is_one_subject(control, lsm):
    found = finding(control, on_host(default_container(), lsm))
    (subject,) = found["subjects"]
    assert (subject["kind"], subject["actual"]) == ("engine", "not used by the engine")


def test_a_rootless_engine_cannot_use_apparmor():
    snapshot = changed(host_with(rootless_engine(container())), APPARMOR)
    assert verdict(controls.apparmor, snapshot) == "not_applicable"


def test_a_dead_engine_leaves_the_processes_to_judge():
    dead = engine(container(process={"apparmor": "unconfined"}), info={"error": "does not answer"})
    assert verdict(controls.apparmor, changed(host_with(dead), APPARMOR)) == "unconfined"


def test_a_security_module_that_was_not_read_is_unknown():
    snapshot = changed(holding(container()), {"host": {"lsm": {"error": "no permission"}}})
    assert verdict(controls.apparmor, snapshot) == "unknown"


@pytest.mark.parametrize(
    ("one", "default", "expected"),
    [
        (container(), "builtin", "pass"),
        (container(process={"seccomp": 1}), "builtin", "pass"),
        (container(process={"seccomp": 0}), "builtin", "unconfined"),
        (stopped(), "builtin", "pass"),
        (stopped(), "default", "pass"),
        (stopped(), "/etc/docker/seccomp.json", "pass"),
        (stopped(), "unconfined", "unconfined"),
        (stopped(host_config={"SecurityOpt": ["seccomp=unconfined"]}), "builtin", "unconfined"),
        (stopped(host_config={"SecurityOpt": ["seccomp:unconfined"]}), "builtin", "unconfined"),
        (stopped(host_config={"SecurityOpt": ["seccomp=json"]}), "unconfined", "pass"),
        (stopped(host_config={"Privileged": True}), "builtin", "unconfined"),
    ],
)
def test_seccomp(one, default, expected):
    options = {"SecurityOptions": [f"name=seccomp,profile={default}"]}
    assert verdict(controls.seccomp, holding(one, info=options)) == expected


def test_an_engine_without_seccomp_confines_nothing():
    assert verdict(controls.seccomp, holding(stopped(), info={"SecurityOptions": []})) == "unconfined"


def profile(action="SCMP_ACT_ERRNO", everything=False, sha256="ab" * 32):
    return {"default_action": action, "allows_everything": everything, "sha256": sha256}


@pytest.mark.parametrize(
    ("seccomp", "expected"),
    [
        (None, "not_applicable"),
        (profile(), "pass"),
        (profile("SCMP_ACT_KILL_PROCESS"), "pass"),
        (profile("SCMP_ACT_ALLOW"), "SCMP_ACT_ALLOW"),
        (profile("SCMP_ACT_LOG"), "SCMP_ACT_LOG"),
        (profile("SCMP_ACT_ALLOW", everything=True), "allows everything"),
        ({"error": "seccomp.split: the profile is no JSON"}, "unknown"),
    ],
)
def test_own_seccomp_profiles(seccomp, expected):
    """A profile that allows everything is no confinement, although the process shows Seccomp: 2."""
    assert verdict(controls.seccomp_profile, holding(container(seccomp=seccomp))) == expected


@pytest.mark.parametrize(
    ("profiles", "seccomp", "expected"),
    [
        ({}, None, "not_applicable"),
        ({"other": "ab" * 32}, None, "not_applicable"),
        ({"so*": "ab" * 32}, profile(), "pass"),
        ({"so*": "cd" * 32}, profile(), "ab" * 6),
        ({"so*": "cd" * 32}, None, None),
    ],
)
def test_generated_profiles(profiles, seccomp, expected):
    snapshot = holding(container(seccomp=seccomp))
    assert verdict(controls.seccomp_generated, snapshot, profiles=profiles) == expected
