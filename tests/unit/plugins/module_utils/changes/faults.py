# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults at every call that changes a disk: a process that is killed there, a disk that is full from there on."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

_CALLS: tuple[tuple[Any, str], ...] = (
    (os, "chown"),
    (os, "fchmod"),
    (os, "fchown"),
    (os, "fsync"),
    (os, "removexattr"),
    (os, "setxattr"),
    (os, "utime"),
    (os, "write"),
    (Path, "chmod"),
    (Path, "mkdir"),
    (Path, "rename"),
    (Path, "rmdir"),
    (Path, "unlink"),
    (tempfile, "mkstemp"),
)
KILLED = 9

Work = Callable[[], Any]


@contextlib.contextmanager
def watched(
    before: Callable[[int], None], after: Callable[[int], None] = lambda number: None
) -> Iterator[None]:
    """Call `before` and `after` around each call that changes a disk, with its number from 1 on."""
    seen = [0]

    def around(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            seen[0] += 1
            number = seen[0]
            before(number)
            try:
                return real(*arguments, **named)
            finally:
                after(number)

        return call

    with contextlib.ExitStack() as stack:
        for owner, name in _CALLS:
            stack.enter_context(mock.patch.object(owner, name, around(getattr(owner, name))))
        yield


def count(work: Work) -> int:
    """How many such calls the work makes."""
    numbers = [0]
    with watched(numbers.append):
        work()
    return numbers[-1]


def killed(work: Work, number: int, late: bool) -> bool:
    """Whether a process that does the work was killed right before its call `number`, or `late`, after it."""

    def kill(seen: int) -> None:
        if seen == number:
            os._exit(KILLED)

    child = os.fork()
    if child == 0:
        try:
            with watched(*((lambda seen: None, kill) if late else (kill,))):
                work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, KILLED), "the work itself failed"
    return status == KILLED


@contextlib.contextmanager
def full_disk(first: int, last: int | None = None) -> Iterator[None]:
    """The calls from `first` on fail, up to `last` when it is given."""

    def refuse(seen: int) -> None:
        if seen >= first and (last is None or seen <= last):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with watched(refuse):
        yield
