# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""redis, memcached and mongodb: servers that answer as those do, with and without credentials."""

from __future__ import annotations

import json
import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import raw_client, stores
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import services as probe

from tests.unit.plugins.module_utils.probes.network.test_services import listener
from tests.unit.plugins.module_utils.probes.tcp_server import certificate, http, serving

NOAUTH = b"-NOAUTH Authentication required.\r\n"
DENIED = b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set.\r\n"
NOPERM = b"-NOPERM User default has no permissions to run the 'dbsize' command\r\n"
UNKNOWN = b"-ERR unknown command 'DBSIZE', with args beginning with: \r\n"
LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"


def redis(ping: bytes, dbsize: bytes) -> Callable[[bytes], bytes]:
    return lambda question: {b"PING\r\n": ping, b"DBSIZE\r\n": dbsize}[question]


def memcached(noop: bytes, version: bytes) -> Callable[[bytes], bytes]:
    return lambda question: version if question == b"version\r\n" else noop


def noop(status: int, body: bytes = b"") -> bytes:
    return struct.pack(">BBHBBHIIQ", 0x81, 0x0A, 0, 0, 0, status, len(body), 0, 0) + body


def document(**elements: Any) -> bytes:
    """BSON of floats, integers and texts."""
    content = b""
    for name, value in elements.items():
        key = name.encode() + b"\0"
        if isinstance(value, float):
            content += b"\x01" + key + struct.pack("<d", value)
        elif isinstance(value, int):
            content += b"\x10" + key + struct.pack("<i", value)
        else:
            content += b"\x02" + key + struct.pack("<i", len(value) + 1) + value.encode() + b"\0"
    return struct.pack("<i", len(content) + 5) + content + b"\0"


def mongodb(**listed: Any) -> Callable[[bytes], bytes]:
    """A server that says hello to everybody and answers listDatabases like this."""

    def answer(question: bytes) -> bytes:
        length, request, _unused, operation, flags, kind, size = struct.unpack_from("<iiiiiBi", question)
        assert (length, operation, flags, kind) == (len(question), 2013, 0, 0)
        assert size == length - 21
        said = document(maxWireVersion=21, ok=1.0) if b"\x10hello\0" in question else document(**listed)
        return struct.pack("<iiiiiB", 21 + len(said), 77, request, 2013, 0, 0) + said

    return answer


UNAUTHORIZED = {"ok": 0.0, "errmsg": "Command listDatabases requires authentication", "code": 13}


def asked(
    port: int, own: int, timeout: float = 5, **changes: Any
) -> tuple[str | None, list[tuple[str, str, Any]]]:
    """(kind, [(scheme, path, status)]) of a server of this machine that is published from that port."""
    one = listener(port, address="127.0.0.1", scope="loopback", container="e" * 64)
    found = probe.services([{**one, "forwards": {"container_port": own}, **changes}], timeout)
    if not found:
        return None, []
    (only,) = found
    return only["kind"], [(each["scheme"], each["path"], each["status"]) for each in only["answers"]]


@pytest.mark.parametrize(
    ("own", "answers", "kind", "expected"),
    [
        (6379, redis(b"+PONG\r\n", b":3\r\n"), "redis", ["PING open", "DBSIZE open"]),
        (6379, redis(NOAUTH, b""), "redis", ["PING refused"]),
        (6379, redis(DENIED, b""), "redis", ["PING refused"]),
        # An ACL whose default user has no password, and no more than PING.
        (6379, redis(b"+PONG\r\n", NOPERM), "redis", ["PING open", "DBSIZE refused"]),
        (6379, redis(LOADING, LOADING), "redis", ["PING open", "DBSIZE open"]),
        (26379, redis(b"+PONG\r\n", UNKNOWN), "redis", ["PING open", "DBSIZE None"]),
        (6379, http(400), None, []),
        (6379, b"-ERR something else\r\n", None, []),
        (6380, b"220 mail.example ESMTP\r\n", None, []),
        (11211, memcached(noop(0), b"VERSION 1.6.38\r\n"), "memcached", ["noop open", "version open"]),
        # -B ascii, -Y and -S
        (11211, memcached(b"ERROR\r\n", b"VERSION 1.6.38\r\n"), "memcached", ["noop None", "version open"]),
        (11211, b"CLIENT_ERROR unauthenticated\r\n", "memcached", ["noop refused"]),
        (11211, memcached(noop(0x20, b"Auth failure."), b""), "memcached", ["noop refused"]),
        (11211, http(400), None, []),
        (27017, mongodb(totalSize=0, ok=1.0), "mongodb", ["hello answers", "listDatabases open"]),
        (27017, mongodb(**UNAUTHORIZED), "mongodb", ["hello answers", "listDatabases refused"]),
        (27017, mongodb(ok=0.0, code=13435), "mongodb", ["hello answers", "listDatabases None"]),
        (27017, b"\xff" * 70000, None, []),
        (27017, http(200), None, []),
        (80, redis(b"+PONG\r\n", b":3\r\n"), None, []),
    ],
)  # fmt: skip
def test_answers(own: int, answers: Any, kind: str | None, expected: list[str]) -> None:
    with serving(answers) as port:
        found, said = asked(port, own)
    assert (found, [f"{path} {status}" for _scheme, path, status in said]) == (kind, expected)
    assert {scheme for scheme, *_others in said} <= {"tcp"}


