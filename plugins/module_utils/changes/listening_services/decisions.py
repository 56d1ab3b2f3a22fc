# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to become of each listener of the host: decided by the rules, but for what is never touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error
from ansible_collections.bulwark.docker.plugins.module_utils.changes.errors import Unfit
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.context import (
    Case,
    Named,
    case,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.matching import (
    Listener,
    owners,
    units_of,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.protected import (
    Guard,
    Protected,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.questions import (
    Judged,
    answers,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.rebind import Rebind
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.refusals import (
    of_units,
    refusal,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.rules import Rules
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import is_exposed, shown

REPORT = "report"


class Decision(NamedTuple):
    """What is to become of a LISTENER.

    verb       allow | stop | disable | mask | rebind | restrict | report | protected | container | unattributed
    rule       the rule that decided, or the reason
    questions  {stop, localhost, authentication, restrict, reviewed}: sentences
    left       whether it should not listen by deny or deny_known, and is left alone all the same
    refusal    {message, consent, control} where deny aims at what is never stopped
    """

    listener: Listener
    unit: str | None
    verb: str
    rule: str
    questions: Mapping[str, str]
    left: bool = False
    refusal: dict[str, Any] | None = None


class _Verdict(NamedTuple):
    listener: Listener
    named: Named
    guard: Guard | None
    verb: str
    rule: str
    left: bool = False


def decide(
    snapshot: Mapping[str, Any], rules: Rules, action: str, protected: Protected, today: date
) -> list[Decision]:
    """A decision for each listener of the host, of those on loopback only for what deny names.

    `snapshot` has listeners, units and engines as docs/snapshot.md tells; `action` is report, stop, disable or mask.
    Raises Unfit where rules contradict each other about a listener or a unit.
    """
    about = case(snapshot, rules, protected)
    found, problems = [], []
    for listener in snapshot["listeners"]:
        named = about.named(listener)
        if named.conflict:
            problems.append(f"{shown(listener)} is named by {named.conflict}: narrow one of them")
        elif is_exposed(listener) or named.deny:
            found.append(_verdict(listener, named, about, action))
    found = [_spared(each, found, about, problems) for each in found]
    if problems:
        raise Unfit(problems)
    return [_decision(each, about, action, today) for each in found]


def _verdict(listener: Listener, named: Named, about: Case, action: str) -> _Verdict:
    guard = about.guard(listener, named)
    untouched = _untouched(listener, guard, about)
    if named.allow and (untouched or not named.moved):
        verb, rule = "allow", named.allow.shown
    elif untouched:
        return _Verdict(listener, named, guard, *untouched, left=named.denied is not None)
    elif named.moved:
        verb, rule = "rebind" if isinstance(named.moved, Rebind) else "restrict", named.moved.shown
    elif named.denied:
        verb, rule = action, named.denied
    else:
        verb, rule = REPORT, "no rule names it"
    return _Verdict(listener, named, guard, verb, rule)


def _untouched(listener: Listener, guard: Guard | None, about: Case) -> tuple[str, str] | None:
    """(verb, reason) of what no rule stops."""
    if listener["container"]:
        return "container", f"it belongs to the container {_container(listener, about)}"
    if guard:
        return "protected", guard.reason
    if is_error(listener["owners"]):
        return "unattributed", f"whose it is cannot be read: {listener['owners']['error']}"
    if listener["unit"]:
        return None
    held = owners(listener)
    if not held:
        return "unattributed", "no process is seen to hold it but systemd or the kernel itself"
    return REPORT, f"{held[0]['name']}, process {held[0]['pid']}, runs outside of service units"


def _container(listener: Listener, about: Case) -> str | None:
    container = listener["container"]
    return container and (about.containers.get(container) or container[:12])


def _spared(verdict: _Verdict, found: Sequence[_Verdict], about: Case, problems: list[str]) -> _Verdict:
    """A unit that is denied at one port and allowed at another is not stopped."""
    if not verdict.named.denied or verdict.left:
        return verdict
    units = units_of(verdict.listener, about.units)
    kept = next(
        (each for each in found if each.verb == "allow" and units & units_of(each.listener, about.units)),
        None,
    )
    if kept is None:
        return verdict
    if verdict.named.deny:
        problems.append(
            f"{verdict.named.deny.shown} would stop {verdict.listener['unit']}, which {kept.rule} keeps for "
            f"{shown(kept.listener)}: name the whole unit in one of them"
        )
    return verdict._replace(
        verb=REPORT, rule=f"its unit serves {shown(kept.listener)}, too: {kept.rule}", left=True
    )


def _decision(verdict: _Verdict, about: Case, action: str, today: date) -> Decision:
    listener, named = verdict.listener, verdict.named
    judged = Judged(
        listener,
        about.units.get(listener["unit"]),
        verdict.verb,
        verdict.rule,
        named.denied is not None and not verdict.left,
        named.known,
        verdict.guard,
        named.allow,
        _container(listener, about),
    )
    refused_for = None
    if (
        named.deny
        and named.deny.is_aimed
        and verdict.verb == "protected"
        and verdict.guard
        and action != REPORT
    ):
        what = listener["unit"] or shown(listener)
        refused_for = refusal(named.deny.shown, what, verdict.guard, about.rules)
    return Decision(
        listener,
        listener["unit"],
        verdict.verb,
        verdict.rule,
        answers(judged, today),
        verdict.left,
        refused_for,
    )


def refused(
    decisions: Sequence[Decision],
    rules: Rules,
    snapshot: Mapping[str, Any],
    protected: Protected,
    action: str = "disable",
) -> list[dict[str, Any]]:
    """[{message, consent, control}] of what is never touched and was named by deny, rebind or restrict, each once.

    A report refuses no deny, as it stops nothing.
    """
    about = case(snapshot, rules, protected)
    found = [each.refusal for each in decisions if each.refusal] + list(of_units(about, action))
    return list({each["message"]: each for each in found}.values())


def left_alone(decisions: Sequence[Decision]) -> list[dict[str, str]]:
    """[{key, reason}] of what should not listen and is left alone, but for what is refused."""
    return [
        {"key": shown(each.listener), "reason": each.rule}
        for each in decisions
        if each.left and not each.refusal
    ]


def told(decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    """The return value `decisions`."""
    return [
        {
            "listener": shown(each.listener),
            "unit": each.unit,
            "decision": each.verb,
            "rule": each.rule,
            **each.questions,
        }
        for each in decisions
    ]
