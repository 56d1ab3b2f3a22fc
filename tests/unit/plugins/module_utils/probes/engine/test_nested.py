# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines in containers are asked in their network. Real ones: tests/hosts/test_tls_audit.py."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import nested as probe

ID = "ab" * 32


def process(pid: int, name: str, cgroup: str = f"/docker/{ID}") -> dict[str, Any]:
    return {"pid": pid, "ppid": 1, "name": name, "uid": 0, "gid": 0, "cgroup": cgroup, "status": {}}


def filled(container: dict[str, Any], *walked: dict[str, Any]) -> Any:
    one = {"id": ID, **container}
    engines: list[dict[str, Any]] = [
        {"containers": [one], "pid": 10, "rootlesskit": None, "user": None},
        {"containers": {"error": "engine"}, "pid": None, "rootlesskit": None, "user": None},
    ]
    probe.nested_engines(engines, {each["pid"]: each for each in walked}, 1)
    return one["endpoints"]


@pytest.mark.parametrize("names", [(), ("sleep",), ("containerd", "rootlesskit")])
def test_without_an_engine_nothing_is_asked(names: tuple[str, ...]) -> None:
    host = process(10, "dockerd", "/system.slice/docker.service")
    inside = [process(20 + at, name) for at, name in enumerate(names)]
    assert filled({"process": {"error": "not to be read"}}, host, *inside) == []


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ({"error": "gone"}, {"error": "gone"}),
        ({"pid": 20, "namespaces": {"error": "run as root"}}, {"error": "run as root"}),
    ],
)
def test_why_an_engine_was_not_asked(first: dict[str, Any], expected: dict[str, Any]) -> None:
    assert filled({"process": first}, process(20, "dockerd")) == expected


def test_a_process_that_ended_is_told() -> None:
    gone = {"pid": 2**22 + 1, "namespaces": {"net": "1"}}
    assert "No such file" in filled({"process": gone}, process(20, "dockerd"))["error"]


def test_containers_that_keep_everybody_waiting_cost_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them with mute listeners kept the open engine of the next from being asked."""
    mute = [f"{number:064x}" for number in range(30)]

    def ask(container: dict[str, Any], _members: Any, _timeout: float) -> list[Any]:
        if container["id"] in mute:
            time.sleep(20)
        return ["an answer"]

    monkeypatch.setattr(probe, "_asked", ask)
    containers: list[dict[str, Any]] = [{"id": identity} for identity in (*mute, ID)]
    walked = {at: process(at, "dockerd", f"/docker/{each['id']}") for at, each in enumerate(containers, 20)}
    engines: list[dict[str, Any]] = [
        {"containers": containers, "pid": 10, "rootlesskit": None, "user": None},
    ]
    begun = time.monotonic()
    with deadline.limited(2.0):
        probe.nested_engines(engines, walked, 1)
    assert time.monotonic() - begun < 2.0 + deadline.GRACE
    assert containers[-1]["endpoints"] == ["an answer"]
    assert containers[0]["endpoints"] == {"error": "the engine in the container was not asked"}


@pytest.mark.parametrize(
    ("names", "port", "expected"),
    [
        ({"dockerd"}, 4711, True),
        ({"rootlesskit"}, 2376, True),
        ({"rootlesskit"}, 8080, False),
        (set(), 2375, False),
    ],
)
def test_which_listeners_are_the_api(names: set[str], port: int, expected: bool) -> None:
    assert probe._is_api({"port": port}, names) is expected
