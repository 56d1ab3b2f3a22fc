# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The findings of a report by control, and the subjects of a finding by what was seen of them.

What people read names a control once, with the hosts it is about, and equal observations once.
"""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import outcome
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.text import clip, show, visible
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.vocabulary import OUTCOMES, SEVERITIES
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.words import remedy_of_all

_SHORT_ID = 12
_SUBJECT_KEY = ("kind", "verdict", "expected", "actual", "evidence", "waiver")
_ENTRY_KEY = ("severity", "engine", "message", "attestation", "remedy")


def by_control(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The controls, worst first, each with its findings and what they have in common.

    A control's outcome is the worst of its findings, its severity the worst among those of that outcome.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in report["findings"]:
        found.setdefault(finding["control"], []).append(finding)
    groups = [_group(control, findings) for control, findings in found.items()]
    groups.sort(
        key=lambda one: (
            OUTCOMES.index(one["outcome"]),
            SEVERITIES.index(one["severity"]),
            -one["outcomes"][one["outcome"]],
            one["control"],
        )
    )
    return groups


def _group(control: str, findings: list[dict[str, Any]]) -> dict[str, Any]:
    outcomes = dict.fromkeys(OUTCOMES, 0)
    for finding in findings:
        outcomes[outcome(finding)] += 1
    worst = next(name for name in OUTCOMES if outcomes[name])
    leading = [finding for finding in findings if outcome(finding) == worst]
    first = min(leading, key=lambda finding: SEVERITIES.index(finding["severity"]))
    return {
        "control": control,
        "title": first["title"],
        "scope": first["scope"],
        "severity": first["severity"],
        "references": first["references"],
        "remedy": _remedy(control, leading),
        "outcome": worst,
        "outcomes": outcomes,
        "findings": findings,
    }


def _remedy(control: str, findings: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What all of them have, or else what the catalogue says of the control alone."""
    remedies = [finding["remedy"] for finding in findings if finding["remedy"]]
    if not remedies:
        return None
    return remedies[0] if all(one == remedies[0] for one in remedies) else remedy_of_all(control)


def entries(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Findings of one control that say the same, as one entry with the hosts it holds for, worst first."""
    merged: dict[str, dict[str, Any]] = {}
    for finding in findings:
        rows = subject_rows(finding["subjects"])
        key = json.dumps([outcome(finding), rows, [finding[part] for part in _ENTRY_KEY]], sort_keys=True)
        entry = merged.setdefault(
            key,
            {
                **{part: finding[part] for part in _ENTRY_KEY},
                "outcome": outcome(finding),
                "rows": rows,
                "hosts": [],
            },
        )
        entry["hosts"].append(finding["host"])
    return sorted(
        merged.values(), key=lambda one: (OUTCOMES.index(one["outcome"]), SEVERITIES.index(one["severity"]))
    )


def subject_rows(subjects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Subjects with the same observation as one row with all their names."""
    rows: dict[str, dict[str, Any]] = {}
    for subject in subjects:
        key = json.dumps([subject[part] for part in _SUBJECT_KEY], sort_keys=True)
        row = rows.setdefault(key, {**{part: subject[part] for part in _SUBJECT_KEY}, "names": []})
        row["names"].append(subject_name(subject))
    return list(rows.values())


def subject_name(subject: dict[str, Any]) -> str:
    """A subject's name, or its shortened id where it has none, as visible text."""
    return visible(subject["name"] or (subject["id"] or "")[:_SHORT_ID] or "(unnamed)")


def named_subjects(subjects: list[dict[str, Any]], limit: int, width: int) -> str:
    """The first subjects in one line: container web, db and 3 more."""
    parts, kind = [], None
    for subject in subjects[:limit]:
        label = "" if subject["kind"] == kind else f"{show(subject['kind'])} "
        kind = subject["kind"]
        parts.append(label + clip(subject_name(subject), width))
    rest = len(subjects) - len(parts)
    return ", ".join(parts) + (f" and {rest} more" if rest else "")


def failing(finding: dict[str, Any]) -> list[dict[str, Any]]:
    """The failing subjects that no active waiver accepts."""
    return [
        subject
        for subject in finding["subjects"]
        if subject["verdict"] == "fail" and (subject["waiver"] or {}).get("state") != "active"
    ]


def attested(attestation: dict[str, Any]) -> str:
    """A person's word for what no program can see, in one line."""
    end = "valid until" if attestation["state"] == "active" else "expired on"
    note = f": {show(attestation['note'])}" if attestation["note"] else ""
    return (
        visible(
            f"attested by {attestation['by']} on {attestation['date']}, {end} {attestation['valid_until']}"
        )
        + note
    )


def remedy_text(remedy: dict[str, Any] | None) -> str:
    """How to fix it in one line: the role with its variables where there is one, else the text."""
    if not remedy:
        return ""
    if not remedy.get("role"):
        return show(remedy.get("text"))
    variables = remedy.get("variables") or {}
    settings = "".join(f", {key}: {show(value)}" for key, value in sorted(variables.items()))
    return visible(f"role bulwark.docker.{remedy['role']}{settings}")
