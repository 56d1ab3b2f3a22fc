# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose something is, and how it is reached with the ids of that account alone.

An account chooses what lies below its home and below /run/user: links, programs, sockets. Root that follows it there
does what the account wants with root's rights. So whatever names a path of an account names its owner too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import socket
import stat
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline as audit
from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable

_MOST_LINKS = 40
_BACKLOG_PAUSE = 0.05
_PEER = struct.Struct("=iII")


class Owner(NamedTuple):
    """The ids that something is read, run, written and connected to with."""

    uid: int
    gid: int

    @property
    def is_root(self) -> bool:
        """Whether what it names is root's own."""
        return self.uid == 0


class Place(NamedTuple):
    """A path, and whose it is."""

    path: str
    owner: Owner


class Peer(NamedTuple):
    """Who listens on a Unix socket, as the kernel knows it (SO_PEERCRED, unix(7))."""

    pid: int
    uid: int
    gid: int


ROOT = Owner(0, 0)


@contextlib.contextmanager
def acting_as(owner: Owner) -> Iterator[None]:
    """File access with the rights of that account alone. The ids of all threads change: nothing else may run then.

    Without effect for root's own things, and where this process is not root.
    """
    if owner.is_root or os.geteuid() != 0:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    os.setgroups([owner.gid])
    os.setegid(owner.gid)
    os.seteuid(owner.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def within(owner: Owner, seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function(*arguments)` returns (JSON data), from a child process that has the account's ids for good.

    Raises Unreadable as limits.within does.
    """
    return limits.within(seconds, _become_and_call, owner, function, arguments)


def _become_and_call(owner: Owner, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    if os.geteuid() == 0 and not owner.is_root:
        os.setgroups([owner.gid])
        os.setgid(owner.gid)
        os.setuid(owner.uid)
    return function(*arguments)


def run(
    owner: Owner,
    argv: Sequence[str],
    seconds: float,
    environment: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> limits.Ended:
    """Run a program with the account's ids, in / and without anything of this process' environment.

    Raises Unreadable as limits.run does.
    """
    options: dict[str, Any] = {"env": dict(environment or {}), "cwd": "/"}
    if os.geteuid() == 0 and not owner.is_root:
        options.update(user=owner.uid, group=owner.gid, extra_groups=[owner.gid])
    return limits.run_with(options, argv, seconds, b"", pass_fds)


@audit.uninterrupted
def connect(path: str, owner: Owner, deadline: float) -> socket.socket:
    """A connection to the Unix socket at `path`, to which that owner listens. `deadline` by time.monotonic().

    What belongs to an account is reached with its ids and without its links; the socket is the account's, and so is
    who listens. Raises OSError as connect(2) does, socket.timeout at the deadline, and Unreadable for a listener or a
    link that is somebody else's.
    """
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    deadline = audit.end(deadline)
    try:
        if owner.is_root:
            _connect(client, path, deadline)
        else:
            with acting_as(owner):
                handle = _open_socket(path, owner)
                try:
                    _connect(client, f"/proc/self/fd/{handle}", deadline)
                finally:
                    os.close(handle)
        found = peer(client)
        if found.uid != owner.uid:
            raise Unreadable(f"{path} is not used: uid {found.uid} listens there, not uid {owner.uid}")
    except BaseException:
        client.close()
        raise
    return client


def peer(client: socket.socket) -> Peer:
    """Who listened when the connection was made; of a socket that systemd hands on, systemd."""
    return Peer(*_PEER.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)))


def walk(path: str, refuse: Callable[[os.stat_result, os.stat_result, str], None]) -> tuple[int, list[str]]:
    """Go to `path` step by step; returns an O_PATH handle of the deepest directory there, and the names below it.

    Of these the last is that of `path` itself, which is no link and need not exist; all before it do not exist. Each
    link is followed as it is met, unless `refuse(directory, link, name)` raises. Raises OSError as open(2) does; EISDIR
    for a path that ends with no name.
    """
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    ahead = [name for name in path.split("/") if name not in ("", ".")]
    handle, followed = os.open("/", flags), 0
    try:
        while True:
            if not ahead:
                raise IsADirectoryError(errno.EISDIR, "a directory, where a file is to be", path)
            name = ahead.pop(0)
            try:
                below = os.open(name, flags, dir_fd=handle)
            except FileNotFoundError:
                if ".." in ahead:
                    raise
                return handle, [name, *ahead]
            seen = os.fstat(below)
            if stat.S_ISLNK(seen.st_mode):
                target = os.readlink("", dir_fd=below)
                os.close(below)
                followed += 1
                if followed > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                refuse(os.fstat(handle), seen, name)
                if posixpath.isabs(target):
                    os.close(handle)
                    handle = os.open("/", flags)
                ahead = [each for each in target.split("/") if each not in ("", ".")] + ahead
            elif ahead or name == "..":
                os.close(handle)
                handle = below
            else:
                os.close(below)
                return handle, [name]
    except BaseException:
        os.close(handle)
        raise


def is_roots(directory: os.stat_result, link: os.stat_result) -> bool:
    """Whether root alone can turn that link in that directory elsewhere."""
    return directory.st_uid == 0 == link.st_uid and not directory.st_mode & 0o022


def _open_node(path: str) -> int:
    """An O_PATH handle of what lies at `path`. On the way only links are followed that root alone can turn elsewhere,
    such as /var/run. Raises OSError, and Unreadable for another link."""

    def refuse(directory: os.stat_result, link: os.stat_result, name: str) -> None:
        if not is_roots(directory, link):
            raise Unreadable(
                f"{path} is not used: it leads through the symbolic link {name}, which others than root can turn "
                "elsewhere"
            )

    handle, names = walk(path, refuse)
    try:
        if len(names) > 1:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return os.open(names[0], os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
    finally:
        os.close(handle)


def _open_socket(path: str, owner: Owner) -> int:
    handle = _open_node(path)
    seen = os.fstat(handle)
    if stat.S_ISSOCK(seen.st_mode) and seen.st_uid == owner.uid:
        return handle
    os.close(handle)
    what = f"uid {seen.st_uid} owns it" if stat.S_ISSOCK(seen.st_mode) else "it is no socket"
    raise Unreadable(f"{path} is not used as a socket of uid {owner.uid}: {what}")


def _connect(client: socket.socket, address: str, deadline: float) -> None:
    """A socket with a time limit does not wait for room in a full backlog: it says EAGAIN at once."""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")
        client.settimeout(left)
        try:
            return client.connect(address)
        except BlockingIOError:
            time.sleep(min(_BACKLOG_PAUSE, left))
