# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as one HTML page that asks nobody for anything.

All text passes the one environment below: what does not print is made visible, then everything is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.change import (
    heading_of_actions,
    moved,
    state,
)
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import outcome
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.groups import (
    attested,
    by_control,
    entries,
)
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.text import percent, show
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.vocabulary import (
    CHANGE_EFFECT_WORDS,
    EFFECT_WORDS,
    MODES,
    OUTCOME_WORDS,
    OUTCOMES,
    SEVERITIES,
)
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_ASSETS = Path(__file__).parent / "page"
_OPEN_CHANGES = 3
_SECTIONS = {
    "fail": ("Failed", "These do not hold. The worst come first."),
    "unknown": ("Unknown", "These could not be read, so nothing is claimed about them."),
    "manual": ("Manual", "A person has to look and attest these."),
    "waived": ("Waived", "These do not hold, and someone accepted that for a time."),
    "pass": ("Passed", "These hold on every host they apply to."),
    "not_applicable": ("Not applicable", "There is nothing on the hosts that these could judge."),
}
_MARKS = {
    "unknown": "?",
    "manual": "m",
    "waived": "w",
    "pass": "\N{CHECK MARK}",
    "not_applicable": "\N{EN DASH}",
}
_REFERENCES = (
    ("CIS Docker 1.6.0", "cis_1_6_0"),
    ("CIS Docker 1.8.0", "cis_1_8_0"),
    ("OWASP Docker Top 10", "owasp"),
    ("Requirements", "requirements"),
)


def _finalize(value: Any) -> Any:
    """Every value the template prints; Markup comes from the template's own macros alone."""
    return value if isinstance(value, Markup) else show(value)


def environment() -> Environment:
    """The only environment that renders the page."""
    return Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def html(report: dict[str, Any]) -> str:
    """The page for a report."""
    return environment().get_template("page.html.j2").render(html_context(report))


def html_context(report: dict[str, Any]) -> dict[str, Any]:
    """What the template is given: the report by host and by control, and the page's content policy."""
    columns = {host["host"]: number for number, host in enumerate(report["hosts"])}
    hosts = list(map(_host, report["hosts"], columns.values()))
    controls = [_control(number, group, columns) for number, group in enumerate(by_control(report))]
    return {
        "title": report["title"],
        "generated": report["generated"],
        "policy": _policy(),
        "totals": report["totals"],
        "score": percent(report["totals"]["score"]["percent"]),
        "profiles": sorted({host["profile"] for host in report["hosts"] if host["profile"]}),
        "missing": [host for host in report["hosts"] if host["status"] != "audited"],
        "columns": [{**host, "number": columns[host["host"]]} for host in report["hosts"]],
        "hosts": sorted(hosts, key=lambda host: host["order"]),
        "changes": _changes(hosts),
        "unchanged": [host for host in hosts if host["change"] and host["change"]["mode"] == "failed"],
        "bar": _bar(report["totals"]["verdicts"]),
        "sections": _sections(controls),
        "scopes": sorted({control["scope"] for control in controls}),
        "number_of_controls": len(controls),
        "waivers": report["waivers"],
        "severities": SEVERITIES,
        "outcomes": OUTCOMES,
        "words": OUTCOME_WORDS,
        "marks": _MARKS,
    }


def _policy() -> str:
    """A Content-Security-Policy under which the page's own style and script run and nothing else loads."""
    style, script = (_digest(_ASSETS / name) for name in ("page.css", "page.js"))
    return (
        f"default-src 'none'; style-src '{style}'; script-src '{script}'; base-uri 'none'; form-action 'none'"
    )


def _digest(asset: Path) -> str:
    """The hash source of an asset as the template includes it, without the final line break."""
    text = asset.read_text(encoding="utf-8").removesuffix("\n")
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _host(host: dict[str, Any], number: int) -> dict[str, Any]:
    audited = host["status"] == "audited"
    value = host["score"]["percent"] if audited else None
    return {
        **host,
        "number": number,
        "audited": audited,
        "percent": percent(value) if audited else "not audited",
        "percent_before": percent(host["before"]["score"]["percent"]) if host["before"] else None,
        "bar": value or 0,
        "containers": sum(engine["containers"] or 0 for engine in host["engines"]),
        "order": (audited, 101 if value is None else value, host["host"]),
    }


