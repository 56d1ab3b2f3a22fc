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
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.certificates import address_of

# Underscores are no part of host names, and of many inventories; Go compares them like any other character.
_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_LOCAL = ("localhost", "localdomain")
# Old ways to write an address, such as 192.000.002.007, which some programs take for one.
_NUMBERS = re.compile(r"[0-9]+(\.[0-9]+)+")
# Addresses of IPv6 that lead to one of IPv4, with the bits that follow it. Whoever has that one is reached by them too.
_LEADING = {
    ipaddress.IPv6Network("::/96"): 0,
    ipaddress.IPv6Network("::ffff:0:0:0/96"): 0,
    ipaddress.IPv6Network("64:ff9b::/96"): 0,
    ipaddress.IPv6Network("2002::/16"): 80,
}
_ENDPOINT = re.compile(r"tcp://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", re.ASCII)
_AT_ONCE = 32


def alt_names(names: Iterable[Any]) -> list[str]:
    """The names with their prefixes, each once and sorted; those that mean no host or any are left out."""
    return sorted({found for name in names if name and (found := _with_prefix(str(name))) is not None})


def _with_prefix(name: str) -> str | None:
    name = re.sub(r"^(DNS|IP( Address)?):", "", name.strip(), flags=re.IGNORECASE).rstrip(".")
    address = _address(name)
    if address is None:
        name = name.lower()
        fits = (
            _NAME.fullmatch(name) and not _NUMBERS.fullmatch(name) and name.rpartition(".")[2] not in _LOCAL
        )
        return f"DNS:{name}" if fits else None
    return None if address.is_loopback or address.is_unspecified else f"IP:{address}"


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """One of IPv4 that is written as one of IPv6, ::ffff:192.0.2.7, is the same one to whoever compares addresses."""
    address = address_of(text)
    return getattr(address, "ipv4_mapped", None) or address


def as_written(name: str) -> str:
    """The name, with its prefix, as alt_names writes it; one that alt_names leaves out stays as it is."""
    return _with_prefix(name) or name


def compared(name: str) -> str:
    """What the name, with its prefix, is compared by: two that lead to one host are equal, however they are written."""
    name = as_written(name)
    address = _address(name.removeprefix("IP:"))
    for network, after in _LEADING.items():
        if isinstance(address, ipaddress.IPv6Address) and address in network:
            return f"IP:{ipaddress.IPv4Address(int(address) >> after & 0xFFFFFFFF)}"
    return name


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
    wanted: Iterable[str],
    hostvars: Mapping[str, Any],
    hosts: Iterable[str],
    host: str,
    shared: Collection[str] = (),
) -> dict[str, str]:
    """The names among the wanted that belong to another host of the inventory and not to this one, with that host.

    A shared name belongs to none merely because it goes on after what the inventory calls that host.
    """
    named = of_host(hostvars, host)
    own = _compared([*named, *resolved(named)])
    foreign = {name: compared(name) for name in wanted if compared(name) not in own}
    if not foreign:
        return {}
    others = {name: of_host(hostvars, name) for name in hosts if name != host}
    called = {other: _compared(names) for other, names in others.items()}
    if any(name.startswith("IP:") for name in foreign.values()):
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for other, known in zip(others, pool.map(resolved, others.values())):
                called[other] |= _compared(known)
    given = set(map(compared, shared))
    return {
        name: other
        for name, as_compared in foreign.items()
        for other, names in called.items()
        if _in_common(as_compared, names, longer=as_compared not in given) > _in_common(as_compared, own)
    }


def _compared(names: Iterable[Any]) -> set[str]:
    return set(map(compared, alt_names(names)))


def _in_common(name: str, names: Iterable[str], longer: bool = True) -> int:
    """How much the name and the nearest of the names share, where one is the other within a domain, else 0.

    `longer` says whether the name may be the one with more of the domain: the inventory may call a host dock1, and
    everybody else dock1.example.com.
    """
    return max(
        (
            min(len(name), len(one))
            for one in names
            if f"{one}.".startswith(f"{name}.") or (longer and name.startswith(f"{one}."))
        ),
        default=0,
    )


def endpoint_of(endpoint: Any, names: Iterable[str]) -> str | None:
    """The endpoint, when it is tcp://ADDRESS:PORT with an address or a name among the names, else None."""
    match = _ENDPOINT.fullmatch(endpoint) if isinstance(endpoint, str) else None
    if match is None or not 0 < int(match[2]) < 65536:
        return None
    return endpoint if set(alt_names([match[1]])) & set(names) else None
