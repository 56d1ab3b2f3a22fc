# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof that an engine is well after a change: it lives on, answers, uses its settings, and has lost no container."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import ExplainedError, Unread
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Place
from ansible_collections.bulwark.docker.plugins.module_utils.base.text import few
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import target as targets
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.target import (
    PAUSE,
    Container,
    Target,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.systemd import Service
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge import settings_in_force

# Policies by which the engine itself starts a container again; on-failure does so only after a failure.
_COMES_BACK = ("always", "unless-stopped")


class Unwell(ExplainedError):
    """The engine is not as it should be; one sentence."""


class Limits:
    """How long to wait, in seconds: `timeout` for the engine to answer, `settle` to see that it lives on."""

    def __init__(self, timeout: float, settle: float) -> None:
        self.timeout = timeout
        self.settle = settle


def healthy(service: Service, engine: Place, limits: Limits) -> int:
    """The service is active, its engine answers, and the same process does for `settle` seconds; returns its id."""
    limit = time.monotonic() + limits.timeout
    while True:
        state = service.state()
        if state.failed:
            raise Unwell(f"{service.unit} is {state.active} ({state.result}) after it was started")
        if state.active == "active" and targets.answers_within(engine, 0):
            break
        if time.monotonic() > limit:
            raise Unwell(f"{service.unit} is {state.active} and does not answer within {limits.timeout:g} s")
        time.sleep(PAUSE)
    pid = state.main_pid
    limit = time.monotonic() + limits.settle
    while time.monotonic() < limit:
        time.sleep(PAUSE)
        state = service.state()
        if state.active != "active" or state.main_pid != pid:
            raise Unwell(f"{service.unit} ended within {limits.settle:g} s after it had answered")
    if not targets.answers_within(engine, min(limits.timeout, 10)):
        raise Unwell(f"{service.unit} stopped answering within {limits.settle:g} s")
    return pid


def settings(target: Target, keys: Collection[str]) -> None:
    """The running engine shows those settings as its file has them, as far as it shows them at all."""
    try:
        found = [(name, each) for name, each in settings_in_force.drifts(target.engine) if name in keys]
    except Unread as problem:
        raise Unwell(f"engine {target.name} does not tell its settings: {problem}") from problem
    for name, each in found:
        raise Unwell(f"{each.source} shows {name} as {each.value!r} after the change: {each.pending}")


def containers(
    user: str | None, survivors: Iterable[Container], stopped: Iterable[Container], limits: Limits
) -> Target:
    """Survivors run on with the same process; of the others those come back that the engine starts by itself."""
    limit = time.monotonic() + limits.timeout
    while True:
        target = targets.find(user, limits.timeout)
        lost = _lost(target, survivors, stopped)
        if not lost:
            return target
        if time.monotonic() > limit:
            raise Unwell(f"containers that ran do not run as before: {few(lost)}")
        time.sleep(PAUSE)


def missing(user: str | None, expected: Iterable[Container], limits: Limits) -> list[str]:
    """The names of those that do not run; the engine gets its time to start those that it starts by itself."""
    wanted = list(expected)
    if not wanted:
        return []
    limit = time.monotonic() + limits.timeout
    while True:
        target = targets.find(user, limits.timeout, asked=targets.CONTAINERS)
        if not _lost(target, (), wanted) or time.monotonic() > limit:
            break
        time.sleep(PAUSE)
    running = {each.id for each in target.containers}
    return sorted(each.name for each in wanted if each.id not in running)


def _lost(target: Target, survivors: Iterable[Container], stopped: Iterable[Container]) -> list[str]:
    running = {each.id: each.pid for each in target.containers}
    lost = [each.name for each in survivors if each.id not in running or running[each.id] != each.pid]
    lost += [each.name for each in stopped if each.restart in _COMES_BACK and each.id not in running]
    return sorted(lost)
