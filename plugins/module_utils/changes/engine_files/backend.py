# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner, mode and access lists of the engines' files, brought to what the controls `file.*` ask, and back."""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import limits, reading
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import (
    ExplainedError,
    Unread,
    Unreadable,
    attempt,
    is_error,
)
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import acting_as
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import loaded_config
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT, Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.atomic_files import Unwritable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import permissions, run
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction import signals
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import (
    ROLLED_BACK,
    Transaction,
    last_committed,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store
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
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    edited_since_start,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import engines
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.facts import owner_of
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import (
    accounts,
    files,
    paths,
    processes,
    units,
)

# The name that these transactions have in the place of an engine's: they need no restart.
ENGINE = "files"
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


class NotHeld(ExplainedError):
    """A file does not keep what it was given; one sentence."""


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


def restrict(store: Store, parameters: Parameters, check: bool) -> dict[str, Any]:
    """Make it so, as one transaction; with `check` nothing is written. Returns the module's result.

    The caller holds the lock. One path that cannot be changed is refused and keeps no other from being changed. Raises
    Failed; all is as before then.
    """
    snapshot = look()
    found = plan(snapshot, parameters)
    if check or not found.changes:
        return _restricted(found, None)
    keep_in_force(store, snapshot, [change.path for change in found.changes])
    transaction, failed = run.carried_out(
        store, {"engine": ENGINE}, lambda transaction: _apply(transaction, found, parameters)
    )
    done = [change for change in found.changes if change.path not in failed]
    refused = [
        {"message": failed[change.path], "consent": None, "control": change.control}
        for change in found.changes
        if change.path in failed
    ]
    return _restricted(found._replace(changes=done, refused=[*found.refused, *refused]), transaction)


def roll_back(store: Store, check: bool) -> dict[str, Any]:
    """Undo the last transaction of `restrict`; with `check` nothing is written. Returns the module's result."""
    last = last_committed(store, ENGINE)
    before = _lines(last, False)
    if last is None or check:
        return _rolled_back(last, before, [])
    keep_in_force(store, look(), [entry.key for entry in last.notes(permissions.PERMISSIONS)])
    with signals.held_off():
        left = run.undone(last)
    return _rolled_back(last, before, left)


def keep_in_force(store: Store, snapshot: Snapshot, changing: Iterable[str]) -> None:
    """Note of the configuration files among `changing` that their engines have taken them: another owner or mode makes
    a file look edited since the start, and an engine would be restarted for it."""
    concerned, known = set(changing), snapshot["engines"]
    for engine in known if isinstance(known, list) else ():
        try:
            path = engine["config"]["path"]
            if engine["pid"] and _way(path)[0] in concerned and not edited_since_start(engine):
                with acting_as(owner_of(engine, {})):
                    content = reading.content(path)
                loaded_config.record(store, path, engine["pid"], content)
        except (KeyError, Unread, Unreadable):
            continue


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
            f"{place.path} belongs to {_owner(fact)} and lies where {case.engine['user']} may put anything:"
            f" give it to {case.engine['user']} by hand."
        )
    path, links = _way(place.path)
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


def _way(path: str) -> tuple[str, list[str]]:
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


def _apply(transaction: Transaction, found: Plan, parameters: Parameters) -> dict[str, str]:
    """{path: why it keeps what it has} of those that cannot be changed. Raises NotHeld for those of root's that do not
    keep what they were given, so that all is undone."""
    failed = {}
    for change in found.changes:
        asked = change.wanted
        try:
            wanted = (asked.uid, asked.gid, asked.mode)
            permissions.give(
                transaction, change.account, change.path, wanted, asked.acl, change.fact["inode"]
            )
        except Unwritable as problem:
            # One path, which somebody may have seen to, keeps no other from being changed.
            failed[change.path] = str(problem)
    again = {change.path for change in plan(look(), parameters).changes}
    lost = [each for each in found.changes if each.path in again and each.path not in failed]
    roots = [each.path for each in lost if each.account.is_root]
    if roots:
        raise NotHeld(f"{', '.join(roots)} did not keep the owner and mode it was given")
    for each in lost:
        # An account may do with its own files what it likes, and as fast: nobody else's change depends on it.
        permissions.take_back(transaction, each.account, each.path)
        failed[each.path] = (
            f"{each.path} did not keep the mode it was given: it was changed back at once, as a program of"
            f" {each.account.name} can; end that program, then run this again"
        )
    return failed


