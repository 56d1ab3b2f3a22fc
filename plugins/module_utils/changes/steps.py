# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be staged beside daemon.json, and how each step is done within a transaction: one table."""

from __future__ import annotations

import contextlib
import os
import stat
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


def install(path: str, source: str, content: bytes, mode: int) -> dict[str, Any]:
    """A file of root's with that mode holds what `source` holds, which is `content` now. A stage keeps no secrets, so
    it bears the digest alone."""
    return {
        "step": "install",
        "key": path,
        "source": source,
        "digest": atomic.digest(content),
        "mode": mode,
    }


def permissions(path: str, mode: int) -> dict[str, Any]:
    """What lies at `path` is root's and has that mode."""
    return {"step": "permissions", "key": path, "mode": mode}


def enablement(unit: str, enabled: bool) -> dict[str, Any]:
    """systemd starts that unit at boot, or does not."""
    return {"step": "enablement", "key": unit, "enabled": enabled}


def drop_ins(planned: Iterable[dict[str, Any]], unit: str) -> dict[str, str | None]:
    """The drop-ins of that unit among the steps, with their text; None for one that is removed."""
    return {
        step["key"]: step["content"]
        for step in planned
        if step["step"] == "file" and Path(step["key"]).parent.name == f"{unit}.d"
    }


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


def _install(step: dict[str, Any], transaction: Transaction) -> None:
    found = atomic.look(atomic.real(step["source"]))
    if found is None or atomic.digest(found[0]) != step["digest"]:
        raise atomic.Unwritable(f"{step['source']} was changed since it was looked at; run it again")
    # Before the content: a key must not be readable for a moment.
    if Path(step["key"]).exists():
        _permissions(step, transaction)
    transaction.write_file(step["key"], found[0], atomic.fresh()._replace(mode=step["mode"]))


def _permissions(step: dict[str, Any], transaction: Transaction) -> None:
    path = atomic.real(step["key"])
    seen = Path(path).lstat()
    if (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) != (0, 0, step["mode"]):
        transaction.set_permissions(path, 0, 0, step["mode"], acl=False, inode=seen.st_ino)


def _enablement(step: dict[str, Any], transaction: Transaction) -> None:
    transaction.set_enabled(step["key"], step["enabled"])


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
    "enablement": _enablement,
    "file": _file,
    "install": _install,
    "permissions": _permissions,
    "subids": _subids,
}
