# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner, mode and access lists of a file or directory, changed within a transaction through its handle."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import acting_as
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.atomic_files import Unwritable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.location import located
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Entry, Step

PERMISSIONS = "permissions"


def give(
    transaction: Transaction,
    account: Account,
    path: str,
    wanted: tuple[int, int, int],
    keep_acl: bool,
    inode: int | None = None,
) -> None:
    """Give what is at `path`, which is that account's, an owner and mode (uid, gid, mode); without `keep_acl` its
    access lists go.

    No link is followed, neither at the end nor on the way. With `inode` it must still be that file. Raises Unwritable.
    """
    with acting_as(account.owner):
        handle = _open(path)
    try:
        seen = os.fstat(handle)
        if inode not in (None, seen.st_ino):
            raise Unwritable(f"{path} was replaced by somebody else just now: run it again")
        lists = _access_lists(handle)
        data = {
            "inode": [seen.st_dev, seen.st_ino],
            "before": [seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)],
            "after": list(wanted),
            "acl": files.encoded(lists),
        }
        entry = Entry(PERMISSIONS, path, account, data)
        transaction.journal(entry)
        try:
            with acting_as(account.owner):
                for name in () if keep_acl else lists:
                    os.removexattr(_by_handle(handle), name)
                _give(handle, *wanted)
        except OSError as problem:
            # The access lists may be gone already.
            _take_back(transaction, entry)
            raise Unwritable(f"{path}: {problem.strerror}; it keeps its owner and mode") from problem
    finally:
        os.close(handle)


def take_back(transaction: Transaction, account: Account, path: str) -> None:
    """What was given to `path`, which is that account's, did not last: as before, and nothing of it is journalled, so
    that an account fills no journal. What does not come back stays in it."""
    for entry in transaction.notes(PERMISSIONS):
        if (entry.key, entry.account) == (path, account):
            _take_back(transaction, entry)


def _take_back(transaction: Transaction, entry: Entry) -> None:
    with contextlib.suppress(OSError):
        undo(entry, transaction)
        transaction.withdraw(entry)


def perform(step: Step, transaction: Transaction) -> list[str]:
    """What lies at the path of the step is root's and has that mode; links on the way are followed as root's own."""
    with located(files.place_of(step)) as found:
        seen = Path(found.by_handle).lstat()
        wanted = (0, 0, step.value)
        if (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) != wanted:
            give(transaction, step.account, found.path, wanted, keep_acl=True, inode=seen.st_ino)
    return []


def holds(step: Step) -> bool:
    """Whether it is so already."""
    with located(files.place_of(step)) as found:
        try:
            seen = Path(found.by_handle).lstat()
        except FileNotFoundError:
            return False
    return (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) == (0, 0, step.value)


def undo(entry: Entry, transaction: Transaction) -> list[str]:
    """The former owner, mode and access lists, unless others have changed them."""
    with acting_as(entry.account.owner):
        try:
            handle = _open(entry.key)
        except Unwritable:
            return [f"{entry.key} is gone"]
        try:
            if not _is_ours(os.fstat(handle), entry):
                return [files.changed_since(entry)]
            _give(handle, *entry.data["before"])
            lists = _access_lists(handle)
            for name, value in files.decoded(entry.data["acl"]).items():
                if lists.get(name) != value:
                    os.setxattr(_by_handle(handle), name, value)
        finally:
            os.close(handle)
    return []


def stays(entry: Entry) -> str:
    """Why it is not reversed by order: what is stricter does no harm."""
    return f"{entry.key} keeps its mode {entry.data['after'][2]:04o}"


def _is_ours(seen: os.stat_result, entry: Entry) -> bool:
    """Whether owner and mode are as setting or undoing them has left them, at the end or where it was killed.

    Our own writing replaces files and keeps owner and mode. A file with several names may be a foreign one that
    somebody has linked there to get it.
    """
    before, after = entry.data["before"], entry.data["after"]
    # chown takes setuid bits away before chmod comes.
    modes = {mode & bits for mode in (before[2], after[2]) for bits in (0o7777, 0o1777)}
    inode = [seen.st_dev, seen.st_ino] == entry.data["inode"]
    same = inode or seen.st_nlink == 1 or stat.S_ISDIR(seen.st_mode)
    return (
        same and [seen.st_uid, seen.st_gid] in (before[:2], after[:2]) and stat.S_IMODE(seen.st_mode) in modes
    )


def _open(path: str) -> int:
    """Step by step: on the way, too, a link may lead elsewhere."""
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open("/", flags)
    try:
        for name in Path(path).parts[1:]:
            below = os.open(name, flags, dir_fd=handle)
            os.close(handle)
            handle = below
    except OSError as problem:
        os.close(handle)
        raise Unwritable(f"{path}: {problem.strerror}") from problem
    if stat.S_ISLNK(os.fstat(handle).st_mode):
        os.close(handle)
        raise Unwritable(f"{path} is a symbolic link: change what it leads to")
    return handle


def _give(handle: int, uid: int, gid: int, mode: int) -> None:
    seen = os.fstat(handle)
    if (seen.st_uid, seen.st_gid) != (uid, gid):
        os.chown(_by_handle(handle), uid, gid)
    # After the owner: chown takes setuid bits away. What is so already may lie where nothing can be changed.
    if stat.S_IMODE(os.fstat(handle).st_mode) != mode:
        _by_handle(handle).chmod(mode)


def _by_handle(handle: int) -> Path:
    """What chown and the like take for a file that was opened by O_PATH."""
    return Path(f"/proc/self/fd/{handle}")


def _access_lists(handle: int) -> dict[str, bytes]:
    try:
        names = [name for name in os.listxattr(_by_handle(handle)) if name.startswith("system.posix_acl")]
        return {name: os.getxattr(_by_handle(handle), name) for name in names}
    except OSError:
        return {}
