# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of an engine: what answers they take, and that none of them hangs."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import ROOT, Owner, acting_as
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import api as engine_api
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.api import (
    EngineApi,
    NotFound,
    Silent,
)

from tests.unit.plugins.module_utils.probes.engine_server import (
    SELF,
    Engine,
    Talk,
    head,
    listening,
    request_of,
)

LIMIT = 0.3
# Twice the limit, and room for a busy machine.
IN_TIME = 2 * LIMIT + 2


def sends(*pieces: bytes, pause: float = 0) -> Talk:
    def talk(connection: socket.socket) -> None:
        request_of(connection)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)

    return talk


def is_mute(connection: socket.socket) -> None:
    request_of(connection)
    time.sleep(IN_TIME)


def test_one_connection_serves_all_calls() -> None:
    engine = Engine({"/a": {"x": 1}, "/b": [2]})
    with listening(engine) as path:
        api = EngineApi(path, LIMIT, SELF)
        assert [api.get("/a"), api.get("/b"), api.get("/a")] == [{"x": 1}, [2], {"x": 1}]
        api.close()
    assert engine.connections == 1


def test_chunked_answers() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n3\r\n 2]\r\n0\r\n\r\n"
    with listening(sends(chunked)) as path:
        assert EngineApi(path, LIMIT, SELF).get("/x") == [1, 2]


def test_call_after_the_engine_ended_the_connection() -> None:
    with listening(sends(head(200, 2) + b"[]")) as path:
        api = EngineApi(path, LIMIT, SELF)
        assert [api.get("/x"), api.get("/x")] == [[], []]


def test_call_goes_on_after_one_that_hung() -> None:
    def slow_path_hangs(connection: socket.socket) -> None:
        while request := request_of(connection):
            if b"/slow" in request:
                time.sleep(IN_TIME)
            connection.sendall(head(200, 2) + b"[]")

    with listening(slow_path_hangs) as path:
        api = EngineApi(path, LIMIT, SELF)
        with pytest.raises(Silent):
            api.get("/slow")
        assert api.get("/quick") == []


@pytest.mark.parametrize(
    ("talk", "kind", "words"),
    [
        (Engine({}), NotFound, "404: No such object: /x"),
        (Engine({"/x": lambda: (500, {"message": "boom"})}), Unreadable, "500: boom"),
        (Engine({"/x": lambda: (403, {"message": "denied " + 1000 * "x"})}), Unreadable, "403: denied xxx"),
        (Engine({"/x": lambda: (500, ["?"])}), Unreadable, "500: None"),
        (sends(head(200, 6) + b"<html>"), Silent, "with 200 and no JSON"),
        (sends(head(200, 0)), Silent, "no JSON"),
        (sends(head(200, 100_000) + 100_000 * b"["), Silent, "no JSON"),
        (sends(b"220 mail.example ESMTP\r\n"), Silent, "does not speak HTTP"),
        (sends(b""), Silent, "GET /x"),
        (sends(head(200, 100) + b"[1"), Silent, "no JSON"),
        (sends(b"HTTP/1.1 200 OK\r\n" + 200 * b"A: b\r\n" + b"\r\n"), Silent, "does not speak HTTP"),
        (
            sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            Silent,
            "does not speak HTTP",
        ),
        # Section 3 of the review: a ValueError, an OverflowError.
        (
            sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n"),
            Silent,
            "does not speak HTTP",
        ),
        (
            sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + 40 * b"f" + b"\r\nabc\r\n"),
            Silent,
            "GET /x",
        ),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: " + 5000 * b"9" + b"\r\n\r\n[1"), Silent, "no JSON"),
        (sends(head(200, 5) + b"[NaN]"), Silent, "NaN is no JSON number"),
        (sends(head(200, 9) + b"[-1e9999]"), Silent, "too large"),
    ],
    ids=[
        *(
            "gone",
            "server error",
            "denied",
            "error without message",
            "html",
            "empty",
            "deep",
            "smtp",
            "closes",
        ),
        *(
            "short",
            "many headers",
            "bad chunk",
            "negative chunk",
            "endless chunk",
            "huge length",
            "nan",
            "infinite",
        ),
    ],
)
def test_answers_that_are_none(talk: Talk, kind: type[Unreadable], words: str) -> None:
    with listening(talk) as path, pytest.raises(kind) as caught:
        EngineApi(path, LIMIT, SELF).get("/x")
    assert words in str(caught.value)
    assert path in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "answer",
    [
        head(200, 1 << 40),
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    ],
    ids=["announced", "until the end", "chunked"],
)
def test_huge_answers_are_not_read_to_their_end(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_api, "SIZE_LIMIT", 1 << 20)
    sent: list[int] = []

    def talk(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(answer)
        while len(sent) < 64:
            connection.sendall(b" " * (1 << 20))
            sent.append(1)

    with listening(talk) as path, pytest.raises(Unreadable, match="more than the 1048576 bytes"):
        EngineApi(path, 5, SELF).get("/x")
    assert len(sent) < 64


def test_all_answers_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_api, "TOTAL_SIZE_LIMIT", 100)
    with listening(Engine({"/x": "x" * 40})) as path:
        api = EngineApi(path, LIMIT, SELF)
        assert [api.get("/x"), api.get("/x")] == ["x" * 40] * 2
        with pytest.raises(Unreadable, match="more than the 16 bytes"):
            api.get("/x")
        api.close()


