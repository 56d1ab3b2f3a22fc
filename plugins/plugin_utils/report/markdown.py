# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as Markdown (CommonMark with GitHub's tables), for a merge request, a wiki or a ticket.

Names and values are code spans, sentences are escaped: what a host said is never markup, link or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.change import (
    heading_of_actions,
    moved,
    scores,
    state,
)
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.groups import (
    attested,
    by_control,
    entries,
    remedy_text,
)
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.text import clip, count, percent, show
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.vocabulary import (
    CHANGE_EFFECT_WORDS,
    EFFECT_WORDS,
    OUTCOME_WORDS,
    SEVERITIES,
)

_ENTRIES, _NAMES, _VALUE, _SENTENCE, _ACTIONS = 20, 20, 200, 500, 50
_REFERENCES = (
    ("CIS 1.6.0", "cis_1_6_0"),
    ("CIS 1.8.0", "cis_1_8_0"),
    ("OWASP", "owasp"),
    ("requirement", "requirements"),
)
_LISTED = (
    ("unknown", "Could not be read"),
    ("manual", "To be judged by hand"),
    ("waived", "Waived"),
)
_ENTITIES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "@": "&#64;", "~": "&#126;"}
    | {char: f"\\{char}" for char in "\\`*_[]"}
)
# What GitHub makes a link of without any markup.
_LINK = re.compile(r"(?i)(www)(\.)|([a-z]{1,20})(:)(?=//)")

# What CommonMark takes for more than text at the beginning of a line, of what is not escaped anywhere.
_BLOCK = re.compile(r"^([0-9]*)([-+=#.)])")


def _text(value: Any) -> str:
    """A sentence that may hold untrusted words."""
    plain = clip(show(value), _SENTENCE).translate(_ENTITIES)
    return _LINK.sub(lambda match: f"{match[1] or match[3]}&#{ord(match[2] or match[4])};", plain)


def _start(value: Any) -> str:
    """A sentence that may hold untrusted words and begins a line, where it shall begin no list, heading or rule."""
    return _BLOCK.sub(r"\1\\\2", _text(value).strip())


def _code(value: Any) -> str:
    """An untrusted name or value."""
    plain = clip(show(value), _VALUE)
    if not plain:
        return ""
    fence = "`" * (1 + max(map(len, re.findall("`+", plain)), default=0))
    pad = " " if plain[0] in "` " or plain[-1] in "` " else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def markdown(report: dict[str, Any]) -> str:
    """The report as a Markdown document that ends with a line break."""
    groups = by_control(report)
    failed = [group for group in groups if group["outcome"] == "fail"]
    blocks = [
        *_head(report),
        "## Hosts",
        _hosts(report["hosts"]),
        *_changes(report["hosts"]),
        f"## Failed controls ({len(failed)})",
        *([block for group in failed for block in _control(group)] or ["None."]),
        *(block for outcome, heading in _LISTED for block in _listed(groups, outcome, heading)),
        *_waivers(report["waivers"]),
    ]
    return "\n\n".join(blocks) + "\n"


def _head(report: dict[str, Any]) -> list[str]:
    totals = report["totals"]
    hosts = totals["hosts"]
    unaudited = hosts["total"] - hosts["audited"]
    verdicts = ", ".join(f"{number} {OUTCOME_WORDS[key]}" for key, number in totals["verdicts"].items())
    severities = ", ".join(
        f"{number} {severity}" for severity, number in totals["failed_by_severity"].items()
    )
    return [
        f"# {_text(report['title'])}",
        f"**Score {percent(totals['score']['percent'])}**,"
        f" {hosts['audited']} of {count(hosts['total'], 'host')} audited{_generated(report)}.",
        f"- Verdicts: {verdicts}\n- Failed: {severities}",
        *(
            [f"**{count(unaudited, 'host')} could not be audited**; see the table of hosts."]
            if unaudited
            else []
        ),
    ]


def _generated(report: dict[str, Any]) -> str:
    return f", {_text(report['generated'])}" if report["generated"] else ""


def _hosts(hosts: list[dict[str, Any]]) -> str:
    header = [
        "Host",
        "Score",
        *(severity.capitalize() for severity in SEVERITIES),
        "Unknown",
        "System",
        "Engines",
    ]
    return _table(header, [_host(host) for host in hosts])


def _host(host: dict[str, Any]) -> list[str]:
    if host["status"] != "audited":
        return [_code(host["host"]), f"**{host['status']}**", *[""] * 6, _text(host["message"]), ""]
    engines = ", ".join(f"{_text(engine['name'])} {_text(engine['version'])}" for engine in host["engines"])
    return [
        _code(host["host"]),
        _text(scores(host)),
        *(str(host["failed_by_severity"][severity]) for severity in SEVERITIES),
        str(host["verdicts"]["unknown"]),
        _text(host["os"]) + ("" if host["privileged"] else " (read without root)"),
        engines or "none",
    ]


def _changes(hosts: list[dict[str, Any]]) -> list[str]:
    """What a harden run did to each host, or would do."""
    changed = [host for host in hosts if host["change"]]
    return ["## Changes", *(block for host in changed for block in _change(host))] if changed else []


