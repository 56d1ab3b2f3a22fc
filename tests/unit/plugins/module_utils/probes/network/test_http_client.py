# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions over HTTP, put to real servers."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import http_client

from tests.unit.plugins.module_utils.probes.tcp_server import HTTPS_HINT, certificate, http, serving


@pytest.mark.parametrize(
    ("sent", "status", "server", "error"),
    [
        (http(200, b"OK", "Docker/28.5.2 (linux)"), 200, "Docker/28.5.2 (linux)", None),
        (http(401), 401, None, None),
        (b"HTTP/2 415\r\ncontent-type: application/grpc\r\n\r\n", 415, None, None),
        (HTTPS_HINT, 400, None, None),
        (http(200, b"OK", "\x1b[31mred\x7f\xff" + "x" * 200), 200, " [31mred " + "x" * 91, None),
        (http(200, b"Server: not of the head"), 200, None, None),
        (b"SSH-2.0-OpenSSH_9.2\r\n", None, None, "it does not answer in HTTP"),
        (b"", None, None, "it closes the connection without an answer"),
        # It closes before all is there that it announced.
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\nshort", 200, None, None),
    ],
)
def test_plain(sent: bytes, status: Any, server: Any, error: Any) -> None:
    with serving(sent) as port:
        reply = http_client.ask("http", "127.0.0.1", port, "/_ping", 5)
    assert reply.answer == {
        "scheme": "http",
        "path": "/_ping",
        "status": status,
        "server": server,
        "error": error,
    }
    assert reply.wants_tls is (sent == HTTPS_HINT)


def test_nobody_answers() -> None:
    with serving(None) as port:
        start = time.monotonic()
        answer = http_client.ask("http", "127.0.0.1", port, "/", 0.3).answer
        assert time.monotonic() - start < 2
    assert (answer["status"], answer["error"]) == (None, "timed out")


def test_an_answer_that_never_ends_is_cut_in_time_and_size() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        slow = http_client.together(
            lambda role: (
                _drip(server) if role == "server" else http_client.ask("http", "127.0.0.1", port, "/", 0.5)
            ),
            ["server", "client"],
            5,
        )[1]
    assert slow.answer["status"] == 200
    with serving(http(200, b"x" * 10 * http_client.SIZE_LIMIT)) as port:
        assert len(http_client.ask("http", "127.0.0.1", port, "/", 5).data) < 2 * http_client.SIZE_LIMIT


def _drip(server: socket.socket) -> None:
    connection = server.accept()[0]
    with connection:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _unused in range(20):
            time.sleep(0.1)
            try:
                connection.sendall(b"x")
            except OSError:
                return


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert http_client.ask("http", "127.0.0.1", port, "/", 5).answer["error"] == "Connection refused"


def test_tls_whatever_the_certificate(tmp_path: Path) -> None:
    with serving({"/version": http(200, b"{}")}, certificate(tmp_path)) as port:
        assert http_client.ask("https", "127.0.0.1", port, "/version", 5).answer["status"] == 200
        assert http_client.ask("https", "127.0.0.1", port, "/other", 5).answer["status"] == 404
        assert http_client.ask("http", "127.0.0.1", port, "/version", 5).wants_tls


def test_tls_refused_by_a_plain_server() -> None:
    with serving(http(200)) as port:
        answer = http_client.ask("https", "127.0.0.1", port, "/", 5).answer
    assert (answer["status"], answer["error"]) == (None, "wrong version number")


def test_a_body_is_posted() -> None:
    assert http_client.request("/a").startswith(b"GET /a HTTP/1.1\r\n")
    posted = http_client.request("/a", b"{}")
    assert posted.startswith(b"POST /a HTTP/1.1\r\n")
    assert b"Content-Length: 2\r\n" in posted
    assert posted.endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize(
    ("address", "scope", "v6only", "interface", "reached"),
    [
        ("0.0.0.0", "wildcard", None, None, "127.0.0.1"),
        ("::", "wildcard", False, None, "127.0.0.1"),
        ("::", "wildcard", True, None, "::1"),
        ("::", "wildcard", None, None, "::1"),
        ("::ffff:0.0.0.0", "wildcard", False, None, "127.0.0.1"),
        ("::ffff:127.0.0.1", "loopback", False, None, "::ffff:127.0.0.1"),
        ("192.0.2.7", "specific", None, None, "192.0.2.7"),
        ("fe80::1", "link_local", True, "eth0", "fe80::1%eth0"),
        ("169.254.1.1", "link_local", None, "eth0", "169.254.1.1"),
    ],
)
def test_reach(address: str, scope: str, v6only: Any, interface: Any, reached: str) -> None:
    family = 6 if ":" in address else 4
    listener = {
        "address": address,
        "scope": scope,
        "v6only": v6only,
        "interface": interface,
        "family": family,
    }
    assert http_client.reach(listener) == reached


def test_together_keeps_the_order() -> None:
    assert http_client.together(lambda number: number * 2, list(range(50)), 5) == list(range(0, 100, 2))
    assert http_client.together(len, [], 5) == []


def test_a_failure_costs_one_answer() -> None:
    """S6: the first failure was raised, and all answers were lost."""
    first, failed, last = http_client.together(len, ["a", 1, "bc"], 5)
    assert (first, last) == (1, 2)
    assert "TypeError" in failed["error"]


def test_those_who_do_not_answer_do_not_keep_others_from_being_asked() -> None:
    """S6: somebody lets many listeners hang."""

    def question(item: tuple[str, int]) -> str:
        if item[0] == "mute":
            time.sleep(0.3)
        return "answer"

    items = [("mute", number) for number in range(60)] + [("redis", 0), ("redis", 1)]
    begun = time.monotonic()
    answers = http_client.together(question, items, 0.05, lambda item: item[0])
    assert time.monotonic() - begun < 0.05 * 12 + 2
    assert answers[-2:] == ["answer", "answer"]
    assert {"error": "not asked: too many others did not answer in time"} in answers


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 5000 + b"\r\nServer:" + b" " * 50_000 + b"\r\n\r\n",
    ],
    ids=["digits", "negative", "hexadecimal", "blanks"],
)
def test_heads_that_are_odd(sent: bytes) -> None:
    """S6: `int()` refuses more than 4300 digits."""
    with serving(sent) as port:
        assert http_client.ask("http", "127.0.0.1", port, "/", 0.5).answer["status"] == 200
