# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which container a socket of the host belongs to: by a published port, or by sharing the host's network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import daemons, membership
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes as proc
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import (
    container_listeners,
    sockets,
)

Process = dict[str, Any]
Port = tuple[str, Mapping[str, Any]]

_PROXY = "docker-proxy"
_ANY = ("", "0.0.0.0", "::")
_PORT = re.compile(r"[0-9]{1,5}")


class Published:
    """The ports that running containers of the engines publish, and the processes that hold such sockets."""

    def __init__(
        self,
        engines: Sequence[Mapping[str, Any]],
        processes: Mapping[int, Process],
        members: Mapping[int, str],
    ) -> None:
        """`members` are the processes of containers on the host's network, {pid: container id}."""
        self._processes = processes
        self._members = members
        self._heads = {pid: engine["name"] for engine in engines for pid in _heads(engine)}
        self._ports: dict[tuple[str, str, int], list[Port]] = {}
        of_root = membership.ids_of_root(engines)
        for engine in engines:
            for container in _running(engine):
                # An account's engine may be any program, and list whatever it wants to pass for.
                if engine.get("user") is not None and (
                    container["id"] in of_root or not _is_apart(container)
                ):
                    continue
                for port in container["ports"] if isinstance(container["ports"], list) else ():
                    key = (engine["name"], port["protocol"], int(port["host_port"] or 0))
                    self._ports.setdefault(key, []).append((container["id"], port))

    def of(
        self, listener: Mapping[str, Any], pids: Sequence[int]
    ) -> tuple[str | None, dict[str, Any] | None]:
        """(id of the container, {container_port, address}), each None where none is or it is unknown."""
        for pid in pids:
            if pid in self._members:
                return self._members[pid], None
            for engine in self._engines_above(pid):
                return self._port(engine, listener, pid)
        return None, None

    def _engines_above(self, pid: int) -> list[str]:
        return [self._heads[each] for each in daemons.lineage(self._processes, pid) if each in self._heads]

    def _port(
        self, engine: str, listener: Mapping[str, Any], pid: int
    ) -> tuple[str | None, dict[str, Any] | None]:
        """Held by docker-proxy, by dockerd where its userland proxy is off, or by rootlesskit and helpers."""
        candidates = self._ports.get((engine, listener["protocol"], listener["port"]), [])
        exact = [each for each in candidates if _same(each[1]["host_address"], listener["address"])]
        container, forwards = None, None
        if candidates:
            container, port = (exact or candidates)[0]
            forwards = {"container_port": int(port["container_port"]), "address": None}
        if self._processes[pid]["name"] == _PROXY:
            forwards = _by_proxy(proc.argv(pid)) or forwards
        return container, forwards


def _heads(engine: Mapping[str, Any]) -> list[int]:
    """What holds the ports of its containers: of an account's engine rootlesskit alone."""
    if engine.get("user") is None:
        return daemons.pids(engine)
    return [engine["rootlesskit"]["pid"]] if engine["rootlesskit"] else []


def _is_apart(container: Mapping[str, Any]) -> bool:
    """Whether its process is there, in another network than the host's: only into such a one a port is forwarded."""
    where = container_listeners.place(container.get("process"))
    return isinstance(where, tuple) and where[0] != sockets.namespace()


def _running(engine: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    containers = engine.get("containers")
    known = [] if containers is None or is_error(containers) else containers
    return [container for container in known if container["state"] == "running"]


def _same(published: str, address: str) -> bool:
    return published == address or (published in _ANY and address in _ANY)


def _by_proxy(words: list[str]) -> dict[str, Any] | None:
    """By the words of `docker-proxy -proto tcp ... -container-ip 172.17.0.2 -container-port 80`."""
    address, port = proc.option(words, "-container-ip"), proc.option(words, "-container-port")
    if not address or not port or not _PORT.fullmatch(port):
        return None
    return {"container_port": int(port), "address": address}
