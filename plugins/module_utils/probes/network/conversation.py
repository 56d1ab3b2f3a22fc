# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that talks to somebody else and may print without end: what it says first, within time and memory."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import IO, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline, limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable

SIZE_LIMIT = 64 * 1024
_PART = 16 * 1024


class Said(NamedTuple):
    """What it wrote, up to the limits; `in_time`: not all of the time was needed."""

    out: str
    err: str
    in_time: bool


def first_words(argv: Sequence[str], seconds: float, stdin: bytes) -> Said:
    """Run a program in the C locale, and end it when it has written enough or the time is over.

    The audit's deadline ends it too. Its input, which must fit into a pipe, ends after `stdin`.
    Raises Unreadable when the program is not installed.
    """
    program = limits.find(argv[0])
    if program is None:
        raise Unreadable(f"{argv[0]} is not installed")
    end = deadline.end(time.monotonic() + seconds)
    with subprocess.Popen(
        [program, *argv[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"LC_ALL": "C", "PATH": limits.SEARCH},
        start_new_session=True,
        bufsize=0,
    ) as process:
        try:
            if not (process.stdin and process.stdout and process.stderr):
                raise Unreadable(f"{argv[0]} has no pipes")
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(stdin)
            process.stdin.close()
            out, err = bytearray(), bytearray()
            in_time = _read({process.stdout: out, process.stderr: err}, end)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return Said(out.decode("utf-8", "replace"), err.decode("utf-8", "replace"), in_time)


def _read(streams: dict[IO[bytes], bytearray], end: float) -> bool:
    """Fill the buffers until all streams have ended or one has said enough; whether that was in time."""
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            left = end - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            if not ready:
                return False
            for key, _unused in ready:
                part = os.read(key.fd, _PART)
                held = streams[key.fileobj]  # type: ignore[index]
                held += part
                if len(held) >= SIZE_LIMIT:
                    return True
                if not part:
                    selector.unregister(key.fileobj)
    return True
