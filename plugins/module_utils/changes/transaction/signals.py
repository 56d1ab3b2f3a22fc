# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What signals may do to a run that changes a host."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import ExplainedError


class Interrupted(ExplainedError):
    """The run was told to end: what was begun is undone."""


def ends_by_undoing() -> contextlib.AbstractContextManager[None]:
    """A lost connection (SIGHUP) ends nothing half-way; SIGTERM and SIGINT raise Interrupted."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Interrupted(f"ended by signal {number}")

    return _handling({signal.SIGHUP: signal.SIG_IGN, signal.SIGINT: end, signal.SIGTERM: end})


def held_off() -> contextlib.AbstractContextManager[None]:
    """Undoing goes on to its end, whoever asks for less."""
    return _handling(dict.fromkeys((signal.SIGHUP, signal.SIGINT, signal.SIGTERM), signal.SIG_IGN))


@contextlib.contextmanager
def _handling(handlers: Mapping[signal.Signals, Any]) -> Iterator[None]:
    former = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
