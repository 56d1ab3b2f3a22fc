# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The register of an authority: which names are in certificates of which hosts, and until when.

One line each: `20270101000000Z own DNS:dock1.example.com dock1`. `shared` names may be in those of several hosts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ansible_collections.bulwark.docker.plugins.plugin_utils.inventory.names import as_written, compared

OWN, SHARED = "own", "shared"
_HEAD = "# Names in certificates of this authority: until when, own or shared, name, host. See docs/tls.md.\n"
_TIME = 15


class Damaged(ValueError):
    """A line that cannot be read; the text names it."""


class Held(NamedTuple):
    """That a certificate of a host has a name."""

    until: str
    kind: str


Register = dict[tuple[str, str], Held]


def read(text: str) -> Register:
    """The register by name and host; raises Damaged."""
    register: Register = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split(maxsplit=3)
        if len(parts) != 4 or parts[1] not in (OWN, SHARED) or not _is_time(parts[0]):
            raise Damaged(f"line {number} is none of a register; put it right, or remove it")
        until, kind, name, host = parts
        # Whoever wrote it may have written one name in two ways: the stricter of both counts.
        key = (as_written(name), host)
        before = register.get(key, Held(until, kind))
        register[key] = Held(max(before.until, until), OWN if OWN in (before.kind, kind) else SHARED)
    return register


def write(register: Mapping[tuple[str, str], Held]) -> str:
    """The register as text, always the same for the same names."""
    lines = [
        f"{held.until} {held.kind} {name} {host}\n"
        for (name, host), held in sorted(register.items(), key=lambda one: (one[0][1], one[0][0]))
    ]
    return _HEAD + "".join(lines)


def _is_time(text: str) -> bool:
    return len(text) == _TIME and text[:-1].isdigit() and text.endswith("Z")


def without(register: Register, released: Iterable[str], now: str) -> Register:
    """The register without hosts whose names are free again, and without certificates that have ended."""
    gone = set(released)
    return {
        (name, host): held for (name, host), held in register.items() if host not in gone and held.until > now
    }


def unheld(register: Register, host: str, names: Iterable[str]) -> list[str]:
    """The names that no certificate of the host has yet."""
    return [name for name in names if (name, host) not in register]


def problems(register: Register, host: str, names: Iterable[str], shared: Iterable[str]) -> list[str]:
    """Why the host may not have the names, one sentence each: certificates of others have them."""
    both, found = set(shared), []
    sought = {compared(name): name for name in names}
    for (held_name, other), held in sorted(register.items()):
        name = sought.get(compared(held_name))
        if name is None or other == host or (name in both and held.kind == SHARED):
            continue
        found.append(
            f"{name} is in a certificate of {other} until {_day(held.until)}; if {other} is gone, renamed or has"
            f" lost that name, name it in certificate_authority_released"
        )
    return found


def claimed(
    register: Register, host: str, names: Iterable[str], shared: Iterable[str], until: str
) -> Register:
    """The register with a certificate of the host that has the names until then."""
    both = set(shared)
    kept = dict(register)
    for name in names:
        before = kept.get((name, host), Held("", OWN))
        kept[name, host] = Held(max(before.until, until), SHARED if name in both else OWN)
    return kept


def _day(until: str) -> str:
    return f"{until[:4]}-{until[4:6]}-{until[6:8]}"
