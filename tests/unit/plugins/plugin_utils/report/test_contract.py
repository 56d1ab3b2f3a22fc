# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the audit gives is what the report reads: real judgements of whole snapshots, in every form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.audit import compliance, waivers
from ansible_collections.bulwark.docker.plugins.module_utils.controls import findings
from ansible_collections.bulwark.docker.plugins.plugin_utils.report import vocabulary
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.files import FORMATS
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.summary import summary_lines

from tests.unit.builders import containers, daemon, host

SCHEMA = json.loads((Path(__file__).parents[5] / "docs" / "report.schema.json").read_text(encoding="utf-8"))
WAIVERS = [
    {"control": "container.privileged", "subject": name, "reason": "r", "owner": "o", "expires": expires}
    for name, expires in (("agent", "2099-12-31"), ("gone", "2099-12-31"), ("agent", "2020-12-31"))
]
ATTESTATIONS = [
    {"control": name, "by": "Ada", "date": "2020-01-01", "valid_until": until}
    for name, until in (("manual.host_hardened", "2020-12-31"), ("manual.network_scan", "2099-12-31"))
]
SNAPSHOTS = {
    "containers": containers.holding(
        containers.container(name="agent", host_config={"Privileged": True}), containers.stopped(name="web")
    ),
    "daemon": daemon.snapshot(daemon.engine(), daemon.rootless_engine()),
    "host": host.snapshot(),
}


def outcome(name: str) -> dict[str, Any]:
    options = {
        "profile": "strict",
        "controls": [],
        "parameters": {},
        "severities": {},
        "waivers": WAIVERS,
        "attestations": ATTESTATIONS,
    }
    result = {"changed": False, **compliance.audit(SNAPSHOTS[name], options, "2026-11-22")}
    chosen = {"waivers": WAIVERS, "attestations": ATTESTATIONS, "date": "2026-11-22"}
    return {
        "host": name,
        "status": "audited",
        "message": None,
        "result": json.loads(json.dumps(result)),
        **chosen,
    }


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return build_report([outcome(name) for name in SNAPSHOTS], "Audit", "2026-11-22T10:00:00Z")


def test_no_judgement_is_lost(report):
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(report)))
    assert [(row["host"], row["status"]) for row in report["hosts"]] == [
        (name, "audited") for name in sorted(SNAPSHOTS)
    ]
    judged = {name: outcome(name)["result"] for name in SNAPSHOTS}
    assert len(report["findings"]) == sum(len(result["findings"]) for result in judged.values())
    for row in report["hosts"]:
        assert row["verdicts"] == judged[row["host"]]["score"]["verdicts"]
        assert row["failed_by_severity"] == judged[row["host"]]["score"]["failed_by_severity"]


def test_every_form_can_be_made_of_it(report):
    assert all(render(report) for _name, render in FORMATS.values())
    assert summary_lines(report, [], 0)


def test_waivers_are_told_apart(report):
    assert [waiver["state"] for waiver in report["waivers"]] == ["expired", "unmatched", "active"]
    waived = [one for one in report["findings"] if one["control"] == "container.privileged" and one["waived"]]
    assert [one["subjects"][0]["waiver"]["state"] for one in waived] == ["active"]


def test_attestations_are_told_with_their_state(report):
    told = {one["control"]: one["attestation"]["state"] for one in report["findings"] if one["attestation"]}
    assert told == {"manual.host_hardened": "expired", "manual.network_scan": "active"}


def test_the_words_are_those_of_the_audit():
    assert set(vocabulary.VERDICTS) == set(findings.VERDICTS)
    assert set(vocabulary.OUTCOMES) == {*findings.VERDICTS, "waived"}
    assert set(vocabulary.EFFECT_WORDS) == set(findings.EFFECTS)
    assert set(vocabulary.WAIVER_STATES) == {waivers.ACTIVE, waivers.EXPIRED, waivers.UNMATCHED}
    assert vocabulary.SCHEMA == compliance.FINDINGS_SCHEMA
