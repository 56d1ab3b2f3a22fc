# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""End points of an engine's API: which sockets they are, and what real servers answer there."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.endpoints import endpoints

from tests.unit.plugins.module_utils.probes.tcp_server import certificate, http, serving

DOCKERD, KIT = 100, 200
PING = {"/_ping": http(200, b"OK", "Docker/28.5.2 (linux)"), "/version": http(200, b"{}")}


def engine(**changes: Any) -> dict[str, Any]:
    return {
        "name": "system",
        "user": None,
        "unit": "docker.service",
        "pid": DOCKERD,
        "rootlesskit": None,
        "flags": {},
        "config": {"settings": {}},
        "swarm": {"state": "inactive"},
        **changes,
    }


def listener(port: int, pids: Any = (DOCKERD,), **changes: Any) -> dict[str, Any]:
    return {
        "protocol": "tcp",
        "family": 4,
        "address": "127.0.0.1",
        "port": port,
        "v6only": None,
        "scope": "loopback",
        "interface": None,
        "owners": [{"pid": pid} for pid in pids] if isinstance(pids, tuple) else pids,
        "unit": None,
        "container": None,
        **changes,
    }


def asked(
    known: dict[str, Any], one: dict[str, Any], units: Any = None, timeout: float = 5
) -> dict[str, Any]:
    (only,) = endpoints(known, [one], units or {}, timeout)
    return only


def test_plain() -> None:
    with serving(PING) as port:
        found = asked(engine(), listener(port))
    assert found == {
        "address": "127.0.0.1",
        "port": port,
        "connect": "127.0.0.1",
        "source": "dockerd",
        "plain": {
            "scheme": "http",
            "path": "/_ping",
            "status": 200,
            "server": "Docker/28.5.2 (linux)",
            "error": None,
        },
        "tls": {
            "handshake": False,
            "version": None,
            "status": None,
            "error": "it speaks plain HTTP",
            "certificate_requested": False,
            "ca_names": [],
            "certificate": None,
        },
    }


def test_a_plugin_refuses_the_one_and_not_the_other() -> None:
    with serving({"/_ping": http(403), "/version": http(200, b"{}")}) as port:
        plain = asked(engine(), listener(port))["plain"]
    assert (plain["path"], plain["status"]) == ("/version", 200)


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    return certificate(tmp_path)


def test_tls_that_lets_everybody_in(tls: ssl.SSLContext) -> None:
    with serving(PING, tls) as port:
        found = asked(engine(), listener(port))
    assert found["plain"]["status"] == 400
    assert (found["tls"]["status"], found["tls"]["certificate"]["subject"]) == (200, "O=Test, CN=server")
    with serving({"/_ping": http(403), "/version": http(200)}, tls) as port:
        assert asked(engine(), listener(port))["tls"]["status"] == 200


