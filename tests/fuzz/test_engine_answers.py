# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that answers otherwise than engines do, over a real socket: asked by the probes, judged by all controls."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.audit import compliance, returned, timed
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import engine
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.api import EngineApi
from ansible_collections.bulwark.docker.plugins.plugin_utils.report import bounds

from tests.fuzz import mutations
from tests.unit.plugins.module_utils.probes.engine_server import (
    SELF,
    VERSIONS,
    WALKED,
    Engine,
    head,
    known,
    listening,
    recorded,
    request_of,
)

_SNAPSHOT = Path(__file__).parents[1] / "unit/snapshots/trixie.json"
_OPTIONS: dict[str, Any] = {
    "profile": "strict", "controls": [], "parameters": {}, "severities": {}, "waivers": [], "attestations": [],
}  # fmt: skip
_SECONDS = 5.0
_STATES = {"running", "unresponsive"}
# An answer of a few bytes, by parts that are mutated with it.
_CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\n[1,2,\r\n3\r\n 3]\r\n0\r\n\r\n"
)


@contextlib.contextmanager
def _within(seconds: float, seed: int) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds, f"seed {seed}"


def _mutated(seed: int) -> dict[str, Any]:
    """The answers of a real engine, one or some of them mutated."""
    chance = random.Random(seed)
    answers = recorded(chance.choice(VERSIONS))
    for path in chance.sample(sorted(answers), chance.choice((1, 1, 3, 8))):
        answers[path] = mutations.data(answers[path], chance.randrange(10**9))
    return answers


def _asked(answers: dict[str, Any], seed: int) -> dict[str, Any]:
    with listening(Engine(answers)) as path, _within(_SECONDS, seed):
        return engine.ask(known(path), WALKED, 1.0)


def test_answers_of_another_shape() -> None:
    """Whatever is not understood is an error mark in its place, and can be written as strict JSON."""
    for seed in mutations.seeds(150):
        found = _asked(_mutated(seed), seed)
        assert found["state"] in _STATES, f"seed {seed}"
        json.dumps(found, allow_nan=False)
        for part in ("containers", "images", "networks", "volumes"):
            assert is_error(found[part]) or isinstance(found[part], list), f"seed {seed}: {part}"


def test_what_was_understood_is_judged_by_all_controls() -> None:
    """A control that meets what it does not know says so itself; the others do not suffer."""
    snapshot = json.loads(_SNAPSHOT.read_text(encoding="utf-8"))
    sound = compliance.audit(snapshot, _OPTIONS, "2026-01-01")
    for seed in mutations.seeds(60):
        host = {**snapshot, "engines": [dict(each) for each in snapshot["engines"]]}
        host["engines"][0].update(_asked(_mutated(seed), seed))
        with _within(_SECONDS, seed):
            judged = compliance.audit(host, _OPTIONS, "2026-01-01")
        json.dumps(judged, allow_nan=False)
        bounds.bounded({**judged, "snapshot": returned.fitting(host, judged)}, f"seed {seed}")
        assert {each["control"] for each in judged["findings"]} == {
            each["control"] for each in sound["findings"]
        }


def test_bytes_that_are_no_answer() -> None:
    """Only Unreadable is raised, in time, and after it the same connection serves no other's answer."""
    for seed in mutations.seeds(400):
        chance = random.Random(seed)
        body = b'{"ApiVersion": "1.41"}'
        sent = mutations.octets(
            chance.choice((_CHUNKED, head(200, len(body)) + body, head(500, 2) + b"{}")), seed
        )

        def talk(connection: socket.socket, sent: bytes = sent) -> None:
            request_of(connection)
            connection.sendall(sent)

        with listening(talk) as path, _within(2.0, seed):
            api = EngineApi(path, 0.3, SELF)
            for _unused in range(2):
                with contextlib.suppress(Unreadable):
                    json.dumps(api.get("/version"), allow_nan=False)
            api.close()


def _hostile(kind: str) -> dict[str, Any]:
    """What a program answers that no engine is, and that wants to be in every report."""
    answers = recorded(VERSIONS[-1])
    listed = answers["/containers/json?all=1"]
    paths = [f"/containers/{each['Id']}/json" for each in listed]
    if kind == "name":
        answers[paths[0]]["Name"] = "/" + "x" * 100_000
    elif kind == "texts":
        for path in paths:
            answers[path]["Config"]["User"] = answers[path]["Path"] = "x" * 100_000
            answers[path]["HostConfig"]["CapAdd"] = ["x" * 100_000] * 10
    elif kind == "list":
        answers["/containers/json?all=1"] = [{"Id": "1", "State": ""}] * 20_000
    elif kind == "long list":
        answers["/containers/json?all=1"] = [{"Id": f"{at:064x}", "State": "running"} for at in range(4999)]
    elif kind == "deep":
        answers[paths[0]]["HostConfig"]["PortBindings"] = json.loads("[" * 60 + "]" * 60)
    elif kind == "values":
        answers[paths[0]]["HostConfig"]["Sysctls"] = {str(at): [[]] * 4000 for at in range(20)}
    return answers


@pytest.mark.parametrize("kind", ["name", "texts", "list", "long list", "deep", "values"])
def test_no_engine_keeps_the_result_of_its_host_from_being_taken(kind: str) -> None:
    """The host was "failed" where one account named a container by 100 kB, or listed 20,000."""
    snapshot = json.loads(_SNAPSHOT.read_text(encoding="utf-8"))
    system = snapshot["engines"][0]
    own = {**system, "name": "rootless:worker", "user": "worker", "uid": 1000, "gid": 1000}
    with listening(Engine(_hostile(kind))) as path, _within(2 * _SECONDS, 0):
        own.update(engine.ask(known(path), WALKED, 2.0))
    sound = timed.judged(snapshot, {**_OPTIONS, "snapshot": True}, "2026-01-01")
    snapshot["engines"].append(own)
    judged = timed.judged(snapshot, {**_OPTIONS, "snapshot": True}, "2026-01-01")
    bounds.bounded(judged, "result")
    # It costs itself alone.
    of_system = [each for each in judged["findings"] if each["engine"] == "system"]
    assert of_system == [each for each in sound["findings"] if each["engine"] == "system"]
    assert judged["snapshot"]["engines"][0] == system
