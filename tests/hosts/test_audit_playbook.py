# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook `bulwark.docker.audit` as users run it: bad options, hosts that fail, the gate, check mode."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import docker  # type: ignore[import-untyped]
import pytest

from tests.hosts import play
from tests.hosts.auditing import run_module
from tests.hosts.host import Host

PLAYBOOK = "bulwark.docker.audit"
# Reached by ssh, at a port where nothing listens.
NOWHERE = "nowhere.invalid"
OVER_SSH = {
    "ansible_connection": f"{{{{ 'ssh' if inventory_hostname == '{NOWHERE}' else '{play.DOCKER}' }}}}",
    "ansible_port": 1,
}
WAIVER = {
    "control": "container.privileged",
    "subject": "backup",
    "reason": "Reads all disks.",
    "owner": "platform team",
    "expires": "2099-12-31",
}
REFUSED = {
    "without an owner": (
        {"compliance_audit_waivers": [WAIVER, {k: v for k, v in WAIVER.items() if k != "owner"}]},
        ["waivers[1] (container.privileged, backup)", "'owner'"],
    ),
    "for no control": (
        {"compliance_audit_waivers": [{**WAIVER, "control": "container.priviliged"}]},
        ["waivers[0]", "container.priviliged"],
    ),
    "with a date that is none": (
        {"compliance_audit_waivers": [{**WAIVER, "expires": "2099-02-30"}]},
        ["waivers[0] (container.privileged, backup)", "2099-02-30"],
    ),
}


def report_of(directory: Path) -> dict[str, Any]:
    return dict(json.loads((directory / "report.json").read_text(encoding="utf-8")))


def contacts(machine: docker.DockerClient, host: Host, begun: float) -> int:
    """How many programs were started on the host since then: what Ansible does there begins with one."""
    started = machine.events(
        since=int(begun), until=int(time.time()) + 1, filters={"container": host.name, "event": "exec_create"}
    )
    return len(list(started))


@pytest.mark.images("trixie")
@pytest.mark.parametrize(("options", "words"), REFUSED.values(), ids=REFUSED)
def test_malformed_waiver_is_refused_before_any_host_is_contacted(
    machine: docker.DockerClient, shared_host: Host, tmp_path: Path, options: dict[str, Any], words: list[str]
) -> None:
    time.sleep(1)  # The engine's events are asked for by the second.
    begun = time.time()
    options = {**options, **OVER_SSH, "compliance_report_directory": str(tmp_path)}
    played = play.playbook([shared_host.name, NOWHERE], PLAYBOOK, options, check=False)
    assert played.rc == 2
    assert [word for word in [*words, "No host was contacted"] if word not in played.stdout] == []
    assert "UNREACHABLE" not in played.stdout
    assert contacts(machine, shared_host, begun) == 0
    assert list(tmp_path.iterdir()) == [], "there is nothing to report"
    shared_host.run("true")
    assert contacts(machine, shared_host, begun) == 1, "a contact would have been seen"


@pytest.mark.images("trixie")
def test_ansible_carries_the_same_module_to_the_host(shared_host: Host) -> None:
    """The other tests of audits start it without Ansible."""
    options = {"profile": "strict", "date": "2026-11-22"}
    carried = shared_host.module("bulwark.docker.compliance_info", options)
    assert carried["changed"] is False
    assert carried["findings"] == run_module(shared_host, options)["findings"]


@pytest.mark.images("trixie")
def test_unreachable_and_failed_hosts_are_in_the_report_and_fail_the_play(
    shared_host: Host, host: Host, tmp_path: Path
) -> None:
    host.run("mv /usr/bin/python3 /usr/bin/python3.away")
    names = [shared_host.name, host.name, NOWHERE]
    options = {**OVER_SSH, "compliance_report_directory": str(tmp_path)}
    played = play.playbook(names, PLAYBOOK, options, check=False)
    assert played.rc == 2
    report = report_of(tmp_path)
    rows = {row["host"]: row for row in report["hosts"]}
    assert {name: rows[name]["status"] for name in names} == {
        shared_host.name: "audited",
        host.name: "failed",
        NOWHERE: "unreachable",
    }
    assert len(rows) == 3
    assert NOWHERE in rows[NOWHERE]["message"]
    assert "python3" in rows[host.name]["message"]
    assert {one["host"] for one in report["findings"]} == {shared_host.name}
    for name in ("report.html", "report.md"):
        page = (tmp_path / name).read_text(encoding="utf-8")
        assert [host_name for host_name in names if host_name not in page] == []
    for name in names:
        assert name in played.stdout.partition("TASK [bulwark.docker.compliance_report")[2]


@pytest.mark.images("trixie")
@pytest.mark.parametrize(
    ("fail_on", "rc", "why"),
    [
        ("none", 0, ""),
        ("high", 2, "failed with severity high or worse"),
        ("critical", 0, ""),
        ("findings[?control=='daemon.icc' && verdict=='fail']", 2, "holds"),
        ("findings[?control=='daemon.icc' && verdict=='unknown']", 0, ""),
    ],
)
def test_gate_fails_the_play_after_the_report(
    shared_host: Host, tmp_path: Path, fail_on: str, rc: int, why: str
) -> None:
    options = {"compliance_report_directory": str(tmp_path), "compliance_report_fail_on": fail_on}
    played = shared_host.playbook(PLAYBOOK, options, check=False)
    assert (played.rc, why in played.stdout) == (rc, True), played.stdout
    (row,) = report_of(tmp_path)["hosts"]
    assert (row["host"], row["status"]) == (shared_host.name, "audited")


@pytest.mark.images("bookworm", "trixie", "sid")
def test_an_audit_never_reports_a_change_and_check_mode_audits_all_the_same(
    shared_host: Host, tmp_path: Path
) -> None:
    checked = shared_host.playbook(PLAYBOOK, {"compliance_report_directory": str(tmp_path / "1")}, "--check")
    played = shared_host.playbook(PLAYBOOK, {"compliance_report_directory": str(tmp_path / "2")})
    for run in (checked, played):
        assert "changed=0" in run.stdout
        assert "\nchanged: " not in run.stdout
    assert report_of(tmp_path / "1") == report_of(tmp_path / "2")
