# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upkeep: updates, reboots, uptime, daemons that run what was replaced."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.host import maintenance

from tests.unit.builders.host import DAY, ENGINE, NOW, engine, said, snapshot
from tests.unit.builders.judging import finding


def of_host(**fields):
    return snapshot({"host": fields})


@pytest.mark.parametrize(
    ("updates", "verdict", "shown"),
    [
        ({"security": [], "as_of": NOW - DAY}, "pass", ""),
        ({"security": ["libssl3t64"], "as_of": NOW - DAY}, "fail", "libssl3t64"),
        ({"security": ["libssl3t64"], "as_of": None}, "fail", "libssl3t64"),
        ({"security": [], "as_of": NOW - 30 * DAY}, "unknown", "older than 7 days"),
        ({"security": [], "as_of": None}, "unknown", "older than 7 days"),
        (None, "manual", "not asked"),
        ({"error": "apt-get: no lists"}, "unknown", "no lists"),
    ],
)
def test_pending_updates(updates, verdict, shown):
    data = snapshot()
    data["host"]["updates"] = updates
    found = finding(maintenance.security_updates, data)
    assert found["verdict"] == verdict
    assert shown in said(found)


RUNNING = "6.12.38+deb13-amd64"


@pytest.mark.parametrize(
    ("host", "verdict", "shown"),
    [
        ({}, "pass", ""),
        ({"reboot": {"newest_kernel": "6.12.40+deb13-amd64", "newer_kernel": True}}, "fail", "6.12.40"),
        ({"reboot": {"required": True, "packages": ["libc6"]}}, "fail", "libc6"),
        ({"reboot": {"newest_kernel": None, "newer_kernel": None}}, "pass", ""),
        ({"container": "docker", "reboot": {"required": True}}, "not_applicable", ""),
        ({"reboot": {"error": "/boot: Permission denied"}}, "unknown", "/boot"),
    ],
)
def test_reboots(host, verdict, shown):
    found = finding(maintenance.reboot_pending, of_host(**host))
    assert found["verdict"] == verdict
    assert shown in said(found)


@pytest.mark.parametrize(
    ("host", "actual"),
    [
        ({}, []),
        ({"uptime": 181 * DAY}, ["up 181 days"]),
        ({"uptime": 181 * DAY, "container": "docker"}, []),
        ({"packages_changed": NOW - 91 * DAY}, ["no package changed for 91 days"]),
        ({"packages_changed": None}, []),
        (
            {"uptime": 400 * DAY, "packages_changed": NOW - 400 * DAY},
            ["up 400 days", "no package changed for 400 days"],
        ),
    ],
)
def test_upkeep(host, actual):
    found = finding(maintenance.regular_upkeep, of_host(**host))
    assert [subject["actual"] for subject in found["subjects"]] == actual
    assert found["verdict"] == ("fail" if actual else "pass")


def test_upkeep_unread():
    assert finding(maintenance.regular_upkeep, of_host(uptime={"error": "x"}))["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "pass"),
        ({"binary": {"deleted": True}}, "fail"),
        ({"binary": {"modified": NOW - DAY}}, "fail"),
        ({"binary": {"error": "/proc/800/exe: Permission denied"}}, "unknown"),
        ({"started": None}, "unknown"),
    ],
)
def test_daemons_older_than_their_program(changes, verdict):
    data = snapshot({"engines": [engine(**changes)]})
    assert finding(maintenance.stale_daemon, data)["verdict"] == verdict


def test_a_stopped_daemon_runs_nothing_old():
    stopped = {**ENGINE, "state": "stopped", "pid": None, "binary": None, "started": None}
    found = finding(maintenance.stale_daemon, snapshot({"engines": [stopped]}))
    assert found["verdict"] == "not_applicable"


def test_deleted_files():
    process = {"pid": 800, "name": "dockerd", "unit": "docker.service", "paths": ["/usr/lib/libc.so.6"]}
    found = finding(maintenance.deleted_files, snapshot({"deleted_files": [process]}))
    assert (found["verdict"], found["subjects"][0]["name"]) == ("fail", "dockerd")
    assert finding(maintenance.deleted_files, snapshot())["verdict"] == "pass"
    unread = finding(maintenance.deleted_files, snapshot({"deleted_files": {"error": "must be root"}}))
    assert unread["verdict"] == "unknown"
