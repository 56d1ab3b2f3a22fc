# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a report fails the play: by severity, by a JMESPath expression, by hosts
that could not be audited or changed."""

from __future__ import annotations

from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import outcome
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.expression import (
    ExpressionError,
    check_expression,
    evaluate,
)
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.text import clip, count, show, visible
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.vocabulary import SEVERITIES

_SHOWN, _NAME, _MESSAGE = 5, 60, 160


def gate_problem(fail_on: str) -> str:
    """What is wrong with the gate as written, or ""; needs no report."""
    if fail_on == "none" or fail_on in SEVERITIES:
        return ""
    try:
        check_expression(fail_on)
    except ExpressionError as error:
        return (
            f"compliance_report_fail_on is neither none nor a severity ({', '.join(SEVERITIES)}),"
            f" and the expression {_quoted(fail_on, error)}"
        )
    return ""


def _quoted(fail_on: str, error: ExpressionError) -> str:
    return f"'{clip(visible(fail_on), _MESSAGE)}' {clip(visible(str(error)), 2 * _MESSAGE)}"


def gate(report: dict[str, Any], fail_on: str, fail_on_unaudited: bool) -> dict[str, Any]:
    """The gate's judgement: {"failed": bool, "message": one sentence per reason}.

    An expression that cannot be evaluated on this report fails: a gate never passes for want of an answer.
    """
    reasons = [
        *((_unaudited(report), _unchanged(report)) if fail_on_unaudited else ()),
        gate_problem(fail_on) or _reached(report, fail_on),
    ]
    found = [reason for reason in reasons if reason]
    return {"failed": bool(found), "message": ". ".join(found)}


def _unaudited(report: dict[str, Any]) -> str | None:
    if not report["hosts"]:
        return "there is no host in the report, nothing was audited"
    missing = [
        f"{clip(visible(host['host']), _NAME)} ({host['status']}: {clip(show(host['message']), _MESSAGE)})"
        for host in report["hosts"]
        if host["status"] != "audited"
    ]
    if not missing:
        return None
    return f"{len(missing)} of {count(len(report['hosts']), 'host')} could not be audited: {_first(missing)}"


def _unchanged(report: dict[str, Any]) -> str | None:
    """The hosts whose harden run failed; those that stand as they were before it too."""
    failed = [
        f"{clip(visible(host['host']), _NAME)} ({clip(show(host['change']['message']), _MESSAGE)})"
        for host in report["hosts"]
        if host["change"] and host["change"]["mode"] == "failed"
    ]
    return f"{count(len(failed), 'host')} could not be changed: {_first(failed)}" if failed else None


def _first(items: list[str]) -> str:
    rest = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _reached(report: dict[str, Any], fail_on: str) -> str | None:
    if fail_on == "none":
        return None
    return _severity(report, fail_on) if fail_on in SEVERITIES else _expression(report, fail_on)


def _severity(report: dict[str, Any], fail_on: str) -> str | None:
    counted = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    failed = [one for one in report["findings"] if outcome(one) == "fail" and one["severity"] in counted]
    if not failed:
        return None
    failed.sort(key=lambda one: (SEVERITIES.index(one["severity"]), one["control"], one["host"]))
    named = [f"{show(one['control'])} on {clip(visible(one['host']), _NAME)}" for one in failed]
    return f"{count(len(failed), 'finding')} failed with severity {fail_on} or worse: {_first(named)}"


def _expression(report: dict[str, Any], fail_on: str) -> str | None:
    try:
        value = evaluate(fail_on, report)
    except ExpressionError as error:
        return f"compliance_report_fail_on {_quoted(fail_on, error)}"
    if not value:
        return None
    return (
        f"compliance_report_fail_on '{clip(visible(fail_on), _MESSAGE)}' holds: {clip(show(value), _MESSAGE)}"
    )
