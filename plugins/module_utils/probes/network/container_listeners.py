# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sockets that listen inside of containers, asked of the kernel once for each network namespace."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import sockets

_CLONE_NEWNET = 0x40000000
# Where the engine itself answers to DNS in the namespace of each container of a user-defined network.
_ENGINE_DNS = "127.0.0.11"


def container_listeners(engines: Iterable[Mapping[str, Any]]) -> None:
    """Fill `listeners` of every container: [] when it does not run, None when it shares the host's."""
    places = [(container, place(container["process"])) for engine in engines for container in known(engine)]
    found: dict[str, Any] = {sockets.namespace(): None}
    pids = {
        where[0]: where[1] for _unused, where in places if isinstance(where, tuple) and where[0] not in found
    }
    # A thread of its own goes into the namespaces and never comes back; nothing of a container runs in it.
    # The tables below /proc need no such way, but 16 ms for each container on a machine with 24 GB: for each
    # of them the kernel goes through the connections of all namespaces.
    visitor = threading.Thread(target=_visit, args=(pids, found), daemon=True)
    visitor.start()
    ended = attempt(visitor.join)
    for container, where in places:
        container["listeners"] = found.get(where[0], ended) if isinstance(where, tuple) else where


def known(engine: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """The containers of an engine, none where they could not be read."""
    containers = engine.get("containers")
    return containers if isinstance(containers, list) else ()


def place(process: Any) -> Any:
    """(number of the network namespace, pid in it); [] when nothing runs, or why it is not known."""
    if process is None or is_error(process):
        return process or []
    namespaces = process["namespaces"]
    return namespaces if is_error(namespaces) else (namespaces["net"], process["pid"])


def _visit(pids: Mapping[str, int], found: dict[str, Any]) -> None:
    library = ctypes.CDLL(None)
    for number, pid in pids.items():
        found[number] = attempt(_read, library, number, pid)


def _read(library: ctypes.CDLL, number: str, pid: int) -> list[dict[str, Any]]:
    folder = f"/proc/{pid}/net"
    held = sockets.listening(folder) if enter(library, number, pid) else sockets.tabulated(folder)
    return [
        {key: each[key] for key in ("protocol", "family", "address", "port")}
        for each in held
        if each["address"] != _ENGINE_DNS
    ]


def enter(library: ctypes.CDLL, number: str, pid: int) -> bool:
    """Take this thread into a network namespace; False without the right to."""
    handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if str(os.fstat(handle).st_ino) != number:
            raise Unreadable(f"process {pid} of the container has ended during the scan")
        return bool(library.setns(handle, _CLONE_NEWNET) == 0)
    finally:
        os.close(handle)
