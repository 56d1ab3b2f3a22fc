# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The canonical report: what the audited hosts returned, as one sorted document of plain data.

The shape is described by docs/report.schema.json. The same input gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.audit import judge
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.accepted import accept, problem_of
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.bounds import Malformed, bounded, where
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.change import differences, read_change
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.shape import MOST, check, kind_of
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.vocabulary import (
    OUTCOMES,
    SCHEMA,
    SEVERITIES,
    STATUSES,
    VERDICTS,
    WAIVER_STATES,
)
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.words import in_own_words

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
_MESSAGE = 10_000
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

Part = dict[str, Any]
# The path to a value, as bounds.where reads it.
Place = Any


def outcome(finding: Part) -> str:
    """The verdict of a finding, or `waived` for a failure whose subjects are all waived."""
    return "waived" if finding["waived"] else str(finding["verdict"])


def build_report(hosts: list[Part], title: str, generated: str | None = None) -> Part:
    """The report of the hosts, each as {"host", "status", "message", "result"}, and after a harden run with
    `before`, the result of an audit before it, and `change`, as the filter audit_outcomes gives them. With
    `severities`, `waivers`, `attestations` and `date`, what the play chose for the host; without, nothing is accepted.

    A host whose result is not what the module returns is a failed host, and costs the others nothing.
    Only a report that says when it was generated holds times; otherwise equal findings give equal reports.
    Raises ValueError when an entry itself is malformed or a host is listed twice.
    """
    rows: list[Part] = []
    findings: list[Part] = []
    waivers: list[Part] = []
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


def _checked(entry: Part) -> Part:
    if not isinstance(entry, dict) or not isinstance(entry.get("host"), str) or not entry["host"]:
        raise ValueError(f"an entry of the hosts of the report has no host name: {entry!r:.120}")
    if entry.get("status") not in STATUSES:
        raise ValueError(
            f"host {entry['host']} has the status {entry.get('status')!r}, not one of {STATUSES}"
        )
    problem = problem_of(entry)
    if problem:
        raise ValueError(f"host {entry['host']}: {problem}")
    return entry


def _host(entry: Part) -> tuple[Part, list[Part], list[Part]]:
    """One host's row, findings and waivers."""
    name, status, message = entry["host"], entry["status"], entry.get("message")
    change, before = read_change(entry.get("change")), None
    try:
        before = _before(entry)
        if status == "audited":
            row, found, accepted = _audited(entry, "result")
            return {**row, "before": _compared(before, found), "change": change}, found, accepted
    except Malformed as error:
        status, message = "failed", f"its audit result cannot be read: {error}"
    except Exception as error:
        # Whatever a host may return, the report of the others is whole.
        status, message = "failed", f"its audit result cannot be read: {type(error).__name__}: {error}"
    row = {"host": name, "status": status, "message": _said(message), **_UNAUDITED}
    return {**row, "before": _compared(before, []), "change": change}, [], []


def _said(message: Any) -> str:
    """Why a host was not audited, whatever it answered instead."""
    text = str(message or "no reason was given")[:_MESSAGE]
    return str(bounded(text, "message"))


def _before(entry: Part) -> tuple[Part, list[Part]] | None:
    """The row and findings of the audit before the change."""
    if entry.get("before") is None:
        return None
    row, found, _unused = _audited(entry, "before")
    return row, found


def _compared(before: tuple[Part, list[Part]] | None, findings: list[Part]) -> Part | None:
    """What the report holds of the audit before: its counts, and what is otherwise now."""
    if before is None:
        return None
    row, found = before
    return {
        **{key: row[key] for key in ("score", "verdicts", "failed_by_severity")},
        **differences(_worst(found), _worst(findings)),
    }


def _worst(findings: list[Part]) -> dict[str, str]:
    """Each control's outcome, the worst of its engines."""
    worst: dict[str, str] = {}
    for one in findings:
        control = one["control"]
        worst[control] = min(outcome(one), worst.get(control, OUTCOMES[-1]), key=OUTCOMES.index)
    return worst


def _audited(entry: Part, which: str) -> tuple[Part, list[Part], list[Part]]:
    """The row, the findings and the waivers of a result, in which nothing is left that the schema does not allow."""
    name, place = entry["host"], (None, which)
    result = _mapping(bounded(entry.get(which), which), place)
    schema = result.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema != SCHEMA:
        raise Malformed(f"it has schema {schema!r:.40}, this report reads schema {SCHEMA}")
    findings = [
        _finding(name, one, (part, number)) for part, number, one in _entries(result, "findings", place)
    ]
    _refuse_twice(findings, place)
    accepted = [{**one, "host": name} for one in accept(findings, entry)]
    findings = [in_own_words(one, _severities(entry)) for one in findings]
    told = _told(result, place)
    row = {"host": name, "status": "audited", "message": None, **told, "score": _score(findings)}
    return {**row, **_counts(findings)}, findings, accepted


def _severities(entry: Part) -> Part:
    chosen = entry.get("severities")
    return chosen if isinstance(chosen, dict) else {}


def _told(result: Part, place: Place) -> Part:
    """What a host tells of itself."""
    about = _mapping(_value(result, "host", place), (place, "host"))
    told = {
        "profile": _value(result, "profile", place),
        "hostname": _value(about, "name", (place, "host")),
        **{key: _value(about, key, (place, "host")) for key in ("os", "kernel", "privileged", "collected")},
        "engines": [
            {key: _value(_mapping(one, (part, number)), key, (part, number)) for key in _ENGINE_KEYS}
            for part, number, one in _entries(about, "engines", (place, "host"))
        ],
    }
    check(told, "told", place)
    return told


