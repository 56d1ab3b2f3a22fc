# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""S8, S12: a host that answers anything, beside one that answers well. The report of the good one is whole."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from ansible_collections.bulwark.docker.plugins.filter.audit_outcomes import audit_outcomes
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.files import FORMATS
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.gate import gate
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.summary import summary_lines

from tests.fuzz import mutations
from tests.unit.plugins import reports

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
GOOD, EVIL = "good", "evil"
# What of an honest answer is mutated: two failures, a waived one, an attested one, one of no catalogue.
ANSWER = reports.result(
    [
        *(reports.finding(one, "fail", [reports.subject("socket", "x")]) for one in reports.catalogue(2)),
        {
            **reports.finding(reports.catalogue(3)[2], "fail", [reports.subject("file", "y")]),
            "waived": True,
            "attestation": {
                "by": "Ada",
                "date": "2026-01-01",
                "valid_until": "2027-01-01",
                "note": None,
                "state": "active",
            },
        },
        {**reports.finding(reports.catalogue(4)[3], "fail", []), "control": "x.unknown"},
    ]
)
# By what the play has chosen: for both hosts the same.
CHOSEN = reports.chosen(ANSWER["findings"])
CHANGE = {**reports.change(), "changed": True}
# What would be markup, or a command to a terminal, if a form of the report let it through.
MARKUP = ("<img src=x",)
UNPRINTABLE = ("\x1b", "\u202e", "\x00", "\ud800")
_CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)")


class HostVars(dict[str, Any]):
    """What Ansible has registered of the hosts."""

    raw_get = dict.__getitem__


def registered(answer: Any, change: Any = CHANGE) -> dict[str, Any]:
    return {
        "compliance_audit_check": {},
        "compliance_audit_chosen": CHOSEN,
        "compliance_audit_result": answer,
        "compliance_audit_before": answer,
        "daemon_config_result": change,
    }


def report(evil: Any, change: Any) -> dict[str, Any]:
    """The report of both hosts, as the playbook makes it."""
    hostvars = HostVars({GOOD: registered(ANSWER), EVIL: registered(evil, change)})
    return build_report(json.loads(audit_outcomes(hostvars, [GOOD, EVIL])), "Audit")


def part_of(document: dict[str, Any], host: str) -> str:
    """What the report holds of a host, as its bytes."""
    rows = [row for row in document["hosts"] if row["host"] == host]
    return json.dumps([rows, [one for one in document["findings"] if one["host"] == host]])


@functools.cache
def sound() -> str:
    return part_of(report(ANSWER, CHANGE), GOOD)


def test_the_report_of_the_others_is_whole() -> None:
    statuses = set()
    for seed in mutations.seeds(120):
        try:
            document = report(mutations.data(ANSWER, seed), mutations.data(CHANGE, seed + 1))
            whole(document)
        except BaseException:
            print(f"FUZZ_SEED={seed}")
            raise
        statuses |= {row["status"] for row in document["hosts"] if row["host"] == EVIL}
    assert statuses <= {"audited", "failed"}


def whole(document: dict[str, Any]) -> None:
    """Nothing of the good host is lost or otherwise, and no form of the report does what the other one says."""
    VALIDATOR.validate(document)
    assert part_of(document, GOOD) == sound()
    assert [row["host"] for row in document["hosts"]] == [EVIL, GOOD]
    assert gate(document, "critical", False)["failed"], "what is critical on the good host closes the gate"
    assert {one["title"] for one in document["findings"] if one["catalogued"]} <= {
        one["title"] for one in reports.catalogue(10_000)
    }
    for name, (_file, render) in FORMATS.items():
        text = render(document)
        text.encode()
        # JSON has no markup, and in Markdown a code span has none.
        seen = "" if name in ("json", "sarif") else _CODE.sub("", text) if name == "markdown" else text
        assert [one for one in MARKUP if one in seen] == [], name
        assert [one for one in UNPRINTABLE if one in text] == [], name
    for name in ("json", "sarif"):
        json.loads(FORMATS[name][1](document), parse_constant=pytest.fail)
    ElementTree.fromstring(FORMATS["junit"][1](document))
    assert all(line.isprintable() for line in summary_lines(document, [], 0))


@pytest.mark.parametrize("value", mutations.HOSTILE)
def test_whatever_a_host_answers_instead_of_a_result(value: Any) -> None:
    document = report(value, value)
    VALIDATOR.validate(document)
    assert part_of(document, GOOD) == sound()
    assert {row["host"]: row["status"] for row in document["hosts"]} == {GOOD: "audited", EVIL: "failed"}
