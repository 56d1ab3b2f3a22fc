# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""JUnit: what failed fails, what is not known is not passed, and a host without an audit is an error."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.audit.catalogue import CATALOGUE
from ansible_collections.bulwark.docker.plugins.module_utils.audit.judge import words_of
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.junit import junit

from tests.unit.plugins import reports

CONTROL = reports.catalogue(1)[0]


def suites(hosts: list[dict[str, Any]]) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(junit(build_report(hosts, "Audit"))))


def one(verdict: str, **more: Any) -> ElementTree.Element:
    subjects = [reports.subject("container", "web")] if verdict == "fail" else []
    finding = {**reports.finding(CONTROL, verdict, subjects), "engine": None, **more}
    ((case,),) = suites([reports.audited("web1", [finding])])
    return case


@pytest.mark.parametrize(
    ("verdict", "more", "held"),
    [
        ("pass", {}, []),
        ("fail", {}, ["failure"]),
        ("fail", {"waived": True}, ["skipped"]),
        ("unknown", {}, ["skipped"]),
        ("manual", {}, ["skipped"]),
        ("not_applicable", {}, ["skipped"]),
    ],
)
def test_only_a_pass_is_a_case_without_a_word(verdict, more, held):
    assert [child.tag for child in one(verdict, **more)] == held


def test_a_failure_says_what_and_how_to_fix_it():
    case = one("fail", engine="rootless:ada")
    assert (case.get("classname"), case.get("name")) == (
        CONTROL["scope"],
        f"{CONTROL['control']} (rootless:ada)",
    )
    assert (case[0].get("type"), case[0].get("message")) == ("critical", "failed: 1 of 5 differ.")
    assert (case[0].text or "").splitlines() == [
        CONTROL["title"],
        "container web",
        words_of(CATALOGUE[CONTROL["control"]], "ada")["remedy"]["text"],
    ]


def test_suites_are_hosts_with_their_counts():
    hosts = reports.make_hosts(3, controls=60)
    found = suites(hosts)
    verdicts = hosts[0]["result"]["score"]["verdicts"]
    assert [suite.get("name") for suite in found] == ["web000", "web001", "web002"]
    assert found[0].attrib == {
        "name": "web000",
        "tests": "60",
        "failures": str(verdicts["fail"]),
        "errors": "0",
        "skipped": str(60 - verdicts["fail"] - verdicts["pass"]),
    }


def test_a_host_without_an_audit_is_an_error():
    (suite,) = suites([reports.unaudited("db1", "failed", "No space left")])
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")
    assert suite[0][0].attrib == {"type": "failed", "message": "No space left"}


def test_hostile_names_stay_text():
    found = suites(reports.make_hosts(3, controls=25, hostile=True))
    tags = {element.tag for suite in found for element in suite.iter()}
    assert tags == {"testsuite", "testcase", "failure", "skipped", "error"}
    texts = [value for suite in found for element in suite.iter() for value in element.attrib.values()]
    assert [text for text in texts if not text.isprintable()] == []
