# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary of a report for a terminal: lines of printable text, the worst first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.change import (
    consent,
    heading_of_actions,
    moved,
    scores,
    state,
)
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.groups import (
    by_control,
    failing,
    named_subjects,
    remedy_text,
    subject_rows,
)
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.text import (
    clip,
    count,
    percent,
    show,
    visible,
)
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.vocabulary import (
    CHANGE_EFFECT_WORDS,
    MODES,
    OUTCOME_WORDS,
)

_NAME, _VALUE, _MESSAGE, _HOSTS, _SUBJECTS = 50, 60, 160, 20, 3
_INDENT = " " * 10


def summary_lines(report: dict[str, Any], files: list[str], limit: int) -> list[str]:
    """The summary, without a trailing line break in any line; at most `limit` failed controls (0: all)."""
    groups = by_control(report)
    sections: Iterable[list[str]] = (
        _head(report),
        _hosts(report["hosts"]),
        _changes(report["hosts"]),
        _failed([one for one in groups if one["outcome"] == "fail"], limit),
        _waived(report["findings"]),
        _waivers(report["waivers"]),
        [f"Report    {show(path)}" for path in files],
    )
    lines: list[str] = []
    for section in filter(None, sections):
        lines += ["", *section] if lines else section
    return lines


def _head(report: dict[str, Any]) -> list[str]:
    totals = report["totals"]
    hosts = totals["hosts"]
    return [
        f"{show(report['title'])}: score {percent(totals['score']['percent'])},"
        f" {hosts['audited']} of {count(hosts['total'], 'host')} audited",
        "Verdicts  " + _pairs({OUTCOME_WORDS[key]: number for key, number in totals["verdicts"].items()}),
        "Failed    " + _pairs(totals["failed_by_severity"]),
    ]


def _pairs(numbers: dict[str, int]) -> str:
    return ", ".join(f"{number} {word}" for word, number in numbers.items())


def _hosts(hosts: list[dict[str, Any]]) -> list[str]:
    """The hosts, those not audited first, then by score; a long fleet is cut, its unaudited hosts never."""
    missing = [host for host in hosts if host["status"] != "audited"]
    audited = sorted((host for host in hosts if host["status"] == "audited"), key=_score)
    shown = audited[:_HOSTS]
    width = max((len(_short(host["host"])) for host in missing + shown), default=0)
    lines = [
        f"{state:<12}{_short(host['host']):<{width}}  {text}"
        for host in missing + shown
        for state, text in [_audited(host) if host["status"] == "audited" else _missing(host)]
    ]
    if len(audited) > len(shown):
        lines.append(f"{_INDENT}  and {count(len(audited) - len(shown), 'host')} with a higher score")
    return lines


def _missing(host: dict[str, Any]) -> tuple[str, str]:
    return host["status"].upper(), clip(show(host["message"]), _MESSAGE)


def _audited(host: dict[str, Any]) -> tuple[str, str]:
    failed = {key: number for key, number in host["failed_by_severity"].items() if number}
    text = f"failed: {_pairs(failed)}" if failed else "nothing failed"
    rights = "" if host["privileged"] else " (read without root: the rest is unknown)"
    return f"{percent(host['score']['percent']):>10}", text + rights


def _short(name: str) -> str:
    return clip(visible(name), _NAME)


def _score(host: dict[str, Any]) -> tuple[float, str]:
    value = host["score"]["percent"]
    return (101.0 if value is None else value, host["host"])


def _changes(hosts: list[dict[str, Any]]) -> list[str]:
    """What a harden run did to the hosts, those where it failed first; of a long fleet they alone are all shown."""
    changed = [host for host in hosts if host["change"]]
    changed.sort(key=lambda host: MODES.index(host["change"]["mode"]))
    failed = sum(host["change"]["mode"] == "failed" for host in changed)
    shown = changed[: max(failed, _HOSTS)]
    lines = [line for host in shown for line in _change(host)]
    if len(changed) > len(shown):
        lines.append(f"and {count(len(changed) - len(shown), 'more host')}, see the report")
    return ["Changes", *lines] if lines else []


def _change(host: dict[str, Any]) -> list[str]:
    change = host["change"]
    score = f"score {scores(host)}"
    head = ", ".join(filter(None, [state(change), score, moved(host["before"])]))
    return [
        f"{_short(host['host'])}: {head}",
        *(f"{_INDENT}{clip(show(text), _MESSAGE)}" for text in [change["message"]] if text),
        *_actions(change),
        *_some("cost", [(one["message"], "") for one in change["costs"]]),
        *_some("refused", [(one["message"].rstrip("."), consent(one)) for one in change["refused"]]),
    ]


