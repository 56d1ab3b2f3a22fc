# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host may be called: by the inventory and by the resolver of the controller, never by the host itself.

Names are those of a certificate, with their prefix: DNS:dock1.example.com, IP:192.0.2.7.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# Underscores are no part of host names, and of many inventories; Go compares them like any other character.
_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_LOCAL = ("localhost", "localdomain")
_ENDPOINT = re.compile(r"tcp://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", re.ASCII)
_AT_ONCE = 32


def alt_names(names: Iterable[Any]) -> list[str]:
    """The names with their prefixes, each once and sorted; those that mean no host or any are left out."""
    return sorted({found for name in names if name and (found := _with_prefix(str(name))) is not None})


def _with_prefix(name: str) -> str | None:
    name = re.sub(r"^(DNS|IP( Address)?):", "", name.strip(), flags=re.IGNORECASE)
    try:
        address = ipaddress.ip_address(name.strip("[]").partition("%")[0])
    except ValueError:
        name = name.lower().rstrip(".")
        fits = _NAME.fullmatch(name) and name.rpartition(".")[2] not in _LOCAL
        return f"DNS:{name}" if fits else None
    return None if address.is_loopback or address.is_unspecified else f"IP:{address}"


def resolved(names: Iterable[Any]) -> list[str]:
    """The addresses that the controller finds for the names, each once and sorted; none for one that it cannot find."""
    return sorted({address for name in names if name for address in _addresses(str(name))})


def _addresses(name: str) -> list[str]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    # A link-local address holds on one link alone, and says which.
    return [str(one[4][0]) for one in found if "%" not in str(one[4][0])]


def of_host(hostvars: Mapping[str, Any], host: str) -> list[Any]:
    """What the inventory calls the host: its name there, and `ansible_host`, which no fact can change."""
    try:
        return [host, hostvars[host].get("ansible_host")]
    except Exception:
        # A template of somebody else that cannot be resolved.
        return [host]


def owners(
    wanted: Iterable[str], hostvars: Mapping[str, Any], hosts: Iterable[str], host: str
) -> dict[str, str]:
    """The names among the wanted that belong to another host of the inventory and not to this one, with that host."""
    named = of_host(hostvars, host)
    own = {*_called(named), *alt_names(resolved(named))}
    foreign = [name for name in wanted if name not in own]
    if not foreign:
        return {}
    others = {name: of_host(hostvars, name) for name in hosts if name != host}
    found = {name: other for other, called in others.items() for name in _called(called)}
    if any(name.startswith("IP:") for name in foreign):
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for other, known in zip(others, pool.map(resolved, others.values())):
                found.update(dict.fromkeys(alt_names(known), other))
    return {name: found[name] for name in foreign if name in found}


def _called(names: Iterable[Any]) -> set[str]:
    """The names, and what they are called for short within their domain."""
    long = alt_names(names)
    return {*long, *(name.partition(".")[0] for name in long if name.startswith("DNS:"))}


def endpoint_of(endpoint: Any, names: Iterable[str]) -> str | None:
    """The endpoint, when it is tcp://ADDRESS:PORT with an address or a name among the names, else None."""
    match = _ENDPOINT.fullmatch(endpoint) if isinstance(endpoint, str) else None
    if match is None or not 0 < int(match[2]) < 65536:
        return None
    return endpoint if set(alt_names([match[1]])) & set(names) else None
