# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order a stage is applied. What an order does is seen on hosts; here it is written down."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import apply
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import target as targets
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.stage import TCP_SOCKET, Stage
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.target import Target
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.verify import Limits
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import containers
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.systemd import Service, State
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store

from tests.unit.builders.containers import default_container
from tests.unit.builders.daemon import engine, unit
from tests.unit.builders.judging import changed

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

LIVE = b'{"live-restore": true}'
BEFORE = b"{}"


class Told(Service):
    """A service whose orders are written down, with what daemon.json holds as each comes."""

    def __init__(self, config: Path, sockets: Sequence[str] = ()) -> None:
        super().__init__("docker.service", sockets, ROOT)
        self.config = config
        self.orders: list[str] = []
        self.active = set(sockets)

    def order(self, words: str) -> None:
        held = self.config.read_text().replace(" ", "").replace("\n", "") if self.config.exists() else "none"
        self.orders.append(f"{words}: {held}")

    def state(self) -> State:
        return State("active", "running", "success", 1, "loaded", "", False)

    def is_active(self, unit: str) -> bool:
        return unit in self.active

    def daemon_reload(self) -> None:
        self.order("daemon-reload")

    def reload(self) -> None:
        self.order("reload")

    def restart(self, seconds: float, opened: Sequence[str] = ()) -> None:
        self.order(" ".join(["restart", *opened]))

    def close(self, sockets: Sequence[str]) -> None:
        self.order(f"close {' '.join(sockets)}")

    def open(self, sockets: Sequence[str]) -> None:
        self.order(f"open {' '.join(sockets)}")


class Applying:
    """An engine with one running container, whose daemon.json lies in a directory of the test."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.config = folder / "daemon.json"
        self.config.write_bytes(BEFORE)
        self.service = Told(self.config)
        self.store = Store(str(folder / "state"))
        self.store.prepare()
        monkeypatch.setattr(
            containers, "stop", lambda _socket, ids: self.service.order(f"docker stop of {len(ids)}")
        )
        monkeypatch.setattr(targets, "live_restore_becomes", lambda *_arguments: True)

    def orders(self, staged: Stage, content: bytes | None = None, **of_engine: Any) -> list[str]:
        """What systemd and the engine are told, each with the daemon.json of that moment."""
        if content is not None:
            staged.write_config(str(self.config), self.config.read_bytes(), content)
        chosen = changed(engine(), {"containers": [default_container(1)], **of_engine})
        chosen["config"] = {**chosen["config"], "path": str(self.config)}
        target = Target("system", chosen, unit(), {}, self.service, ROOT)
        transaction = Transaction.begin(self.store, {"engine": "system"})
        apply._change(transaction, apply.job(target, staged), Limits(1, 0))
        self.entries = [entry.kind for entry in transaction.entries]
        return self.service.orders


@pytest.fixture
def applying(tmp_path, monkeypatch):
    return Applying(tmp_path, monkeypatch)


NO_LIVE_RESTORE = {"info": {"LiveRestoreEnabled": False}}
LIVE_RESTORE = {"info": {"LiveRestoreEnabled": True}}


def test_the_file_is_written_before_the_reload(applying):
    assert applying.orders(Stage(), b'{"debug": true}', **LIVE_RESTORE) == ['reload: {"debug":true}']
    assert applying.entries == ["file", "reload"]


def test_live_restore_is_on_before_the_restart_that_containers_outlive(applying):
    wanted = b'{"live-restore": true, "no-new-privileges": true}'
    assert applying.orders(Stage(), wanted, **NO_LIVE_RESTORE) == [
        'reload: {"live-restore":true}',
        'restart: {"live-restore":true,"no-new-privileges":true}',
    ]


def test_containers_are_stopped_after_the_steps_and_before_the_file(applying, tmp_path):
    staged = Stage()
    step = tmp_path / "drop-in.conf"
    staged.put(steps.file(ROOT, str(step), "[Service]\n"), "daemon_tls")
    staged.consents["stop_containers"] = True
    orders = applying.orders(staged, b'{"userns-remap": "default"}', **NO_LIVE_RESTORE)
    assert orders == ["docker stop of 1: {}", 'restart: {"userns-remap":"default"}']
    assert step.read_text() == "[Service]\n"
    assert applying.entries == ["file", "containers_stopped", "file", "restart"]


def test_dockerd_itself_stops_containers_where_nobody_asked_for_it_before(applying):
    orders = applying.orders(
        Stage(), b'{"no-new-privileges": true, "live-restore": false}', **NO_LIVE_RESTORE
    )
    assert [order.partition(":")[0] for order in orders] == ["restart"]
    assert applying.entries == ["containers_stopped", "file", "restart"]


def test_a_socket_of_ours_opens_with_the_restart_and_others_close_before_it(applying):
    staged = Stage()
    staged.sockets = {TCP_SOCKET: True, "old-tcp.socket": False}
    applying.config.write_bytes(LIVE)
    staged.restart_for("where its API listens on TCP changes")
    assert [order.partition(":")[0] for order in applying.orders(staged, **LIVE_RESTORE)] == [
        f"close old-tcp.socket {TCP_SOCKET}",
        "daemon-reload",
        f"restart {TCP_SOCKET}",
    ]
    assert applying.entries == ["restart", "sockets"]


def test_a_stopped_engine_takes_the_file_and_stays_stopped(applying):
    applying.service = Told(applying.config)
    stopped = {"state": "stopped", "info": {"error": "x"}, "containers": [], "error": "it does not run"}
    assert applying.orders(Stage(), LIVE, **stopped) == []
    assert applying.config.read_bytes() == LIVE
    assert applying.entries == ["file"]