@pytest.mark.parametrize(
    "talk",
    [
        is_mute,
        sends(*(bytes([byte]) for byte in head(200, 10_000)), pause=LIMIT / 3),
        sends(head(200, 10_000), *(50 * [b" "]), pause=LIMIT / 3),
        sends(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *(50 * [b"1\r\n \r\n"]), pause=LIMIT / 3
        ),
    ],
    ids=["mute", "head drips", "body drips", "chunks drip"],
)
def test_time_limit(talk: Talk) -> None:
    begun = time.monotonic()
    with listening(talk) as path, pytest.raises(Silent, match="does not answer in time") as caught:
        EngineApi(path, LIMIT, SELF).get("/x")
    assert caught.value.state == "unresponsive"
    assert LIMIT <= time.monotonic() - begun < IN_TIME


def test_time_limit_where_nobody_accepts_and_the_backlog_is_full(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(0)
        waiting = []
        while True:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            waiting.append(client)
            try:
                client.connect(path)
            except BlockingIOError:
                break
        begun = time.monotonic()
        with pytest.raises(Silent) as caught:
            EngineApi(path, LIMIT, SELF).get("/x")
        assert caught.value.state == "unresponsive"
        assert LIMIT <= time.monotonic() - begun < IN_TIME
        for client in waiting:
            client.close()


def test_all_calls_together_have_a_limit() -> None:
    with listening(is_mute) as path:
        api = EngineApi(path, 0.02, SELF)
        begun = time.monotonic()
        for _unused in range(500):
            with pytest.raises(Silent):
                api.get("/x")
        assert time.monotonic() - begun < 0.02 * engine_api.CALLS_THAT_MAY_HANG + 2


def _nothing(path: Path) -> None:
    pass


def _nobody(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _file(path: Path) -> None:
    path.write_text("", encoding="utf-8")


@pytest.mark.parametrize(
    ("lay", "words"),
    [(_nothing, "is not there"), (_nobody, "has nobody who listens"), (_file, "has nobody who listens")],
)
def test_engine_that_is_not_there(lay: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    lay(tmp_path / "s")
    with pytest.raises(Silent, match=words) as caught:
        EngineApi(str(tmp_path / "s"), LIMIT, SELF).get("/x")
    assert caught.value.state == "stopped"


@pytest.mark.skipif(os.geteuid() != 0, reason="takes the ids of others")
@pytest.mark.parametrize(
    ("listener", "owner"),
    [(Owner(1234, 1234), ROOT), (Owner(1234, 1234), Owner(1235, 1235))],
    ids=["account for root", "account for another"],
)
def test_who_else_listens_there_is_not_talked_to(listener: Owner, owner: Owner) -> None:
    """S14."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        Path(folder).chmod(0o755)
        path = f"{folder}/s"
        server.bind(path)
        Path(path).chmod(0o777)
        os.chown(path, owner.uid, owner.gid)
        with acting_as(listener):
            server.listen()
        with pytest.raises(Silent, match="not used: uid 1234 listens there") as caught:
            EngineApi(path, LIMIT, owner).get("/x")
    assert caught.value.state == "unreachable"


@pytest.mark.skipif(os.geteuid() != 0, reason="takes the ids of others")
def test_link_of_an_account_is_not_followed() -> None:
    """S14: a link to the system's socket in the place of the account's own."""
    with listening(Engine({"/x": 1})) as path:
        link = Path(path).with_name("link")
        link.symlink_to(path)
        os.chown(link, 1234, 1234, follow_symlinks=False)
        Path(path).parent.chmod(0o755)
        with pytest.raises(Silent, match="not used"):
            EngineApi(str(link), LIMIT, Owner(1234, 1234)).get("/x")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root's rights")
def test_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    _nobody(tmp_path / "s")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setresuid(65534, 65534, 65534)
        try:
            EngineApi(str(tmp_path / "s"), LIMIT, SELF).get("/x")
        except Silent as problem:
            os.write(writer, f"{problem.state}: {problem}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        said = stream.read()
    assert said.startswith("unreachable: ")
    assert "run the audit as root" in said
