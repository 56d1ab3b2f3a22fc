# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores and registries: judged by what they answer to a client without credentials."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.network import (
    listeners,
    unauthenticated,
)

from tests.unit.builders.host import listener, said, snapshot
from tests.unit.builders.judging import finding
from tests.unit.plugins.module_utils.controls.network.test_orchestrators import answer, end_point

BY_ID = {control.id: control for control in unauthenticated.CREDENTIALS}
LOOPBACK = unauthenticated.loopback_authentication
PING, DBSIZE = answer("tcp", "PING", "open"), answer("tcp", "DBSIZE", "open")
TIMED_OUT = answer("tcp", "PING", error="timed out")
CLOSES = answer("tls", "PING", error="it closes the connection without an answer")
HELLO = answer("tcp", "hello", "answers")


def judged(control, *end_points, **changes):
    return finding(control, snapshot({"services": list(end_points), **changes}))


@pytest.mark.parametrize(
    ("kind", "answers", "expected"),
    [
        ("redis", [PING, DBSIZE], "fail"),
        ("redis", [answer("tcp", "PING", "refused")], "pass"),
        ("redis", [PING, answer("tcp", "DBSIZE", "refused")], "pass"),
        # A sentinel, or a proxy that knows few commands.
        ("redis", [PING, answer("tcp", "DBSIZE", error="it answers in another protocol")], "fail"),
        ("redis", [TIMED_OUT, answer("tls", "PING", error="timed out")], "unknown"),
        ("redis", [TIMED_OUT, CLOSES], "unknown"),
        ("redis", [CLOSES, answer("tls", "PING", error="certificate required")], "pass"),
        ("redis", [CLOSES, answer("tls", "PING", error="sslv3 alert handshake failure")], "pass"),
        ("memcached", [answer("tcp", "noop"), answer("tcp", "version", "open")], "fail"),
        ("mongodb", [HELLO, answer("tcp", "listDatabases", "open")], "fail"),
        ("mongodb", [HELLO, answer("tcp", "listDatabases", "refused")], "pass"),
        ("mongodb", [HELLO, answer("tcp", "listDatabases", error="timed out")], "unknown"),
        ("elasticsearch", [answer("http", "/", 200)], "fail"),
        ("elasticsearch", [answer("http", "/", error="x"), answer("https", "/", 401)], "pass"),
        ("elasticsearch", [answer("http", "/", 503)], "unknown"),
        ("registry", [answer("http", "/v2/", 200)], "fail"),
        ("registry", [answer("http", "/v2/", 400), answer("https", "/v2/", 200)], "fail"),
        ("registry", [answer("http", "/v2/", 400), answer("https", "/v2/", error="timed out")], "unknown"),
        ("registry", [answer("https", "/v2/", 403)], "pass"),
    ],
)
def test_answers_without_credentials(kind, answers, expected):
    point = end_point(kind, 1234, *answers)
    found = judged(BY_ID[f"listener.{kind}_authentication"], point)
    assert found["verdict"] == expected
    if expected == "fail":
        assert ": open" in said(found) or ": 200" in said(found)
    # Whoever reaches only loopback is on the host already.
    assert judged(LOOPBACK, point)["verdict"] == "pass"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_judged_milder(address):
    point = {**end_point("redis", 6379, PING, DBSIZE), "address": address}
    assert judged(BY_ID["listener.redis_authentication"], point)["verdict"] == "pass"
    assert judged(LOOPBACK, point)["verdict"] == "fail"
    assert LOOPBACK.severity == "low"
    assert not LOOPBACK.baseline


def test_a_link_local_address_is_reached_from_outside():
    point = {**end_point("redis", 6379, PING, DBSIZE), "address": "fe80::1%eth0"}
    assert judged(BY_ID["listener.redis_authentication"], point)["verdict"] == "fail"


@pytest.mark.parametrize("control", [*BY_ID.values(), LOOPBACK], ids=[*BY_ID, LOOPBACK.id])
def test_none_and_unread(control):
    assert judged(control)["verdict"] == "pass"
    assert finding(control, snapshot({"services": {"error": "x"}}))["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("services", "redis", "memcached"),
    [
        ([], "manual", "fail"),
        ({"error": "x"}, "manual", "fail"),
        ([end_point("redis", 6379, PING, DBSIZE)], "not_applicable", "fail"),
        ([end_point("redis", 6379, answer("tcp", "PING", "refused"))], "not_applicable", "fail"),
        ([end_point("redis", 6379, TIMED_OUT)], "manual", "fail"),
        ([end_point("redis", 6380, PING, DBSIZE)], "manual", "fail"),
        ([end_point("memcached", 11211, answer("tcp", "noop", "refused"))], "manual", "not_applicable"),
    ],
)
def test_what_was_asked_is_not_said_twice(services, redis, memcached):
    for socket, expected in (
        (listener("redis-server", 6379), redis),
        (listener("memcached", 11211), memcached),
    ):
        data = snapshot({"services": services, "listeners": [socket]})
        assert finding(listeners.authentication, data)["verdict"] == expected
