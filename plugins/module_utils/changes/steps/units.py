# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units that read their files anew or restart, and sockets that nobody serves any more, within a transaction."""

from __future__ import annotations

import stat
import time
from pathlib import Path

from ansible_collections.bulwark.docker.plugins.module_utils.base import identity
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.atomic_files import Unwritable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.systemd import (
    STOP_SECONDS,
    Service,
    ServiceError,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import host_state
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Entry, Step

REREAD, RESTART, DEAD_SOCKET = "reread", "restart", "dead_socket"
_CONNECT_SECONDS = 2


def perform_reread(step: Step, transaction: Transaction) -> list[str]:
    """systemd reads the files of that unit anew; so it does when what comes after is undone, and where the step's
    value is true the unit restarts with them then."""
    transaction.journal(Entry(REREAD, step.key, step.account, {"restart": step.value}))
    _read_anew(step.account, step.key)
    return []


def undo_reread(entry: Entry, transaction: Transaction) -> list[str]:
    """The unit runs by its former files."""
    _read_anew(entry.account, entry.key)
    # It ran before, and may have failed since.
    if entry.data["restart"]:
        _restart(Service(entry.key, (), entry.account))
    return []


def reverse_reread(entry: Entry, transaction: Transaction) -> Step | None:
    """The restart that has the unit run by its former files."""
    return Step(RESTART, entry.key, entry.account) if entry.data["restart"] else None


def perform_restart(step: Step, transaction: Transaction) -> list[str]:
    """The unit restarts."""
    service = Service(step.key, (), step.account)
    _read_anew(step.account, step.key)
    _restart(service)
    return []


def perform_dead_socket(step: Step, transaction: Transaction) -> list[str]:
    """No socket lies there to which nobody listens. systemd makes it anew when the socket unit opens."""
    if not is_no_dead_socket(step):
        with identity.acting_as(step.account.owner):
            Path(step.key).unlink()
    return []


def is_no_dead_socket(step: Step) -> bool:
    """Whether no socket lies there, or somebody listens to it."""
    try:
        if not stat.S_ISSOCK(Path(step.key).lstat().st_mode):
            return True
        identity.connect(step.key, step.account.owner, time.monotonic() + _CONNECT_SECONDS).close()
    except ConnectionRefusedError:
        return False
    except (OSError, Unreadable):
        return True
    return True


def _read_anew(account: Account, unit: str) -> None:
    try:
        host_state.reread(account, unit)
    except ServiceError as problem:
        raise Unwritable(str(problem)) from problem


def _restart(service: Service) -> None:
    try:
        service.restart(STOP_SECONDS)
    except ServiceError as problem:
        raise Unwritable(str(problem)) from problem
