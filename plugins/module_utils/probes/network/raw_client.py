# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounded questions over TCP, plain or in TLS, to listeners of this host that speak another protocol than HTTP.

Of an answer only a word is kept. No question writes anything or asks for what is stored.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import http_client

# ANSWERS: proves what it is, and tells nothing about credentials.
OPEN, REFUSED, ANSWERS = "open", "refused", "answers"
# An alert of TLS, to who did not speak it.
_ALERT = b"\x15\x03"
# Never sent to: only the way there is looked up.
_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}


class Question(NamedTuple):
    """`meanings`: the first pattern found in the answer gives its word; `complete`: no more is to come."""

    name: str
    sent: bytes
    meanings: tuple[tuple[str, re.Pattern[bytes]], ...]
    complete: Callable[[bytearray], bool]


def converse(
    listener: Mapping[str, Any], questions: Sequence[Question], timeout: float
) -> list[http_client.Reply]:
    """The questions until one is refused, each over its own connection; in TLS where none is understood without."""
    address, port = _reach(listener), listener["port"]
    replies: list[http_client.Reply] = []
    for scheme in ("tcp", "tls"):
        for question in questions:
            replies.append(ask(scheme, address, port, question, timeout))
            if replies[-1].answer["status"] == REFUSED or replies[-1].answer["error"] == "timed out":
                break
        if any(reply.answer["status"] for reply in replies):
            break
    return replies


def _reach(listener: Mapping[str, Any]) -> str:
    """Like asking.reach, but where possible not by loopback: redis, for one, trusts the clients of 127.0.0.1."""
    address = http_client.reach(listener)
    if listener["scope"] != "wildcard":
        return address
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as way:
            way.connect((_ELSEWHERE[family], 9))
            return str(way.getsockname()[0])
    except OSError:
        return address


def ask(scheme: str, address: str, port: int, question: Question, timeout: float) -> http_client.Reply:
    """Ask over "tcp" or "tls"; the status of the ANSWER is a word of `meanings`. Raises as asking.ask."""
    received = bytearray()
    deadline = time.monotonic() + timeout
    problem = None
    try:
        with http_client.connected(
            "http" if scheme == "tcp" else "https", address, port, timeout
        ) as connection:
            http_client.exchange(connection, question.sent, deadline, received, question.complete)
    except OSError as failure:
        problem = http_client.reason(failure)
    data = bytes(received)
    word = next((word for word, pattern in question.meanings if pattern.search(data)), None)
    if data and not problem:
        problem = "it answers in another protocol"
    answer = {
        "scheme": scheme,
        "path": question.name,
        "status": word,
        "server": None,
        "error": None if word else problem or "it closes the connection without an answer",
    }
    return http_client.Reply(answer, data, data.startswith(_ALERT))


def line(data: bytearray) -> bool:
    """Whether one line of text has come."""
    return b"\n" in data