def test_tls_that_wants_a_certificate(tls: ssl.SSLContext, tmp_path: Path) -> None:
    tls.load_verify_locations(tmp_path / "cert.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    with serving(PING, tls) as port:
        found = asked(engine(), listener(port))
    assert (found["plain"]["status"], found["tls"]["status"]) == (400, None)
    assert (found["tls"]["certificate_requested"], found["tls"]["error"]) == (True, "certificate required")


def test_tls_that_ends_plain_connections(tls: ssl.SSLContext) -> None:
    with serving(PING, tls, plain=b"") as port:
        found = asked(engine(), listener(port))
    assert (found["plain"]["status"], found["tls"]["status"]) == (None, 200)


def test_systemd_accepts_and_nobody_answers() -> None:
    with serving(None) as port:
        found = asked(engine(), listener(port), timeout=0.3)
    assert (found["plain"]["error"], found["tls"]["error"]) == ("timed out", "timed out")
    assert (found["tls"]["handshake"], found["tls"]["certificate_requested"]) == (False, None)


@contextlib.contextmanager
def connections() -> Iterator[tuple[int, list[bytes]]]:
    """A port, and what was sent to it."""
    heard: list[bytes] = []

    class Heard(dict[str, bytes]):
        def get(self, path: str, default: Any = None) -> Any:
            heard.append(path.encode())
            return default

    with serving(Heard()) as port:
        yield port, heard


@pytest.mark.parametrize(("sub", "pid", "silent"), [("listening", None, True), ("running", DOCKERD, False)])
def test_the_socket_unit_of_the_engine(sub: str, pid: int | None, silent: bool) -> None:
    """A connection to what systemd waits on would start the engine: an audit changes nothing."""
    units = {"docker-tcp.socket": {"triggers": ["docker.service"], "sub": sub}}
    with connections() as (port, heard):
        found = asked(engine(pid=pid), listener(port, (1,), unit="docker-tcp.socket"), units)
    assert found["source"] == "docker-tcp.socket"
    assert bool(heard) is not silent
    error = "not asked: a connection would make systemd start docker.service"
    assert (found["plain"]["error"] == error) is silent
    assert (found["tls"]["certificate_requested"] is None) is silent


@pytest.mark.parametrize(
    ("known", "one"),
    [
        (engine(), {"pids": (77,)}),
        (engine(), {"pids": ()}),
        (engine(), {"container": "f" * 64}),
        (engine(), {"protocol": "udp"}),
        (engine(), {"pids": (1,), "unit": "other.socket"}),
        # Who owns it is not known, and the engine declares another port, or none.
        (engine(), {"pids": {"error": "run as root"}}),
        (engine(flags={"host": ["tcp://127.0.0.1:1"]}), {"pids": {"error": "run as root"}}),
        # A rootless engine has no socket unit of the system's.
        (engine(user="alice", pid=300), {"pids": (1,), "unit": "docker-tcp.socket"}),
    ],
)
def test_what_is_not_the_engines(known: dict[str, Any], one: dict[str, Any]) -> None:
    units = {
        "other.socket": {"triggers": ["other.service"], "sub": "running"},
        "docker-tcp.socket": {"triggers": ["docker.service"], "sub": "running"},
    }
    with connections() as (port, heard):
        assert endpoints(known, [listener(port, **one)], units, 1) == []
    assert heard == []


def test_ports_of_the_swarm_are_no_end_points() -> None:
    swarm = [listener(2377), listener(7946)]
    assert endpoints(engine(swarm={"state": "active"}), swarm, {}, 1) == []
    found = endpoints(engine(), swarm, {"error": "systemd does not answer"}, 1)
    assert [each["port"] for each in found] == [2377, 7946]


@pytest.mark.parametrize("where", ["flags", "file"])
def test_without_root_a_declared_port_counts(where: str) -> None:
    with serving(PING) as port:
        declared: dict[str, dict[str, Any]] = {
            "flags": {"flags": {"host": ["fd://", f"tcp://0.0.0.0:{port}"]}},
            "file": {"config": {"settings": {"hosts": ["unix:///run/docker.sock", f"tcp://[::1]:{port}/"]}}},
        }
        found = asked(engine(**declared[where]), listener(port, {"error": "run as root"}))
    assert (found["source"], found["plain"]["status"]) == ("dockerd", 200)


def test_without_root_and_without_a_port_both_usual_ones_count() -> None:
    hidden = [listener(port, {"error": "run as root"}) for port in (2374, 2375, 2376)]
    found = endpoints(engine(flags={"host": ["tcp://"]}), hidden, {}, 1)
    assert [each["port"] for each in found] == [2375, 2376]


def test_rootlesskit_holds_the_port_of_a_rootless_engine() -> None:
    rootless = engine(name="rootless:alice", user="alice", pid=201, rootlesskit={"pid": KIT})
    with serving(PING) as port:
        found = asked(rootless, listener(port, (KIT,)))
    assert (found["source"], found["plain"]["status"]) == ("rootlesskit", 200)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6")
def test_ipv6() -> None:
    with socket.socket(socket.AF_INET6) as one:
        if one.connect_ex(("::1", 1)) == errno.EADDRNOTAVAIL:
            pytest.skip("this machine has no ::1")
    with serving(PING, address="::1") as port:
        wildcard = {"family": 6, "address": "::", "scope": "wildcard", "v6only": True}
        found = asked(engine(), listener(port, **wildcard))
    assert (found["connect"], found["plain"]["status"]) == ("::1", 200)


def test_a_question_that_fails_costs_one_end_point() -> None:
    """S6: by a port that none can have."""
    with serving(PING) as port:
        failed, found = endpoints(engine(), [listener(10**30), listener(port)], {}, 5)
    assert "OverflowError" in failed["plain"]["error"]
    assert (failed["plain"]["status"], failed["tls"]["status"], failed["tls"]["handshake"]) == (
        None,
        None,
        False,
    )
    assert found["plain"]["status"] == 200


@pytest.mark.parametrize("port", ["9" * 5000, "\u00b2", "-1", ""])
def test_ports_that_are_declared_and_none(port: str) -> None:
    """A daemon.json may be an account's."""
    known = engine(config={"settings": {"hosts": [f"tcp://0.0.0.0:{port}"]}})
    assert endpoints(known, [listener(1, error("hidden"))], {}, 5) == []
