# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts and subordinate ids, created within a transaction by the tools of shadow and beside them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files, subids
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.atomic_files import Unwritable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Entry, Step
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.subids import FILES

ACCOUNT, LOGIN, SUBIDS, LOCK = "account", "login", "subids", "lock"
_SECONDS = 30
# What the tools of shadow wait for each other (15 s), and then some.
_LOCK_SECONDS = 20
_SYSTEM = ("--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell",
           "/usr/sbin/nologin")  # fmt: skip
_ORDINARY = ("--user-group", "--create-home", "--shell", "/bin/bash")


def is_there(step: Step) -> bool:
    """Whether the account of the step exists."""
    return exists(step.key)


def perform_account(step: Step, transaction: Transaction) -> list[str]:
    """A system account with a group of the same name, without home, shell and password."""
    return _create(step.key, transaction, ACCOUNT, _SYSTEM)


def perform_login(step: Step, transaction: Transaction) -> list[str]:
    """An ordinary account with a home and a group of the same name, without a password."""
    # Undoing removes the home, and the mail with it: never what was there before.
    taken = next((path for path in places_of_login(step.key) if os.path.lexists(path)), None)
    if taken and not exists(step.key):
        raise Unwritable(f"account {step.key} cannot be created: {taken} is there already")
    return _create(step.key, transaction, LOGIN, _ORDINARY)


def undo_account(entry: Entry, transaction: Transaction) -> list[str]:
    """The account is gone."""
    if not exists(entry.key):
        return []
    done = limits.run(["userdel", entry.key], _SECONDS)
    return [_stays(entry.key, done.err)] if done.status != 0 else []


def undo_login(entry: Entry, transaction: Transaction) -> list[str]:
    """The account is gone with its home."""
    if not exists(entry.key):
        return []
    # Its own systemd may have been started.
    limits.run(["loginctl", "terminate-user", entry.key], _SECONDS)
    done = limits.run(["userdel", "--remove", entry.key], _SECONDS)
    # 12: the home could not be removed.
    return [_stays(entry.key, done.err)] if exists(entry.key) or done.status == 12 else []


def stays(entry: Entry) -> str:
    """Why it is not taken away by order."""
    return f"account {entry.key} stays"


def perform_subids(step: Step, transaction: Transaction) -> list[str]:
    """The account has that range of subordinate ids."""
    for kind in step.value["kinds"]:
        path = FILES[kind]
        transaction.journal(Entry(LOCK, f"{path}.lock", ROOT))
        with _locked(path):
            text = files.content_of(Step(files.FILE, path, ROOT))
            added = subids.added(text, step.key, step.value["start"], step.value["count"])
            content = added.encode("utf-8", "surrogateescape")
            files.write(transaction, ROOT, path, content, atomic_files.fresh(ROOT.owner))
    return []


def wait_for_locks(planned: Iterable[Step]) -> None:
    """Nobody else edits the files of subordinate ids: before an account is made that userdel would not remove, as it
    does not wait for them. Raises Unwritable."""
    for kind in sorted({kind for step in planned if step.kind == SUBIDS for kind in step.value["kinds"]}):
        with _locked(FILES[kind]):
            pass


def undo_lock(entry: Entry, transaction: Transaction) -> list[str]:
    """A lock that a killed run has left is gone."""
    atomic_files.remove_dead_lock(entry.key, empty=True)
    return []


def places_of_login(name: str) -> list[str]:
    """What `useradd` would make for a new account: its home, and the file of its mail."""
    told = limits.run(["useradd", "--defaults"], _SECONDS).out
    known = dict(line.partition("=")[::2] for line in told.splitlines())
    return [f"{known.get('HOME') or '/home'}/{name}", f"/var/mail/{name}"]


def exists(name: str) -> bool:
    """Whether there is an account of that name."""
    return limits.run(["getent", "passwd", name], _SECONDS).status == 0


def _create(name: str, transaction: Transaction, kind: str, options: Iterable[str]) -> list[str]:
    # Not journalled: undoing would delete it.
    if exists(name):
        raise Unwritable(f"account {name} cannot be created: it is there already")
    transaction.journal(Entry(kind, name, ROOT))
    done = limits.run(["useradd", *options, name], _SECONDS)
    if done.status != 0:
        raise Unwritable(f"account {name} cannot be created: useradd: {done.err.strip()}")
    return []


def _stays(name: str, why: str) -> str:
    return f"account {name} stays: userdel: {why.strip()}"


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """The lock of usermod and its like: a file beside, made by whoever holds it, with the process id in it."""
    lock = Path(f"{path}.lock")
    limit = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            handle = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            break
        except FileExistsError:
            if time.monotonic() > limit:
                raise Unwritable(
                    f"{path} is locked: another program edits it; if none does, remove {lock}"
                ) from None
            atomic_files.remove_dead_lock(lock)
            time.sleep(0.2)
        except OSError as problem:
            raise Unwritable(f"{lock}: {problem.strerror}") from problem
    try:
        os.write(handle, f"{os.getpid()}\0".encode())
        os.close(handle)
        yield
    finally:
        lock.unlink()
