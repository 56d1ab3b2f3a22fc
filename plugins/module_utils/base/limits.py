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
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt, is_error

SEARCH = os.pathsep.join(
    ("/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", os.environ.get("PATH", ""))
)

# What a program may write to both outputs together: `rpm -qa` and `journalctl` stay far below.
OUTPUT_LIMIT = 16 * 1024 * 1024
_PART = 64 * 1024
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
    """Run a program in the C locale, with the ids of this process.

    Raises Unreadable when it is not installed, exceeds the time limit or writes more than OUTPUT_LIMIT.
    """
    return run_with({}, argv, seconds, stdin, pass_fds)


def run_with(
    options: Mapping[str, Any], argv: Sequence[str], seconds: float, stdin: bytes, pass_fds: Sequence[int]
) -> Ended:
    """The same with more options of subprocess.Popen; identity.run() runs programs with the ids of an account."""
    program = find(argv[0])
    if program is None:
        raise Unreadable(f"{argv[0]} is not installed")
    given = deadline.left(seconds)
    if not given:
        raise Unreadable(deadline.reason())
    environment = {"LC_ALL": "C", "PATH": SEARCH, **options.get("env", {})}
    try:
        process = subprocess.Popen(
            [program, *argv[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=pass_fds,
            start_new_session=True,
            **{**options, "env": environment},
        )
    except (OSError, ValueError, subprocess.SubprocessError) as problem:
        raise Unreadable(f"{argv[0]} cannot be run: {problem}") from problem
    try:
        out, err = _exchange(process, stdin, time.monotonic() + given)
    except _Exceeded as problem:
        if problem.timed:
            raise Unreadable(
                _late(f"{argv[0]} did not end within {seconds:g} s", given, seconds)
            ) from problem
        raise Unreadable(f"{argv[0]} {problem}") from problem
    finally:
        _end(process)
    return Ended(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


class _Exceeded(Exception):
    def __init__(self, sentence: str, timed: bool) -> None:
        super().__init__(sentence)
        self.timed = timed


def _exchange(process: subprocess.Popen[bytes], stdin: bytes, end: float) -> tuple[bytes, bytes]:
    """Give the program its input; returns what it writes to both outputs, when it has ended."""
    late = _Exceeded("did not end in time", True)
    feed: Any = process.stdin
    held: dict[Any, bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
    waiting, feed_handle = memoryview(stdin), feed.fileno()
    with selectors.DefaultSelector() as selector:
        for stream in held:
            selector.register(stream, selectors.EVENT_READ)
        if stdin:
            selector.register(feed, selectors.EVENT_WRITE)
        else:
            feed.close()
        while selector.get_map():
            ready = selector.select(max(0, end - time.monotonic()))
            if not ready:
                raise late
            for key, _events in ready:
                if key.fd == feed_handle:
                    waiting = _fed(key.fd, waiting)
                    if not waiting:
                        selector.unregister(feed)
                        feed.close()
                    continue
                part = os.read(key.fd, _PART)
                held[key.fileobj] += part
                if not part:
                    selector.unregister(key.fileobj)
                if sum(map(len, held.values())) > OUTPUT_LIMIT:
                    raise _Exceeded(f"writes more than {OUTPUT_LIMIT} bytes", False)
    try:
        process.wait(max(0.01, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise late from None
    return bytes(held[process.stdout]), bytes(held[process.stderr])


def _fed(handle: int, waiting: memoryview) -> memoryview:
    """What is left to be written; nothing when nobody reads it any more."""
    try:
        return waiting[os.write(handle, waiting[: select.PIPE_BUF]) :]
    except BrokenPipeError:
        return memoryview(b"")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of the program is left when it has not ended by itself."""
    if process.returncode is None:
        # One that has become somebody else, such as by runuser, is its process group's all the same.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
    pipes: list[Any] = [process.stdin, process.stdout, process.stderr]
    for pipe in pipes:
        with contextlib.suppress(OSError):
            pipe.close()


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


def _collect(reader: int, end: float) -> bytes | None:
    """All that the child writes until it closes the pipe; None when the time is over."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    answer = b""
    while True:
        if not poll.poll(max(0, int((end - time.monotonic()) * 1000))):
            return None
        part = os.read(reader, 1 << 20)
        if not part:
            return answer
        answer += part
