# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which changes follow from decisions and rules, unit by unit, and what is refused. Nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.changes.errors import Unfit
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import (
    decisions as listener_decisions,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import (
    rules as listener_rules,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import (
    steps as listener_steps,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import unit_closure
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.rules import Rules
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.unit_closure import (
    Closure,
    Unit,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Step

_STOPPING = ("stop", "disable", "mask")
_CGROUP2 = ("/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup/unified/cgroup.controllers")

Told = dict[str, Any]


class Change(NamedTuple):
    """What is done about one unit: `verb` and steps, and the units that have to be off or elsewhere afterwards."""

    unit: str
    verb: str
    steps: list[Step]
    off: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


def planned(
    decisions: Sequence[listener_decisions.Decision], rules: Rules, action: str
) -> tuple[list[Change], list[Told], list[str]]:
    """The changes, what is refused, and notices. Raises Unfit for units that are not what a rule takes them for."""
    found_changes: list[Change] = []
    refused: list[Told] = []
    notices: list[str] = []
    if action in _STOPPING:
        wanted = [each.unit for each in decisions if each.verb in _STOPPING and each.unit]
        closures = _closures([*wanted, *listener_rules.denied_units(rules)])
        going = _going(closures)
        names = {name for found in going.values() for name in found.names}
        for found in closures.values():
            refused += [] if found in going.values() else _needed(found, names)
        for name, found in going.items():
            due = listener_steps.off(found, action)
            notices += _notices(found, action, bool(due))
            if due:
                found_changes.append(Change(name, action, due, found.names))
    problems: list[str] = []
    found_changes += _rebinds(rules, problems)
    found_changes += _restrictions(rules, problems)
    if problems:
        raise Unfit(problems)
    return found_changes, refused, notices


def _closures(names: Iterable[str]) -> dict[str, Closure]:
    """{unit: closure}, each once. What systemd does not know is not among them."""
    found: dict[str, Closure] = {}
    handled: set[str] = set()
    for name in dict.fromkeys(names):
        closure = unit_closure.closure(name)
        if closure and not handled & set(closure.names):
            found[name] = closure
            handled |= set(closure.names)
    return found


def _going(closures: Mapping[str, Closure]) -> dict[str, Closure]:
    """Those that nothing needs that stays. What needs another comes before that: it would stop with it, unseen."""
    due = dict(closures)
    while True:
        names = {name for found in due.values() for name in found.names}
        kept = [name for name, found in due.items() if found.dependents - names]
        if not kept:
            break
        due = {name: found for name, found in due.items() if name not in kept}
    going: dict[str, Closure] = {}
    while due:
        left = {name for found in due.values() for name in found.names}
        free = [name for name, found in due.items() if not (found.dependents - set(found.names)) & left]
        # Those that need each other, in any order.
        name = (free or list(due))[0]
        going[name] = due.pop(name)
    return going


def _rebinds(rules: Rules, problems: list[str]) -> Iterator[Change]:
    for rule in rules.rebind:
        if rule.settings:
            due = listener_steps.resolved(rule.settings)
        else:
            found = _unit(rule.unit, rule.shown, problems)
            if found is None:
                continue
            if not found.name.endswith(".socket"):
                problems.append(
                    f"{rule.shown}: {rule.unit} is no socket unit: set the address in the configuration of the service"
                )
                continue
            due = listener_steps.rebound(found, _services(found), rule.listen)
        if due:
            yield Change(rule.unit, "rebind", due, (), rule.listen)


def _restrictions(rules: Rules, problems: list[str]) -> Iterator[Change]:
    if rules.restrict and not any(Path(each).exists() for each in _CGROUP2):
        problems.append(
            "restrict: systemd filters addresses on cgroup v2 alone, which this host has not; use a packet filter"
        )
        return
    for rule in rules.restrict:
        found = _unit(rule.unit, rule.shown, problems)
        if found:
            due = listener_steps.restricted(found, _services(found), rule.allow)
            if due:
                yield Change(rule.unit, "restrict", due)


def _unit(name: str, rule: str, problems: list[str]) -> Unit | None:
    found = unit_closure.show([name])
    unit = next(iter(found.values()), None)
    if unit is None or unit.load != "loaded":
        problems.append(f"{rule}: systemd has no unit {name} to change ({unit.load if unit else 'unknown'})")
        return None
    return unit


def _services(unit: Unit) -> list[Unit]:
    return list(unit_closure.show(unit.triggers).values()) if unit.is_trigger and unit.triggers else []


def _needed(found: Closure, going: set[str]) -> list[Told]:
    stays = {name: sorted(set(units) - going) for name, units in sorted(found.needed_by.items())}
    return [
        {
            "message": f"{', '.join(units)} needs {name} and would stop with it: deny that as well, or allow {name}.",
            "consent": None,
            "control": "listener.unneeded_service",
        }
        for name, units in stays.items()
        if units
    ]


def _notices(found: Closure, verb: str, changed: bool) -> list[str]:
    said = []
    if verb == "mask":
        said += [
            f"The file of {unit.name} lies in /etc/systemd/system, where mask would put its link: it is disabled, not "
            "masked."
            for unit in found.units
            if unit.is_of_the_administrator
        ]
    elif changed:
        said += [
            f"D-Bus starts {unit} again when somebody asks for {name}: only mask keeps it off."
            for unit, name in sorted(found.bus.items())
        ]
        said += [
            f"D-Bus starts {unit} again when somebody asks for {name}: disable or mask keeps it off."
            for unit, name in sorted(found.bus_enabled.items())
            if verb == "stop"
        ]
    return said
