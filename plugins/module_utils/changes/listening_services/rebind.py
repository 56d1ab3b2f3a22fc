# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where units are to listen and who may reach them: the options rebind and restrict of listening_services, read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

RESOLVED = "systemd-resolved.service"
# The port on which it answers where the setting is on.
RESOLVED_PORTS = {"llmnr": 5355, "mdns": 5353}
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]+\.(service|socket)")
# What systemd.resource-control(5) knows beside addresses; `any` would lift the restriction.
_WORDS = ("localhost", "link-local", "multicast")


class Rebind(NamedTuple):
    """`listen` of a socket unit, or `settings` (llmnr, mdns: bool) of systemd-resolved.service; the other is empty."""

    shown: str
    unit: str
    listen: tuple[str, ...] = ()
    settings: Mapping[str, bool] = {}


class Restrict(NamedTuple):
    """The addresses and networks that may reach a unit, besides localhost."""

    shown: str
    unit: str
    allow: tuple[str, ...] = ()


def rebinds(entries: Iterable[Any], problems: list[str]) -> tuple[Rebind, ...]:
    """The entries of rebind; each mistake becomes a sentence of `problems`."""
    found = []
    for at, entry in enumerate(entries):
        where = f"rebind[{at}]"
        given = _given(where, entry, ("unit", "listen", *RESOLVED_PORTS), problems)
        unit = given.get("unit")
        if unit == RESOLVED:
            settings = _settings(where, given, problems)
            found.append(Rebind(f"{where} ({unit})", unit, settings=settings))
        elif unit and unit.endswith(".socket"):
            listen = _listen(where, given, problems)
            found.append(Rebind(f"{where} ({unit})", unit, listen))
        elif unit:
            problems.append(
                f"{where}.unit: where {unit} listens its own configuration says; "
                f"only socket units and {RESOLVED} can be bound elsewhere by a drop-in"
            )
    _once("rebind", found, problems)
    return tuple(found)


def restricts(entries: Iterable[Any], problems: list[str]) -> tuple[Restrict, ...]:
    """The entries of restrict; each mistake becomes a sentence of `problems`."""
    found = []
    for at, entry in enumerate(entries):
        where = f"restrict[{at}]"
        given = _given(where, entry, ("unit", "allow"), problems)
        if "unit" in given:
            allowed = _texts(f"{where}.allow", given.get("allow", []), problems)
            problems.extend(f"{where}.allow: {why}" for why in map(_no_network, allowed) if why)
            found.append(Restrict(f"{where} ({given['unit']})", given["unit"], tuple(allowed)))
    _once("restrict", found, problems)
    return tuple(found)


def _given(where: str, entry: Any, keys: Sequence[str], problems: list[str]) -> dict[str, Any]:
    """What an entry says; {} where it names no unit."""
    if not isinstance(entry, dict):
        problems.append(f"{where}: a mapping with {', '.join(keys)} is expected, not {entry!r}")
        return {}
    given = {key: value for key, value in entry.items() if value is not None}
    problems.extend(
        f"{where}: unknown key {str(key)[:50]!r}; there are {', '.join(keys)}"
        for key in given
        if key not in keys
    )
    if not isinstance(given.get("unit"), str) or not _UNIT.fullmatch(given["unit"]):
        problems.append(
            f"{where}.unit: {given.get('unit')!r} is no service or socket unit; patterns are not taken here"
        )
        return {}
    return given


def _settings(where: str, given: Mapping[str, Any], problems: list[str]) -> dict[str, bool]:
    settings = {key: given[key] for key in RESOLVED_PORTS if key in given}
    if "listen" in given or not settings:
        problems.append(
            f"{where}: {RESOLVED} takes {' and '.join(RESOLVED_PORTS)} (true or false), no listen"
        )
    problems.extend(
        f"{where}.{key}: {value!r} is neither true nor false"
        for key, value in settings.items()
        if not isinstance(value, bool)
    )
    return settings


def _listen(where: str, given: Mapping[str, Any], problems: list[str]) -> tuple[str, ...]:
    addresses = _texts(f"{where}.listen", given.get("listen", []), problems)
    if "listen" in given and not addresses:
        problems.append(f"{where}.listen: name an address, or deny the unit for it not to listen at all")
    if "listen" not in given or any(key in given for key in RESOLVED_PORTS):
        problems.append(f"{where}: a socket unit takes listen alone, with an address such as 127.0.0.1:8080")
    problems.extend(
        f"{where}.listen: {each!r} is no address with a port, such as 127.0.0.1:8080 or [::1]:8080"
        for each in addresses
        if not _is_end_point(each)
    )
    return tuple(addresses)


def _texts(where: str, value: Any, problems: list[str]) -> list[str]:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    problems.append(f"{where}: a list of texts is expected, not {value!r}")
    return []


def _is_end_point(text: str) -> bool:
    host, _colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        # A zone (%eth0) systemd writes elsewhere.
        address = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        return False
    return (
        (address.version == 6) == bracketed
        and "%" not in host
        and re.fullmatch(r"[0-9]{1,5}", port) is not None
        and 1 <= int(port) <= 65535
    )


def _no_network(text: str) -> str | None:
    if text in _WORDS:
        return None
    try:
        ipaddress.ip_network(text)
    except ValueError as problem:
        return f"{problem}; an address, a network or one of {', '.join(_WORDS)} is expected"
    return None


def _once(option: str, found: Sequence[Rebind | Restrict], problems: list[str]) -> None:
    names = [each.unit for each in found]
    problems.extend(
        f"{option}: {name} is named more than once" for name in sorted(set(names)) if names.count(name) > 1
    )
