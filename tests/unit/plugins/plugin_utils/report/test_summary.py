# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary is printable, leads with the worst, and says what it leaves out."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.summary import summary_lines

from tests.unit.plugins import reports

CONTROLS = {control["control"]: control for control in reports.catalogue(20)}
USERNS, SOCKET = CONTROLS["daemon.userns_remap"], CONTROLS["container.engine_socket"]


def lines(hosts: list[dict[str, Any]], files: list[str] | None = None, limit: int = 50) -> list[str]:
    return summary_lines(build_report(hosts, "Docker host audit"), files or [], limit)


def test_a_small_report_in_full():
    remapped = reports.finding(
        USERNS, "fail", [reports.subject("engine", "system", expected="remapped", actual="none")]
    )
    mounted = [
        reports.subject("container", "ci", waiver=reports.waiver()),
        reports.subject("container", "traefik"),
    ]
    stale = {"control": "daemon.icc", "subject": "*", **reports.waiver("expired")}
    found = lines(
        [
            reports.audited("web1", [remapped, reports.finding(SOCKET, "fail", mounted)], waivers=[stale]),
            reports.unaudited("db1"),
        ],
        ["/srv/reports/report.html"],
    )
    assert found == [
        "Docker host audit: score 0.0 %, 1 of 2 hosts audited",
        "Verdicts  2 failed, 0 unknown, 0 manual, 0 waived, 0 passed, 0 not applicable",
        "Failed    1 critical, 1 high, 0 medium, 0 low, 0 info",
        "",
        "UNREACHABLE db1   Connection timed out",
        "     0.0 %  web1  failed: 1 critical, 1 high",
        "",
        "Failed controls, the worst first",
        "CRITICAL  container.engine_socket: No container reaches the socket of an engine",
        "          web1: container traefik: expected on, actual off",
        "          fix: Remove the mount; where a tool needs the API, put a proxy with an allow list before it.",
        "HIGH      daemon.userns_remap: Root of a container is not root of the host",
        "          web1: engine system: expected remapped, actual none",
        "          fix: role bulwark.docker.userns_remap, userns_remap_state: present",
        "",
        "Waived",
        "CRITICAL  container.engine_socket on web1: 1 of 2 subjects,"
        " Build agent, replaced in the next quarter (platform team, until 2027-03-31)",
        "",
        "Waivers to renew or to remove",
        "EXPIRED   daemon.icc, *: Build agent, replaced in the next quarter"
        " (platform team, expired on 2026-01-31)",
        "",
        "Report    /srv/reports/report.html",
    ]


def test_what_a_harden_run_did():
    before = reports.finding(USERNS, "fail", [reports.subject("engine", "system")])
    after = reports.finding(USERNS, "pass", [])
    hosts = [
        reports.hardened("web1", [before], [after]),
        reports.hardened("web2", [before], [before], "failed", costs=[], refused=[]),
        {**reports.audited("web3", [after]), "change": reports.change("check", effect="none")},
        reports.hardened("web4", [after], [after], actions=[], costs=[], refused=[], effect="none"),
    ]
    found = lines(hosts)
    start = found.index("Changes")
    assert found[start : found.index("", start)] == [
        "Changes",
        "web2: failed, rolled back, score 0.0 % -> 0.0 %",
        "          the daemon did not start: exit status 1",
        "          tried: set icc in /etc/docker/daemon.json and 1 more; effect: a restart of the daemon",
        "web3: would be changed, score 100.0 %",
        "          would be changed: set icc in /etc/docker/daemon.json and 1 more",
        "          cost: 2 containers would stop",
        "          refused: remapping would hide 12 images; to consent, set userns_remap_allow_data_switch",
        "web1: changed, score 0.0 % -> 100.0 %, 1 control fixed",
        "          changed: set icc in /etc/docker/daemon.json and 1 more; effect: a restart of the daemon",
        "          cost: 2 containers would stop",
        "          refused: remapping would hide 12 images; to consent, set userns_remap_allow_data_switch",
        "web4: nothing to change, score 100.0 % -> 100.0 %",
    ]


def test_a_fleet_of_changes_is_cut_but_no_failed_one_is():
    modes = ["failed"] * 25 + ["done"] * 5
    hosts = [reports.hardened(f"web{n:03}", [], [], mode) for n, mode in enumerate(modes)]
    found = lines(hosts)
    assert len([line for line in found if ": failed, rolled back, " in line]) == 25
    assert "and 5 more hosts, see the report" in found
    many = reports.change()["refused"] * 5
    assert "          refused: 2 more, see the report" in lines(
        [reports.hardened("web1", [], [], refused=many)]
    )


def test_nothing_failed():
    found = lines([reports.audited("web1", [reports.finding(USERNS, "pass", [])], privileged=False)])
    assert found[4] == "   100.0 %  web1  nothing failed (read without root: the rest is unknown)"
    assert len(found) == 5


def test_a_limit_is_told_and_none_lists_all():
    hosts = reports.make_hosts(3, controls=60)
    failed = len({one["control"] for host in hosts[:2] for one in host["result"]["findings"] if failing(one)})
    assert f"and {failed - 2} more failed controls, see the report" in lines(hosts, limit=2)
    assert "and 1 more failed control, see the report" in lines(hosts, limit=failed - 1)
    assert not [line for line in lines(hosts, limit=0) if "more failed control" in line]


def failing(finding: dict[str, Any]) -> bool:
    return finding["verdict"] == "fail" and not finding["waived"]


def test_a_fleet_is_cut_but_no_unaudited_host_is():
    hosts = [
        reports.audited(f"web{number:03}", [reports.finding(USERNS, "pass", [])]) for number in range(30)
    ]
    found = lines([*hosts, *(reports.unaudited(f"db{number:03}") for number in range(30))])
    assert len([line for line in found if line.startswith("UNREACHABLE")]) == 30
    assert len([line for line in found if line.startswith("   100.0 %")]) == 20
    assert "            and 10 hosts with a higher score" in found


def test_a_control_on_many_hosts_names_the_first():
    subjects = [reports.subject("engine", "system")]
    found = lines([reports.audited(f"web{n}", [reports.finding(USERNS, "fail", subjects)]) for n in range(6)])
    assert "          and on 3 more hosts" in found


def test_an_engine_of_a_user_is_named():
    finding = {**reports.finding(USERNS, "fail", [reports.subject("engine", "x")]), "engine": "rootless:ada"}
    assert "          web1 (rootless:ada): engine x: expected on, actual off" in lines(
        [reports.audited("web1", [finding])]
    )


def test_subjects_that_differ_are_named_without_values():
    subjects = [reports.subject("container", "a"), reports.subject("container", "b", actual="half")]
    assert "          web1: container a, b" in lines(
        [reports.audited("web1", [reports.finding(SOCKET, "fail", subjects)])]
    )


@pytest.mark.parametrize("hostile", [False, True])
def test_every_character_is_printable_and_no_line_endless(hostile):
    hosts = reports.make_hosts(3, hostile=hostile)
    found = lines(hosts, [f"/tmp/{name}" for name in reports.HOSTILE_NAMES[:1]], limit=0)
    assert [line for line in found if not line.isprintable()] == []
    assert max(map(len, found)) < 400
