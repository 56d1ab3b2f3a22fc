# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Unix socket behind which somebody answers as an engine does, or as no engine should."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Owner

# Who listens here.
SELF = Owner(os.geteuid(), os.getegid())
ANSWERS = Path(__file__).parent / "answers"
VERSIONS = ("20.10.24", "26.1.5", "28.5.2")

Talk = Callable[[socket.socket], None]


def recorded(version: str) -> dict[str, Any]:
    """{path: answer} of a real engine."""
    answers: dict[str, Any] = json.loads((ANSWERS / f"{version}.json").read_text(encoding="utf-8"))
    return answers


@contextlib.contextmanager
def listening(talk: Talk) -> Iterator[str]:
    """The path of a socket whose every connection `talk` serves in a thread of its own."""
    # Not in tmp_path: the address of a Unix socket holds 107 bytes.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        path = f"{folder}/engine.sock"
        server.bind(path)
        server.listen()
        threading.Thread(target=_accept, args=(server, talk), daemon=True).start()
        yield path
        # Wakes accept(), which close() does not.
        server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, talk: Talk) -> None:
    while True:
        try:
            connection, _unused = server.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection, talk), daemon=True).start()


def _serve(connection: socket.socket, talk: Talk) -> None:
    with connection, contextlib.suppress(OSError):
        talk(connection)


class Engine:
    """Answers with JSON from `answers`, other paths with 404; a callable gives (status, body)."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.connections = 0

    def __call__(self, connection: socket.socket) -> None:
        self.connections += 1
        stream = connection.makefile("rb")
        while request := stream.readline():
            length = 0
            while (line := stream.readline()) not in (b"\r\n", b""):
                name, _colon, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            stream.read(length)
            path = request.split()[1].decode()
            self.asked.append(path)
            status, body = self._answer(path)
            connection.sendall(head(status, len(body)) + body)

    def _answer(self, path: str) -> tuple[int, bytes]:
        if path not in self.answers:
            return 404, json.dumps({"message": f"No such object: {path}"}).encode()
        answer = self.answers[path]
        if callable(answer):
            status, answer = answer()
            return status, json.dumps(answer).encode()
        return 200, json.dumps(answer).encode()


def head(status: int, length: int) -> bytes:
    """The head of an answer."""
    lines = (f"HTTP/1.1 {status} Whatever", "Content-Type: application/json", f"Content-Length: {length}")
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def request_of(connection: socket.socket) -> bytes:
    """Waits for the end of a request."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        piece = connection.recv(4096)
        if not piece:
            break
        request += piece
    return request


# The engine's process is us.
WALKED = {
    1: {"pid": 1, "ppid": 0, "name": "dockerd", "cgroup": "/", "uid": os.geteuid(), "gid": os.getegid()},
}


def known(path: str, **changes: Any) -> dict[str, Any]:
    """What of engines.find() is needed to ask the engine."""
    return {
        "name": "system",
        "user": None,
        "pid": 1,
        "uid": 0,
        "socket": path,
        "state": "running",
        "error": None,
        **changes,
    }
