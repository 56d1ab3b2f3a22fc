# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate closes on what its user named, on hosts without an audit, and for want of an answer."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.plugin_utils.report import expression
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.gate import gate, gate_problem

from tests.unit.plugins import reports

CONTROLS = {control["severity"]: control for control in reports.catalogue(300)}


def failed(severity: str, waived: bool = False) -> dict[str, Any]:
    state = {"waiver": reports.waiver()} if waived else {}
    subjects = [reports.subject("container", "web", **state)]
    return {**reports.finding(CONTROLS[severity], "fail", subjects), "waived": waived}


def report(*findings: dict[str, Any], missing: int = 0) -> dict[str, Any]:
    hosts = [reports.audited("web1", list(findings))]
    return build_report(hosts + [reports.unaudited(f"db{number}") for number in range(missing)], "Audit")


@pytest.mark.parametrize(
    ("fail_on", "severity", "closed"),
    [
        ("none", "critical", False),
        ("critical", "critical", True),
        ("critical", "high", False),
        ("high", "critical", True),
        ("medium", "medium", True),
        ("low", "info", False),
        ("info", "info", True),
    ],
)
def test_a_severity_closes_on_itself_and_worse(fail_on, severity, closed):
    assert gate(report(failed(severity)), fail_on, True)["failed"] is closed


def test_what_is_waived_or_did_not_fail_does_not_close():
    unknown = reports.finding(CONTROLS["high"], "unknown", [])
    assert gate(report(failed("critical", waived=True), unknown), "info", True) == {
        "failed": False,
        "message": "",
    }


def test_the_message_names_the_worst_first_and_not_all():
    message = gate(report(*[failed(severity) for severity in ("low", "critical", "high")]), "low", True)[
        "message"
    ]
    nine = [{**failed("low"), "engine": f"rootless:{number}"} for number in range(9)]
    assert message.startswith("3 findings failed with severity low or worse: ")
    assert message.index(CONTROLS["critical"]["control"]) < message.index(CONTROLS["low"]["control"])
    assert gate(report(*nine), "low", True)["message"].endswith(" and 4 more")


@pytest.mark.parametrize(
    ("fail_on", "closed"),
    [
        ("totals.score.percent < `80`", True),
        ("totals.score.percent < `0`", False),
        ("findings[?verdict=='fail']", True),
        ("findings[?verdict=='manual']", False),
        ("length(findings[?verdict=='manual'])", False),
        ("length(findings[?verdict=='fail'])", True),
        ("generated", False),
        ("title", True),
    ],
)
def test_an_expression_closes_when_its_value_is_something(fail_on, closed):
    decision = gate(report(failed("low")), fail_on, True)
    assert decision["failed"] is closed
    assert (fail_on in decision["message"]) is closed


@pytest.mark.parametrize("fail_on", ["hihg", "sum(hosts[].host)", "a b"])
def test_an_expression_without_an_answer_closes(fail_on):
    decision = gate(report(), fail_on, True)
    assert decision["failed"]
    assert fail_on in decision["message"]


def test_hosts_without_an_audit_close_unless_allowed():
    decision = gate(report(missing=7), "none", True)
    assert decision["message"].startswith(
        "7 of 8 hosts could not be audited: db0 (unreachable: Connection timed out)"
    )
    assert decision["message"].endswith("and 2 more")
    assert gate(report(missing=7), "none", False) == {"failed": False, "message": ""}


def test_hosts_whose_change_failed_close_though_they_were_audited():
    hosts = [
        reports.hardened("web1", [], [], "failed"),
        reports.hardened("web2", [], []),
        reports.hardened("web3", [], [], "check"),
    ]
    found = build_report(hosts, "Audit")
    assert gate(found, "none", True) == {
        "failed": True,
        "message": "1 host could not be changed: web1 (the daemon did not start: exit status 1)",
    }
    assert gate(found, "none", False) == {"failed": False, "message": ""}
    both = {**hosts[0], **reports.unaudited("web1")}
    assert gate(build_report([both], "Audit"), "none", True)["message"] == (
        "1 of 1 host could not be audited: web1 (unreachable: Connection timed out)."
        " 1 host could not be changed: web1 (the daemon did not start: exit status 1)"
    )


def test_a_report_without_any_host_closes():
    assert "nothing was audited" in gate(build_report([], "Audit"), "none", True)["message"]


def test_all_reasons_are_given():
    message = gate(report(failed("high"), missing=1), "high", True)["message"]
    assert "could not be audited" in message
    assert "1 finding failed" in message


@pytest.mark.parametrize(
    "fail_on", ["none", "critical", "high", "medium", "low", "info", "waivers[?state=='expired']"]
)
def test_sound_gates_have_no_problem(fail_on):
    assert gate_problem(fail_on) == ""


@pytest.mark.parametrize("fail_on", ["hgih", "None", "HIGH", "", "findings[?", "x" * 2000, "a\u202eb"])
def test_a_problem_is_one_printable_sentence(fail_on):
    problem = gate_problem(fail_on)
    assert problem
    assert problem.isprintable()
    assert len(problem) < 800


def test_without_jmespath_an_expression_is_refused_and_a_severity_is_not(monkeypatch):
    monkeypatch.setattr(expression, "jmespath", None)
    assert "jmespath, which is not installed" in gate_problem("totals.hosts")
    assert gate(report(failed("high")), "totals.hosts", True)["failed"]
    assert gate_problem("high") == ""


@pytest.mark.parametrize("name", reports.HOSTILE_NAMES)
def test_hostile_names_do_no_harm_in_a_message(name):
    hosts = [
        reports.unaudited(name, message=name),
        reports.audited("web1", [{**failed("high"), "control": name}]),
        reports.hardened(f"{name}.", [], [], "failed", text=name),
    ]
    message = gate(build_report(hosts, "Audit"), "high", True)["message"]
    assert message.isprintable()
    assert len(message) < 2000
