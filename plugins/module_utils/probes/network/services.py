# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""End points of orchestrators, registries and stores that listen here: what they answer without credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import (
    http_client,
    raw_client,
    stores,
)

Listener = Mapping[str, Any]

_NODE_PORTS = frozenset(range(30000, 32768))
# Counts the keys from the first to the first: proves access, reveals none.
_COUNT_KEYS = b'{"key":"AA==","range_end":"AA==","count_only":true}'


class Service(NamedTuple):
    """One kind: its own ports, what in an answer proves that it is one, and what is asked of it (path, body).

    `shared_ports` are used by much else: there only proof counts, as it does at any port of `processes`, which are
    names of processes or of units. `raw` is asked instead where the protocol is not HTTP: to be understood is proof.
    """

    kind: str
    ports: frozenset[int]
    proof: re.Pattern[bytes] | None = None
    questions: tuple[tuple[str, bytes | None], ...] = ()
    raw: tuple[raw_client.Question, ...] = ()
    processes: frozenset[str] = frozenset()
    shared_ports: frozenset[int] = frozenset()
    published_only: bool = False


SERVICES = (
    Service(
        "etcd",
        frozenset((2379, 2380, 4001)),
        re.compile(rb'"etcdserver"|"etcdcluster"|"clientURLs"'),
        (("/version", None), ("/v3/kv/range", _COUNT_KEYS)),
        processes=frozenset(("etcd",)),
    ),
    Service(
        "kubelet",
        frozenset((10250, 10255)),
        re.compile(rb'"PodList"|^Unauthorized|Forbidden \(user=', re.MULTILINE),
        (("/pods", None),),
        processes=frozenset(("kubelet",)),
    ),
    Service(
        "apiserver",
        frozenset((6443,)),
        re.compile(rb'"kind": ?"(?:APIVersions|Status)"'),
        (("/api", None), ("/api/v1/namespaces?limit=1", None)),
        processes=frozenset(("kube-apiserver", "k3s-server", "hyperkube")),
        shared_ports=frozenset((8001, 8080)),
    ),
    Service(
        "dashboard",
        frozenset(),
        re.compile(rb"(?i)kubernetes[ -]dashboard"),
        (("/", None), ("/api/v1/namespace", None)),
        shared_ports=frozenset((8443, 9090)) | _NODE_PORTS,
    ),
    # Whoever has a certificate of the swarm's CA; others may shake hands, and no more.
    Service("swarm", frozenset((2377,)), re.compile(rb"(?i)application/grpc"), (("/", None),)),
    # Docker in Docker; the host's own engines have their end points.
    Service(
        "docker",
        frozenset((2375, 2376)),
        re.compile(rb"(?im)^(?:server: docker/|api-version:)"),
        (("/_ping", None), ("/version", None)),
        published_only=True,
    ),
    Service(
        "registry",
        frozenset(),
        re.compile(rb"(?im)^docker-distribution-api-version:"),
        (("/v2/", None),),
        processes=frozenset(("registry", "docker-registry", "zot")),
        shared_ports=frozenset((5000, 5001)),
    ),
    Service(
        "elasticsearch",
        frozenset((9200,)),
        re.compile(
            rb'(?im)"cluster_name"|"tagline"|"security_exception"|^x-elastic-product:|realm="opensearch'
        ),
        (("/", None),),
        # Both run in a process called java.
        processes=frozenset(("elasticsearch", "opensearch")),
    ),
    Service(
        "redis",
        frozenset((6379,)),
        raw=stores.REDIS,
        processes=frozenset(
            ("redis-server", "redis-sentinel", "valkey-server", "valkey-sentinel", "keydb-server")
        ),
        shared_ports=frozenset((6380, 26379)),
    ),
    Service("memcached", frozenset((11211,)), raw=stores.MEMCACHED, processes=frozenset(("memcached",))),
    Service(
        "mongodb",
        frozenset((27017, 27018, 27019)),
        raw=stores.MONGODB,
        processes=frozenset(("mongod", "mongos")),
    ),
)


def services(listeners: Sequence[Listener], timeout: float) -> list[dict[str, Any]]:
    """What of SERVICES listens on this host: {kind, address, port, answers}, in the order of the listeners.

    Each question takes at most `timeout` seconds. One that answers other than its port promises is left out; of one
    that could not be asked `answers` is the mark.
    """
    known = [
        (listener, service) for listener in listeners for service in SERVICES if _may_be(service, listener)
    ]
    asked = http_client.together(
        lambda each: _asked(each[0], each[1], timeout),
        known,
        timeout,
        lambda each: http_client.whose(each[0]),
    )
    return [
        _entry(service, listener, answers)
        for (listener, service), answers in zip(known, asked)
        if answers is not None
    ]


def _may_be(service: Service, listener: Listener) -> bool:
    if listener["protocol"] != "tcp" or (service.published_only and not listener["container"]):
        return False
    known = (port in service.ports or port in service.shared_ports for port in _ports(listener))
    return any(known) or _runs(service, listener)


def _ports(listener: Listener) -> set[int | None]:
    return {listener["port"], (listener["forwards"] or {}).get("container_port")}


def _runs(service: Service, listener: Listener) -> bool:
    owners = [] if is_error(listener["owners"]) else listener["owners"]
    names = {owner["name"] for owner in owners} | {(listener["unit"] or "").partition(".")[0]}
    return bool(names & service.processes)


def _entry(service: Service, listener: Listener, answers: Any) -> dict[str, Any]:
    return {
        "kind": service.kind,
        "address": listener["address"],
        "port": listener["port"],
        "answers": answers,
    }


def _asked(listener: Listener, service: Service, timeout: float) -> list[dict[str, Any]] | None:
    """The answers, None where it is none of that kind."""
    if service.raw:
        replies = raw_client.converse(listener, service.raw, timeout)
        speaking = any(reply.data and not reply.wants_tls for reply in replies)
    else:
        replies = _over_http(listener, service, timeout)
        speaking = _speaks(replies[-1])
    if not any(_proves(service, reply) for reply in replies):
        # TLS that lets nobody in without a certificate proves nothing: then the port or the process counts.
        own = bool(_ports(listener) & service.ports)
        if not own or (speaking and not _runs(service, listener)):
            return None
    return [reply.answer for reply in replies]


def _over_http(listener: Listener, service: Service, timeout: float) -> list[http_client.Reply]:
    connect, port = http_client.reach(listener), listener["port"]
    path, body = service.questions[0]
    replies = [http_client.ask("http", connect, port, path, timeout, body)]
    if not _speaks(replies[0]):
        replies.append(http_client.ask("https", connect, port, path, timeout, body))
    if _speaks(replies[-1]):
        scheme = replies[-1].answer["scheme"]
        replies += [
            http_client.ask(scheme, connect, port, path, timeout, body)
            for path, body in service.questions[1:]
        ]
    return replies


def _proves(service: Service, reply: http_client.Reply) -> bool:
    if service.proof:
        return service.proof.search(reply.data) is not None
    return reply.answer["status"] is not None


def _speaks(reply: http_client.Reply) -> bool:
    return reply.answer["status"] is not None and not reply.wants_tls
