# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subordinate ids: what images need of them, and which range is sound.

Pure: `accounts` is snapshot["accounts"] (docs/snapshot.md). The rules are those of dockerd's parseRemappedRoot and
LoadIdentityMapping (read in 20.10.24, 26.1.5 and 29.7.2); the audit and the changes ask here alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error
from ansible_collections.bulwark.docker.plugins.module_utils.base.text import few

# What an image may use: ids 0 to 65534 (nobody).
NEEDED = 65536
FILES = {"uid": "/etc/subuid", "gid": "/etc/subgid"}
# The user that dockerd, or we before it, make for the value `default`.
DEFAULT_USER = "dockremap"
# Defaults of login.defs(5).
SUB_MIN, SUB_MAX = 100_000, 600_100_000
_ID_MIN, _ID_MAX = 1000, 60_000

Accounts = Mapping[str, Any]
Span = tuple[int, int]


@dataclass(frozen=True)
class Range:
    """One line of a file, or what a directory service says in its place."""

    owner: str
    start: int
    count: int

    @property
    def end(self) -> int:
        """The first id behind it."""
        return self.start + self.count

    @property
    def text(self) -> str:
        """As the file has it."""
        return f"{self.owner}:{self.start}:{self.count}"


class Fault(NamedTuple):
    """What is unsound about a range, to follow its text; what would be sound, and where that was seen."""

    text: str
    expected: str
    source: str


def account_named(value: str, accounts: Accounts) -> Mapping[str, Any] | None:
    """The user of passwd that `value`, the part of userns-remap before the colon, names: by its name or its uid."""
    wanted, uid = DEFAULT_USER if value == "default" else value, go_number(value)
    key, of = ("name", wanted) if uid is None else ("uid", uid)
    return next((user for user in accounts["users"] if user[key] == of), None)


def go_number(text: str) -> int | None:
    """As Go's ParseInt reads 32 bits: signs and leading zeros too."""
    if not re.fullmatch(r"[+-]?0{0,99}[0-9]{1,18}", text):
        return None
    number = int(text)
    return number if -(2**31) <= number < 2**31 else None


def faults(kind: str, held: Range, accounts: Accounts) -> Iterator[Fault]:
    """What is unsound about a range of "uid" or "gid", whoever else has one. Users and groups must be readable."""
    if held.start == 0:
        yield Fault(
            "begins with root of the host: with it userns-remap is configured but off, without a word",
            "a range of its own",
            FILES[kind],
        )
        return
    real = [name for name, known in real_ids(kind, accounts) if held.start <= known < held.end]
    first, last = ordinary_ids(kind, accounts)
    if real:
        yield Fault(f"covers the ids of {few(sorted(set(real)))}", "no real account", FILES[kind])
    elif held.start <= last and first < held.end:
        yield Fault(
            f"lies within {first} to {last}, which {kind}s of new accounts are taken from",
            "no id that accounts get",
            "/etc/login.defs",
        )


def real_ids(kind: str, accounts: Accounts) -> Iterator[tuple[str, int]]:
    """(name, id) of the real users or groups; a primary group need not be listed."""
    for user in accounts["users"]:
        yield user["name"], user[kind]
    if kind == "gid":
        for group in accounts["groups"]:
            yield group["name"], group["gid"]


def ordinary_ids(kind: str, accounts: Accounts) -> Span:
    """The first and the last id that new accounts or groups get by login.defs(5)."""
    limits = login_defs(accounts)
    name = kind.upper()
    return limits.get(f"{name}_MIN", _ID_MIN), limits.get(f"{name}_MAX", _ID_MAX)


def login_defs(accounts: Accounts) -> Mapping[str, int]:
    """Its settings, {} where it is not there or cannot be read: its defaults hold then."""
    limits = accounts["login_defs"]
    return {} if limits is None or is_error(limits) else limits


def ranges(accounts: Accounts, kind: str) -> list[Range]:
    """The entries of "uid" or "gid", [] without the file. They must be readable."""
    found = accounts["subids"][kind] or ()
    return [Range(str(entry["owner"]), entry["start"], entry["count"]) for entry in found]


def overlap(one: Range, other: Range) -> bool:
    """Whether they have an id in common."""
    return one.start < other.end and other.start < one.end
