# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The canonical report: what the audited hosts returned, as one sorted document of plain data.

The shape is described by docs/report.schema.json. The same input gives the same bytes.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.change import differences, read_change
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.vocabulary import (
    OUTCOMES,
    SCHEMA,
    SEVERITIES,
    STATUSES,
    VERDICTS,
    WAIVER_STATES,
)

_FINDING_KEYS = ("control", "title", "severity", "verdict", "engine", "message", "scope")
_SUBJECT_KEYS = ("kind", "id", "name", "verdict")
_SEEN_KEYS = ("expected", "actual", "evidence")
_WAIVED_KEYS = ("reason", "owner", "expires", "state")
_WAIVER_KEYS = ("control", "subject", "reason", "owner", "expires")
_REMEDY_KEYS = ("effect", "role", "variables", "text")
_REFERENCE_KEYS = ("requirements", "cis_1_6_0", "cis_1_8_0", "owasp")
_ENGINE_KEYS = ("name", "state", "version", "containers")
_ATTESTATION_KEYS = ("by", "date", "valid_until", "note", "state")
_WEIGHTS = ("passed", "failed", "waived")
_UNAUDITED: dict[str, Any] = {
    "profile": None,
    "hostname": None,
    "os": None,
    "kernel": None,
    "engines": [],
    "privileged": None,
    "collected": None,
    "score": None,
    "verdicts": None,
    "failed_by_severity": None,
}


def outcome(finding: dict[str, Any]) -> str:
    """The verdict of a finding, or `waived` for a failure whose subjects are all waived."""
    return "waived" if finding["waived"] else str(finding["verdict"])


def build_report(hosts: list[dict[str, Any]], title: str, generated: str | None = None) -> dict[str, Any]:
    """The report of the hosts, each as {"host", "status", "message", "result"}, and after a harden run with
    `before`, the result of an audit before it, and `change`, as the filter audit_outcomes gives them.

    A host whose result cannot be read is a failed host, it is never left out.
    Only a report that says when it was generated holds times; otherwise equal findings give equal reports.
    Raises ValueError when an entry itself is malformed or a host is listed twice.
    """
    rows: list[dict[str, Any]] = []
    findings: list[dict[str, Any]] = []
    waivers: list[dict[str, Any]] = []
    for entry in hosts:
        row, found, accepted = _host(_checked(entry))
        rows.append(row)
        findings += found
        waivers += accepted
    rows.sort(key=lambda row: str(row["host"]))
    for before, after in zip(rows, rows[1:]):
        if before["host"] == after["host"]:
            raise ValueError(f"host {after['host']} is listed twice in the hosts of the report")
    findings.sort(key=lambda one: (one["host"], one["control"], one["engine"] or ""))
    if generated is None:
        rows = [{**row, "collected": None} for row in rows]
    return {
        "schema": SCHEMA,
        "title": title,
        "generated": generated,
        "totals": _totals(rows, findings),
        "hosts": rows,
        "findings": findings,
        "waivers": _merged_waivers(waivers),
    }


