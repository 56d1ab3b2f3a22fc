# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waivers (accepted findings) and attestations (a person's word for what no program can see). Pure."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import FAIL, MANUAL, PASS

ACTIVE, EXPIRED, UNMATCHED = "active", "expired", "unmatched"
WAIVER_FIELDS = ("control", "subject", "reason", "owner", "expires")
ATTESTATION_FIELDS = ("control", "by", "date", "valid_until")


def errors_in(waivers: Sequence[Any], attestations: Sequence[Any], control_ids: Collection[str]) -> list[str]:
    """What is wrong with the entries: one sentence each, with the entry's place and content."""
    errors = []
    for kind, entries, fields, dates in (
        ("waivers", waivers, WAIVER_FIELDS, ("expires",)),
        ("attestations", attestations, ATTESTATION_FIELDS, ("date", "valid_until")),
    ):
        for place, entry in enumerate(entries):
            errors += [
                f"{kind}[{place}] {problem}" for problem in _entry_errors(entry, fields, dates, control_ids)
            ]
    return errors


def _entry_errors(
    entry: Any, fields: Sequence[str], dates: Sequence[str], control_ids: Collection[str]
) -> list[str]:
    if not isinstance(entry, Mapping):
        return [f"is not a dictionary: {entry!r}"]
    named = f"({entry.get('control', 'no control')}, {entry.get('subject', entry.get('by', 'no subject'))})"
    errors = [
        f"{named} lacks '{field}'"
        for field in fields
        if not isinstance(entry.get(field), str) or not entry[field].strip()
    ]
    errors += [f"{named} has the unknown key '{key}'" for key in entry if key not in (*fields, "note")]
    if isinstance(entry.get("control"), str) and entry["control"] not in control_ids:
        errors.append(f"{named} names a control that does not exist")
    for field in dates:
        if isinstance(entry.get(field), str) and not is_date(entry[field]):
            errors.append(f"{named} has {field} '{entry[field]}', which is no date of the form 2026-12-31")
    return errors


def is_date(text: str) -> bool:
    """Whether the text is a day that exists, written YYYY-MM-DD."""
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def attest(findings: Sequence[dict[str, Any]], attestations: Sequence[Mapping[str, Any]], today: str) -> None:
    """Make `manual` findings with a valid attestation `pass`; show an expired one and leave the verdict.

    Only findings that have one get the key `attestation`.
    """
    by_control = {entry["control"]: entry for entry in attestations}
    for finding in findings:
        entry = by_control.get(finding["control"])
        if entry is None or finding["verdict"] != MANUAL:
            continue
        state = ACTIVE if today <= entry["valid_until"] else EXPIRED
        finding["attestation"] = {
            **{field: entry[field] for field in ATTESTATION_FIELDS[1:]},
            "note": entry.get("note"),
            "state": state,
        }
        if state == ACTIVE:
            finding["verdict"] = PASS
            finding["message"] = (
                f"Attested by {entry['by']} on {entry['date']}, valid until {entry['valid_until']}."
            )


def waive(
    findings: Sequence[dict[str, Any]], waivers: Sequence[Mapping[str, Any]], today: str
) -> list[dict[str, Any]]:
    """Mark the failing subjects that a waiver accepts, and return the waivers with what became of each.

    `subject` of a waiver is a shell pattern for the subject's name or id. The last day of `expires` still counts.
    A finding is `waived` when every failing subject has an active waiver; its verdict stays `fail`.
    """
    shown = []
    for waiver in waivers:
        state = ACTIVE if today <= waiver["expires"] else EXPIRED
        matched = 0
        for finding in findings:
            if finding["control"] != waiver["control"]:
                continue
            for subject in finding["subjects"]:
                if subject["verdict"] == FAIL and _matches(waiver["subject"], subject):
                    matched += 1
                    _mark(subject, waiver, state)
        shown.append(
            {
                **{field: waiver[field] for field in WAIVER_FIELDS},
                "state": state if matched or state == EXPIRED else UNMATCHED,
                "matched": matched,
            }
        )
    for finding in findings:
        failing = [subject for subject in finding["subjects"] if subject["verdict"] == FAIL]
        # Where nothing is named there is nothing that anybody has accepted.
        finding["waived"] = finding["verdict"] == FAIL and {ACTIVE} == {
            (subject["waiver"] or {}).get("state") for subject in failing
        }
    return shown


def _matches(pattern: str, subject: Mapping[str, Any]) -> bool:
    return any(fnmatchcase(subject[key] or "", pattern) for key in ("name", "id"))


def _mark(subject: dict[str, Any], waiver: Mapping[str, Any], state: str) -> None:
    if subject["waiver"] is None or subject["waiver"]["state"] == EXPIRED:
        subject["waiver"] = {**{field: waiver[field] for field in WAIVER_FIELDS[2:]}, "state": state}
