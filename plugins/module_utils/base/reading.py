# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading of small files without harm: regular files only, up to a size, no FIFO or device is ever opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable

LIMIT = 4 * 1024 * 1024
_PART = 64 * 1024


def content(path: Path | str, limit: int = LIMIT) -> bytes | None:
    """What the file holds; None when there is no such file.

    The file is looked at through O_PATH before it is opened: opening a FIFO may hang, and opening some
    devices has effects (a watchdog starts). So has reading what the kernel makes up as it is read, wherever a path or a
    link leads there: /proc/kmsg is drained, and waited for. Raises Unreadable for that, for what is not a regular file,
    or larger.
    """
    return _content(path, limit, False)


def _content(path: Path | str, limit: int, kernels: bool) -> bytes | None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as problem:
        raise Unreadable(f"{str(path)!r} cannot be the path of a file: {problem}") from problem
    except OSError as problem:
        raise Unreadable(f"{path}: {problem.strerror}") from problem
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Unreadable(f"{path} is not a regular file")
        if not kernels and _is_kernels(handle):
            raise Unreadable(
                f"{path} is a file of the kernel's, such as those of /proc and /sys, and is not read"
            )
        with Path(f"/proc/self/fd/{handle}").open("rb", buffering=0) as stream:
            data = b"".join(_parts(stream, limit))
    except OSError as problem:
        raise Unreadable(f"{path}: {problem.strerror}") from problem
    finally:
        os.close(handle)
    if len(data) > limit:
        raise Unreadable(f"{path} is larger than {limit} bytes")
    return data


def _is_kernels(handle: int) -> bool:
    """Neither the file nor its file system takes room: so it is with /proc, /sys and all that is mounted below."""
    return os.fstat(handle).st_blocks == 0 and os.fstatvfs(handle).f_blocks == 0


def _parts(stream: FileIO, limit: int) -> Iterator[bytes]:
    """Small parts: for a large read from /proc/sys the kernel wants as much memory, and refuses."""
    held = 0
    while held <= limit:
        part = stream.read(_PART)
        if not part:
            return
        held += len(part)
        yield part


def text(path: Path | str, limit: int = LIMIT) -> str | None:
    """The same as text; bytes that are not UTF-8 are replaced."""
    return _decoded(content(path, limit))


def kernel_text(path: Path | str, limit: int = LIMIT) -> str | None:
    """The same of a file of /proc or /sys, whose path nobody else may choose."""
    return _decoded(_content(path, limit, True))


def _decoded(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace")


def word(path: Path | str) -> str | None:
    """The text of a file that holds one value, as those of /sys do, without the white space around. Like
    kernel_text."""
    value = kernel_text(path)
    return None if value is None else value.strip()


def significant(lines: str) -> list[str]:
    """The lines without white space at their ends, without the empty ones and without comments."""
    stripped = (line.strip() for line in lines.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]
