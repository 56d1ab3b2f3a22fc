# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time that an audit may take as a whole, whoever keeps it waiting: a listener, a file, a pattern without an end.

What waits asks `left`. For what does not, SIGALRM raises Passed in the main thread, within `interruptible` alone, so
that no other code is cut short. A thread that runs beside it has to look at `passed`.
"""

from __future__ import annotations

import contextlib
import functools
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

# What waits ends by itself at the deadline. The alarm is for the rest, and rings until all of it has ended.
GRACE = 1.0
_AGAIN = 0.2


class Passed(BaseException):
    """The deadline came in the middle of something. Not an Exception: many places catch those, and go on."""


class _Clock:
    end = math.inf
    seconds = math.inf
    reason = ""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """The audit's time starts now. The alarm rings only where this is the main thread."""
    main = threading.current_thread() is threading.main_thread()
    former = signal.signal(signal.SIGALRM, _ring) if main else None
    try:
        _Clock.seconds = seconds
        _Clock.reason = f"not read: the audit's deadline of {seconds:g} s had passed"
        _set(seconds)
        yield
    finally:
        _Clock.end = _Clock.seconds = math.inf
        if main:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, former)


@contextlib.contextmanager
def share(part: float, what: str) -> Iterator[None]:
    """Give this part of the audit's time, and no more, to what others than root can make last: all the rest has to be
    read as well. Only outside of what is `interruptible`."""
    former, reason, seconds = _Clock.end, _Clock.reason, part * _Clock.seconds
    if seconds == math.inf or time.monotonic() + seconds >= former:
        yield
        return
    try:
        _Clock.reason = f"not read: {what} had taken the {seconds:g} s that they may"
        _set(seconds)
        yield
    finally:
        _Clock.reason = reason
        _set(former - time.monotonic())


def expire() -> None:
    """No time is left: somebody else has used it."""
    _Clock.end = time.monotonic()


def extend(seconds: float) -> None:
    """Leave at least that long from now on: for the judgement of what was read in time."""
    if _Clock.end < math.inf:
        _Clock.reason = f"not judged: the audit's deadline of {_Clock.seconds:g} s had passed"
        _set(max(seconds, _Clock.end - time.monotonic()))


def _set(seconds: float) -> None:
    _Clock.end = time.monotonic() + seconds
    if threading.current_thread() is threading.main_thread():
        signal.setitimer(signal.ITIMER_REAL, max(0.0, seconds) + GRACE, _AGAIN)


def left(most: float) -> float:
    """How many of these seconds there are until the deadline, never less than none."""
    return max(0.0, min(most, _Clock.end - time.monotonic()))


def end(latest: float = math.inf) -> float:
    """The earlier of that time and the deadline, both by time.monotonic()."""
    return min(latest, _Clock.end)


def passed() -> bool:
    """Whether there is no time any more."""
    return time.monotonic() >= _Clock.end


def reason() -> str:
    """Why something was not read, or not judged."""
    return _Clock.reason


def interruptible(function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function(*arguments)` returns. Raises Passed at the deadline; who calls this is to catch it."""
    return function(*arguments)


def uninterrupted(function: Callable[..., Any]) -> Callable[..., Any]:
    """For a function that has to put something back, such as the ids of this process."""

    @functools.wraps(function)
    def whole(*arguments: Any, **options: Any) -> Any:
        return _whole(function, arguments, options)

    return whole


def _whole(function: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return function(*arguments, **options)


def _ring(_signal: int, frame: FrameType | None) -> None:
    while frame is not None and passed():
        if frame.f_code is _whole.__code__:
            return
        if frame.f_code is interruptible.__code__:
            raise Passed
        frame = frame.f_back
