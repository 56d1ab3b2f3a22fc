# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that answers otherwise than engines do, over a real socket: asked by the probes, judged by all controls."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.audit import compliance
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import engine
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.api import EngineApi

from tests.fuzz import mutations
from tests.unit.plugins.module_utils.probes.engine_server import (
    SELF,
    VERSIONS,
    Engine,
    head,
    listening,
    recorded,
    request_of,
)

_SNAPSHOT = Path(__file__).parents[1] / "unit/snapshots/trixie.json"
_OPTIONS: dict[str, Any] = {
    "profile": "strict", "controls": [], "parameters": {}, "severities": {}, "waivers": [], "attestations": [],
}  # fmt: skip
_WALKED = {
    1: {"pid": 1, "ppid": 0, "name": "dockerd", "cgroup": "/", "uid": os.geteuid(), "gid": os.getegid()}
}
_SECONDS = 5.0
_STATES = {"running", "unresponsive"}
# An answer of a few bytes, by parts that are mutated with it.
_CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\n[1,2,\r\n3\r\n 3]\r\n0\r\n\r\n"
)


def _known(path: str) -> dict[str, Any]:
    return {
        "name": "system",
        "user": None,
        "pid": 1,
        "uid": 0,
        "socket": path,
        "state": "running",
        "error": None,
    }


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
        return engine.ask(_known(path), _WALKED, 1.0, content=False)


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