def _restricted(found: Plan, transaction: str | None) -> dict[str, Any]:
    before = [_line(change.path, change.fact, change.fact["acl"]) for change in found.changes]
    after = [
        _line(change.path, _as_wanted(change), change.fact["acl"] if change.wanted.acl else ())
        for change in found.changes
    ]
    actions = [
        f"{change.path}{_by_link(change)}: {'; '.join(_differences(change))}" for change in found.changes
    ]
    return {
        **_result(before, after, actions, found.notices, transaction),
        "refused": found.refused,
    }


def _rolled_back(transaction: Transaction | None, before: list[str], notices: list[str]) -> dict[str, Any]:
    if transaction is None:
        return _result([], [], [], [*notices, "There is no change of the engines' files to undo."], None)
    after = _lines(transaction, transaction.state != ROLLED_BACK)
    actions = [f"{line.partition(' ')[0]}: as before" for line in after if line not in before]
    return _result(before, after, actions, notices, transaction.id)


def _result(
    before: Sequence[str],
    after: Sequence[str],
    actions: list[str],
    notices: list[str],
    transaction: str | None,
) -> dict[str, Any]:
    changed = list(before) != list(after)
    return {
        "changed": changed,
        "diff": {
            "before": "".join(f"{line}\n" for line in before),
            "after": "".join(f"{line}\n" for line in after),
        },
        "actions": actions,
        "effect": "live" if changed else "none",
        "restart_required": False,
        "costs": [],
        "refused": [],
        "left_alone": [],
        "notices": notices,
        "transaction": transaction,
    }


def _lines(transaction: Transaction | None, former: bool) -> list[str]:
    """The files of a transaction, as they are or, `former`, as they were before it."""
    looker, lines = files.Looker(), []
    for entry in transaction.notes(permissions.PERMISSIONS) if transaction else ():
        fact = attempt(looker.file, entry.key)
        if not fact or is_error(fact):
            continue
        if former:
            uid, gid, mode = entry.data["before"]
            names = {"owner": looker.user(uid), "group": looker.group(gid)}
            fact = {**fact, **names, "uid": uid, "gid": gid, "mode": f"{mode:04o}"}
            lists = ["back"] if entry.data["acl"] and not fact["acl"] else fact["acl"]
        else:
            lists = fact["acl"]
        lines.append(_line(entry.key, fact, lists))
    return lines


def _line(path: str, fact: Mapping[str, Any], lists: Iterable[str]) -> str:
    return " ".join((path, _owner(fact), fact["mode"], *(["acl", *lists] if lists else ())))


def _owner(fact: Mapping[str, Any]) -> str:
    return f"{_name(fact['owner'], fact['uid'])}:{_name(fact['group'], fact['gid'])}"


def _name(name: str | None, number: int) -> str:
    return str(number) if name is None else name


def _as_wanted(change: Change) -> dict[str, Any]:
    fact, asked = change.fact, change.wanted
    return {
        "uid": asked.uid,
        "gid": asked.gid,
        "owner": fact["owner"] if asked.uid == fact["uid"] else "root",
        "group": fact["group"] if asked.gid == fact["gid"] else "root",
        "mode": f"{asked.mode:04o}",
    }


def _by_link(change: Change) -> str:
    return "" if change.path == change.name else f" (through {change.name})"


def _differences(change: Change) -> Iterator[str]:
    fact, after = change.fact, _as_wanted(change)
    if _owner(fact) != _owner(after):
        yield f"owner {_owner(after)} instead of {_owner(fact)}"
    if fact["mode"] != after["mode"]:
        yield f"mode {after['mode']} instead of {fact['mode']}"
    if not change.wanted.acl:
        yield f"no access list instead of {', '.join(fact['acl'])}"
