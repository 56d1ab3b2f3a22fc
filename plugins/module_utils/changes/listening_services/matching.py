# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a listener is the one that a rule of listening_services means."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Optional

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error

Listener = Mapping[str, Any]
Units = Mapping[str, Any]
# {container id: name}
Names = Mapping[str, Optional[str]]

SCOPES = ("wildcard", "link_local", "loopback", "specific")
_INIT = 1


class Rule(NamedTuple):
    """One entry of allow or deny.

    shown     `deny[0] (unit rpcbind.*, port 111)`
    wanted    what it says, of which all must hold: patterns as they are, `port` (first, last), `address` one of
              SCOPES or an address of the module ipaddress
    reviewed  when somebody last read the documentation and looked for known flaws; of allow alone
    """

    shown: str
    wanted: Mapping[str, Any]
    reviewed: date | None = None

    @property
    def is_aimed(self) -> bool:
        """Whether it means certain services, not whatever listens."""
        return any(self.wanted.get(key, "*") != "*" for key in ("unit", "package", "process", "port"))

    def names_exactly(self, names: Collection[str]) -> bool:
        """Whether it has one of the names (unit, package, process) without a pattern."""
        return any(self.wanted.get(key, "") in names for key in ("unit", "package", "process"))


def matches(rule: Rule, listener: Listener, names: Names, units: Units) -> bool:
    """Whether all that the rule says holds for a LISTENER; `names`: {container id: name}."""
    return all(_FIT[key](wanted, listener, names, units) for key, wanted in rule.wanted.items())


def units_of(listener: Listener, units: Units) -> set[str]:
    """The unit to act on, what it triggers, and the units of those who hold the socket; none of a container's."""
    if listener["container"]:
        return set()
    unit = listener["unit"] or ""
    found = {unit, *(units.get(unit) or {}).get("triggers", ()), *(each["unit"] for each in owners(listener))}
    return {name for name in found if name and not name.startswith("user@")}


def owners(listener: Listener) -> list[Mapping[str, Any]]:
    """Who holds the socket, but for systemd, which holds those of all socket units; [] where it cannot be read."""
    held = [] if is_error(listener["owners"]) else listener["owners"]
    return [owner for owner in held if owner["pid"] != _INIT]


def template_of(unit: str) -> str:
    """`x@.service` of `x@1.service`; of others the unit itself."""
    stem, instance, rest = unit.partition("@")
    return f"{stem}@.{rest.rpartition('.')[2]}" if instance and "." in rest else unit


def _fits_unit(pattern: str, listener: Listener, _names: Names, units: Units) -> bool:
    found = units_of(listener, units)
    return _any_fits({*found, *map(template_of, found)}, pattern)


def _fits_process(pattern: str, listener: Listener, _names: Names, _units: Units) -> bool:
    # The kernel cuts the name after 15 characters, and a process may change it.
    programs = (
        name for each in owners(listener) for name in (each["name"], (each["exe"] or "").rpartition("/")[2])
    )
    return _any_fits(programs, pattern)


def _fits_container(pattern: str, listener: Listener, names: Names, _units: Units) -> bool:
    container = listener["container"] or ""
    return _any_fits((container, container[:12], names.get(container)), pattern)


def _any_fits(names: Iterable[str | None], pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names if name)


_FIT: dict[str, Callable[[Any, Listener, Mapping[str, Any], Units], bool]] = {
    "unit": _fits_unit,
    "package": lambda wanted, listener, names, units: _any_fits((listener["package"],), wanted),
    "process": _fits_process,
    "protocol": lambda wanted, listener, names, units: bool(listener["protocol"] == wanted),
    "port": lambda wanted, listener, names, units: bool(wanted[0] <= listener["port"] <= wanted[1]),
    "address": lambda wanted, listener, names, units: bool(
        listener["scope"] == wanted
        if wanted in SCOPES
        else ipaddress.ip_address(listener["address"]) == wanted
    ),
    "container": _fits_container,
}