def _checked(entry: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(entry, dict) or not isinstance(entry.get("host"), str) or not entry["host"]:
        raise ValueError(f"an entry of the hosts of the report has no host name: {entry!r:.120}")
    if entry.get("status") not in STATUSES:
        raise ValueError(
            f"host {entry['host']} has the status {entry.get('status')!r}, not one of {STATUSES}"
        )
    return entry


def _host(entry: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """One host's row, findings and waivers."""
    name, status, message = entry["host"], entry["status"], entry.get("message")
    change, before = read_change(entry.get("change")), None
    try:
        before = _before(entry)
        if status == "audited":
            row, found, accepted = _audited(name, message, entry["result"])
            return {**row, "before": _compared(before, found), "change": change}, found, accepted
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        status, message = "failed", f"its audit result cannot be read: {type(error).__name__}: {error}"
    row = {"host": name, "status": status, "message": message or "no reason was given", **_UNAUDITED}
    return {**row, "before": _compared(before, []), "change": change}, [], []


def _before(entry: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """The row and findings of the audit before the change."""
    if entry.get("before") is None:
        return None
    row, found, _unused = _audited(entry["host"], None, entry["before"])
    return row, found


def _compared(
    before: tuple[dict[str, Any], list[dict[str, Any]]] | None, findings: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """What the report holds of the audit before: its counts, and what is otherwise now."""
    if before is None:
        return None
    row, found = before
    return {
        **{key: row[key] for key in ("score", "verdicts", "failed_by_severity")},
        **differences(_worst(found), _worst(findings)),
    }


def _worst(findings: list[dict[str, Any]]) -> dict[str, str]:
    """Each control's outcome, the worst of its engines."""
    worst: dict[str, str] = {}
    for one in findings:
        control = one["control"]
        worst[control] = min(outcome(one), worst.get(control, OUTCOMES[-1]), key=OUTCOMES.index)
    return worst


def _audited(
    name: str, message: str | None, result: dict[str, Any]
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    if result["schema"] != SCHEMA:
        raise ValueError(f"it has schema {result['schema']}, this report reads schema {SCHEMA}")
    findings = [{"host": name, **_finding(one)} for one in result["findings"]]
    about, score = result["host"], result["score"]
    row = {
        "host": name,
        "status": "audited",
        "message": message,
        "profile": result["profile"],
        "hostname": about["name"],
        "os": about["os"],
        "kernel": about["kernel"],
        "engines": [{key: engine[key] for key in _ENGINE_KEYS} for engine in about["engines"]],
        "privileged": about["privileged"],
        "collected": about["collected"],
        "score": {"percent": score["percent"], **{key: score[key] for key in _WEIGHTS}},
        **_counts(findings),
    }
    waivers = [
        {
            **{key: one[key] for key in _WAIVER_KEYS},
            "state": one["state"],
            "matched": one["matched"],
            "host": name,
        }
        for one in result["waivers"]
    ]
    return row, findings, waivers


def _finding(raw: dict[str, Any]) -> dict[str, Any]:
    if raw["verdict"] not in VERDICTS or raw["severity"] not in SEVERITIES:
        raise ValueError(f"{raw['control']} has the verdict {raw['verdict']} and severity {raw['severity']}")
    subjects = [_subject(one) for one in raw["subjects"]]
    subjects.sort(
        key=lambda one: (VERDICTS.index(one["verdict"]), one["kind"], one["name"] or "", one["id"] or "")
    )
    return {
        **{key: raw[key] for key in _FINDING_KEYS},
        "waived": bool(raw.get("waived")) and raw["verdict"] == "fail",
        "counts": {verdict: raw["counts"].get(verdict, 0) for verdict in VERDICTS},
        "subjects": subjects,
        "attestation": _part(raw.get("attestation"), _ATTESTATION_KEYS),
        "remedy": _part(raw["remedy"], _REMEDY_KEYS),
        "references": {key: sorted(raw["references"].get(key, [])) for key in _REFERENCE_KEYS},
    }


def _subject(raw: dict[str, Any]) -> dict[str, Any]:
    return {
        **{key: raw[key] for key in _SUBJECT_KEYS},
        **{key: raw.get(key) for key in _SEEN_KEYS},
        "waiver": _part(raw.get("waiver"), _WAIVED_KEYS),
    }


def _part(raw: dict[str, Any] | None, keys: tuple[str, ...]) -> dict[str, Any] | None:
    return None if raw is None else {key: raw[key] for key in keys}


def _counts(findings: list[dict[str, Any]]) -> dict[str, Any]:
    """How many findings there are by outcome, and of the failed ones by severity."""
    verdicts = dict.fromkeys(OUTCOMES, 0)
    severities = dict.fromkeys(SEVERITIES, 0)
    for one in findings:
        result = outcome(one)
        verdicts[result] += 1
        if result == "fail":
            severities[one["severity"]] += 1
    return {"verdicts": verdicts, "failed_by_severity": severities}


def _totals(rows: list[dict[str, Any]], findings: list[dict[str, Any]]) -> dict[str, Any]:
    states = [row["status"] for row in rows]
    scores = [row["score"] for row in rows if row["score"]]
    weights = {key: sum(score[key] for score in scores) for key in _WEIGHTS}
    judged = weights["passed"] + weights["failed"]
    return {
        "hosts": {"total": len(rows), **{status: states.count(status) for status in STATUSES}},
        "score": {"percent": round(100 * weights["passed"] / judged, 1) if judged else None, **weights},
        **_counts(findings),
    }


def _merged_waivers(waivers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same waiver of several hosts as one, unmatched only if it matches nothing on any of them."""
    merged: dict[tuple[str, ...], dict[str, Any]] = {}
    for one in sorted(waivers, key=lambda one: str(one["host"])):
        key = tuple(str(one[part]) for part in _WAIVER_KEYS)
        whole = merged.setdefault(
            key,
            {**{part: one[part] for part in _WAIVER_KEYS}, "state": "unmatched", "matched": 0, "hosts": []},
        )
        whole["matched"] += one["matched"]
        if one["matched"]:
            whole["hosts"].append(one["host"])
        if one["state"] != "unmatched" and whole["state"] != "expired":
            whole["state"] = one["state"]
    return sorted(merged.values(), key=lambda one: (WAIVER_STATES.index(one["state"]), _waiver_key(one)))


def _waiver_key(waiver: dict[str, Any]) -> list[str]:
    return [str(waiver[part]) for part in _WAIVER_KEYS]
