# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""End points of orchestrators and others: servers that answer as they do, at their ports and at others."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import services as probe

from tests.unit.plugins.module_utils.probes.tcp_server import certificate, http, serving

CONTAINER = "e" * 64
ETCD = {
    "/version": http(200, b'{"etcdserver":"3.5.16","etcdcluster":"3.5.0"}'),
    "/v3/kv/range": http(200, b'{"header":{}}'),
}
ELASTIC = b'{"name":"n","cluster_name":"logs","tagline":"You Know, for Search"}'
# As Elasticsearch 8 and OpenSearch 2 refuse.
SECURED = (
    b'{"error":{"root_cause":[{"type":"security_exception","reason":"missing credentials"}]},"status":401}'
)
OPENSEARCH = (
    b'HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm="OpenSearch Security"\r\nContent-Length: 0\r\n\r\n'
)
STATUS = b'{"kind":"Status","apiVersion":"v1","status":"Failure","code":403}'


def registry(status: int) -> bytes:
    """As the registries of Docker's distribution answer, 2.8 and 3.0."""
    version = b"Docker-Distribution-Api-Version: registry/2.0\r\n"
    return http(status, b"{}").replace(b"\r\n", b"\r\n" + version, 1)


def listener(port: int, **changes: Any) -> dict[str, Any]:
    return {
        "protocol": "tcp",
        "family": 4,
        "address": "0.0.0.0",
        "port": port,
        "v6only": None,
        "scope": "wildcard",
        "interface": None,
        "owners": [],
        "unit": None,
        "container": None,
        "forwards": None,
        **changes,
    }


def published(port: int, container_port: int) -> dict[str, Any]:
    return listener(port, container=CONTAINER, forwards={"container_port": container_port, "address": None})


def held_by(port: int, name: str) -> dict[str, Any]:
    return listener(port, owners=[{"name": name}])


def asked(one: dict[str, Any], timeout: float = 5) -> tuple[str | None, list[tuple[str, str, Any]]]:
    """(kind, [(scheme, path, status)])."""
    found = probe.services([one], timeout)
    if not found:
        return None, []
    (only,) = found
    assert (only["address"], only["port"]) == (one["address"], one["port"])
    return only["kind"], [(each["scheme"], each["path"], each["status"]) for each in only["answers"]]


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[ssl.SSLContext]:
    yield certificate(tmp_path)


# A server cannot be had at port 2379 of any machine: one that forwards to a container's 2379 is as good.
@pytest.mark.parametrize(
    ("container_port", "answers", "kind", "expected"),
    [
        (2379, ETCD, "etcd", [("http", "/version", 200), ("http", "/v3/kv/range", 200)]),
        (2379, {**ETCD, "/v3/kv/range": http(401)}, "etcd",
         [("http", "/version", 200), ("http", "/v3/kv/range", 401)]),
        (2379, {"/version": http(200, b"another program")}, None, []),
        (10255, {"/pods": http(200, b'{"kind":"PodList"}')}, "kubelet", [("http", "/pods", 200)]),
        (10250, {"/pods": http(404)}, None, []),
        (8080, {"/api": http(200, b'{"kind": "APIVersions"}')}, "apiserver",
         [("http", "/api", 200), ("http", "/api/v1/namespaces?limit=1", 404)]),
        (8080, {"/api": http(200, b"<html>")}, None, []),
        (31234, {"/": http(200, b"<title>Kubernetes Dashboard</title>")}, "dashboard",
         [("http", "/", 200), ("http", "/api/v1/namespace", 404)]),
        (31234, {"/": http(200, b"<title>Shop</title>")}, None, []),
        (2375, {"/_ping": http(200, b"OK", "Docker/28.5.2 (linux)")}, "docker",
         [("http", "/_ping", 200), ("http", "/version", 404)]),
        (2375, {"/_ping": http(200, b"pong")}, None, []),
        (80, ETCD, None, []),
        (5000, {"/v2/": registry(200)}, "registry", [("http", "/v2/", 200)]),
        (5000, {"/v2/": registry(401)}, "registry", [("http", "/v2/", 401)]),
        (5000, {"/v2/": http(200, b"a program of ours")}, None, []),
        (9200, {"/": http(200, ELASTIC)}, "elasticsearch", [("http", "/", 200)]),
        (9200, {"/": http(401, SECURED)}, "elasticsearch", [("http", "/", 401)]),
        (9200, {"/": OPENSEARCH}, "elasticsearch", [("http", "/", 401)]),
        (9200, {"/": http(200, b"<html>")}, None, []),
    ],
)  # fmt: skip
def test_plain(container_port: int, answers: dict[str, bytes], kind: Any, expected: list[Any]) -> None:
    with serving(answers) as port:
        assert asked(published(port, container_port)) == (kind, expected)


