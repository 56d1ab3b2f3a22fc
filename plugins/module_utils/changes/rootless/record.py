# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a rootless engine that was set up: the steps that lead back, each with whose the thing is.

It lies in the state directory beside the transactions and outlasts them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT, Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import files as rootless_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import files as file_changes
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import host_state, kinds, steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import (
    Malformed,
    Step,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import (
    StateError,
    Store,
    read_json,
)

SCHEMA = 2


class Record(NamedTuple):
    """The steps that lead back. `notices` tell what of a former account of that name is dropped."""

    steps: list[Step]
    notices: list[str]


def read(store: Store, account: Account) -> Record | None:
    """What leads back from the engine of that account; None where none was set up here. Raises StateError.

    Where another account bears the name today, the steps of the former one are dropped: their things went with it, and
    nothing can be done as it.
    """
    path = Path(_path(store, account.name))
    known = read_json(path)
    if known is None:
        return None
    try:
        if known.get("schema") == 1:
            found = [_of_schema_1(each, account) for each in known["steps"]]
        elif known.get("schema") == SCHEMA:
            found = [Step.from_json(each) for each in known["steps"]]
        else:
            raise Malformed(f"schema {known.get('schema')} is of another version of bulwark.docker")
        unknown = [step.kind for step in found if step.kind not in kinds.KINDS]
        if unknown:
            raise Malformed(f"this version of bulwark.docker knows no step of the kind {unknown[0]}")
    except (Malformed, KeyError, TypeError, AttributeError) as problem:
        raise StateError(
            f"{path} cannot be understood: {problem}; use the version of bulwark.docker that wrote it"
        ) from problem
    left = [step for step in found if step.account.name != account.name or step.account == account]
    if len(left) == len(found) or account.uid is None:
        return Record(left, [])
    notice = (
        f"{account.name} was another account when {path} was written: what leads back from the engine of that one is "
        "dropped, and what is left of its files stays."
    )
    return Record(left, [notice])


def write(store: Store, account: Account, known: Sequence[Step], transaction: Transaction) -> None:
    """Keep it."""
    data = {"schema": SCHEMA, "user": account.name, "steps": [step.as_json() for step in known]}
    fresh = atomic_files.fresh(ROOT.owner, 0o600)
    file_changes.write(
        transaction, ROOT, _path(store, account.name), json.dumps(data, indent=1).encode(), fresh
    )


def remove(store: Store, account: Account, transaction: Transaction) -> None:
    """Forget it."""
    file_changes.remove(transaction, ROOT, _path(store, account.name))


def _path(store: Store, user: str) -> str:
    return str(store.root / "rootless" / f"{user}.json")


def _of_schema_1(data: Mapping[str, Any], account: Account) -> Step:
    """A step as it was kept when paths had no owner: root's are those alone that this collection writes as root."""
    kind, key = data["step"], data["key"]
    if kind == "home_file":
        path = f"~/{key.partition('/')[2]}"
        return steps.file(account, path, data["content"], data.get("mode", 0o644))
    if kind == "file":
        return steps.file(ROOT if _is_roots(key, account.name) else account, key, data["content"])
    if kind == "no_directory":
        return steps.no_directory(ROOT if _holds_roots(key) else account, key)
    if kind == "context":
        return steps.setting(kind, account, host_state.CLIENT_FILE, data["value"])
    if kind not in host_state.SETTINGS:
        raise Malformed(f"it has a step of the kind {kind}")
    user, slash, unit = key.rpartition("/")
    if kind in ("enabled", "running", "masked") and slash:
        if user != account.name:
            raise Malformed(f"it has a unit of {user}")
        return steps.setting(kind, account, unit, data["value"])
    of_account = kind == "containers" and key == rootless_files.socket(account.owner.uid)
    return steps.setting(kind, account if of_account else ROOT, key, data["value"])


def _is_roots(path: str, user: str) -> bool:
    fixed = (rootless_files.SYSCTL_FILE, rootless_files.DELEGATE_FILE, rootless_files.environment_file(user))
    return path in fixed or str(Path(path).parent) == rootless_files.PROFILES


def _holds_roots(path: str) -> bool:
    return any(
        Path(path) in Path(fixed).parents
        for fixed in (
            rootless_files.SYSCTL_FILE,
            rootless_files.DELEGATE_FILE,
            f"{rootless_files.PROFILES}/x",
        )
    )
