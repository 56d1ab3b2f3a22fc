# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subordinate ids for userns-remap: whose they are to be, whether the existing ones are sound, a block for
who has none.

Pure: `accounts` is snapshot["accounts"] (docs/snapshot.md), the files come as text. The rules are those of
dockerd's parseRemappedRoot and LoadIdentityMapping (read in 20.10.24, 26.1.5 and 29.7.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.subids import (
    DEFAULT_USER,
    FILES,
    NEEDED,
    SUB_MAX,
    SUB_MIN,
    Accounts,
    Range,
    Span,
    account_named,
    faults,
    go_number,
    login_defs,
    ordinary_ids,
    overlap,
    ranges,
    real_ids,
)

_MADE_BY_US = ("default", DEFAULT_USER)
_ENTRY = re.compile(r"([^:]+):([0-9]{1,18}):([0-9]{1,18})")

# {"uid": text of /etc/subuid | None, "gid": ...}; None: there is no such file.
Texts = Mapping[str, Optional[str]]


class Refused(Exception):
    """Nothing may be allocated; `problems` are the reasons, one sentence each with the way out."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__(" ".join(self.problems))


class Wanted(NamedTuple):
    """Whom a value of userns-remap names. With `problems` it must not be set; `notices` are worth a word."""

    user: str | None
    group: str | None
    problems: list[str]
    notices: list[str]


@dataclass(frozen=True)
class Allocation:
    """The block of a user, and in which files it is still to be entered: in none, one or both."""

    start: int
    count: int
    for_uid: bool
    for_gid: bool


# --- whom a value names ---


def remap_user(value: str, accounts: Accounts) -> Wanted:
    """The user and the group of `value`: "default", a name or uid, or both with a group or gid behind a colon.

    dockerd wants the group to exist although since 20.10 it looks up the ids in both files by the user alone.
    """
    first, colon, second = value.partition(":")
    if not first or (colon and not second) or ":" in second:
        return _refused(
            None, f"userns-remap {value!r} is not one of default, name, uid, name:group and uid:gid."
        )
    if first == "host":
        return _refused(
            None, "userns-remap takes no host: that is an option of containers; leave the key out instead."
        )
    for key in ("users", "groups"):
        if is_error(accounts[key]):
            return _refused(None, f"The {key} of this host cannot be read: {accounts[key]['error']}.")
    number = go_number(first)
    user = account_named(first, accounts)
    numeric = _named_like_an_id(first, user, accounts)
    if numeric is not None:
        return _refused(
            None,
            f"The user {numeric} has a number for a name, which dockerd takes for a uid or finds twice "
            "(moby#42003): give another user.",
        )
    if number == 0 or first == "root" or (user is not None and user["uid"] == 0):
        return _refused(
            None,
            f"userns-remap {value} would be configured but off: dockerd does not map root to itself and only "
            "logs it; take default or an account of its own.",
        )
    if user is None and first not in _MADE_BY_US:
        return _refused(
            None, f"There is no user {first} for userns-remap: create the account, or take default."
        )
    name = DEFAULT_USER if user is None else user["name"]
    return _with_group(name, user, second or None, number, accounts)


def _named_like_an_id(first: str, user: Mapping[str, Any] | None, accounts: Accounts) -> str | None:
    spellings = {first} if user is None else {first, user["name"], str(user["uid"])}
    names = (known["name"] for known in accounts["users"])
    return next((name for name in names if name in spellings and go_number(name) is not None), None)


def _with_group(
    name: str, user: Mapping[str, Any] | None, asked: str | None, number: int | None, accounts: Accounts
) -> Wanted:
    if asked is None and user is None:
        return Wanted(name, name, [], [])
    # Without a group dockerd takes the one of the user's name, of a uid the one of the same number.
    gid = go_number(asked) if asked is not None else number
    wanted = asked if asked is not None else name
    key, of = ("name", wanted) if gid is None else ("gid", gid)
    group = next((group["name"] for group in accounts["groups"] if group[key] == of), None)
    if group is None:
        if asked == name and user is None:
            return Wanted(name, name, [], [])
        return _refused(
            name,
            f"There is no group {of} for userns-remap, and dockerd does not start without: create it, or give "
            f"{name}:GROUP with one that exists.",
        )
    if group == name:
        return Wanted(name, group, [], [])
    notice = (
        f"The group {group} does not matter for the ids: since 20.10 dockerd looks up the user {name} in "
        f"{FILES['gid']} too, so the entries of both files are those of {name}."
    )
    return Wanted(name, group, [], [notice])


def _refused(user: str | None, problem: str) -> Wanted:
    return Wanted(user, None, [problem], [])


# --- whether the existing entries are sound ---


def judge(user: str, accounts: Accounts, texts: Texts | None = None) -> list[str]:
    """What is missing or unsafe about the subordinate ids of `user`, [] when they are sound.

    dockerd reads the files itself and asks no directory service: where one is the source of subordinate ids
    (`texts` is read only then), the files must hold what getsubids tells.
    """
    unreadable = _unreadable(accounts)
    if unreadable:
        return unreadable
    absent = [
        f"{FILES[kind]} has no entry of {user}."
        if _from_files(accounts)
        else f"Subordinate ids come from {_source(accounts)} (nsswitch.conf), and getsubids tells no {kind} range "
        f"of {user}: enter one of {NEEDED} ids there and in {FILES[kind]}, which are not written on such a host."
        for kind in missing(user, accounts)
    ]
    elsewhere = [] if _from_files(accounts) else _not_in_files(user, accounts, texts or {})
    return absent + _unsafe(user, accounts) + elsewhere


def missing(user: str, accounts: Accounts) -> list[str]:
    """The kinds, "uid" and "gid", of which the user has no entry at all; the others are for `judge`."""
    return [kind for kind in FILES if not _own(ranges(accounts, kind), _owners(user, accounts))]


def container_root(user: str, accounts: Accounts, text: str | None) -> int | None:
    """The id of the host that root of the containers becomes: the start of the user's first line in the file.

    None without a line. dockerd keeps the order of the file; a sorted list of ranges does not tell.
    """
    entries = _own(_parsed(text), _owners(user, accounts))
    return entries[0].start if entries else None


def _unreadable(accounts: Accounts) -> list[str]:
    subids = accounts["subids"]
    parts = [accounts["users"], accounts["groups"], subids]
    if not is_error(subids):
        parts += [subids["uid"], subids["gid"]]
    return [
        f"Subordinate ids cannot be judged: {part['error']}; put that right first."
        for part in parts
        if is_error(part)
    ]


def _unsafe(user: str, accounts: Accounts) -> list[str]:
    owners = _owners(user, accounts)
    found = []
    for kind, path in FILES.items():
        entries = ranges(accounts, kind)
        total = sum(entry.count for entry in _own(entries, owners))
        own = [entry for entry in entries if entry.owner in owners]
        if own and total < NEEDED:
            found.append(
                f"{path} has {total} ids for {user}, and images use {NEEDED}: make the range larger by hand, "
                "as files in volumes may bear its ids already."
            )
        for number, entry in enumerate(own):
            others = [other for other in entries if other.owner not in owners]
            trouble = (
                *(fault.text for fault in faults(kind, entry, accounts)),
                *(f"overlaps {other.text}" for other in others if overlap(entry, other)),
                *(
                    f"overlaps {other.text} of the same user"
                    for other in own[:number]
                    if overlap(entry, other)
                ),
            )
            found += [
                f"{path}: {entry.text} {what}; move it to free ids from {SUB_MIN} on by hand, and chown the "
                "files that bear the old ones."
                for what in trouble
            ]
    return found


def _not_in_files(user: str, accounts: Accounts, texts: Texts) -> list[str]:
    found = []
    for kind, path in FILES.items():
        told = _own(ranges(accounts, kind), _owners(user, accounts))
        try:
            held = _own(_parsed(texts.get(kind)), _owners(user, accounts))
        except ValueError as problem:
            found.append(f"{path}: {problem}, and dockerd reads it whatever nsswitch.conf says: correct it.")
            continue
        lacking = sorted({(one.start, one.count) for one in told} - {(one.start, one.count) for one in held})
        found += [
            f"{path} lacks what getsubids tells, and dockerd reads the file alone: add the line "
            f"{user}:{start}:{count} by hand."
            for start, count in lacking
        ]
    return found


def _source(accounts: Accounts) -> str:
    return str(accounts["subids"]["source"])


def _from_files(accounts: Accounts) -> bool:
    return _source(accounts) == "files"


def _parsed(text: str | None) -> list[Range]:
    """The entries in the order of the file. ValueError quotes a line that is none."""
    entries = []
    for line in (text or "").splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            fields = _ENTRY.fullmatch(line)
            if fields is None:
                raise ValueError(f"{line[:200]!r} is not owner:start:count")
            entries.append(Range(fields[1], int(fields[2]), int(fields[3])))
    return entries


def _owners(user: str, accounts: Accounts) -> tuple[str, ...]:
    """How a file may name the user; the number first."""
    uids = [str(known["uid"]) for known in accounts["users"] if known["name"] == user]
    return (*uids, user)


def _own(entries: list[Range], owners: tuple[str, ...]) -> list[Range]:
    """The entries that count: up to 28 those of the number hide those of the name, 29 takes both."""
    for owner in owners:
        own = [entry for entry in entries if entry.owner == owner]
        if own:
            return own
    return []


# --- a block for who has none ---


def allocate(accounts: Accounts, user: str, texts: Texts | None = None) -> Allocation:
    """One block of 65536 ids for both files, where the user has none. Raises Refused.

    It begins behind all entries of both files, all ids of users and groups, and what login.defs gives to
    accounts; where that is beyond its SUB_UID_MAX (users of a directory service may have huge ids), in the
    first gap that is wide enough. What exists is never altered: anything unsafe is refused.
    """
    unsafe = _unreadable(accounts) or _unsafe(user, accounts)
    absent = missing(user, accounts) if not unsafe else []
    if not unsafe and not _from_files(accounts):
        unsafe = judge(user, accounts, texts)
    if unsafe:
        raise Refused(unsafe)
    start = _beside(user, accounts, absent)
    return Allocation(
        _free(accounts) if start is None else start, NEEDED, for_uid="uid" in absent, for_gid="gid" in absent
    )


def _beside(user: str, accounts: Accounts, absent: list[str]) -> int | None:
    """The start of the block that the user has in the other file, where the missing one can have it too."""
    present = [kind for kind in FILES if kind not in absent]
    if not present:
        return None
    own = _own(ranges(accounts, present[0]), _owners(user, accounts))
    block = next((entry for entry in own if entry.count >= NEEDED), own[0])
    if not absent:
        return block.start
    wanted = Range(user, block.start, NEEDED)
    taken = any(overlap(wanted, other) for other in ranges(accounts, absent[0]))
    if block.count < NEEDED or taken or any(faults(absent[0], wanted, accounts)):
        return None
    return block.start


def _free(accounts: Accounts) -> int:
    limits = login_defs(accounts)
    lowest = max(limits.get(f"SUB_{kind}_MIN", SUB_MIN) for kind in ("UID", "GID"))
    highest = min(limits.get(f"SUB_{kind}_MAX", SUB_MAX) for kind in ("UID", "GID"))
    taken = sorted(_taken(accounts))
    start = max([lowest, *(end for _unused, end in taken)])
    if start + NEEDED - 1 <= highest:
        return start
    start = lowest
    for first, end in taken:
        if first - start >= NEEDED:
            break
        start = max(start, end)
    if start + NEEDED - 1 <= highest:
        return start
    raise Refused(
        [
            f"No {NEEDED} ids in a row are free from {lowest} to {highest}: raise SUB_UID_MAX and SUB_GID_MAX in "
            "login.defs, or remove entries of accounts that are gone."
        ]
    )


def _taken(accounts: Accounts) -> Iterator[Span]:
    for kind in FILES:
        for entry in ranges(accounts, kind):
            yield entry.start, entry.end
        for _unused, number in real_ids(kind, accounts):
            yield number, number + 1
        first, last = ordinary_ids(kind, accounts)
        yield first, last + 1


def added(text: str | None, owner: str, start: int, count: int) -> str:
    """The text of the file with one more line at its end; what is there stays as it is, to the byte."""
    before = text or ""
    if before and not before.endswith("\n"):
        before += "\n"
    return f"{before}{owner}:{start}:{count}\n"
