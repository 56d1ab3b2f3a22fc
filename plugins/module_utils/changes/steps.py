# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be staged beside daemon.json, and how each step is done within a transaction: one table."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes import atomic, host_settings, subids
from ansible_collections.bulwark.docker.plugins.module_utils.changes.service import STOP_SECONDS, ServiceError
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


def home_file(user: str, path: str, content: str | None, mode: int = 0o644) -> dict[str, Any]:
    """A file of that user's, at `path` below the home, holds that text; None: it is not there."""
    return {"step": "home_file", "key": f"~{user}/{path}", "content": content, "mode": mode}


def login(name: str) -> dict[str, Any]:
    """The ordinary account `name` exists, with its home."""
    return {"step": "login", "key": name}


def reread(unit: str, restart: bool = False) -> dict[str, Any]:
    """systemd reads the files of that unit anew. Before they change: undoing has them read anew too, and with `restart`
    the unit restarted with them."""
    return {"step": "reread", "key": unit, "restart": restart}


def restart(unit: str) -> dict[str, Any]:
    """The unit restarts."""
    return {"step": "restart", "key": unit}


def dead_socket(path: str) -> dict[str, Any]:
    """No socket lies at `path` to which nobody listens."""
    return {"step": "dead_socket", "key": path}


def no_directory(user: str | None, path: str) -> dict[str, Any]:
    """The directory, which is that user's or root's, is gone if nothing is in it."""
    return {"step": "no_directory", "key": path, "user": user}


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
    return setting("enabled", unit, enabled)


def setting(what: str, key: str, value: Any) -> dict[str, Any]:
    """One of host_settings.SETTINGS has that value."""
    return {"step": what, "key": key, "value": value}


def drop_ins(planned: Iterable[dict[str, Any]], unit: str) -> dict[str, str | None]:
    """The drop-ins of that unit among the steps, with their text; None for one that is removed."""
    return {
        step["key"]: step["content"]
        for step in planned
        if step["step"] == "file" and Path(step["key"]).parent.name == f"{unit}.d"
    }


def holds(step: dict[str, Any]) -> bool:
    """Whether it is so already. Raises Unwritable."""
    kind, key = step["step"], step["key"]
    if kind in host_settings.SETTINGS:
        return bool(host_settings.read(kind, key) == step["value"])
    if kind in ("file", "home_file"):
        return bool(content_of(step) == step["content"])
    if kind == "no_directory":
        return not Path(key).is_dir()
    return kind == "dead_socket" and not _is_dead(key)


def content_of(step: dict[str, Any]) -> str | None:
    """What the file of a step of the kinds `file` and `home_file` holds now."""
    path, owner = _place(step)
    with atomic.acting_as(*owner):
        found = atomic.look(atomic.real(path))
    return found[0].decode("utf-8", "surrogateescape") if found else None


def path_of(step: dict[str, Any]) -> str:
    """Where the file of such a step lies."""
    return _place(step)[0]


def _place(step: dict[str, Any]) -> tuple[str, tuple[int, int]]:
    if step["step"] == "file":
        return step["key"], (0, 0)
    user, _slash, below = step["key"][1:].partition("/")
    account = host_settings.user_of(user)
    return str(Path(account.home, below)), (account.uid, account.gid)


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
    place, owner = _place(step)
    if step["content"] is None:
        transaction.remove_file(place, owner)
    else:
        fresh = atomic.fresh(owner)._replace(mode=step.get("mode", 0o644))
        transaction.write_file(place, step["content"].encode("utf-8", "surrogateescape"), fresh, owner)


def _login(step: dict[str, Any], transaction: Transaction) -> None:
    transaction.create_login(step["key"])


def _reread(step: dict[str, Any], transaction: Transaction) -> None:
    transaction.reread(step["key"], step["restart"])


def _restart(step: dict[str, Any], transaction: Transaction) -> None:
    try:
        service = host_settings.service_of(step["key"])
        service.daemon_reload()
        service.restart(STOP_SECONDS)
    except ServiceError as problem:
        raise atomic.Unwritable(str(problem)) from problem


def _no_directory(step: dict[str, Any], transaction: Transaction) -> None:
    account = host_settings.user_of(step["user"]) if step["user"] else None
    transaction.remove_directory(step["key"], (account.uid, account.gid) if account else (0, 0))


def _dead_socket(step: dict[str, Any], transaction: Transaction) -> None:
    # systemd makes it anew when the socket unit opens.
    if _is_dead(step["key"]):
        Path(step["key"]).unlink()


def _is_dead(path: str) -> bool:
    """Whether a socket lies there and nobody listens to it."""
    try:
        if not stat.S_ISSOCK(Path(path).lstat().st_mode):
            return False
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


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


def _setting(step: dict[str, Any], transaction: Transaction) -> None:
    transaction.set(step["step"], step["key"], step["value"])


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
    "dead_socket": _dead_socket,
    "file": _file,
    "home_file": _file,
    "install": _install,
    "login": _login,
    "no_directory": _no_directory,
    "permissions": _permissions,
    "reread": _reread,
    "restart": _restart,
    "subids": _subids,
    **dict.fromkeys(host_settings.SETTINGS, _setting),
}