def test_a_process_at_any_port() -> None:
    with serving(redis(NOAUTH, b"")) as port:
        owned: dict[str, Any] = {"container": None, "forwards": None, "owners": [{"name": "redis-server"}]}
        assert asked(port, 0, **owned)[0] == "redis"
        assert asked(port, 0, **{**owned, "owners": [{"name": "nginx"}]}) == (None, [])
        assert asked(port, 0, **{**owned, "owners": [], "unit": "redis-server.service"})[0] == "redis"
    with serving(b"") as port:
        assert asked(port, 0, **owned) == (None, []), "the port of its cluster, for one"


def test_tls(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    # OpenSSL's servers answer with an alert, as redis and mongod do.
    alert = b"\x15\x03\x01\x00\x02\x02\x46"
    with serving(redis(b"+PONG\r\n", b":3\r\n"), tls, plain=alert) as port:
        said = [
            ("tcp", "PING", None),
            ("tcp", "DBSIZE", None),
            ("tls", "PING", "open"),
            ("tls", "DBSIZE", "open"),
        ]
        assert asked(port, 6379) == ("redis", said)
    tls.load_verify_locations(tmp_path / "cert.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    with serving(redis(b"+PONG\r\n", b":3\r\n"), tls, plain=alert) as port:
        kind, said = asked(port, 6379)
        assert (kind, [status for *_others, status in said]) == ("redis", [None] * 4)
        assert asked(port, 80) == (None, [])


def test_nobody_answers() -> None:
    with serving(None) as port:
        kind, said = asked(port, 27017, 0.3)
    assert (kind, said) == ("mongodb", [("tcp", "hello", None), ("tls", "hello", None)])


def test_nothing_of_an_answer_is_kept() -> None:
    for answers, own in (
        (b"+PONG planted\r\n", 6379),
        (b"VERSION planted\r\n", 11211),
        (mongodb(databases="planted", ok=1.0), 27017),
    ):
        with serving(answers) as port:
            one = listener(port, address="127.0.0.1", scope="loopback", container="e" * 64)
            found = probe.services([{**one, "forwards": {"container_port": own}}], 5)
        assert found and "planted" not in json.dumps(found)


def test_an_endless_answer_ends() -> None:
    # Its length promises two gigabytes, and it sends as much as is taken.
    with serving(b"\xff\xff\xff\x7f" + b"x" * 500000) as port:
        question = stores.MONGODB[0]
        reply = raw_client.ask("tcp", "127.0.0.1", port, question, 5)
    assert reply.answer["status"] is None
    assert len(reply.data) < 2 * 64 * 1024


def test_wildcards_are_not_asked_by_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = {**listener(6379), "scope": "wildcard"}
    assert raw_client._reach({**everywhere, "scope": "specific", "address": "192.0.2.7"}) == "192.0.2.7"
    monkeypatch.setitem(raw_client._ELSEWHERE, socket.AF_INET, "127.0.0.9")
    assert raw_client._reach(everywhere) == "127.0.0.1"
    # Without a way there: nobody may send to it.
    monkeypatch.setitem(raw_client._ELSEWHERE, socket.AF_INET, "255.255.255.255")
    assert raw_client._reach(everywhere) == "127.0.0.1"