def _refuse_twice(findings: list[Part], place: Place) -> None:
    """A control is judged once on an engine: what came twice would count twice."""
    seen: set[tuple[str, str | None]] = set()
    for one in findings:
        key = (one["control"], one["engine"])
        if key in seen:
            raise Malformed(f"{where((place, 'findings'))} has {one['control']} twice for one engine")
        seen.add(key)


def _score(findings: list[Part]) -> Part:
    """The score by the function that the audit uses, over what the report holds."""
    listed = [
        {**one, "counts": {verdict: number for verdict, number in one["counts"].items() if number}}
        for one in findings
    ]
    score = judge.score_of(listed)
    return {key: score[key] for key in ("percent", *_WEIGHTS)}


def _finding(name: str, raw: Any, place: Place) -> Part:
    raw = _mapping(raw, place)
    counts = _mapping(_value(raw, "counts", place), (place, "counts"))
    references = _mapping(_value(raw, "references", place), (place, "references"))
    found = {
        "host": name,
        **{key: _value(raw, key, place) for key in _FINDING_KEYS},
        "catalogued": False,
        "waived": raw.get("waived", False),
        "counts": {**dict.fromkeys(VERDICTS, 0), **counts},
        "subjects": [_subject(one, (part, number)) for part, number, one in _entries(raw, "subjects", place)],
        "attestation": _part(raw, "attestation", _ATTESTATION_KEYS, place),
        "remedy": _part(raw, "remedy", _REMEDY_KEYS, place),
        "references": {key: references.get(key, []) for key in _REFERENCE_KEYS},
    }
    check(found, "finding", place)
    found["subjects"].sort(
        key=lambda one: (VERDICTS.index(one["verdict"]), one["kind"], one["name"] or "", one["id"] or "")
    )
    found["references"] = {key: sorted(ids) for key, ids in found["references"].items()}
    return found


def _subject(raw: Any, place: Place) -> Part:
    raw = _mapping(raw, place)
    return {
        **{key: _value(raw, key, place) for key in _SUBJECT_KEYS},
        **{key: raw.get(key) for key in _SEEN_KEYS},
        "waiver": _part(raw, "waiver", _WAIVED_KEYS, place),
    }


def _mapping(raw: Any, place: Place) -> Part:
    if not isinstance(raw, dict):
        raise Malformed(f"{where(place)} is {kind_of(raw)} where a dictionary is to be")
    return raw


def _value(raw: Part, key: str, place: Place) -> Any:
    if key not in raw:
        raise Malformed(f"{where(place)} has no {key}")
    return raw[key]


def _entries(raw: Part, key: str, place: Place) -> Iterator[tuple[Place, int, Any]]:
    """The entries of a list, each with the path to the list and its number."""
    listed = _value(raw, key, place)
    if not isinstance(listed, list):
        raise Malformed(f"{where((place, key))} is {kind_of(listed)} where a list is to be")
    for number, one in enumerate(listed):
        yield (place, key), number, one


def _part(raw: Part, key: str, keys: tuple[str, ...], place: Place) -> Part | None:
    if raw.get(key) is None:
        return None
    part = _mapping(raw[key], (place, key))
    return {name: _value(part, name, (place, key)) for name in keys}


def _counts(findings: list[Part]) -> Part:
    """How many findings there are by outcome, and of the failed ones by severity."""
    verdicts = dict.fromkeys(OUTCOMES, 0)
    severities = dict.fromkeys(SEVERITIES, 0)
    for one in findings:
        result = outcome(one)
        verdicts[result] += 1
        if result == "fail":
            severities[one["severity"]] += 1
    return {"verdicts": verdicts, "failed_by_severity": severities}


def _totals(rows: list[Part], findings: list[Part]) -> Part:
    states = [row["status"] for row in rows]
    scores = [row["score"] for row in rows if row["score"]]
    weights = {key: sum(score[key] for score in scores) for key in _WEIGHTS}
    judged = weights["passed"] + weights["failed"]
    return {
        "hosts": {"total": len(rows), **{status: states.count(status) for status in STATUSES}},
        "score": {"percent": round(100 * weights["passed"] / judged, 1) if judged else None, **weights},
        **_counts(findings),
    }


def _merged_waivers(waivers: list[Part]) -> list[Part]:
    """The same waiver of several hosts as one, unmatched only if it matches nothing on any of them."""
    merged: dict[tuple[str, ...], Part] = {}
    for one in sorted(waivers, key=lambda one: str(one["host"])):
        key = tuple(str(one[part]) for part in _WAIVER_KEYS)
        whole = merged.setdefault(
            key,
            {**{part: one[part] for part in _WAIVER_KEYS}, "state": "unmatched", "matched": 0, "hosts": []},
        )
        whole["matched"] = min(whole["matched"] + one["matched"], MOST)
        if one["matched"]:
            whole["hosts"].append(one["host"])
        if one["state"] != "unmatched" and whole["state"] != "expired":
            whole["state"] = one["state"]
    return sorted(merged.values(), key=lambda one: (WAIVER_STATES.index(one["state"]), _waiver_key(one)))


def _waiver_key(waiver: Part) -> list[str]:
    return [str(waiver[part]) for part in _WAIVER_KEYS]
