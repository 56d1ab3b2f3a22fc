# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connect scan of real sockets on this machine."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import connect_scan
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network.connect_scan import (
    Target,
    Unscannable,
    ports_of,
    resolve,
    scan,
)

HERE = Target("127.0.0.1", socket.AF_INET, 0)


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@contextlib.contextmanager
def held_port() -> Iterator[int]:
    """A port on which nobody listens, and that nobody else gets."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """A port whose host says nothing: the queue of its listener is full."""
    with socket.socket() as listening, socket.socket() as first:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        first.connect(listening.getsockname())
        yield listening.getsockname()[1]


def test_open_closed_and_filtered_ports_are_told_apart(server):
    port = server.getsockname()[1]
    with held_port() as closed, silent_port() as silent:
        seen = scan(HERE, [port, closed, silent], rate=1000, timeout=0.3)
    assert seen == ([port], [closed], [silent])


def test_nothing_is_sent(server):
    scan(HERE, [server.getsockname()[1]], rate=1000, timeout=1)
    server.settimeout(5)
    with server.accept()[0] as taken:
        taken.settimeout(5)
        assert taken.recv(1) == b""


def test_one_silent_port_keeps_no_other_waiting(server):
    with contextlib.ExitStack() as stack:
        silent = sorted(stack.enter_context(silent_port()) for _unused in range(20))
        began = time.monotonic()
        seen = scan(HERE, [*silent, server.getsockname()[1]], rate=1000, timeout=0.5)
        took = time.monotonic() - began
    assert (seen.open, seen.filtered) == ([server.getsockname()[1]], silent)
    assert took < 5


def test_no_more_connections_than_allowed_begin_at_once(server, monkeypatch):
    monkeypatch.setattr(connect_scan, "_AT_ONCE", 1)
    with silent_port() as silent:
        seen = scan(HERE, [silent, server.getsockname()[1]], rate=1000, timeout=0.2)
    assert seen == ([server.getsockname()[1]], [], [silent])


def test_the_rate_is_kept(server):
    began = time.monotonic()
    scan(HERE, [server.getsockname()[1]] * 6, rate=20, timeout=1)
    assert time.monotonic() - began >= 5 / 20


def test_no_socket_stays_open(server):
    before = len(list(Path("/proc/self/fd").iterdir()))
    with held_port() as closed, silent_port() as silent:
        scan(HERE, [server.getsockname()[1], closed, silent], rate=1000, timeout=0.1)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_connection_that_is_ended_at_once_was_taken(server):
    """As by a server that refuses clients by their address."""
    attempt = connect_scan._Attempt(HERE, server.getsockname()[1], time.monotonic() + 5)
    taken = server.accept()[0]
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    taken.close()
    assert attempt.end() == "open"


def test_a_connection_that_meets_itself_is_a_closed_port():
    attempt = connect_scan._Attempt(HERE, 1, time.monotonic() + 5)
    attempt.socket.close()
    attempt.socket = socket.socket()
    attempt.socket.bind(("127.0.0.1", 0))
    attempt._code = attempt.socket.connect_ex(attempt.socket.getsockname())
    assert attempt._code == 0
    assert attempt.end() == "closed"


def test_ipv6():
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listening:
        port = listening.getsockname()[1]
        assert scan(resolve("::1"), [port], rate=1000, timeout=1).open == [port]


@pytest.mark.parametrize("code", [errno.EHOSTUNREACH, errno.EACCES, errno.EPERM])
def test_what_the_network_refuses_is_filtered(server, code):
    attempt = connect_scan._Attempt(HERE, server.getsockname()[1], time.monotonic() + 5)
    attempt._code = code
    assert attempt.end() == "filtered"


def test_an_error_that_tells_nothing_of_the_port_ends_the_scan(server):
    attempt = connect_scan._Attempt(HERE, server.getsockname()[1], time.monotonic() + 5)
    attempt._code = errno.EADDRNOTAVAIL
    with pytest.raises(Unscannable, match=r"port \d+ of 127\.0\.0\.1 could not be tried: "):
        attempt.end()


def test_ports():
    assert ports_of(["8002", 22, "8000-8002", "usual", " 23 "], {111, 22}, 6) == [
        22,
        23,
        111,
        8000,
        8001,
        8002,
    ]


@pytest.mark.parametrize("entry", [0, 65536, "22-21", "22-", "ssh", "-1", "", True, "1-65536", None])
def test_what_is_no_port(entry):
    with pytest.raises(Unscannable, match=f"ports: '{entry}' is neither"):
        ports_of([entry], (), 100000)


def test_too_many_ports():
    with pytest.raises(Unscannable, match="ports: these are 11, and max_ports allows 10"):
        ports_of(["1-11"], (), 10)


@pytest.mark.parametrize(
    ("name", "address"), [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("127.1", "127.0.0.1")]
)
def test_address(name, address):
    assert resolve(name).address == address


@pytest.mark.parametrize("name", ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"])
def test_what_is_not_one_host(name):
    with pytest.raises(Unscannable, match="is not the address of one host"):
        resolve(name)


@pytest.mark.parametrize("name", ["192.0.2.0/24", "no-such-host.invalid", "a" * 64 + ".invalid", ""])
def test_what_does_not_resolve(name):
    with pytest.raises(Unscannable):
        resolve(name)
