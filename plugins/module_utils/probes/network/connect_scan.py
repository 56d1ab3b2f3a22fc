# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which TCP ports of one address take connections: a connect scan that sends nothing, bounded in rate and number."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

USUAL = "usual"
# Each holds an open file, of which a process has 1024 by default.
_AT_ONCE = 200
_HIGHEST = 65535
_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_OPEN, _CLOSED, _FILTERED = "open", "closed", "filtered"
_OUTCOMES = {
    # Taken, and ended by the other side before anybody looked.
    errno.ECONNRESET: _OPEN,
    errno.EPIPE: _OPEN,
    errno.ECONNREFUSED: _CLOSED,
    # What a packet filter answers, there or on the way; EPERM is the one of the machine that scans.
    errno.EHOSTUNREACH: _FILTERED,
    errno.ENETUNREACH: _FILTERED,
    errno.EHOSTDOWN: _FILTERED,
    errno.ENOPROTOOPT: _FILTERED,
    errno.EACCES: _FILTERED,
    errno.EPERM: _FILTERED,
    errno.ETIMEDOUT: _FILTERED,
}


class Unscannable(Exception):
    """The address or the ports are none to scan, or this machine cannot reach them; one sentence."""


class Target(NamedTuple):
    """Where to connect to: an address as text, and what the socket module needs for it."""

    address: str
    family: int
    # The interface of a link-local IPv6 address, else 0.
    scope: int


class Scan(NamedTuple):
    """The ports by what became of their connections, each list sorted."""

    open: list[int]
    closed: list[int]
    filtered: list[int]


def ports_of(given: Iterable[object], usual: Collection[int], most: int) -> list[int]:
    """The ports that numbers, ranges ("8000-8010") and the word "usual" mean, sorted, each once.

    Raises Unscannable for anything else, and for more than `most` ports.
    """
    found: set[int] = set()
    for entry in given:
        if entry == USUAL:
            found.update(usual)
            continue
        match = _RANGE.fullmatch(str(entry).strip())
        first, last = (int(match.group(1)), int(match.group(2) or match.group(1))) if match else (0, 0)
        if not 1 <= first <= last <= _HIGHEST:
            raise Unscannable(
                f"ports: '{entry}' is neither a port, nor a range like 8000-8010, nor '{USUAL}'"
            )
        found.update(range(first, last + 1))
    if len(found) > most:
        raise Unscannable(f"ports: these are {len(found)}, and max_ports allows {most}")
    return sorted(found)


def resolve(name: str) -> Target:
    """The target that an address or name means; of several addresses the first.

    Raises Unscannable when there is none, or when it is not that of one host (0.0.0.0, multicast).
    """
    try:
        found = socket.getaddrinfo(name.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:
        raise Unscannable(f"address: '{name}' is no address, and does not resolve: {problem}") from None
    family, at = found[0][0], tuple(found[0][4])
    address = ipaddress.ip_address(str(at[0]).partition("%")[0])
    if address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255":
        raise Unscannable(f"address: '{name}' is not the address of one host")
    return Target(str(address), family, int(str(at[3])) if len(at) == 4 else 0)


def scan(target: Target, ports: Sequence[int], rate: float, timeout: float) -> Scan:
    """Connect to each port once, at most `rate` times per second, and wait `timeout` seconds for each.

    A connection that is taken is closed at once. Raises Unscannable when this machine has no way to the address,
    and OSError when it has no more sockets.
    """
    outcomes: dict[str, list[int]] = {_OPEN: [], _CLOSED: [], _FILTERED: []}
    left = deque(ports)
    begun: deque[_Attempt] = deque()
    due = time.monotonic()
    with selectors.DefaultSelector() as selector:
        try:
            while left or begun:
                now = time.monotonic()
                if left and now >= due and len(begun) < _AT_ONCE:
                    due = now + 1 / rate
                    begun.append(_Attempt(target, left.popleft(), now + timeout))
                    selector.register(begun[-1].socket, selectors.EVENT_WRITE, begun[-1])
                # All wait equally long, so who began first is the first to be late.
                moments = [begun[0].deadline] if begun else []
                if left and len(begun) < _AT_ONCE:
                    moments.append(due)
                ended = [key.data for key, _unused in selector.select(max(0.0, min(moments) - now))]
                now = time.monotonic()
                ended += [each for each in begun if each.deadline <= now and each not in ended]
                for attempt in ended:
                    begun.remove(attempt)
                    selector.unregister(attempt.socket)
                    outcomes[attempt.end()].append(attempt.port)
        finally:
            for attempt in begun:
                attempt.socket.close()
    return Scan(*(sorted(outcomes[name]) for name in (_OPEN, _CLOSED, _FILTERED)))


class _Attempt:
    """A connection that has begun; `deadline` by the monotonic clock."""

    def __init__(self, target: Target, port: int, deadline: float) -> None:
        self.port = port
        self.deadline = deadline
        self._address = target.address
        self.socket = socket.socket(target.family, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        at = (target.address, port, 0, target.scope) if target.scope else (target.address, port)
        # Within the host itself, it may have ended already.
        self._code = self.socket.connect_ex(at)
        if self._code == errno.ENETUNREACH:
            self.socket.close()
            raise Unscannable(f"this machine has no way to {target.address}: {os.strerror(self._code)}")

    def end(self) -> str:
        """What became of it. Raises Unscannable for an error that says nothing about the port."""
        with self.socket:
            code = self._code
            if code in (errno.EINPROGRESS, errno.EINTR):
                code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code == 0:
                return self._established()
        if code not in _OUTCOMES:
            raise Unscannable(f"port {self.port} of {self._address} could not be tried: {os.strerror(code)}")
        return _OUTCOMES[code]

    def _established(self) -> str:
        try:
            peer = self.socket.getpeername()
        except OSError:
            # Still on its way, as nothing came back.
            return _FILTERED
        # A port that nobody has can be given to the connection itself, which then meets itself.
        return _CLOSED if self.socket.getsockname() == peer else _OPEN
