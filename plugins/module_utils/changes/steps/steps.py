# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that a plan is made of. kinds.py tells what each means."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT, Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import (
    accounts,
    files,
    host_state,
    units,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import install as install_changes
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import (
    permissions as permission_changes,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Step


def account(name: str) -> Step:
    """The system account `name` and its group exist."""
    return Step(accounts.ACCOUNT, name, ROOT)


def login(name: str) -> Step:
    """The ordinary account `name` exists, with its home."""
    return Step(accounts.LOGIN, name, ROOT)


def subid_range(owner: str, start: int, count: int, kinds: list[str]) -> Step:
    """`owner` has that range of subordinate ids; `kinds` of "uid" and "gid"."""
    return Step(accounts.SUBIDS, owner, ROOT, {"start": start, "count": count, "kinds": kinds})


def file(whose: Account, path: str, content: str | None, mode: int = 0o644) -> Step:
    """A file of that account's holds that text; None: it is not there. ~/ leads to its home."""
    value = {"content": content} if content is None else {"content": content, "mode": mode}
    return Step(files.FILE, path, whose, value)


def no_directory(whose: Account, path: str) -> Step:
    """The directory, which is that account's, is gone if nothing is in it."""
    return Step(files.DIRECTORY, path, whose)


def install(path: str, source: str, content: bytes, mode: int) -> Step:
    """A file of root's with that mode holds what `source` holds, which is `content` now. A stage keeps no secrets, so
    it bears the digest alone."""
    value = {"source": source, "digest": atomic_files.digest(content), "mode": mode}
    return Step(install_changes.INSTALL, path, ROOT, value)


def permissions(path: str, mode: int) -> Step:
    """What lies at `path` is root's and has that mode."""
    return Step(permission_changes.PERMISSIONS, path, ROOT, mode)


def reread(whose: Account, unit: str, restart: bool = False) -> Step:
    """The systemd of that account reads the files of the unit anew. Before they change: undoing has them read anew
    too, and with `restart` the unit restarted with them."""
    return Step(units.REREAD, unit, whose, restart)


def restart(whose: Account, unit: str) -> Step:
    """The unit of that account's systemd restarts."""
    return Step(units.RESTART, unit, whose)


def dead_socket(path: str) -> Step:
    """No socket of root's lies at `path` to which nobody listens."""
    return Step(units.DEAD_SOCKET, path, ROOT)


def setting(what: str, whose: Account, key: str, value: Any) -> Step:
    """One of host_settings.SETTINGS has that value."""
    if what not in host_state.SETTINGS:
        raise ValueError(f"{what} is no setting of a host")
    return Step(what, key, whose, value)


def enablement(unit: str, enabled: bool) -> Step:
    """systemd starts that unit at boot, or does not."""
    return setting("enabled", ROOT, unit, enabled)


def drop_ins(planned: Iterable[Step], unit: str) -> dict[str, str | None]:
    """The drop-ins of that unit among the steps, with their text; None for one that is removed."""
    return {
        step.key: step.value["content"]
        for step in planned
        if step.kind == files.FILE and Path(step.key).parent.name == f"{unit}.d"
    }