def test_tls_for_everybody(tls: ssl.SSLContext) -> None:
    with serving(ETCD, tls) as port:
        expected = [("http", "/version", 400), ("https", "/version", 200), ("https", "/v3/kv/range", 200)]
        assert asked(published(port, 2379)) == ("etcd", expected)
    with serving({"/api": http(403, STATUS)}, tls) as port:
        kind, answers = asked(published(port, 6443))
        assert (kind, answers[1]) == ("apiserver", ("https", "/api", 403))
    with serving({"/pods": http(401, b"Unauthorized")}, tls) as port:
        kind, answers = asked(published(port, 10250))
        assert (kind, answers[1]) == ("kubelet", ("https", "/pods", 401))


def test_tls_for_those_with_a_certificate(tls: ssl.SSLContext, tmp_path: Path) -> None:
    tls.load_verify_locations(tmp_path / "cert.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    with serving(ETCD, tls, plain=b"") as port:
        assert asked(published(port, 2379)) == (
            "etcd",
            [("http", "/version", None), ("https", "/version", None)],
        )
        # Of a port that much else uses this proves nothing.
        assert asked(published(port, 8443)) == (None, [])


def test_a_swarm_manager_speaks_no_plain_http(tls: ssl.SSLContext) -> None:
    # HTTP/2 settings, as the manager of 20.10 sends them to a client of HTTP/1.
    with serving(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00", tls, plain=b"") as port:
        assert asked(published(port, 2377)) == ("swarm", [("http", "/", None), ("https", "/", None)])
    with serving(http(200, b"a web page")) as port:
        assert asked(published(port, 2377)) == (None, [])


def test_a_process_at_any_port() -> None:
    with serving(ETCD) as port:
        assert asked(held_by(port, "etcd"))[0] == "etcd"
        assert asked(held_by(port, "nginx")) == (None, [])
        assert asked({**held_by(port, "java"), "unit": "elasticsearch.service"}) == (None, [])
        assert asked(listener(port, owners={"error": "run as root"})) == (None, [])
    with serving({"/metrics": http(200)}) as port:
        assert asked(held_by(port, "etcd")) == (None, [])


def test_java_is_known_by_its_unit() -> None:
    with serving({"/": http(200, ELASTIC)}) as port:
        assert asked({**held_by(port, "java"), "unit": "elasticsearch.service"})[0] == "elasticsearch"
        assert asked(held_by(port, "java")) == (None, [])


def test_a_process_at_its_own_port_that_answers_otherwise() -> None:
    with serving({"/version": http(404)}) as port:
        own = {**held_by(port, "etcd"), "forwards": {"container_port": 2379, "address": None}}
        assert asked(own)[0] == "etcd"


def test_nobody_answers() -> None:
    with serving(None) as port:
        kind, answers = asked(published(port, 2379), 0.3)
    assert (kind, answers) == ("etcd", [("http", "/version", None), ("https", "/version", None)])


def test_engines_of_the_host_and_udp_are_left_out() -> None:
    with serving({"/_ping": http(200, b"OK", "Docker/28.5.2 (linux)")}) as port:
        own = listener(port, forwards={"container_port": 2375, "address": None})
        assert asked(own) == (None, [])
        assert asked({**published(port, 2375), "protocol": "udp"}) == (None, [])


def test_all_are_asked_at_once() -> None:
    with serving(None) as port:
        silent = [published(port, 2379) for _unused in range(4)]
        found = probe.services(silent, 0.3)
    assert [each["port"] for each in found] == [port] * 4


def test_a_question_that_fails_costs_one_service() -> None:
    """S6: an exception that nobody thought of; here by a port that none can have."""
    with serving(ETCD) as port:
        found = probe.services([published(10**30, 9200), published(port, 2379)], 5)
    assert [(each["kind"], is_error(each["answers"])) for each in found] == [
        ("elasticsearch", True),
        ("etcd", False),
    ]
    assert "OverflowError" in found[0]["answers"]["error"]


def test_the_length_of_an_answer_does_not_cost_the_others() -> None:
    """S6: `int()` of 5000 digits."""
    digits = b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n"
    with serving(digits) as hostile, serving(ETCD) as port:
        found = probe.services([published(hostile, 9090), published(port, 2379)], 1)
    assert [each["kind"] for each in found] == ["etcd"]


def test_mute_listeners_cost_themselves_at_the_deadline() -> None:
    """S6: 40 of one account, beside an etcd that answers at once, turned all services to unknown."""
    mute = [{"name": "etcd", "uid": 1000}]
    with serving(None) as silent, serving(ETCD) as port, deadline.limited(1.5):
        listeners = [listener(silent, owners=mute) for _unused in range(40)]
        listeners.append(listener(port, owners=[{"name": "etcd", "uid": 0}]))
        begun = time.monotonic()
        found = attempt(probe.services, listeners, 1.0)
        assert time.monotonic() - begun < 1.5 + deadline.GRACE
    *lost, etcd = [each["answers"] for each in found]
    assert [answer["status"] for answer in etcd] == [200, 200]
    assert len(lost) == 40
    assert {"error": "not read: the audit's deadline of 1.5 s had passed"} in lost
