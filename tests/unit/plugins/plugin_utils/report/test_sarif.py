# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SARIF: every failure is a result with a lasting fingerprint, what is waived is suppressed and not gone."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.sarif import sarif

from tests.unit.plugins import reports

CONTROL = reports.catalogue(1)[0]


def log(hosts: list[dict[str, Any]]) -> Any:
    return json.loads(sarif(build_report(hosts, "Audit")))


def run(hosts: list[dict[str, Any]]) -> Any:
    (found,) = log(hosts)["runs"]
    return found


def fail(name: str = "web", **more: Any) -> dict[str, Any]:
    return {**reports.finding(CONTROL, "fail", [reports.subject("container", name)], message=name), **more}


def test_it_is_a_log_of_version_2_1_0():
    found = log([])
    assert found["version"] == "2.1.0"
    assert found["$schema"].endswith("/sarif-schema-2.1.0.json")


def test_a_failure_is_a_result_of_its_rule():
    found = run([reports.audited("web1", [fail()])])
    (rule,), (result,) = found["tool"]["driver"]["rules"], found["results"]
    assert rule["id"] == CONTROL["control"]
    assert rule["defaultConfiguration"] == {"level": "error"}
    assert rule["properties"]["security-severity"] == "9.5"
    assert "listeners" in rule["properties"]["tags"]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == (CONTROL["control"], 0, "error")
    assert result["message"] == {"text": "web1: web"}
    assert result["locations"] == [
        {
            "physicalLocation": {"artifactLocation": {"uri": "web1"}},
            "logicalLocations": [{"name": "web", "kind": "container"}],
        }
    ]


def test_results_are_the_failures_with_their_own_severity():
    hosts = reports.make_hosts(3, controls=60)
    found = run(hosts)
    failed = [one for host in hosts[:2] for one in host["result"]["findings"] if one["verdict"] == "fail"]
    assert len(found["results"]) == len(failed)
    assert all(
        found["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        for result in found["results"]
    )
    chosen = {**reports.audited("web1", [fail()]), "severities": {CONTROL["control"]: "low"}}
    assert run([chosen])["results"][0]["level"] == "note"


def test_a_fingerprint_lasts_and_tells_hosts_and_engines_apart():
    def fingerprints(hosts: list[dict[str, Any]]) -> set[str]:
        return {result["partialFingerprints"]["bulwark/v1"] for result in run(hosts)["results"]}

    first = fingerprints([reports.audited("a", [fail("x")])])
    assert first == fingerprints([reports.audited("a", [fail("y")])])
    others = [reports.audited("a", [fail(), fail(engine="rootless:ada")]), reports.audited("b", [fail()])]
    assert len(fingerprints(others)) == 3


def test_what_is_waived_is_suppressed():
    finding = fail(waived=True)
    finding["subjects"][0]["waiver"] = reports.waiver()
    (result,) = run([reports.audited("web1", [finding])])["results"]
    assert result["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "Build agent, replaced in the next quarter (platform team, until 2027-03-31)",
        }
    ]


def test_a_host_without_an_audit_makes_the_run_unsuccessful():
    (invocation,) = run([reports.audited("web1", []), reports.unaudited("db1")])["invocations"]
    assert not invocation["executionSuccessful"]
    assert invocation["toolExecutionNotifications"] == [
        {"level": "error", "message": {"text": "db1 is unreachable: Connection timed out"}}
    ]
    assert run([reports.audited("web1", [])])["invocations"][0]["executionSuccessful"]


def test_hostile_names_make_no_link_and_no_placeholder():
    (result,) = run([reports.audited("web1", [fail("[x](javascript:y) {0} \\ \u202e")])])["results"]
    assert result["message"]["text"] == "web1: \\[x\\](javascript:y) {{0}} \\\\ <U+202E>"
    uri = run([reports.audited("../etc/a b\ud800", [fail()])])["results"][0]["locations"][0]
    assert uri["physicalLocation"]["artifactLocation"]["uri"] == "..%2Fetc%2Fa%20b%3F"
    text = sarif(build_report(reports.make_hosts(3, controls=25, hostile=True), "Audit"))
    assert text.isascii()
    assert "\\u202e" not in text.lower()
