# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decisions about listeners are made by: the rules, the host's units, engines and containers, and the play."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import inventory
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.matching import (
    Listener,
    Rule,
    matches,
    units_of,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.protected import (
    RESOLVER,
    SECURE_SHELL,
    Guard,
    Protected,
    why_kept,
    why_unit_kept,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.rebind import (
    RESOLVED_PORTS,
    Rebind,
    Restrict,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.rules import Rules
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge import known_services
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import is_exposed, names_of

_KNOWN = (*known_services.KNOWN_SERVICES, *known_services.SWITCHED_OFF)


class Named(NamedTuple):
    """What names a listener: the first rule of each kind that does, and the known service that it is."""

    allow: Rule | None
    deny: Rule | None
    moved: Rebind | Restrict | None
    known: known_services.Service | None
    denied: str | None

    @property
    def conflict(self) -> str | None:
        """The two rules that contradict each other."""
        other = self.allow or self.moved
        return f"{other.shown} and {self.deny.shown}" if self.deny and other else None


class Case(NamedTuple):
    """`engines`: their units; `containers`: {id: name}; `play`: the way by which the module came."""

    rules: Rules
    units: Mapping[str, Any]
    engines: frozenset[str]
    containers: Mapping[str, str | None]
    play: Protected

    def named(self, listener: Listener) -> Named:
        """The rules that name a LISTENER; `denied`: why it should not listen."""
        allow, deny = self._first(self.rules.allow, listener), self._first(self.rules.deny, listener)
        moved = next((each for each in self.rules.moves if self._moves(each, listener)), None)
        known = known_services.known_service(
            names_of(listener), listener["protocol"], listener["port"], _KNOWN
        )
        denied = deny.shown if deny else None
        kept = allow or moved or listener["container"] or not is_exposed(listener)
        if known and self.rules.deny_known and not denied and not kept:
            denied = f"{known.name}: {known.reason} (deny_known)"
        return Named(allow, deny, moved, known, denied)

    def _first(self, rules: tuple[Rule, ...], listener: Listener) -> Rule | None:
        return next((rule for rule in rules if matches(rule, listener, self.containers, self.units)), None)

    def _moves(self, entry: Rebind | Restrict, listener: Listener) -> bool:
        if isinstance(entry, Rebind) and entry.settings:
            closed = [RESOLVED_PORTS[key] for key, value in entry.settings.items() if not value]
            if listener["port"] not in closed:
                return False
        return entry.unit in units_of(listener, self.units)

    def guard(self, listener: Listener, named: Named) -> Guard | None:
        """Why a listener is left alone, unless the user named it and may have it."""
        guard = why_kept(listener, self.units, self.engines, self.play)
        names = {*names_of(listener), *units_of(listener, self.units)}
        exact = bool(named.deny and named.deny.names_exactly(names))
        return None if guard and self._may(guard, exact, named.moved) else guard

    def unit_guard(self, unit: str, moved: Rebind | Restrict | None = None) -> Guard | None:
        """The same of a unit that a rule names exactly, whether or not it listens."""
        guard = why_unit_kept(unit, self.units, self.engines, self.play)
        return None if guard and self._may(guard, True, moved) else guard

    def _may(self, guard: Guard, exact: bool, moved: Rebind | Restrict | None) -> bool:
        if guard.kind == RESOLVER:
            # It stays the resolver.
            return isinstance(moved, Rebind) and bool(moved.settings)
        return guard.kind == SECURE_SHELL and self.rules.allow_ssh and (exact or moved is not None)


def case(snapshot: Mapping[str, Any], rules: Rules, play: Protected) -> Case:
    """`snapshot` has units and engines as docs/snapshot.md tells."""
    engines = [] if is_error(snapshot["engines"]) else snapshot["engines"]
    return Case(
        rules,
        {} if is_error(snapshot["units"]) else snapshot["units"],
        frozenset(engine["unit"] for engine in engines if engine.get("unit")),
        {each["id"]: each["name"] for each in inventory.containers_of(engines)},
        play,
    )
