# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which engines a host has: by units and sockets, with real processes where they are looked at."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import engines
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import holders

from tests.unit.plugins.module_utils.probes.process_tree import entry, running

NOBODY: dict[str, Any] = {"users": []}
LISTEN = "import socket; s = socket.socket(socket.AF_UNIX); s.bind({!r}); s.listen()"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root sees who holds a socket")


def unit(main_pid: int | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "load": "loaded",
        "load_error": None,
        "active": "active" if main_pid else "inactive",
        "sub": "running" if main_pid else "dead",
        "result": "success",
        "exec_start": ["/usr/bin/dockerd", "-H", "fd://"],
        "main_pid": main_pid,
        "triggered_by": [],
        "listens": [],
        **changes,
    }


def socket_unit(path: str, sub: str = "running") -> dict[str, Any]:
    return unit(sub=sub, exec_start=None, listens=[{"type": "Stream", "address": path}])


@pytest.fixture(autouse=True)
def usual_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """This machine's own engine stays out: the usual socket and the programs are elsewhere."""
    path = str(tmp_path / "docker.sock")
    monkeypatch.setattr(engines, "_SOCKET_PATHS", (path,))
    monkeypatch.setattr(limits, "SEARCH", str(tmp_path / "bin"))
    return path


def find(units: Mapping[str, Any], processes: Mapping[int, Any]) -> list[tuple[Any, ...]]:
    return [
        (engine["name"], engine["state"], engine["pid"], engine["unit"])
        for engine in engines.find(units, processes, NOBODY)
    ]


def test_a_host_without_docker() -> None:
    assert engines.find({}, entry(1, "systemd"), NOBODY) == []
    assert engines.find({"error": "no answer"}, {}, {"users": {"error": "none"}}) == []
    assert engines.find({"docker.service": unit(load="not-found", exec_start=None)}, {}, NOBODY) == []


def test_the_unit_names_the_process() -> None:
    with running("dockerd", "-H", "fd://") as pid:
        units = {
            "docker.service": unit(pid, triggered_by=["docker.socket"]),
            "docker.socket": socket_unit("/run/elsewhere.sock"),
        }
        (engine,) = engines.find(units, entry(pid, "dockerd"), NOBODY)
    assert (engine["name"], engine["user"], engine["unit"]) == ("system", None, "docker.service")
    assert (engine["state"], engine["error"], engine["pid"]) == ("running", None, pid)
    assert (engine["socket"], engine["flags"]["host"]) == ("/run/elsewhere.sock", ["fd://"])
    assert (engine["rootlesskit"], engine["user_unit"]) == (None, None)
    assert engine["config"]["path"] == engines.CONFIG


def test_a_wrapper_as_main_process() -> None:
    processes = {**entry(50, "sh"), **entry(51, "dockerd", ppid=50), **entry(52, "dockerd", ppid=1)}
    assert find({"docker.service": unit(50)}, processes) == [("system", "running", 51, "docker.service")]
    assert find({"docker.service": unit(50)}, entry(50, "sh")) == [
        ("system", "running", 50, "docker.service")
    ]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, "docker.service is inactive"),
        ({"active": "failed", "result": "start-limit-hit"}, "docker.service is failed (start-limit-hit)"),
        ({"load": "bad-setting", "load_error": "Unit docker.service has a bad unit file setting."},
         "Unit docker.service has a bad unit file setting."),
    ],
)  # fmt: skip
def test_stopped(changes: dict[str, Any], error: str) -> None:
    (engine,) = engines.find({"docker.service": unit(**changes)}, entry(60, "dockerd"), NOBODY)
    assert (engine["state"], engine["error"], engine["pid"]) == ("stopped", error, None)
    assert engine["flags"] == {"host": ["fd://"]}
    assert engine["config"]["settings"] is not None


def test_masked(tmp_path: Path) -> None:
    masked = {
        "docker.service": unit(load="masked", load_error="Unit docker.service is masked.", exec_start=None)
    }
    assert find(masked, {}) == []
    (tmp_path / "bin").mkdir()
    shutil.copy("/bin/true", tmp_path / "bin/dockerd")
    (engine,) = engines.find(masked, {}, NOBODY)
    assert (engine["state"], engine["error"]) == ("stopped", "Unit docker.service is masked.")
    assert find({}, {}) == [("system", "stopped", None, None)]


def test_a_name_makes_no_engine(tmp_path: Path, usual_socket: str) -> None:
    decoy = tmp_path / "dockerd"
    shutil.copy("/bin/sleep", decoy)
    with subprocess.Popen([str(decoy), "60"]) as process:
        processes = entry(process.pid, "dockerd")
        assert find({}, processes) == []
        # Not even as a service.
        started = {"decoy.service": unit(process.pid, exec_start=[str(decoy), "60"])}
        assert find(started, processes) == []
        process.kill()


@AS_ROOT
def test_started_by_hand(usual_socket: str) -> None:
    with running("any", script=LISTEN.format(usual_socket)) as pid:
        processes = {**entry(pid, "any"), **entry(70, "dockerd")}
        assert find({}, processes) == [("system", "running", pid, None)]
        # Also where the unit is there and does not run.
        assert find({"docker.service": unit()}, processes) == [("system", "running", pid, None)]


@AS_ROOT
def test_the_socket_was_handed_on(usual_socket: str) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(usual_socket)
        listening.listen()
        with running("any", pass_fds=[listening.fileno()]) as pid:
            listening.close()
            assert find({}, {**entry(pid, "any"), **entry(os.getpid(), "pytest")}) == [
                ("system", "running", pid, None)
            ]


@AS_ROOT
def test_a_second_unit(tmp_path: Path, usual_socket: str) -> None:
    second = str(tmp_path / "second.sock")
    with running("dockerd", "--host", f"unix://{second}", script=LISTEN.format(second)) as pid:
        units = {
            "docker.service": unit(80),
            "moby.service": unit(pid, exec_start=["/opt/dockerd", "--host", f"unix://{second}"]),
            "prune.service": unit(82, exec_start=["/usr/bin/docker", "system", "prune"]),
        }
        processes = {**entry(80, "dockerd"), **entry(pid, "dockerd"), **entry(82, "docker")}
        found = engines.find(units, processes, NOBODY)
    assert [(each["name"], each["pid"], each["unit"]) for each in found] == [
        ("system", 80, "docker.service"),
        ("system:moby", pid, "moby.service"),
    ]
    assert found[1]["socket"] == second


@AS_ROOT
def test_another_unit_that_holds_the_usual_socket(usual_socket: str) -> None:
    with running("dockerd", script=LISTEN.format(usual_socket)) as pid:
        units = {"moby.service": unit(pid, exec_start=["/opt/dockerd"])}
        assert find(units, entry(pid, "dockerd")) == [("system", "running", pid, "moby.service")]


def test_without_root_the_peer_of_the_socket_counts(
    monkeypatch: pytest.MonkeyPatch, usual_socket: str
) -> None:
    monkeypatch.setattr(holders, "may_see_all", lambda: False)
    with running("any", script=LISTEN.format(usual_socket)) as pid:
        assert find({}, entry(pid, "any")) == [("system", "running", pid, None)]
        # Where systemd listens nobody connects: that would start the engine.
        waiting = {"docker.service": unit(), "docker.socket": socket_unit(usual_socket, "listening")}
        assert find(waiting, entry(pid, "any")) == [("system", "stopped", None, "docker.service")]
    # The path is left behind, and nobody listens.
    assert find({}, entry(pid, "any")) == []
