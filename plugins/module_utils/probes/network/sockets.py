# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listening sockets of a network namespace, by the kernel's socket diagnosis or by /proc/net."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Socket = dict[str, Any]

# Seconds to wait for the kernel, which answers at once.
TIME_LIMIT = 5
_TCP_LISTEN, _TCP_CLOSE = 10, 7
# A UDP socket that is not connected takes packets from everyone: its state is then CLOSE.
_STATES = {"tcp": _TCP_LISTEN, "udp": _TCP_CLOSE}
_PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _INET_DIAG_SKV6ONLY = 4, 20, 11
_NLM_F_REQUEST_DUMP = 0x301
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLMSG = struct.Struct("=IHHII")
# linux/inet_diag.h: inet_diag_req_v2 up to idiag_states; the socket id that follows stays zero.
_REQUEST = struct.Struct("=BBBxI48x")
# inet_diag_msg: family, ports, addresses, interface, uid, inode.
_MESSAGE = struct.Struct("=Bxxx2s2s16s16sI8xIIIII")
_ATTRIBUTE = struct.Struct("=HH")


def listening(folder: str = "/proc/self/net") -> list[Socket]:
    """Every socket of this thread's network namespace that takes connections or packets from anyone, sorted.

    A socket is {protocol, family, address, port, v6only, scope, interface, inode}; the port of a raw one is
    the number of its IP protocol. `folder` holds the same namespace's tables. Raw and SCTP sockets come from
    there: to ask the kernel's diagnosis for them may load modules, which an audit must not.
    """
    in_use = _in_use(folder)
    asked = [each for each in in_use if each[0] in _PROTOCOLS]
    try:
        found = _diagnosed(asked) if asked else []
    except (OSError, struct.error):
        found = list(_of_tables(folder, asked))
    found += _of_tables(folder, in_use.difference(asked))
    return sorted(found, key=order)


def tabulated(folder: str) -> list[Socket]:
    """The same by tables alone: they cost twenty times as much, and v6only and interface stay None."""
    return sorted(_of_tables(folder, _in_use(folder)), key=order)


def namespace() -> str:
    """The number of the network namespace that `listening` reads."""
    return str(Path("/proc/self/ns/net").readlink())[len("net:[") : -1]


def order(found: Socket) -> tuple[Any, ...]:
    """Sorts sockets and listeners."""
    return found["protocol"], found["port"], found["family"], found["address"], found["interface"] or ""


def scope(address: bytes, interface: str | None) -> str:
    """Of an address: "wildcard", "loopback" (also what is bound to lo), "link_local" or "specific"."""
    if address.startswith(_MAPPED):
        address = address[len(_MAPPED) :]
    if interface == "lo" or address == _LOOPBACK_6 or (len(address) == 4 and address[0] == 127):
        return "loopback"
    if not any(address):
        return "wildcard"
    if address[:2] == b"\xa9\xfe" if len(address) == 4 else address[0] == 0xFE and address[1] & 0xC0 == 0x80:
        return "link_local"
    return "specific"


_MAPPED = bytes(10) + b"\xff\xff"
_LOOPBACK_6 = bytes(15) + b"\x01"


def _socket(
    protocol: str,
    address: bytes,
    port: int,
    inode: int,
    interface: str | None = None,
    v6only: bool | None = None,
) -> Socket:
    family = 4 if len(address) == 4 else 6
    return {
        "protocol": protocol,
        "family": family,
        "address": socket.inet_ntop(_FAMILIES[family], address),
        "port": port,
        "v6only": v6only,
        "scope": scope(address, interface),
        "interface": interface,
        "inode": inode,
    }


def _in_use(folder: str) -> set[tuple[str, int]]:
    """{(protocol, family)} with any socket: where there is none, nothing is to be searched."""
    found = {("sctp", 4)}
    for table, suffix, family in (("sockstat", "", 4), ("sockstat6", "6", 6)):
        # TCP: inuse 2 orphan 0 tw 0 alloc 3 mem 0
        for line in _lines(f"{folder}/{table}"):
            name, _unused, counts = line.partition(": inuse ")
            protocol = name[: len(name) - len(suffix)].lower()
            if protocol in _TABLES and not counts.startswith("0"):
                found.add((protocol, family))
    return found


