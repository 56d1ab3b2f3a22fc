# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets inside of network namespaces, with real ones where this user may make them."""

from __future__ import annotations

import ctypes
import os
import socket
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes as proc
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import (
    container_listeners as probe,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import sockets

from tests.unit.plugins.module_utils.probes.process_tree import running

OF_ITS_OWN = """
import ctypes, socket
if ctypes.CDLL(None).unshare(0x40000000):
    raise SystemExit("no right to make a network namespace")
listening = [socket.socket(), socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
listening[0].bind(("0.0.0.0", 80)); listening[0].listen()
listening[2].bind(("0.0.0.0", 53))
# Of the engine's own name server, as on networks that users define.
listening[1].setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND: lo is down
listening[1].bind(("127.0.0.11", 33333)); listening[1].listen()
"""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces")
EXPECTED = [
    {"protocol": "tcp", "family": 4, "address": "0.0.0.0", "port": 80},
    {"protocol": "udp", "family": 4, "address": "0.0.0.0", "port": 53},
]


def container(pid: int, **changes: Any) -> dict[str, Any]:
    return {"process": {"pid": pid, "namespaces": {"net": proc.namespaces(pid)["net"], **changes}}}


def filled(*containers: dict[str, Any]) -> list[Any]:
    probe.container_listeners([{"containers": list(containers)}, {"containers": {"error": "engine"}}, {}])
    return [each["listeners"] for each in containers]


def test_what_does_not_run_or_is_not_known() -> None:
    not_permitted = {"pid": 1, "namespaces": {"error": "run as root"}}
    assert filled({"process": None}, {"process": {"error": "gone"}}, {"process": not_permitted}) == [
        [],
        {"error": "gone"},
        {"error": "run as root"},
    ]


def test_the_network_of_the_host() -> None:
    assert filled(container(os.getpid())) == [None]


@AS_ROOT
def test_a_network_of_its_own() -> None:
    before = sockets.namespace()
    with running("container", script=OF_ITS_OWN) as pid:
        # Two containers may share one namespace.
        assert filled(container(pid), container(pid), container(os.getpid())) == [EXPECTED, EXPECTED, None]
    assert sockets.namespace() == before
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert server.getsockname()[1] in {each["port"] for each in sockets.listening()}


@AS_ROOT
def test_by_tables_where_the_namespace_may_not_be_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        @staticmethod
        def setns(handle: int, kind: int) -> int:
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Refusing)
    with running("container", script=OF_ITS_OWN) as pid:
        assert filled(container(pid)) == [EXPECTED]


def test_a_container_that_ends_meanwhile() -> None:
    with running("container") as pid:
        gone = container(pid, net="1")
    (found,) = filled(gone)
    assert found == {"error": f"/proc/{pid}/ns/net: No such file or directory"}
    # Its number was given to another process.
    (found,) = filled(container(os.getpid(), net="1"))
    assert found == {"error": f"process {os.getpid()} of the container has ended during the scan"}
