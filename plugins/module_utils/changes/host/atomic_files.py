# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files replaced as a whole: whoever reads one sees the former content or the new one, also after a power cut."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import ExplainedError
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Owner

# What one file of the kinds we change may hold; a larger one is not what it should be.
SIZE_LIMIT = 4 * 1024 * 1024
SUFFIX = ".bulwark"

_FULL = (errno.ENOSPC, errno.EDQUOT)
_WAYS_OUT = {
    errno.ENOSPC: "make room on its file system",
    errno.EDQUOT: "make room on its file system",
    errno.EROFS: "its file system is mounted read-only",
    errno.EPERM: "it may be immutable (lsattr shows an i; chattr -i takes it away)",
    errno.EACCES: "run as root",
    errno.EBUSY: "it may be a mount point of its own: change it where it comes from",
}


class Unwritable(ExplainedError):
    """A file cannot be read for its before-image, or not be written; one sentence with the path and the cause."""


class NotAFile(Unwritable):
    """What lies there is nothing that was ever written here: no regular file, or one that is too large."""


class Image(NamedTuple):
    """A regular file as it was: what `replace` needs to lay it anew, but for the content."""

    mode: int
    uid: int
    gid: int
    xattrs: dict[str, bytes]
    times_ns: tuple[int, int] | None = None


def fresh(owner: Owner, mode: int = 0o644) -> Image:
    """What a file begins with that was not there: CIS asks for this mode or less for those of an engine."""
    return Image(mode, *owner, {})


def digest(content: bytes) -> str:
    """What tells one content from another in the journal."""
    return hashlib.sha256(content).hexdigest()


def shown(path: str) -> str:
    """The path as people know it, where it leads through the handle of a directory (location.py)."""
    parts = Path(path).parts
    if parts[:4] != ("/", "proc", "self", "fd"):
        return path
    with contextlib.suppress(OSError):
        return str(Path(*parts[:5]).readlink().joinpath(*parts[5:]))
    return path


def look(path: str) -> tuple[bytes, Image] | None:
    """Content and image of a regular file, None where there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        raise Unwritable(_sentence(path, "cannot be read", problem)) from problem
    try:
        seen = os.fstat(handle)
        if not stat.S_ISREG(seen.st_mode):
            raise NotAFile(f"{shown(path)} is no regular file: put a file in its place")
        if seen.st_size > SIZE_LIMIT:
            raise NotAFile(
                f"{shown(path)} is larger than {SIZE_LIMIT} bytes: it is not the file it should be"
            )
        with open(handle, "rb", closefd=False) as stream:
            content = stream.read()
        xattrs = {name: os.getxattr(handle, name) for name in _xattrs(handle)}
    except OSError as problem:
        raise Unwritable(_sentence(path, "cannot be read", problem)) from problem
    finally:
        os.close(handle)
    times = (seen.st_atime_ns, seen.st_mtime_ns)
    return content, Image(stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid, xattrs, times)


def replace(path: str, content: bytes, image: Image, in_place: bool = False) -> None:
    """Lay `content` at `path` (no symbolic link) with that owner, mode and extended attributes, all or nothing.

    With `in_place` a file on a full disk is written over as it lies there, which takes no more room: only for a content
    that the journal holds, as a power cut may then leave it by half.
    """
    try:
        _replace(path, content, image)
    except OSError as problem:
        if not (in_place and problem.errno in _FULL and _overwrite(path, content, image)):
            raise Unwritable(_sentence(path, "cannot be written", problem)) from problem


def _replace(path: str, content: bytes, image: Image) -> None:
    target, temporary = Path(path), None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=SUFFIX, dir=target.parent)
        temporary = Path(name)
        try:
            _write(handle, content)
            _dress(handle, image)
            os.fsync(handle)
        finally:
            os.close(handle)
        temporary.rename(target)
        temporary = None
        sync_directory(target.parent)
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _overwrite(path: str, content: bytes, image: Image) -> bool:
    """Whether the file that lies there could be written over."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        _write(handle, content)
        os.ftruncate(handle, len(content))
        _dress(handle, image)
        os.fsync(handle)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def remove_dead_lock(path: Path | str, empty: bool = False) -> None:
    """Remove a lock file of the tools of shadow when the process whose id is in it is gone.

    `empty` tells whether it may go without an id too, which it has for a moment after it was made.
    """
    with contextlib.suppress(OSError, ValueError):
        owner = Path(path).read_bytes().rstrip(b"\0\n")
        if (empty and not owner) or not Path("/proc", str(int(owner))).exists():
            Path(path).unlink()


def remove(path: str) -> None:
    """No file is at `path`; also when there was none."""
    try:
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()
        sync_directory(Path(path).parent)
    except OSError as problem:
        raise Unwritable(_sentence(path, "cannot be removed", problem)) from problem


def sweep(path: str) -> None:
    """Remove what a run that was killed within `replace(path)` has left beside the file."""
    target = Path(path)
    with contextlib.suppress(OSError):
        for left in target.parent.glob(f".{glob.escape(target.name)}.*{SUFFIX}"):
            left.unlink()


def sync_directory(path: Path | str) -> None:
    """What was renamed, made or removed in the directory outlasts a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write(handle: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


def _dress(handle: int, image: Image) -> None:
    seen = os.fstat(handle)
    if (seen.st_uid, seen.st_gid) != (image.uid, image.gid):
        os.fchown(handle, image.uid, image.gid)
    for name in _xattrs(handle):
        # What the directory's default access list has given it.
        if name.startswith("system.posix_acl") and name not in image.xattrs:
            os.removexattr(handle, name)
    # After the owner: chown takes setuid bits away.
    os.fchmod(handle, image.mode)
    for name, value in image.xattrs.items():
        if name not in _xattrs(handle) or os.getxattr(handle, name) != value:
            os.setxattr(handle, name, value)
    if image.times_ns:
        os.utime(handle, ns=image.times_ns)


def _xattrs(handle: int) -> list[str]:
    try:
        return os.listxattr(handle)
    except OSError as problem:
        if problem.errno == errno.EOPNOTSUPP:
            return []
        raise


def _sentence(path: str, what: str, problem: OSError) -> str:
    way_out = _WAYS_OUT.get(problem.errno or 0)
    return f"{shown(path)} {what}: {problem.strerror or problem}" + (f"; {way_out}" if way_out else "")
