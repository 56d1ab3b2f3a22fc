# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be staged beside daemon.json, and how each step is done within a transaction: one table."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes import atomic, subids
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction import Transaction

SUBID_FILES = {"uid": "/etc/subuid", "gid": "/etc/subgid"}
# What the tools of shadow wait for each other (15 s), and then some.
_LOCK_SECONDS = 20


def account(name: str) -> dict[str, Any]:
    """The account `name` and its group exist."""
    return {"step": "account", "key": name}


def subid_range(owner: str, start: int, count: int, kinds: list[str]) -> dict[str, Any]:
    """`owner` has that range of subordinate ids; `kinds` of "uid" and "gid"."""
    return {"step": "subids", "key": owner, "start": start, "count": count, "kinds": kinds}


def file(path: str, content: str | None) -> dict[str, Any]:
    """A file of root's holds that text; None: it is not there."""
    return {"step": "file", "key": path, "content": content}


def perform(step: dict[str, Any], transaction: Transaction) -> None:
    """Do one step. Raises what the transaction raises; what it did until then is journalled."""
    _PERFORM[step["step"]](step, transaction)


def wait_for_locks(planned: Iterable[dict[str, Any]]) -> None:
    """Nobody else edits the files of subordinate ids: before an account is made that userdel would not remove, as it
    does not wait for them. Raises Unwritable."""
    for kind in sorted({kind for step in planned for kind in step.get("kinds", ())}):
        with _locked(SUBID_FILES[kind]):
            pass


def _account(step: dict[str, Any], transaction: Transaction) -> None:
    transaction.create_account(step["key"])


def _subids(step: dict[str, Any], transaction: Transaction) -> None:
    for kind in step["kinds"]:
        path = SUBID_FILES[kind]
        transaction.note("lock", path=f"{path}.lock")
        with _locked(path):
            found = atomic.look(atomic.real(path))
            text = found[0].decode("utf-8", "surrogateescape") if found else None
            added = subids.added(text, step["key"], step["start"], step["count"])
            transaction.write_file(path, added.encode("utf-8", "surrogateescape"), atomic.fresh())


def _file(step: dict[str, Any], transaction: Transaction) -> None:
    if step["content"] is None:
        transaction.remove_file(step["key"])
    else:
        transaction.write_file(step["key"], step["content"].encode(), atomic.fresh())


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
                raise atomic.Unwritable(
                    f"{path} is locked: another program edits it; if none does, remove {lock}"
                ) from None
            atomic.remove_dead_lock(lock)
            time.sleep(0.2)
        except OSError as problem:
            raise atomic.Unwritable(f"{lock}: {problem.strerror}") from problem
    try:
        os.write(handle, f"{os.getpid()}\0".encode())
        os.close(handle)
        yield
    finally:
        lock.unlink()


_PERFORM: dict[str, Callable[[dict[str, Any], Transaction], None]] = {
    "account": _account,
    "file": _file,
    "subids": _subids,
}
