# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state directory on the target: one lock, one folder per transaction, written so that it outlasts a power cut."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import ExplainedError
from ansible_collections.bulwark.docker.plugins.module_utils.base.state_directory import STATE
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files

LOCK_PAUSE = 0.2
RESERVE_SIZE = 128 * 1024
_RESERVE = "reserve"
_PRIVATE = atomic_files.Image(0o600, 0, 0, {})


class StateError(ExplainedError):
    """The state directory cannot be used, or another run holds it; one sentence with the way out."""


class Store:
    """The state directory `root`, 0700 and root's: before-images may hold secrets of configuration files."""

    def __init__(self, root: str = STATE) -> None:
        self.root = Path(root)
        self.transactions = self.root / "transactions"

    @contextlib.contextmanager
    def locked(self, seconds: float) -> Iterator[None]:
        """No other run changes this host meanwhile. The kernel lets go of the lock when a run dies."""
        self.prepare()
        path = self.root / "lock"
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as problem:
            raise StateError(f"{path}: {problem.strerror}; changes need root and room there") from problem
        try:
            _wait_for(handle, time.monotonic() + seconds, path)
            self._sweep()
            yield
        finally:
            os.close(handle)

    def prepare(self) -> None:
        """The directories are there, and nobody else can look into them."""
        try:
            for directory in (self.root, self.transactions):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            seen = self.root.lstat()
        except OSError as problem:
            raise StateError(
                f"{problem.filename}: {problem.strerror}; changes need root and room there"
            ) from problem
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or seen.st_mode & 0o077:
            raise StateError(
                f"{self.root} must be a directory of root's with mode 0700: see who made it otherwise"
            )

    def _sweep(self) -> None:
        """Remove what runs that died have left half-written."""
        with contextlib.suppress(OSError):
            for folder in self.transactions.iterdir():
                if not (folder / "manifest.json").exists():
                    shutil.rmtree(folder, ignore_errors=True)
            for left in self.root.rglob(f".*{atomic_files.SUFFIX}"):
                left.unlink()

    def new(self, about: dict[str, Any]) -> Path:
        """The folder of a new transaction, on disk with its manifest."""
        self.prepare()
        name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        for number in range(1, 1000):
            # Numbered in every case, so that names sort by age.
            folder = self.transactions / f"{name}-{number:03d}"
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                continue
            except OSError as problem:
                raise StateError(f"{folder}: {problem.strerror}") from problem
            try:
                _take_reserve(folder)
                write_json(folder / "manifest.json", {"id": folder.name, **about})
                atomic_files.sync_directory(self.transactions)
            except OSError as problem:
                self.discard(folder)
                raise StateError(f"{folder}: {problem.strerror}; changes need room there") from problem
            except atomic_files.Unwritable:
                self.discard(folder)
                raise
            return folder
        raise StateError(f"{self.transactions} holds a thousand transactions of this second")

    def folders(self) -> list[Path]:
        """All transactions, the oldest first. One that was cut before its manifest was written changed nothing."""
        try:
            found = sorted(self.transactions.iterdir())
        except FileNotFoundError:
            return []
        except OSError as problem:
            raise StateError(f"{self.transactions}: {problem.strerror}; run as root") from problem
        return [folder for folder in found if (folder / "manifest.json").is_file()]

    def discard(self, folder: Path) -> None:
        """Forget a transaction."""
        # First, so that one which is forgotten by half is none.
        with contextlib.suppress(OSError):
            (folder / "manifest.json").unlink()
        shutil.rmtree(folder, ignore_errors=True)


def give_reserve(folder: Path) -> None:
    """Free the room that a transaction keeps: from now on its manifest grows little."""
    with contextlib.suppress(OSError):
        (folder / _RESERVE).unlink()


def _take_reserve(folder: Path) -> None:
    """Room for the manifest to be written while undoing, should the disk be full by then."""
    handle = os.open(folder / _RESERVE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(handle, 0, RESERVE_SIZE)
    finally:
        os.close(handle)


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Replace a JSON file of the state directory."""
    write(path, (json.dumps(data, indent=1, sort_keys=True) + "\n").encode())


def write(path: Path, content: bytes) -> None:
    """Replace a file of the state directory."""
    atomic_files.replace(str(path), content, _PRIVATE._replace(uid=os.geteuid(), gid=os.getegid()))


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON file of the state directory, None where there is none."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as problem:
        raise StateError(f"{path} cannot be read: {problem}; look at it, then move it away") from problem
    if not isinstance(data, dict):
        raise StateError(f"{path} holds no object; look at it, then move it away")
    return data


def _wait_for(handle: int, limit: float, path: Path) -> None:
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > limit:
                raise StateError(
                    f"{path} is held by another run (process {_holder(path)}): wait until it has ended"
                ) from None
            time.sleep(LOCK_PAUSE)


def _holder(path: Path) -> str:
    """The process that holds the lock. The kernel knows it, so that a run that changes nothing writes nothing."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            # Of those that wait for it, fdinfo shows none.
            details = link.parent.parent / "fdinfo" / link.name
            if link.readlink() == path and "lock:" in details.read_text(encoding="ascii"):
                return link.parts[2]
    return "unknown"
