# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time limits for programs, and for calls into kernel or C library that may hang (network homes, NSS).

None of them goes beyond the audit's deadline.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils import deadline
from ansible_collections.bulwark.docker.plugins.module_utils.probes.errors import (
    Unreadable,
    attempt,
    is_error,
)

SEARCH = os.pathsep.join(
    ("/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", os.environ.get("PATH", ""))
)


# Seconds for one item of many.
_LEAST, _MOST = 0.1, 2


class Ended(NamedTuple):
    """How a program ended and what it wrote."""

    status: int
    out: str
    err: str


def find(program: str) -> str | None:
    """The path of a program, the directories of the administrator first; None when it is not installed."""
    return shutil.which(program, path=SEARCH)


def run(argv: Sequence[str], seconds: float, stdin: bytes = b"", pass_fds: Sequence[int] = ()) -> Ended:
    """Run a program in the C locale. Raises Unreadable when it is not installed or exceeds the time limit."""
    program = find(argv[0])
    if program is None:
        raise Unreadable(f"{argv[0]} is not installed")
    given = deadline.left(seconds)
    if not given:
        raise Unreadable(deadline.reason())
    process = subprocess.Popen(
        [program, *argv[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"LC_ALL": "C", "PATH": SEARCH},
        pass_fds=pass_fds,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(stdin, timeout=given)
    except BaseException as problem:
        os.killpg(process.pid, signal.SIGKILL)
        if not isinstance(problem, subprocess.TimeoutExpired):
            raise
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=1)
        raise Unreadable(_late(f"{argv[0]} did not end within {seconds:g} s", given, seconds)) from problem
    return Ended(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def within(seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function(*arguments)` returns (JSON data), from a child process that is given up after `seconds`.

    A signal does not end a lookup by NSS or a read from a dead file server; leaving them to a child does.
    Raises Unreadable when the function fails or takes longer.
    """
    given = deadline.left(seconds)
    if not given:
        raise Unreadable(deadline.reason())
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(writer, function, arguments)
    os.close(writer)
    answer = None
    try:
        answer = _collect(reader, time.monotonic() + given)
    finally:
        os.close(reader)
        # Also of one that has answered: who has its ids may have stopped it.
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, os.WNOHANG if answer is None else 0)
    if answer is None:
        why = f"no answer within {seconds:g} s: a file server or a directory service may hang"
        raise Unreadable(_late(why, given, seconds))
    try:
        value = json.loads(answer)
    except ValueError:
        raise Unreadable("the process that read it was killed") from None
    if is_error(value):
        raise Unreadable(value["error"])
    return value


def _late(why: str, given: float, seconds: float) -> str:
    """What its own limit says, unless the audit's deadline came first."""
    return why if given >= seconds else deadline.reason()


def within_each(seconds: float, function: Callable[..., Any], items: list[Any], *arguments: Any) -> list[Any]:
    """[(items, `function(items, *arguments)` or an error mark)], all at once where that works.

    Where it fails it is tried item by item, so that one that hangs costs only itself. Should many hang, the
    later ones get hardly any time, which is enough for those that do not.
    """
    if not items:
        return []
    try:
        return [(items, within(seconds, function, items, *arguments))]
    except Unreadable:
        end = time.monotonic() + seconds
        answers = []
        for item in items:
            left = max(_LEAST, min(_MOST, end - time.monotonic()))
            answers.append(([item], attempt(within, left, function, [item], *arguments)))
        return answers


def _answer(writer: int, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """The child: write the result and leave without any of the parent's clean-up.

    It may be left behind where even SIGKILL does not end it: then nobody waits for the end of what this process writes.
    """
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(nothing, standard)
        with os.fdopen(writer, "wb") as stream:
            stream.write(json.dumps(attempt(function, *arguments)).encode())
    finally:
        os._exit(0)


def _collect(reader: int, deadline: float) -> bytes | None:
    """All that the child writes until it closes the pipe; None at the deadline."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    answer = b""
    while True:
        if not poll.poll(max(0, int((deadline - time.monotonic()) * 1000))):
            return None
        part = os.read(reader, 1 << 20)
        if not part:
            return answer
        answer += part