def _actions(change: dict[str, Any]) -> list[str]:
    """The first of the actions in one line, with their effect."""
    if not change["actions"]:
        return []
    first, rest = clip(show(change["actions"][0]), _MESSAGE), len(change["actions"]) - 1
    more = f" and {rest} more" if rest else ""
    effect = "" if change["effect"] == "none" else f"; effect: {CHANGE_EFFECT_WORDS[change['effect']]}"
    return [f"{_INDENT}{heading_of_actions(change).lower()}: {first}{more}{effect}"]


def _some(word: str, sentences: list[tuple[str, str]]) -> list[str]:
    """The first of the sentences, each with the way out of it, where there is one."""
    lines = [
        f"{_INDENT}{word}: " + "; ".join(clip(show(part), _MESSAGE) for part in parts if part)
        for parts in sentences[:_SUBJECTS]
    ]
    rest = len(sentences) - len(lines)
    return lines + ([f"{_INDENT}{word}: {rest} more, see the report"] if rest else [])


def _failed(groups: list[dict[str, Any]], limit: int) -> list[str]:
    shown = groups[:limit] if limit else groups
    lines = ["Failed controls, the worst first"] if groups else []
    for group in shown:
        title = clip(show(group["title"]), _MESSAGE)
        lines.append(f"{group['severity'].upper():<10}{_short(group['control'])}: {title}")
        lines += _where([one for one in group["findings"] if one["verdict"] == "fail" and not one["waived"]])
        lines += [f"{_INDENT}fix: {clip(text, _MESSAGE)}" for text in [remedy_text(group["remedy"])] if text]
    if len(groups) > len(shown):
        lines.append(f"and {count(len(groups) - len(shown), 'more failed control')}, see the report")
    return lines


def _where(findings: list[dict[str, Any]]) -> list[str]:
    lines = []
    for finding in findings[:_SUBJECTS]:
        engine = f" ({_short(finding['engine'])})" if finding["engine"] not in (None, "system") else ""
        lines.append(f"{_INDENT}{_short(finding['host'])}{engine}: {_seen(finding)}")
    rest = len(findings) - len(lines)
    return lines + ([f"{_INDENT}and on {count(rest, 'more host')}"] if rest else [])


def _seen(finding: dict[str, Any]) -> str:
    """The failing subjects, and what was seen of them where it is the same for all."""
    subjects = failing(finding)
    if not subjects:
        return clip(show(finding["message"]), _MESSAGE)
    named, rows = named_subjects(subjects, _SUBJECTS, _NAME), subject_rows(subjects)
    values = [
        f"{word} {clip(show(rows[0][word]), _VALUE)}"
        for word in ("expected", "actual")
        if show(rows[0][word])
    ]
    return f"{named}: {', '.join(values)}" if len(rows) == 1 and values else named


def _waived(findings: list[dict[str, Any]]) -> list[str]:
    """Every failure with a waiver on a subject of it, whole or in part."""
    lines = []
    for finding in findings:
        failed = [subject for subject in finding["subjects"] if subject["verdict"] == "fail"]
        waived = [subject for subject in failed if subject["waiver"]]
        if not waived:
            continue
        extent = f"{len(waived)} of {count(len(failed), 'subject')}"
        lines.append(
            f"{finding['severity'].upper():<10}{_short(finding['control'])} on {_short(finding['host'])}:"
            f" {extent}, {_accepted(waived[0]['waiver'])}"
        )
    return ["Waived", *lines[:_HOSTS], *_rest(lines)] if lines else []


def _rest(lines: list[str]) -> list[str]:
    return [f"and {len(lines) - _HOSTS} more, see the report"] if len(lines) > _HOSTS else []


def _accepted(waiver: dict[str, Any]) -> str:
    end = "expired on" if waiver["state"] == "expired" else "until"
    reason = clip(show(waiver["reason"]), _MESSAGE)
    return f"{reason} ({_short(waiver['owner'])}, {end} {show(waiver['expires'])})"


def _waivers(waivers: list[dict[str, Any]]) -> list[str]:
    """The waivers somebody has to look after: those that expired and those that match nothing."""
    stale = [one for one in waivers if one["state"] != "active"]
    lines = [
        f"{one['state'].upper():<10}{_short(one['control'])}, {_short(one['subject'])}: {_accepted(one)}"
        for one in stale
    ]
    return ["Waivers to renew or to remove", *lines[:_HOSTS], *_rest(lines)] if lines else []
