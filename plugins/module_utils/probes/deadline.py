# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deadline of a whole audit: what is not read by then is told as not read, and the rest of the result comes.

Reading asks for the time that is left before it begins anything (errors.attempt, limits). What goes on for too long all
the same, such as a loop over foreign data, is interrupted by a signal.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

# How long what is under way may take after the deadline to notice it by itself, and how often it is reminded then.
_GRACE = 1.0
_AGAIN = 0.25


class Passed(Exception):
    """The deadline has passed; one sentence."""


class _State:
    """Of this process; there is one audit in it."""

    end: float | None = None
    seconds = 0.0
    # How many readings that turn a failure into a mark are under way in the main thread.
    depth = 0


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is read in this block is to be read within so many seconds."""
    _State.end, _State.seconds = time.monotonic() + seconds, seconds
    former = signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
        _State.end = None


def left() -> float:
    """The seconds that are left; a million where there is no deadline."""
    return 1e6 if _State.end is None else _State.end - time.monotonic()


def passed() -> str | None:
    """Why nothing more is read; None while there is time."""
    if _State.end is None or time.monotonic() < _State.end:
        return None
    return f"not read: the audit's deadline of {_State.seconds:g} s had passed"


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """What fails in this block becomes a mark, so that the signal may interrupt it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _State.depth += 1
    try:
        yield
    finally:
        _State.depth -= 1


def _interrupt(number: int, frame: FrameType | None) -> None:
    why = passed()
    if why and _State.depth:
        raise Passed(why)
