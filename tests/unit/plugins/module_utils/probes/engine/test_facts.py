# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process and its command line tell of an engine."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import facts as engine_facts
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.facts import setting, socket_path

from tests.unit.plugins.module_utils.probes.laying import lay
from tests.unit.plugins.module_utils.probes.process_tree import entry, running

DEFAULT = "/run/docker.sock"


def facts(
    pid: int | None, processes: dict[int, Any], planned: list[str] | None, default: str
) -> dict[str, Any]:
    asked = engine_facts.command(pid, planned, default)
    return engine_facts.facts(asked, processes, engine_facts.configuration(asked))


def test_a_running_engine(tmp_path: Path) -> None:
    lay(tmp_path, {"elsewhere.json": '{"debug": true}'})
    words = (
        "dockerd",
        "-H",
        "fd://",
        "--config-file",
        str(tmp_path / "elsewhere.json"),
        "--log-opt",
        "token=abc",
    )
    with running(*words) as pid:
        found = facts(pid, entry(pid, "dockerd", uid=7), None, "/nonexistent/daemon.json")
    assert (found["state"], found["pid"], found["uid"]) == ("running", pid, 7)
    assert found["argv"][0] == "dockerd"
    assert found["argv"][-1] == "token=(redacted)"
    assert found["flags"]["host"] == ["fd://"]
    assert found["config"]["path"] == str(tmp_path / "elsewhere.json")
    assert (found["config"]["given"], found["config"]["settings"]) == (True, {"debug": True})
    assert abs(found["started"] - time.time()) < 60
    binary = found["binary"]
    assert binary["path"] == str(Path(sys.executable).resolve())
    assert (binary["deleted"], binary["modified"]) == (False, int(Path(binary["path"]).stat().st_mtime))


def test_a_stopped_engine(tmp_path: Path) -> None:
    lay(tmp_path, {"daemon.json": '{"icc": false}'})
    planned = ["/usr/bin/dockerd", "-H", "fd://", "$DOCKER_OPTS"]
    found = facts(None, {}, planned, str(tmp_path / "daemon.json"))
    assert (found["state"], found["pid"], found["argv"], found["started"]) == ("stopped", None, None, None)
    assert (found["binary"], found["flags"]) == (None, {"host": ["fd://"]})
    assert found["config"]["settings"] == {"icc": False}


def test_a_process_that_ends_meanwhile() -> None:
    with running("dockerd") as pid:
        pass
    found = facts(pid, entry(pid, "dockerd"), None, "/nonexistent/daemon.json")
    sentence = f"/proc/{pid}/cmdline: the process has ended"
    assert found["argv"] == found["flags"] == found["config"] == {"error": sentence}
    assert found["started"] is None
    assert "has ended" in found["binary"]["error"]


@pytest.mark.parametrize(
    ("flags", "settings", "values"),
    [
        ({"host": ["a", "b"]}, {"hosts": ["c"]}, ["a", "b"]),
        ({}, {"hosts": ["c", "d"]}, ["c", "d"]),
        ({}, {"hosts": "c"}, ["c"]),
        ({}, {}, []),
        ({}, None, []),
        ({"error": "gone"}, {"error": "not readable"}, []),
    ],
)
def test_setting(flags: Any, settings: Any, values: list[str]) -> None:
    assert setting({"flags": flags, "config": {"settings": settings}}, "host", "hosts") == values


@pytest.mark.parametrize(
    ("hosts", "activated", "path"),
    [
        ([], [], DEFAULT),
        (["fd://"], ["/run/docker.sock"], DEFAULT),
        (["fd://"], ["/run/other.sock", "[::]:2376"], "/run/other.sock"),
        (["fd://"], [], DEFAULT),
        (["unix://"], [], DEFAULT),
        (["unix:///var/run/docker.sock"], [], DEFAULT),
        (["unix:///run/second.sock"], [], "/run/second.sock"),
        (["unix:///run/second.sock", "unix:///var/run//docker.sock"], [], DEFAULT),
        (["tcp://127.0.0.1:2375"], ["/run/docker.sock"], DEFAULT),
        (["tcp://127.0.0.1:2375", "unix:///x.sock"], [], "/x.sock"),
        ([7], [], DEFAULT),
    ],
)
def test_socket_path(hosts: list[Any], activated: list[str], path: str) -> None:
    assert socket_path({"flags": {}, "config": {"settings": {"hosts": hosts}}}, activated, DEFAULT) == path
