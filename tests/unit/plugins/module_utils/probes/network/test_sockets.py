# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets: those this test opens, as the kernel's diagnosis and as its tables show them."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import sockets

from tests.unit.plugins.module_utils.probes.laying import lay

V6 = socket.AF_INET6
KEYS = {"protocol", "family", "address", "port", "v6only", "scope", "interface", "inode"}


@contextlib.contextmanager
def opened(family: int, kind: int, address: str, v6only: bool | None = None) -> Iterator[socket.socket]:
    with socket.socket(family, kind) as one:
        if v6only is not None:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(v6only))
        try:
            one.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        if kind == socket.SOCK_STREAM:
            one.listen()
        yield one


def of(found: list[dict[str, Any]], one: socket.socket) -> dict[str, Any]:
    (only,) = [each for each in found if each["inode"] == os.fstat(one.fileno()).st_ino]
    return only


@pytest.mark.parametrize(
    ("family", "kind", "address", "v6only", "scope"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0", None, "wildcard"),
        (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.53", None, "loopback"),
        (socket.AF_INET, socket.SOCK_DGRAM, "0.0.0.0", None, "wildcard"),
        (V6, socket.SOCK_STREAM, "::", True, "wildcard"),
        (V6, socket.SOCK_STREAM, "::", False, "wildcard"),
        (V6, socket.SOCK_STREAM, "::1", None, "loopback"),
        (V6, socket.SOCK_STREAM, "::ffff:127.0.0.1", False, "loopback"),
        (V6, socket.SOCK_DGRAM, "::", False, "wildcard"),
    ],
)
def test_a_socket_of_this_process(family: int, kind: int, address: str, v6only: Any, scope: str) -> None:
    with opened(family, kind, address, v6only) as one:
        diagnosed, tabulated = of(sockets.listening(), one), of(sockets.tabulated("/proc/self/net"), one)
        expected = {
            "protocol": "tcp" if kind == socket.SOCK_STREAM else "udp",
            "family": 4 if family == socket.AF_INET else 6,
            "address": address,
            "port": one.getsockname()[1],
            "v6only": None
            if family == socket.AF_INET
            else bool(one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)),
            "scope": scope,
            "interface": None,
            "inode": os.fstat(one.fileno()).st_ino,
        }
    assert diagnosed == expected
    assert tabulated == {**expected, "v6only": None}


def test_who_is_connected_does_not_listen() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()[:2]) as client,
    ):
        accepted = server.accept()[0]
        with accepted, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.connect(server.getsockname())
            found = {each["inode"] for each in [*sockets.listening(), *sockets.tabulated("/proc/self/net")]}
            mine = [os.fstat(each.fileno()).st_ino for each in (server, client, accepted, datagrams)]
    assert [inode in found for inode in mine] == [True, False, False, False]


def test_bound_to_lo() -> None:
    with opened(socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0") as one:
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
        except PermissionError:
            pytest.skip("this kernel lets only root bind to an interface")
        found = of(sockets.listening(), one)
    assert (found["interface"], found["scope"], found["address"]) == ("lo", "loopback", "0.0.0.0")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may open raw sockets")
def test_raw() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as one:
        found = of(sockets.listening(), one)
    assert (found["protocol"], found["port"], found["scope"]) == ("raw", socket.IPPROTO_ICMP, "wildcard")


def test_a_kernel_without_socket_diagnosis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_SOCK_DIAG_BY_FAMILY", 0x7FF)
    with opened(V6, socket.SOCK_STREAM, "::", True) as one:
        found = of(sockets.listening(), one)
    assert set(found) == KEYS
    assert (found["address"], found["v6only"]) == ("::", None)


def test_sorted() -> None:
    found = sockets.listening()
    assert found == sorted(found, key=sockets.order)


@pytest.mark.parametrize(
    ("address", "interface", "scope"),
    [
        ("0.0.0.0", None, "wildcard"),
        ("0.0.0.0", "eth0", "wildcard"),
        ("0.0.0.0", "lo", "loopback"),
        ("127.0.0.1", None, "loopback"),
        ("127.255.255.254", None, "loopback"),
        ("128.0.0.1", None, "specific"),
        ("169.254.0.1", None, "link_local"),
        ("169.253.0.1", None, "specific"),
        ("224.0.0.251", None, "specific"),
        ("::", None, "wildcard"),
        ("::1", None, "loopback"),
        ("::2", None, "specific"),
        ("::ffff:0.0.0.0", None, "wildcard"),
        ("::ffff:127.0.0.1", None, "loopback"),
        ("::ffff:192.0.2.1", None, "specific"),
        ("fe80::1", "eth0", "link_local"),
        ("febf::1", None, "link_local"),
        ("fec0::1", None, "specific"),
        ("2001:db8::1", None, "specific"),
    ],
)
def test_scope(address: str, interface: str | None, scope: str) -> None:
    packed = socket.inet_pton(V6 if ":" in address else socket.AF_INET, address)
    assert sockets.scope(packed, interface) == scope


def test_tables_that_this_machine_may_not_have(tmp_path: Path) -> None:
    folder = lay(
        tmp_path,
        {
            "sockstat": "sockets: used 9\nTCP: inuse 1 orphan 0 tw 0 alloc 3 mem 0\n"
            "UDP: inuse 0 mem 0\nRAW: inuse 0\n",
            "sockstat6": "TCP6: inuse 0\nUDP6: inuse 0\nRAW6: inuse 1\n",
            "tcp": "  sl  local_address\n"
            "   0: 0100007F:0016 00000000:0000 0A 0:0 00:0 0 0 0 77 1 0\n"
            "   1: 0100007F:0016 0100007F:9C40 01 0:0 00:0 0 0 0 78 1 0\n",
            # Not in use, and so not looked into.
            "udp": "  sl  local_address\n   0: 00000000:0035 00000000:0000 07 0:0 00:0 0 0 0 79 1 0\n",
            "raw6": "  sl  local_address\n   0: 00000000000000000000000000000000:003A "
            "00000000000000000000000000000000:0000 07 0:0 00:0 0 0 0 80 1 0\n",
            "sctp/eps": " ENDPT     SOCK   STY SST HBKT LPORT   UID INODE LADDRS\n"
            "ffff ffff 2 10 12 7777 0 4711 192.0.2.1 2001:db8::1 \nffff ffff 2 7 12 7778 0 4712 0.0.0.0 \n",
        },
    )
    found = [
        (each["protocol"], each["address"], each["port"], each["inode"])
        for each in sockets.tabulated(str(folder))
    ]
    assert found == [
        ("raw", "::", 58, 80),
        ("sctp", "192.0.2.1", 7777, 4711),
        ("sctp", "2001:db8::1", 7777, 4711),
        ("tcp", "127.0.0.1", 22, 77),
    ]


def test_no_tables_at_all(tmp_path: Path) -> None:
    assert sockets.tabulated(str(tmp_path)) == []
