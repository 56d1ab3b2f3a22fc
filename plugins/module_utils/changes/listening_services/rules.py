# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of listening_services that say what may listen and where, read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.changes.errors import Unfit
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import (
    rebind as listener_places,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.matching import (
    SCOPES,
    Rule,
    matches,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.rebind import (
    Rebind,
    Restrict,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.known_services import (
    SWITCHED_OFF,
    Service,
)

PROTOCOLS = ("tcp", "udp", "sctp", "raw")
_LAST_PORT = 65535
_SPAN = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
# A pattern, or a template.
_PATTERN = re.compile(r"[*?\[]|@\.")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Rules(NamedTuple):
    """What the options say."""

    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    deny_known: bool = True
    rebind: tuple[Rebind, ...] = ()
    restrict: tuple[Restrict, ...] = ()
    allow_ssh: bool = False

    @property
    def moves(self) -> list[Rebind | Restrict]:
        """What is to listen elsewhere, or to be reached by fewer."""
        return [*self.rebind, *self.restrict]


def parse(options: Mapping[str, Any]) -> Rules:
    """The options of the module. Raises Unfit with a sentence for each mistake."""
    problems: list[str] = []
    rules = Rules(
        _entries("allow", options.get("allow"), problems),
        _entries("deny", options.get("deny"), problems),
        bool(options.get("deny_known", True)),
        listener_places.rebinds(options.get("rebind") or (), problems),
        listener_places.restricts(options.get("restrict") or (), problems),
        bool(options.get("allow_ssh", False)),
    )
    denied = denied_units(rules._replace(deny_known=False))
    problems += [f"{each.shown}: deny names the unit, too" for each in rules.moves if each.unit in denied]
    if problems:
        raise Unfit(problems)
    return rules


def _entries(option: str, entries: Sequence[Any] | None, problems: list[str]) -> tuple[Rule, ...]:
    found = (_rule(f"{option}[{at}]", option, entry, problems) for at, entry in enumerate(entries or ()))
    return tuple(rule for rule in found if rule)


def _rule(where: str, option: str, entry: Any, problems: list[str]) -> Rule | None:
    """None where it has a mistake, which `problems` then tells."""
    readers = {**_READERS, **({"reviewed": _review} if option == "allow" else {})}
    before = len(problems)
    wanted: dict[str, Any] = {}
    given = entry if isinstance(entry, dict) else {}
    for key, value in given.items():
        if key not in readers:
            problems.append(f"{where}: unknown key {str(key)[:50]!r}; there are {', '.join(readers)}")
        elif value is not None:
            try:
                wanted[key] = readers[key](value)
            except ValueError as mistake:
                problems.append(f"{where}.{key}: {mistake}")
    if len(problems) == before and not set(wanted) & set(_READERS):
        problems.append(f"{where}: name at least one of {', '.join(_READERS)}")
    if len(problems) > before:
        return None
    reviewed = wanted.pop("reviewed", None)
    shown = ", ".join(f"{key} {given[key]}" for key in _READERS if key in wanted)
    return Rule(f"{where} ({shown})", wanted, reviewed)


def _pattern(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is no name or pattern; write it as a text")
    return value


def _unit(value: Any) -> str:
    pattern = _pattern(value)
    if "." not in pattern and not pattern.endswith(("*", "]")):
        raise ValueError(
            f"{pattern} has no type and fits no unit; write {pattern}.service, {pattern}.socket or {pattern}.*"
        )
    return pattern


def _protocol(value: Any) -> str:
    if value not in PROTOCOLS:
        raise ValueError(f"{value!r} is none of {', '.join(PROTOCOLS)}")
    return str(value)


def _port(value: Any) -> tuple[int, int]:
    match = None if isinstance(value, bool) else _SPAN.fullmatch(str(value))
    first = int(match.group(1)) if match else 0
    last = int(match.group(2) or first) if match else 0
    if not 1 <= first <= last <= _LAST_PORT:
        raise ValueError(f"{value!r} is no port (1 to {_LAST_PORT}) and no range such as 8000-8099")
    return first, last


def _address(value: Any) -> Any:
    if value in SCOPES:
        return value
    try:
        return ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(f"{value!r} is none of {', '.join(SCOPES)} and no address") from None


def _review(value: Any) -> date:
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError(f"{value!r} is no date such as 2026-01-31")


_READERS: dict[str, Callable[[Any], Any]] = {
    "unit": _unit,
    "package": _pattern,
    "process": _pattern,
    "protocol": _protocol,
    "port": _port,
    "address": _address,
    "container": _pattern,
}


def denied_units(rules: Rules) -> list[str]:
    """What is to be off although it may not listen now, sorted: units that a rule of deny names and nothing beside
    them, and rpcbind's and avahi's under deny_known unless another rule may mean them."""
    exact = {
        rule.wanted["unit"]
        for rule in rules.deny
        if set(rule.wanted) == {"unit"} and not _PATTERN.search(rule.wanted["unit"])
    }
    for service in SWITCHED_OFF if rules.deny_known else ():
        units = {f"{service.name}.socket", f"{service.name}.service"}
        moved = any(each.unit in units for each in rules.moves)
        if not moved and not any(_may_mean(rule, units, service) for rule in rules.allow):
            exact |= units
    return sorted(exact)


def _may_mean(rule: Rule, units: Iterable[str], service: Service) -> bool:
    """Whether an allow rule may be about a service: with which protocol and address it listens is not known now."""
    if "container" in rule.wanted:
        return False
    wanted = {key: value for key, value in rule.wanted.items() if key not in ("protocol", "address")}
    held = [{"pid": 0, "name": service.name, "exe": None, "unit": unit} for unit in units]
    listener = {"unit": None, "package": service.name, "owners": held, "container": None}
    return any(matches(Rule("", wanted), {**listener, "port": port}, {}, {}) for port in service.ports)
