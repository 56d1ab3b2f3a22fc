# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as JUnit XML: a test suite per host, a test case per finding."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import outcome
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.groups import (
    failing,
    named_subjects,
    remedy_text,
)
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.text import show, visible
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.vocabulary import OUTCOME_WORDS

_SUBJECTS, _NAME = 50, 200
# What a case holds that did not pass; what is no failure is skipped, with the reason.
_ELEMENTS = {
    "fail": "failure",
    "unknown": "skipped",
    "manual": "skipped",
    "waived": "skipped",
    "not_applicable": "skipped",
}


def junit(report: dict[str, Any]) -> str:
    """The report as an XML document. A host that was not audited is a suite with one error."""
    found: dict[str, list[dict[str, Any]]] = {host["host"]: [] for host in report["hosts"]}
    for finding in report["findings"]:
        found[finding["host"]].append(finding)
    suites = ElementTree.Element("testsuites", name=visible(report["title"]))
    for host in report["hosts"]:
        cases = [_case(finding) for finding in found[host["host"]]]
        suites.append(_suite(host, cases if host["status"] == "audited" else [_missing(host)]))
    ElementTree.indent(suites)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"
    )


def _suite(host: dict[str, Any], cases: list[ElementTree.Element]) -> ElementTree.Element:
    held = [child.tag for case in cases for child in case]
    attributes = {"name": visible(host["host"]), "tests": str(len(cases))}
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        attributes[name] = str(held.count(tag))
    suite = ElementTree.Element("testsuite", attributes)
    suite.extend(cases)
    return suite


def _missing(host: dict[str, Any]) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname="audit", name=host["status"])
    ElementTree.SubElement(case, "error", type=host["status"], message=show(host["message"]))
    return case


def _case(finding: dict[str, Any]) -> ElementTree.Element:
    engine = f" ({show(finding['engine'])})" if finding["engine"] else ""
    case = ElementTree.Element(
        "testcase", classname=show(finding["scope"]), name=show(finding["control"]) + engine
    )
    result = outcome(finding)
    if result in _ELEMENTS:
        message = f"{OUTCOME_WORDS[result]}: {show(finding['message'])}"
        held = ElementTree.SubElement(case, _ELEMENTS[result], type=finding["severity"], message=message)
        held.text = _details(finding) if result == "fail" else None
    return case


def _details(finding: dict[str, Any]) -> str:
    lines = [
        show(finding["title"]),
        named_subjects(failing(finding), _SUBJECTS, _NAME),
        remedy_text(finding["remedy"]),
    ]
    return "\n".join(filter(None, lines))
