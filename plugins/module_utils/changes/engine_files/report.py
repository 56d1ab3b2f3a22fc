# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module engine_files returns of a plan, of a change and of its undoing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import (
    attempt,
    is_error,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine_files.plan import (
    Change,
    Plan,
    owner_of_file,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import permissions
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import (
    ROLLED_BACK,
    Transaction,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import (
    files,
)


def restricted(found: Plan, transaction: str | None) -> dict[str, Any]:
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


def rolled_back(transaction: Transaction | None, before: list[str], notices: list[str]) -> dict[str, Any]:
    if transaction is None:
        return _result([], [], [], [*notices, "There is no change of the engines' files to undo."], None)
    after = lines(transaction, transaction.state != ROLLED_BACK)
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


def lines(transaction: Transaction | None, former: bool) -> list[str]:
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
    return " ".join((path, owner_of_file(fact), fact["mode"], *(["acl", *lists] if lists else ())))


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
    if owner_of_file(fact) != owner_of_file(after):
        yield f"owner {owner_of_file(after)} instead of {owner_of_file(fact)}"
    if fact["mode"] != after["mode"]:
        yield f"mode {after['mode']} instead of {fact['mode']}"
    if not change.wanted.acl:
        yield f"no access list instead of {', '.join(fact['acl'])}"