def _changes(hosts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The hosts of a harden run with what it did to them, those where it failed first and open."""
    found = [
        {
            **{key: host[key] for key in ("host", "percent", "percent_before", "before", "change")},
            "state": state(host["change"]),
            "heading": heading_of_actions(host["change"]),
            "effect": CHANGE_EFFECT_WORDS[host["change"]["effect"]],
            "moved": moved(host["before"]),
        }
        for host in hosts
        if host["change"]
    ]
    for host in found:
        host["failed"] = host["change"]["mode"] == "failed"
        host["open"] = host["failed"] or len(found) <= _OPEN_CHANGES
    return sorted(found, key=lambda host: (MODES.index(host["change"]["mode"]), host["host"]))


def _bar(verdicts: dict[str, int]) -> list[dict[str, Any]]:
    """The outcomes as stretches of a bar, in percent."""
    whole, start, stretches = sum(verdicts.values()) or 1, 0.0, []
    for name in OUTCOMES:
        width = 100 * verdicts[name] / whole
        stretches.append({"outcome": name, "start": round(start, 3), "width": round(width, 3)})
        start += width
    return stretches


def _sections(controls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sections = [
        {
            "outcome": name,
            "heading": heading,
            "note": note,
            "controls": [control for control in controls if control["outcome"] == name],
        }
        for name, (heading, note) in _SECTIONS.items()
    ]
    return [section for section in sections if section["controls"]]


def _control(number: int, group: dict[str, Any], columns: dict[str, int]) -> dict[str, Any]:
    rows = [
        _entry(number, place, entry, columns, group) for place, entry in enumerate(entries(group["findings"]))
    ]
    return {
        **{key: group[key] for key in ("control", "title", "scope", "severity", "outcome")},
        "number": number,
        "entries": rows,
        "cells": _cells(rows, len(columns)),
        "tally": _tally(group),
        "remedy": _remedy(group["remedy"]),
        "references": [
            (name, group["references"][key]) for name, key in _REFERENCES if group["references"][key]
        ],
    }


def _tally(group: dict[str, Any]) -> str:
    """On how many hosts, or for how many subjects of the only host, it came out as the outcome says."""
    hosts = {finding["host"] for finding in group["findings"]}
    hit = [finding for finding in group["findings"] if outcome(finding) == group["outcome"]]
    if len(hosts) > 1:
        return f"{len({finding['host'] for finding in hit})} of {len(hosts)} hosts"
    subjects = sum(sum(finding["counts"].values()) for finding in group["findings"])
    return (
        f"{sum(finding['counts'][finding['verdict']] for finding in hit)} of {subjects}"
        if subjects > 1
        else ""
    )


def _entry(
    control: int, place: int, entry: dict[str, Any], columns: dict[str, int], group: dict[str, Any]
) -> dict[str, Any]:
    return {
        **entry,
        "attested": entry["attestation"] and attested(entry["attestation"]),
        "id": f"e{control}-{place}",
        "numbers": sorted({columns[host] for host in entry["hosts"]}),
        "own_severity": entry["severity"] if entry["severity"] != group["severity"] else None,
        "own_remedy": _remedy(entry["remedy"]) if entry["remedy"] != group["remedy"] else None,
    }


def _cells(rows: list[dict[str, Any]], width: int) -> list[dict[str, Any] | None]:
    """One cell per host, with the worst entry that is about it; rows come worst first."""
    cells: list[dict[str, Any] | None] = [None] * width
    for row in reversed(rows):
        failed = row["outcome"] == "fail"
        cell = {
            "kind": row["severity"] if failed else row["outcome"],
            "mark": row["severity"][0].upper() if failed else _MARKS[row["outcome"]],
            "entry": row["id"] if row["outcome"] not in ("pass", "not_applicable") else None,
        }
        for column in row["numbers"]:
            cells[column] = cell
    return cells


def _remedy(remedy: dict[str, Any] | None) -> dict[str, Any] | None:
    if not remedy:
        return None
    variables = remedy["variables"] or {}
    return {
        "text": remedy["text"],
        "effect": EFFECT_WORDS.get(remedy["effect"], remedy["effect"]),
        "role": remedy["role"],
        "variables": [
            (key, json.dumps(value, ensure_ascii=False, allow_nan=False))
            for key, value in sorted(variables.items())
        ],
    }
