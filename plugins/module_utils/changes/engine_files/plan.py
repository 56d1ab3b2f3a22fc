# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controls file.* ask of the engines' files: owner, mode and access lists. Nothing is changed."""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import (
    Unread,
    attempt,
    is_error,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT, Account
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Control,
    NotApplicable,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.host.files import (
    FILES,
    Place,
    Wanted,
    wanted,
    weak_parents,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import engines
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import (
    accounts,
    files,
    paths,
    processes,
    units,
)

_SECONDS = 20
_MOST_LINKS = 40
# dockerd and containerd give their sockets this mode (20.10 to 28.5).
_OWN_SOCKET_MODE = 0o660

Snapshot = Mapping[str, Any]
Parameters = Mapping[str, Mapping[str, Any]]


class Change(NamedTuple):
    """A file that is not as it should be. `path` is the file itself, `name` what the control calls it; `fact` is its
    FILE of docs/snapshot.md, `account` whose it is: it is changed with the ids of that account. `control` is the id of
    the control that asks."""

    path: str
    name: str
    fact: Mapping[str, Any]
    wanted: Wanted
    account: Account
    control: str


class Plan(NamedTuple):
    """What there is to do, what is not done ({message, consent, control}), and what a person should know."""

    changes: list[Change]
    refused: list[dict[str, Any]]
    notices: list[str]


def look() -> dict[str, Any]:
    """The part of a snapshot that the controls of files need. No engine is asked."""
    walked = processes.walk()
    known_accounts = accounts.accounts()
    known_units = attempt(units.units, ())
    snapshot = {
        "accounts": known_accounts,
        "units": known_units,
        "engines": attempt(engines.find, known_units, walked, known_accounts),
    }
    return {**snapshot, "files": attempt(files.files, paths.paths(snapshot))}


def plan(snapshot: Snapshot, parameters: Parameters) -> Plan:
    """What the controls of files ask for; `parameters` by control id. Nothing is changed."""
    found: dict[str, Change] = {}
    refused: dict[str, dict[str, Any]] = {}
    weak: dict[str, tuple[Mapping[str, Any], set[str]]] = {}
    unread: set[str] = set()
    for control, case, place in _places(snapshot, parameters, unread):
        try:
            asked = wanted(place, case)
            if asked is None:
                continue
            for parent in weak_parents(place, case):
                weak.setdefault(parent["path"], (parent, set()))[1].add(place.path)
            change = _change(control, place, case, asked)
        except Unread as problem:
            unread.add(f"{control.title}: not known, {problem}")
            continue
        if isinstance(change, str):
            refused[place.path] = {"message": change, "consent": None, "control": control.id}
        elif change:
            known = found.get(change.path)
            found[change.path] = _both(known, change) if known else change
    changes = [found[path] for path in sorted(found)]
    notices = [
        f"{path} (mode {parent['mode']}, owner {parent['uid']}:{parent['gid']}) can be written by others, who can so"
        f" replace {', '.join(sorted(below))}: take that away from them."
        for path, (parent, below) in weak.items()
        if path not in found
    ]
    notices += [notice for change in changes for notice in _made_anew(change, snapshot)]
    return Plan(changes, [refused[path] for path in sorted(refused)], sorted({*notices, *unread}))


def _places(
    snapshot: Snapshot, parameters: Parameters, unread: set[str]
) -> Iterator[tuple[Control, Case, Place]]:
    known = snapshot["engines"]
    for control in FILES:
        chosen = {**control.parameters, **parameters.get(control.id, {})}
        for engine in (known if isinstance(known, list) else ()) if control.per_engine else (None,):
            case = Case(snapshot, engine, chosen)
            try:
                yield from [(control, case, item.value) for item in control.over(case)]
            except NotApplicable:
                continue
            except Unread as problem:
                unread.add(f"{control.title}: not known, {problem}")


def _change(control: Control, place: Place, case: Case, asked: Wanted) -> Change | str | None:
    """What is to be done, or why it is not done. Raises Unread."""
    fact = case.host("files", place.path)
    mode = int(fact["mode"], 8)
    if asked == Wanted(fact["uid"], fact["gid"], mode, True):
        return None
    account = _account(case)
    if not account.is_root and (asked.uid, asked.gid) != (fact["uid"], fact["gid"]):
        return (
            f"{place.path} belongs to {owner_of_file(fact)} and lies where {case.engine['user']} may put anything:"
            f" give it to {case.engine['user']} by hand."
        )
    path, links = way(place.path)
    link = next((each for each in links if not (account.is_root and _is_roots(each))), None)
    if link:
        return (
            f"{place.path} is reached through the symbolic link {link}, which others than root can turn elsewhere:"
            " put the file itself there."
        )
    return Change(path, place.path, fact, asked, account, control.id)


def _account(case: Case) -> Account:
    """Who changes the files of the engine that is judged: the user of a rootless one, for its links lead anywhere."""
    try:
        user = case.engine["user"]
    except NotApplicable:
        return ROOT
    if user is None:
        return ROOT
    known = next(each for each in case.host("accounts", "users") if each["name"] == user)
    return Account(user, known["uid"], known["gid"])


def _both(one: Change, other: Change) -> Change:
    """What satisfies two controls that look at the same file."""
    first, second = one.wanted, other.wanted
    return one._replace(
        wanted=Wanted(
            min(first.uid, second.uid),
            min(first.gid, second.gid),
            first.mode & second.mode,
            first.acl and second.acl,
        )
    )


def _is_roots(link: str) -> bool:
    """Whether root alone can turn the link elsewhere. Raises Unread."""
    try:
        seen = Path(link).parent.stat()
    except OSError as problem:
        raise Unread(f"{problem.filename}: {problem.strerror}") from problem
    return seen.st_uid == 0 and not seen.st_mode & 0o022


def _made_anew(change: Change, snapshot: Snapshot) -> Iterable[str]:
    """Whether the next start brings a socket back as it was."""
    if change.fact["type"] != "socket":
        return
    known = snapshot["units"]
    for name, unit in ({} if is_error(known) else known).items():
        # No way that somebody turns elsewhere meanwhile leads to what was found.
        if any(attempt(os.path.realpath, each["address"]) == change.path for each in unit["listens"]):
            causes = list(_causes(name, change))
            if causes:
                yield (
                    f"{name} makes {change.path} anew at its next start with {' and '.join(causes)}:"
                    " set that in a drop-in of it."
                )
            return
    if _OWN_SOCKET_MODE & ~change.wanted.mode:
        yield (
            f"{change.path} is made anew by its program at the next start, with mode {_OWN_SOCKET_MODE:04o}:"
            " run this again then."
        )


def _causes(unit: str, change: Change) -> Iterator[str]:
    fields = {"SocketMode": "mode", "SocketUser": "owner", "SocketGroup": "group"}
    options = ("--no-pager", f"--property={','.join(fields)}", "--", unit)
    shown = attempt(limits.run, ["systemctl", "show", *options], _SECONDS)
    if is_error(shown):
        return
    asked, fact = change.wanted, change.fact
    changed = {
        "mode": int(fact["mode"], 8) & 0o777 != asked.mode & 0o777,
        "owner": fact["uid"] != asked.uid,
        "group": fact["gid"] != asked.gid,
    }
    for line in shown.out.splitlines():
        key, _unused, value = line.partition("=")
        field = fields.get(key)
        if field and changed[field] and (value or "root") == fact[field]:
            yield line if value else f"{key} not set"


def owner_of_file(fact: Mapping[str, Any]) -> str:
    return f"{_name(fact['owner'], fact['uid'])}:{_name(fact['group'], fact['gid'])}"


def _name(name: str | None, number: int) -> str:
    return str(number) if name is None else name


def way(path: str) -> tuple[str, list[str]]:
    """What the path leads to, and every symbolic link on the way there. Raises Unread.

    One walk for both: an account may turn its links elsewhere at any time, also between two looks at one.
    """
    at, ahead, links = "/", path.split("/"), []
    while ahead:
        here = posixpath.normpath(posixpath.join(at, ahead.pop(0)))
        target = _target(here)
        if target is None:
            at = here
            continue
        links.append(here)
        if len(links) > _MOST_LINKS:
            raise Unread(f"{path}: {os.strerror(errno.ELOOP)}")
        at, ahead = "/" if target.startswith("/") else at, [*target.split("/"), *ahead]
    return at, links


def _target(path: str) -> str | None:
    """Where the link leads, None where there is none. Raises Unread."""
    try:
        return str(Path(path).readlink())
    except OSError as problem:
        # EINVAL: something else lies there.
        if problem.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise Unread(f"{path}: {problem.strerror}") from problem
