# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module engine_files: owner, mode and access lists brought to what the controls `file.*` ask, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import reading
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import (
    ExplainedError,
    Unread,
    Unreadable,
)
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import acting_as
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import loaded_config
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine_files.plan import (
    Parameters,
    Plan,
    Snapshot,
    look,
    plan,
    way,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine_files.report import (
    lines,
    restricted,
    rolled_back,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.atomic_files import Unwritable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import permissions, run
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction import signals
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import (
    Transaction,
    last_committed,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    edited_since_start,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.facts import owner_of

# The name that these transactions have in the place of an engine's: they need no restart.
ENGINE = "files"


class NotHeld(ExplainedError):
    """A file does not keep what it was given; one sentence."""


def restrict(store: Store, parameters: Parameters, check: bool) -> dict[str, Any]:
    """Make it so, as one transaction; with `check` nothing is written. Returns the module's result.

    The caller holds the lock. One path that cannot be changed is refused and keeps no other from being changed. Raises
    Failed; all is as before then.
    """
    snapshot = look()
    found = plan(snapshot, parameters)
    if check or not found.changes:
        return restricted(found, None)
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
    return restricted(found._replace(changes=done, refused=[*found.refused, *refused]), transaction)


def roll_back(store: Store, check: bool) -> dict[str, Any]:
    """Undo the last transaction of `restrict`; with `check` nothing is written. Returns the module's result."""
    last = last_committed(store, ENGINE)
    before = lines(last, False)
    if last is None or check:
        return rolled_back(last, before, [])
    keep_in_force(store, look(), [entry.key for entry in last.notes(permissions.PERMISSIONS)])
    with signals.held_off():
        left = run.undone(last)
    return rolled_back(last, before, left)


def keep_in_force(store: Store, snapshot: Snapshot, changing: Iterable[str]) -> None:
    """Note of the configuration files among `changing` that their engines have taken them: another owner or mode makes
    a file look edited since the start, and an engine would be restarted for it."""
    concerned, known = set(changing), snapshot["engines"]
    for engine in known if isinstance(known, list) else ():
        try:
            path = engine["config"]["path"]
            if engine["pid"] and way(path)[0] in concerned and not edited_since_start(engine):
                with acting_as(owner_of(engine, {})):
                    content = reading.content(path)
                loaded_config.record(store, path, engine["pid"], content)
        except (KeyError, Unread, Unreadable):
            continue


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
