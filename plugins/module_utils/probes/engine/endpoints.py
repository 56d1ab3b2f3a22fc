# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TCP end points of one engine's API, and what they answer to a client without a certificate."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.facts import setting
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import daemons
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import http_client, tls_handshake

PATHS = ("/_ping", "/version")
# Of the cluster, not of the API: swarm management and gossip, which services.py looks at.
_SWARM_PORTS = (2377, 7946)
# What dockerd and its clients take where `tcp://` names no port.
_DEFAULT_PORTS = (2375, 2376)
_WOULD_START = "not asked: a connection would make systemd start {service}"

_PORT = re.compile("[0-9]{1,5}")

Listener = Mapping[str, Any]


def endpoints(
    engine: Mapping[str, Any], listeners: Sequence[Listener], units: Mapping[str, Any], timeout: float
) -> list[dict[str, Any]]:
    """One entry for each TCP listener of the engine, of its socket units, or at a port that it declares.

    Each is asked on this host itself, each question within `timeout` seconds. Where a connection would make
    systemd start the service, none is made, and both answers are errors that say so, as those of one that could not
    be asked do.
    """
    found = list(_own(engine, listeners, {} if is_error(units) else units))
    asked = http_client.together(lambda each: _asked(each[0], each[2], timeout), found, timeout)
    return [
        {
            "address": listener["address"],
            "port": listener["port"],
            "connect": http_client.reach(listener),
            "source": source,
            "plain": plain,
            "tls": tls,
        }
        for (listener, source, _starts), (plain, tls) in zip(found, map(told, asked))
    ]


def told(asked: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(ANSWER to plain HTTP, TLS) of what asking.together has for a listener."""
    return _unasked(asked["error"]) if is_error(asked) else asked


def _unasked(reason: str) -> tuple[dict[str, Any], dict[str, Any]]:
    plain = http_client.reply("http", PATHS[0], b"", reason).answer
    return plain, tls_handshake.without(reason, asked=False)


def _own(
    engine: Mapping[str, Any], listeners: Sequence[Listener], units: Mapping[str, Any]
) -> Iterator[tuple[Listener, str, str | None]]:
    """(listener, source, the service that a connection would start)."""
    heads = set(daemons.pids(engine))
    declared = _declared(engine)
    for listener in listeners:
        if listener["protocol"] != "tcp" or listener["container"] or _of_swarm(engine, listener):
            continue
        unit = units.get(listener["unit"] or "")
        if unit and engine["user"] is None and engine["unit"] in unit["triggers"]:
            yield listener, listener["unit"], engine["unit"] if unit["sub"] == "listening" else None
        elif is_error(listener["owners"]):
            if listener["port"] in declared:
                yield listener, "dockerd", None
        elif any(owner["pid"] in heads for owner in listener["owners"]):
            yield listener, "dockerd" if engine["user"] is None else "rootlesskit", None


def _of_swarm(engine: Mapping[str, Any], listener: Listener) -> bool:
    swarm = engine.get("swarm") or {}
    return listener["port"] in _SWARM_PORTS and swarm.get("state") not in (None, "inactive")


def _declared(engine: Mapping[str, Any]) -> set[int]:
    """The ports of the TCP addresses that flags or configuration name."""
    ports: set[int] = set()
    for host in setting(engine, "host", "hosts"):
        scheme, _unused, address = str(host).partition("://")
        port = address.partition("/")[0].rpartition(":")[2]
        if scheme == "tcp":
            ports.update((int(port),) if _PORT.fullmatch(port) else _DEFAULT_PORTS)
    return ports


def _asked(listener: Listener, starts: str | None, timeout: float) -> tuple[dict[str, Any], dict[str, Any]]:
    if starts:
        return _unasked(_WOULD_START.format(service=starts))
    return answers(http_client.reach(listener), listener["port"], timeout)


def answers(connect: str, port: int, timeout: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """(ANSWER to plain HTTP, TLS) of an engine's listener, asked without a certificate."""
    first = http_client.ask("http", connect, port, PATHS[0], timeout)
    answer = first.answer
    if answer["status"] is None and answer["error"] in ("timed out", "Connection refused"):
        return answer, tls_handshake.without(answer["error"], asked=False)
    if answer["status"] is None or first.wants_tls:
        tls = tls_handshake.ask(connect, port, PATHS[0], timeout)
        if tls["status"] not in (None, 200):
            # An authorization plugin may refuse the one and not the other.
            tls["status"] = http_client.ask("https", connect, port, PATHS[1], timeout).answer["status"]
        return answer, tls
    if answer["status"] != 200:
        answer = http_client.ask("http", connect, port, PATHS[1], timeout).answer
    return answer, tls_handshake.without("it speaks plain HTTP")
