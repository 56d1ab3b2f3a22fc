# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talk to one engine over its Unix socket: one connection, limits for time and size. Probes only ever get."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Collection, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, NoReturn

from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline, foreign_json, identity
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable

SIZE_LIMIT = foreign_json.SIZE_LIMIT
# All answers of one engine together; a container takes about 10 kB.
TOTAL_SIZE_LIMIT = 128 * 1024 * 1024
# All calls of one engine together may take this many times the limit of one: some containers may hang.
CALLS_THAT_MAY_HANG = 12
_ID = re.compile(r"(?:\w+:)?[0-9a-f]{64}")
_PART = 64 * 1024
_MESSAGE_LIMIT = 300
# Seconds; none at all would not wait for what is there already.
_LEAST = 0.01

# cause: (state of the engine, what is wrong and the way out)
_SILENCE: tuple[tuple[type[OSError], str, str], ...] = (
    (FileNotFoundError, "stopped", "is not there: start the engine"),
    (ConnectionRefusedError, "stopped", "has nobody who listens: start the engine"),
    (PermissionError, "unreachable", "may not be opened by this user: run the audit as root"),
    (socket.timeout, "unresponsive", "does not answer in time: see the engine's journal, then restart it"),
)


class Silent(Unreadable):
    """The engine does not answer; `state` is the state of the ENGINE that follows."""

    def __init__(self, state: str, sentence: str) -> None:
        super().__init__(sentence)
        self.state = state


class NotFound(Unreadable):
    """What the path names does not exist (any more)."""


class _Socket(socket.socket):
    """A connected socket with a time limit for each operation, and one for all: bytes may drip in slowly."""

    def __init__(self, connected: socket.socket, connection: _Connection) -> None:
        super().__init__(fileno=connected.detach())
        self.settimeout(connection.timeout)
        self._connection = connection

    def recv_into(self, *arguments: Any) -> int:
        self._connection.check_deadline()
        self.settimeout(max(_LEAST, self._connection.deadline - time.monotonic()))
        return super().recv_into(*arguments)


class _Connection(HTTPConnection):
    # Not ansible.module_utils.urls.UnixHTTPConnection: its connect() has no time limit, and its module loads
    # cryptography, which costs 0.19 s of CPU: a third of what an audit of 100 containers may take.

    def __init__(self, path: str, timeout: float, owner: identity.Owner) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._owner = owner
        self.deadline = 0.0

    def connect(self) -> None:
        try:
            self.sock = _Socket(identity.connect(self._path, self._owner, self.deadline), self)
        except Unreadable as problem:
            raise Silent("unreachable", str(problem)) from problem

    def check_deadline(self) -> None:
        if time.monotonic() > self.deadline:
            raise socket.timeout("timed out")


class EngineApi:
    """The engine behind a Unix socket. A call may take `timeout` seconds, its connection as long again.

    `owner` is the account that the engine runs as; whoever else listens there is not talked to.
    Paths are given without an API version: the engine answers with its own, none can be too old or too new.
    """

    def __init__(self, path: str, timeout: float, owner: identity.Owner) -> None:
        self.path = path
        self.owner = owner
        self._timeout = timeout
        self._end = time.monotonic() + CALLS_THAT_MAY_HANG * timeout
        self._size = 0
        self._connection = _Connection(path, timeout, owner)

    def get(self, path: str) -> Any:
        """The parsed JSON answer. Raises Silent, NotFound or, for any other failure, Unreadable."""
        call = f"GET {path}"
        status, body = self._ask("GET", path)
        answer = self._parsed(call, status, body)
        if status != 200:
            self._refused(call, status, answer)
        return answer

    def post(
        self,
        path: str,
        data: Any = None,
        good: Collection[int] = (200, 204),
        content_type: str = "application/json",
    ) -> Any:
        """Order something: `data` goes as JSON, bytes as they are. The answer, None without one; raises as `get`."""
        body = data if isinstance(data, bytes) else None if data is None else json.dumps(data).encode()
        return self._order("POST", path, body, good, content_type)

    def delete(self, path: str) -> None:
        """Have something removed; raises as `get`."""
        self._order("DELETE", path, None, (200, 204), "application/json")

    def _order(self, method: str, path: str, body: bytes | None, good: Collection[int], kind: str) -> Any:
        call = f"{method} {path}"
        status, answer = self._ask(method, path, body, {"Content-Type": kind})
        if status not in good:
            self._refused(call, status, self._parsed(call, status, answer))
        return self._parsed(call, status, answer) if answer.startswith(b"{") and status == 201 else None

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        call = f"{method} {path}"
        try:
            return self._exchange(method, path, body, headers or {})
        except OSError as problem:
            for kind, state, sentence in _SILENCE:
                if isinstance(problem, kind):
                    raise Silent(state, f"{self.path} {sentence} ({call})") from problem
            sentence = f"{self.path}: {call} failed: {problem.strerror or problem}"
            raise Silent("unresponsive", sentence) from problem
        # http.client takes a negative length of a chunk, and one of a hundred digits.
        except (HTTPException, ValueError, OverflowError) as problem:
            cause = f"{type(problem).__name__} {problem}".strip()[:_MESSAGE_LIMIT]
            sentence = f"{self.path} does not speak HTTP, so it is no engine's socket ({call}: {cause})"
            raise Silent("unresponsive", sentence) from problem

    def _exchange(
        self, method: str, path: str, sent: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """(status, body); a body beyond SIZE_LIMIT is cut right after it."""
        connection = self._connection
        connection.deadline = deadline.end(min(time.monotonic() + self._timeout, self._end))
        connection.check_deadline()
        reused = connection.sock is not None
        try:
            connection.request(method, path, sent, dict(headers))
            with connection.getresponse() as response:
                body = _body(response)
                if len(body) > SIZE_LIMIT:
                    connection.close()
                return response.status, body
        except BaseException as problem:
            connection.close()
            # The engine may end an idle connection at any time. An order may have been carried out all the same.
            if reused and isinstance(problem, ConnectionError) and method == "GET":
                return self._exchange(method, path, sent, headers)
            raise

    def _parsed(self, call: str, status: int, body: bytes) -> Any:
        self._size += len(body)
        if len(body) > SIZE_LIMIT or self._size > TOTAL_SIZE_LIMIT:
            limit = min(SIZE_LIMIT, TOTAL_SIZE_LIMIT - self._size + len(body))
            raise Unreadable(f"{self.path} answers {call} with more than the {limit} bytes it may take")
        try:
            return foreign_json.loads(body, "the answer")
        except foreign_json.NotJson as problem:
            sentence = f"{self.path} answers {call} with {status} and no JSON that can be read: {problem}"
            raise Silent("unresponsive", sentence) from problem

    def _refused(self, call: str, status: int, answer: Any) -> NoReturn:
        message = answer.get("message") if isinstance(answer, dict) else None
        sentence = f"{self.path} answers {call} with {status}: {str(message)[:_MESSAGE_LIMIT]}"
        raise (NotFound if status == 404 else Unreadable)(sentence)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def checked_id(value: Any) -> str:
    """The id of something, which becomes part of a path: whatever answers may be no engine. Raises Unreadable."""
    if isinstance(value, str) and _ID.fullmatch(value):
        return value
    raise Unreadable(f"the engine names something by an id of another form: {str(value)[:80]!r}")


def _body(response: HTTPResponse) -> bytes:
    """By parts, so that a length that is only announced costs nothing."""
    body = bytearray()
    while len(body) <= SIZE_LIMIT:
        part = response.read(_PART)
        if not part:
            break
        body += part
    return bytes(body)
