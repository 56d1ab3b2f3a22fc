# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers and attestations: what is refused, what counts, what is only shown."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.audit.judge import score_of
from ansible_collections.bulwark.docker.plugins.module_utils.audit.waivers import (
    attest,
    errors_in,
    is_date,
    waive,
)

WAIVER = {
    "control": "container.privileged",
    "subject": "probe",
    "reason": "Reads sensors.",
    "owner": "platform team",
    "expires": "2026-12-31",
}
ATTESTATION = {
    "control": "host.hardened",
    "by": "A. Person",
    "date": "2026-11-01",
    "valid_until": "2027-05-01",
}
CONTROLS = {"container.privileged", "host.hardened"}


def finding(verdict: str = "fail", *names: str, control: str = "container.privileged") -> dict[str, Any]:
    subjects = [
        {"kind": "container", "id": f"id-of-{name}", "name": name, "verdict": verdict, "waiver": None}
        for name in names
    ]
    return {
        "control": control,
        "severity": "critical",
        "verdict": verdict,
        "message": "",
        "subjects": subjects,
    }


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("container.privileged", "waivers[0] is not a dictionary: 'container.privileged'"),
        ({**WAIVER, "owner": " "}, "waivers[0] (container.privileged, probe) lacks 'owner'"),
        (
            {k: v for k, v in WAIVER.items() if k != "expires"},
            "(container.privileged, probe) lacks 'expires'",
        ),
        (
            {**WAIVER, "expires": "2026-13-01"},
            "has expires '2026-13-01', which is no date of the form 2026-12-31",
        ),
        ({**WAIVER, "expires": "31.12.2026"}, "which is no date"),
        ({**WAIVER, "expires": 20261231}, "lacks 'expires'"),
        (
            {**WAIVER, "control": "container.priv"},
            "(container.priv, probe) names a control that does not exist",
        ),
        ({**WAIVER, "untill": "x"}, "has the unknown key 'untill'"),
    ],
)
def test_a_malformed_waiver_is_named(entry, sentence):
    (error,) = errors_in([entry], [], CONTROLS)
    assert sentence in error


def test_a_malformed_attestation_is_named():
    (error,) = errors_in([], [ATTESTATION, {**ATTESTATION, "valid_until": "soon"}], CONTROLS)
    assert error.startswith("attestations[1] (host.hardened, A. Person) has valid_until 'soon'")


def test_sound_entries_pass():
    assert errors_in([WAIVER], [{**ATTESTATION, "note": "Report 7."}], CONTROLS) == []


@pytest.mark.parametrize(
    ("text", "valid"), [("2026-02-28", True), ("2026-02-29", False), ("20260228", False), ("2026-2-8", False)]
)
def test_dates(text, valid):
    assert is_date(text) is valid


@pytest.mark.parametrize(
    ("pattern", "today", "state", "marked", "waived"),
    [
        ("probe", "2026-12-31", "active", ["probe"], False),
        ("*", "2026-12-31", "active", ["probe", "other"], True),
        ("id-of-p*", "2026-11-22", "active", ["probe"], False),
        ("probe", "2027-01-01", "expired", ["probe"], False),
        ("nobody", "2026-11-22", "unmatched", [], False),
        ("nobody", "2027-01-01", "expired", [], False),
        ("prob", "2026-11-22", "unmatched", [], False),
    ],
)
def test_a_waiver_marks_exactly_its_subjects(pattern, today, state, marked, waived):
    judged = finding("fail", "probe", "other")
    (shown,) = waive([judged], [{**WAIVER, "subject": pattern}], today)
    assert (shown["state"], shown["matched"]) == (state, len(marked))
    assert [s["name"] for s in judged["subjects"] if s["waiver"]] == marked
    assert judged["waived"] is waived
    assert judged["verdict"] == "fail"


def test_an_expired_waiver_yields_to_an_active_one():
    judged = finding("fail", "probe")
    waive([judged], [{**WAIVER, "expires": "2020-01-01"}, WAIVER], "2026-11-22")
    assert judged["subjects"][0]["waiver"]["expires"] == "2026-12-31"
    assert judged["waived"] is True


def test_what_names_nothing_is_not_waived():
    judged = finding()
    waive([judged], [{**WAIVER, "subject": "*"}], "2026-11-22")
    assert judged["waived"] is False


def test_waived_findings_are_counted_apart():
    waived, passed = finding("fail", "probe"), finding("pass")
    waive([waived, passed], [WAIVER], "2026-11-22")
    score = score_of([waived, passed])
    assert (score["percent"], score["passed"], score["failed"], score["waived"]) == (100.0, 8, 0, 8)
    assert score["verdicts"]["waived"] == 1
    assert score["failed_by_severity"]["critical"] == 0


@pytest.mark.parametrize(
    ("verdict", "today", "after", "state"),
    [
        ("manual", "2027-05-01", "pass", "active"),
        ("manual", "2027-05-02", "manual", "expired"),
        ("fail", "2026-11-22", "fail", None),
        ("unknown", "2026-11-22", "unknown", None),
    ],
)
def test_an_attestation_speaks_only_for_what_no_program_can_tell(verdict, today, after, state):
    judged = finding(verdict, control="host.hardened")
    attest([judged], [ATTESTATION], today)
    assert judged["verdict"] == after
    assert judged.get("attestation", {}).get("state") == state
