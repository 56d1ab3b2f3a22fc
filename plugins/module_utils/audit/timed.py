# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit that has a result in time, whatever of the host can be read by then."""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.audit import returned
from ansible_collections.bulwark.docker.plugins.module_utils.audit.compliance import audit
from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline
from ansible_collections.bulwark.docker.plugins.module_utils.snapshot import take, whole

# For the verdicts about what was read, when the deadline has passed.
_SECONDS_TO_JUDGE = 4.0
# When another thread reports in the place of one that no alarm wakes, and when nobody is waited for any more.
_INSTEAD, _NOBODY = deadline.GRACE + 1.0, deadline.GRACE + 1.0 + _SECONDS_TO_JUDGE + deadline.GRACE
_SECONDS_TO_DIE, _PAUSE = 0.5, 0.002
_HEAD = struct.Struct("=Q")
_PART = 1 << 20


class Failed(Exception):
    """The audit itself failed; the text tells where."""


def run(options: Mapping[str, Any], today: str) -> dict[str, Any]:
    """Take the snapshot and judge it; `options` are those of compliance_info. Raises Failed.

    Another process does it. A call into the kernel that waits for a program of an account, as a read through FUSE
    does, may not even be ended by SIGKILL: that process can then be left behind, with nothing of this one open in it.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _do(options, today, writer)
    os.close(writer)
    try:
        answer = _received(reader, time.monotonic() + options["deadline"] + _NOBODY)
    finally:
        os.close(reader)
        _end(child)
    if answer is None:
        with deadline.limited(options["deadline"]):
            deadline.expire()
            return judged(whole({}), options, today)
    result: dict[str, Any] = json.loads(answer)
    if "failure" in result:
        raise Failed(result["failure"])
    return result


def _end(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    end = time.monotonic() + _SECONDS_TO_DIE
    while not os.waitpid(child, os.WNOHANG)[0] and time.monotonic() < end:
        time.sleep(_PAUSE)


def judged(snapshot: dict[str, Any], options: Mapping[str, Any], today: str) -> dict[str, Any]:
    """The result of the module, without `changed`."""
    deadline.extend(_SECONDS_TO_JUDGE)
    result = audit(snapshot, options, today)
    return {**result, "snapshot": returned.fitting(snapshot, result)} if options["snapshot"] else result


def place(problem: BaseException) -> str:
    """Where the audit itself failed. What the exception says is left out, as it may repeat what was read."""
    at = traceback.extract_tb(problem.__traceback__)[-1]
    where = f"{at.name} ({Path(at.filename).name}, line {at.lineno})"
    return f"the audit itself failed with {type(problem).__name__} in {where}"


def _do(options: Mapping[str, Any], today: str, writer: int) -> None:
    """The process that reads: its result is written once, by this thread or by one in its place. Never returns."""
    for standard in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), standard)
    snapshot: dict[str, Any] = {}
    turn = threading.Lock()

    def send(result: Callable[[], dict[str, Any]]) -> None:
        if turn.acquire(blocking=False):
            try:
                _write(writer, _contained(result))
            finally:
                os._exit(0)

    watch = threading.Timer(
        options["deadline"] + _INSTEAD, send, [lambda: judged(whole(snapshot), options, today)]
    )
    watch.daemon = True

    def read() -> dict[str, Any]:
        take(options["timeout"], options["updates"], options["image_content"], snapshot)
        return {}

    with deadline.limited(options["deadline"]):
        watch.start()
        failure = _contained(read)
        send(lambda: failure or judged(snapshot, options, today))
        # The other thread is at it, and ends this one.
        threading.Event().wait()


def _contained(result: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return result()
    except BaseException as problem:
        return {"failure": place(problem)}


def _write(writer: int, result: Mapping[str, Any]) -> None:
    data = json.dumps(result).encode()
    data = _HEAD.pack(len(data)) + data
    while data:
        data = data[os.write(writer, data) :]


def _received(reader: int, end: float) -> bytes | None:
    """The message; None where it does not come in time. Raises Failed where it ends before."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    held = bytearray()
    while len(held) < _HEAD.size or len(held) < _HEAD.size + _HEAD.unpack_from(held)[0]:
        if not poll.poll(max(0, int((end - time.monotonic()) * 1000))):
            return None
        part = os.read(reader, _PART)
        if not part:
            raise Failed("the process that read the host was killed")
        held += part
    return bytes(held[_HEAD.size :])