def _diagnosed(wanted: Iterable[tuple[str, int]]) -> list[Socket]:
    """By netlink, which tells v6only and the interface. Raises OSError where the kernel does not offer it."""
    found = []
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG) as link:
        link.settimeout(TIME_LIMIT)
        for protocol, family in wanted:
            request = _REQUEST.pack(_FAMILIES[family], _PROTOCOLS[protocol], 0, 1 << _STATES[protocol])
            header = _NLMSG.pack(_NLMSG.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 0, 0)
            link.send(header + request)
            found += [_diagnosis(protocol, message) for message in _messages(link)]
    return [each for each in found if each]


def _messages(link: socket.socket) -> Iterator[bytes]:
    """The messages of a dump, without their headers."""
    while True:
        data = link.recv(1 << 18)
        while data:
            length, kind, *_unused = _NLMSG.unpack_from(data)
            if kind == _NLMSG_DONE:
                return
            if kind == _NLMSG_ERROR:
                raise OSError(-struct.unpack_from("=i", data, _NLMSG.size)[0], "socket diagnosis")
            yield data[_NLMSG.size : length]
            data = data[(length + 3) & ~3 :]


def _diagnosis(protocol: str, message: bytes) -> Socket | None:
    family, port, peer_port, address, _unused, interface, *_unused, inode = _MESSAGE.unpack_from(message)
    if peer_port != b"\0\0":
        return None
    v6only = None
    if family == socket.AF_INET6:
        v6only = _attributes(message[_MESSAGE.size :]).get(_INET_DIAG_SKV6ONLY, b"\0") != b"\0"
    else:
        address = address[:4]
    return _socket(protocol, address, int.from_bytes(port, "big"), inode, _interface(interface), v6only)


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        found[kind] = data[_ATTRIBUTE.size : length]
        data = data[max(_ATTRIBUTE.size, (length + 3) & ~3) :]
    return found


def _interface(index: int) -> str | None:
    try:
        return socket.if_indextoname(index) if index else None
    except OSError:
        return None


def _of_tables(folder: str, wanted: Iterable[tuple[str, int]]) -> Iterator[Socket]:
    """By the tables below `folder`; one that is not there is of a protocol that the kernel does not have."""
    for protocol, family in wanted:
        read, name = _TABLES[protocol]
        yield from read(protocol, _lines(f"{folder}/{name}" if family == 4 else f"{folder}/{name}6")[1:])


def _lines(path: str) -> list[str]:
    """The lines of a table; [] where there is none. Bare system calls, as it runs for every container."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        pieces = [os.read(handle, 65536)]
        while pieces[-1]:
            pieces.append(os.read(handle, 65536))
    finally:
        os.close(handle)
    return b"".join(pieces).decode("ascii", "replace").split("\n")[:-1]


def _rows(protocol: str, lines: Iterable[str]) -> Iterator[Socket]:
    """Rows as proc_pid_net(5) describes: local address, remote address, state, ..., inode as the tenth."""
    wanted = f"{_STATES[protocol]:02X}" if protocol in _STATES else None
    for line in lines:
        fields = line.split()
        if (wanted is None or fields[3] == wanted) and fields[2].endswith(":0000"):
            address, _unused, port = fields[1].partition(":")
            yield _socket(protocol, _address(address), int(port, 16), int(fields[9]))


def _address(text: str) -> bytes:
    """Words of 32 bits in the byte order of this machine."""
    return struct.pack(f"={len(text) // 8}I", *(int(text[at : at + 8], 16) for at in range(0, len(text), 8)))


def _associations(protocol: str, lines: Iterable[str]) -> Iterator[Socket]:
    """Rows of /proc/net/sctp/eps: ENDPT SOCK STY SST HBKT LPORT UID INODE LADDRS; SST 10 is listening."""
    for line in lines:
        fields = line.split()
        if fields[3] == str(_TCP_LISTEN):
            for text in fields[8:]:
                family = socket.AF_INET6 if ":" in text else socket.AF_INET
                yield _socket(protocol, socket.inet_pton(family, text), int(fields[5]), int(fields[7]))


_TABLES = {
    "raw": (_rows, "raw"),
    "sctp": (_associations, "sctp/eps"),
    "tcp": (_rows, "tcp"),
    "udp": (_rows, "udp"),
}
