# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring host and engine back to what a transaction found, in the run that began it or in a later one: all that is
needed stands in the journal."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes import (
    atomic,
    daemon_json,
    engine_control,
    verify,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes import target as targets
from ansible_collections.bulwark.docker.plugins.module_utils.changes.service import (
    Service,
    ServiceError,
    User,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.store import StateError, Store
from ansible_collections.bulwark.docker.plugins.module_utils.changes.target import Container, Target
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction import (
    Transaction,
    unfinished,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.verify import Limits, Unwell
from ansible_collections.bulwark.docker.plugins.module_utils.controls.effective import OPTIONS
from ansible_collections.bulwark.docker.plugins.module_utils.probes import processes

__all__ = ["ServiceError", "StateError", "remember", "resolve", "roll_back"]

_FRESH = atomic.Image(0o644, 0, 0, {})


def remember(transaction: Transaction, target: Target) -> None:
    """Journal the engine as it is before anything is changed."""
    pid = target.engine["pid"]
    transaction.note(
        "engine",
        unit=target.service.unit,
        sockets=list(target.service.sockets),
        user=list(target.user) if target.user else None,
        socket=target.engine["socket"],
        config=target.config_path,
        state=target.engine["state"],
        pid=pid,
        started=processes.started(pid) if pid else None,
        live_restore=target.live_restore,
        swarm=target.swarm,
        containers=[each._asdict() for each in target.containers],
    )


def resolve(store: Store, limits: Limits) -> list[dict[str, Any]]:
    """Undo what runs that died have left open; [{transaction, left}]. Raises what roll_back does."""
    return [
        {"transaction": found.id, "engine": found.manifest.get("engine"), "left": roll_back(found, limits)}
        for found in unfinished(store)
    ]


def roll_back(transaction: Transaction, limits: Limits) -> list[str]:
    """All is as before; returns what was left, a sentence each. Raises when the engine does not come back."""
    heads = transaction.notes("engine")
    if not heads:
        left = transaction.undo()
        transaction.closed()
        return left
    engine = _Engine(transaction, heads[0], limits)
    left, trouble = [], None
    try:
        left = transaction.undo()
    except atomic.Unwritable as problem:
        # What else there was to undo is undone, and the engine must not stay down for the rest.
        trouble = problem
    if engine.ran:
        left += engine.bring_back()
    elif transaction.notes("restart"):
        engine.let_down()
    if trouble:
        raise trouble
    transaction.closed(left=left)
    return left


class _Engine:
    """The engine of a transaction, as its journal tells."""

    def __init__(self, transaction: Transaction, head: Mapping[str, Any], limits: Limits) -> None:
        self._transaction = transaction
        self._head = head
        self._limits = limits
        self._user = User(*head["user"]) if head["user"] else None
        self._service = Service(head["unit"], head["sockets"], self._user)

    @property
    def ran(self) -> bool:
        """Whether it ran before."""
        return self._head["state"] in ("running", "unresponsive", "unreachable")

    def let_down(self) -> None:
        """It did not run before: it does not after."""
        self._service.stop()
        self._service.reset_failed()

    def bring_back(self) -> list[str]:
        """It runs with its former settings, and its containers do."""
        self._service.daemon_reload()
        if self._is_untouched():
            if self._transaction.notes("reload"):
                self._reload_former()
        elif self._head["live_restore"] or not self._alive():
            self._start()
        else:
            self._start_with_live_restore()
        return self._prove()

    def _is_untouched(self) -> bool:
        """The very process that ran before runs and answers."""
        state = self._service.state()
        pid = state.main_pid if self._user is None else self._head["pid"]
        return (
            state.active == "active"
            and pid == self._head["pid"]
            and processes.started(pid) == self._head["started"]
            and targets.answers_within(self._head["socket"], 3)
        )

    def _reload_former(self) -> None:
        """A key that is missing keeps its value through a SIGHUP: what was added is told its default first."""
        former, added = self._former(), self._added()
        if former is not None and added:
            self._write({**former, **added})
            self._service.reload()
            if "live-restore" in added and not targets.live_restore_becomes(
                self._head["socket"], False, self._limits.timeout
            ):
                raise Unwell("live-restore could not be switched off again by a reload")
            self._transaction.undo()
        self._service.reload()

    def _start(self) -> None:
        with contextlib.suppress(ServiceError):
            # One that hangs in its start is killed after systemd's own time limit.
            self._service.stop()
        self._service.start(self._limits.timeout)

    def _start_with_live_restore(self) -> None:
        """The containers run on only because live-restore was switched on for the change; started without it, the
        engine would end them. So it starts with it, and is told by a reload that it is off."""
        former = self._former()
        if former is None or self._head["swarm"]:
            return self._start()
        self._write({**former, "live-restore": True})
        self._start()
        verify.healthy(self._service, self._head["socket"], Limits(self._limits.timeout, 0))
        self._write({**former, "live-restore": False})
        self._service.reload()
        if not targets.live_restore_becomes(self._head["socket"], False, self._limits.timeout):
            raise Unwell("live-restore could not be switched off again by a reload")
        self._transaction.undo()
        return None

    def _prove(self) -> list[str]:
        verify.healthy(self._service, self._head["socket"], self._limits)
        stopped = [each for note in self._transaction.notes("containers_stopped") for each in note["ids"]]
        left = engine_control.start(self._head["socket"], stopped, self._limits.timeout)
        ran = [Container(**each) for each in self._head["containers"]]
        survivors = [each for each in ran if each.id not in stopped and self._survives(each)]
        # Those that did not outlive the change come back if the engine starts them by itself.
        others = [each for each in ran if each.id not in stopped and each not in survivors]
        verify.containers(self._user.name if self._user else None, survivors, others, self._limits)
        lost = [each.name for each in others if each.restart not in ("always", "unless-stopped")]
        return left + ([f"stopped by the change: {', '.join(lost)}"] if lost else [])

    def _survives(self, container: Container) -> bool:
        """Whether its first process is there still."""
        return container.pid is not None and processes.started(container.pid) is not None

    def _alive(self) -> bool:
        return any(self._survives(Container(**each)) for each in self._head["containers"])

    def _former(self) -> dict[str, Any] | None:
        """The former daemon.json as settings, None where no dockerd would understand it."""
        path = self._head["config"]
        with atomic.acting_as(*self._owner()):
            found = atomic.look(atomic.real(path))
        try:
            return dict(daemon_json.read(path, found[0] if found else None, force=True).settings)
        except daemon_json.Unsound:
            return None

    def _added(self) -> dict[str, Any]:
        """Keys that the change brought and the former file has not, with dockerd's defaults."""
        added = set(self._transaction.manifest.get("added", ()))
        if not self._head["live_restore"]:
            added.add("live-restore")
        former = self._former() or {}
        return {key: OPTIONS[key].default for key in sorted(added - set(former)) if key in OPTIONS}

    def _write(self, settings: Mapping[str, Any]) -> None:
        path = self._head["config"]
        with atomic.acting_as(*self._owner()):
            found = atomic.look(atomic.real(path))
        document = daemon_json.read(path, found[0] if found else None, force=True)
        content = daemon_json.render(document, settings)
        fresh = _FRESH._replace(uid=self._owner()[0], gid=self._owner()[1])
        self._transaction.write_file(path, content or b"", fresh, self._owner())

    def _owner(self) -> tuple[int, int]:
        return (self._user.uid, self._user.gid) if self._user else (0, 0)