def _change(host: dict[str, Any]) -> list[str]:
    change, name = host["change"], _code(host["host"])
    differing = moved(host["before"])
    lines = [
        f"- Score: {_text(scores(host))}" + (f" ({differing})" if differing else ""),
        *(f"- {word} {_names(found)}" for word, found in _differences(host["before"]) if found),
        *([f"- **{_text(change['message']).strip()}**"] if change["message"] else []),
        *_items(heading_of_actions(change), map(_start, change["actions"])),
        f"- Effect: {CHANGE_EFFECT_WORDS[change['effect']]}",
        *_items("Cost", map(_cost, change["costs"])),
        *_items("Refused", map(_refused, change["refused"])),
        *_items(
            "Left as it is", (f"{_code(one['key'])}: {_text(one['reason'])}" for one in change["skipped"])
        ),
        *_items("To know", map(_start, change["notices"])),
        *([f"- Transaction: {_code(change['transaction'])}"] if change["transaction"] else []),
    ]
    return [f"### {name}: {state(change)}", "\n".join(lines)]


def _differences(before: dict[str, Any] | None) -> list[tuple[str, list[str]]]:
    return [("Fixed:", before["fixed"]), ("Newly failed:", before["new"])] if before else []


def _items(heading: str, items: Iterable[str]) -> list[str]:
    listed = [f"  - {item}" for item in items]
    rest = len(listed) - _ACTIONS
    more = [f"  - and {rest} more in report.json"] if rest > 0 else []
    return [f"- {heading}:", *listed[:_ACTIONS], *more] if listed else []


def _cost(cost: dict[str, Any]) -> str:
    return _start(cost["message"]) + (f" ({_names(cost['subjects'])})" if cost["subjects"] else "")


def _refused(refused: dict[str, Any]) -> str:
    control = f" ({_code(refused['control'])})" if refused["control"] else ""
    way = f"; to consent, set {_code(refused['consent'])}" if refused["consent"] else ""
    return _start(refused["message"].rstrip(".")) + control + way


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _control(group: dict[str, Any]) -> list[str]:
    """The heading, remedy, references and hosts of one failed control."""
    found = [entry for entry in entries(group["findings"]) if entry["outcome"] == "fail"]
    lines = [line for entry in found[:_ENTRIES] for line in _entry(entry)]
    if len(found) > _ENTRIES:
        lines.append(f"- and {len(found) - _ENTRIES} more in report.json")
    return [
        f"### {group['severity'].capitalize()}: {_text(group['title'])}",
        f"{_code(group['control'])}{_references(group['references'])}",
        *_remedy(group["remedy"]),
        "\n".join(lines),
    ]


def _references(references: dict[str, list[str]]) -> str:
    parts = [
        f"{name} {', '.join(map(_text, references[key]))}" for name, key in _REFERENCES if references[key]
    ]
    return f" ({'; '.join(parts)})" if parts else ""


def _remedy(remedy: dict[str, Any] | None) -> list[str]:
    if not remedy:
        return []
    effect = EFFECT_WORDS.get(remedy["effect"], remedy["effect"])
    parts = [_text(remedy["text"])] if remedy["text"] else []
    parts += [_code(remedy_text(remedy))] if remedy["role"] else []
    return [f"Remedy ({_text(effect)}): {' '.join(parts)}"]


def _entry(entry: dict[str, Any]) -> list[str]:
    engine = f" ({_text(entry['engine'])})" if entry["engine"] else ""
    return [
        f"- {_names(entry['hosts'])}{engine}: {_text(entry['message'])}",
        *(f"  - {_row(row)}" for row in entry["rows"]),
    ]


def _row(row: dict[str, Any]) -> str:
    seen = [f"{word} {_code(row[word])}" for word in ("expected", "actual", "evidence") if show(row[word])]
    waiver = f"; waived: {_accepted(row['waiver'])}" if row["waiver"] else ""
    doubt = "" if row["verdict"] == "fail" else f" ({OUTCOME_WORDS[row['verdict']]})"
    return (
        f"{_text(row['kind'])} {_names(row['names'])}{doubt}"
        + (f": {', '.join(seen)}" if seen else "")
        + waiver
    )


def _names(names: list[str]) -> str:
    rest = len(names) - _NAMES
    return ", ".join(map(_code, names[:_NAMES])) + (f" and {rest} more" if rest > 0 else "")


def _listed(groups: list[dict[str, Any]], outcome: str, heading: str) -> list[str]:
    """A section with the controls that have findings of the outcome, whatever their worst outcome is."""
    rows = [
        [_code(group["control"]), _text(group["title"]), _names(entry["hosts"]), _why(entry)]
        for group in groups
        if group["outcomes"][outcome]
        for entry in entries(group["findings"])
        if entry["outcome"] == outcome
    ]
    return [f"## {heading} ({len(rows)})", _table(["Control", "Title", "Hosts", "Why"], rows)] if rows else []


def _why(entry: dict[str, Any]) -> str:
    attestation = f" ({_text(attested(entry['attestation']))})" if entry["attestation"] else ""
    return _text(entry["message"]) + attestation


def _waivers(waivers: list[dict[str, Any]]) -> list[str]:
    rows = [
        [
            f"**{one['state']}**" if one["state"] != "active" else "active",
            _code(one["control"]),
            _code(one["subject"]),
            _text(one["reason"]),
            _text(one["owner"]),
            _text(one["expires"]),
            str(one["matched"]),
        ]
        for one in waivers
    ]
    header = ["State", "Control", "Subject", "Reason", "Owner", "Expires", "Subjects matched"]
    return [f"## Waivers ({len(rows)})", _table(header, rows)] if rows else []


def _accepted(waiver: dict[str, Any]) -> str:
    return (
        f"{_text(waiver['reason'])} ({_text(waiver['owner'])}, {_text(waiver['expires'])}, {waiver['state']})"
    )
