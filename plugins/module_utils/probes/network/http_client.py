# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One bounded question over HTTP, plain or in TLS, to an end point that listens on this host."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline as audit
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt, error

# More is not needed to know who answers.
SIZE_LIMIT = 64 * 1024
_TEXT_LIMIT = 100
_AT_ONCE = 8
# All questions of one kind together may take this many times the limit of one: some listeners may be mute.
_MAY_HANG = 12
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})\b")
_SERVER = re.compile(rb"(?im)^server:[ \t]*(.*?)\r?$")
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,18})[ \t]*\r?$")
_NOT_PRINTABLE = re.compile("[^ -~]+")
# Go's servers of TLS say so, in plain HTTP with status 400.
_WANTS_TLS = b"Client sent an HTTP request to an HTTPS server"


class Reply(NamedTuple):
    """What came back: the ANSWER of the snapshot, the bytes, and whether a peer of TLS asked for TLS."""

    answer: dict[str, Any]
    data: bytes
    wants_tls: bool


def reach(listener: Mapping[str, Any]) -> str:
    """An address of this host itself under which the listener is reached."""
    address, interface = listener["address"], listener["interface"]
    if listener["scope"] == "wildcard":
        # `[::]` takes IPv4 as well unless told otherwise.
        return "::1" if listener["family"] == 6 and listener["v6only"] is not False else "127.0.0.1"
    if listener["scope"] == "link_local" and listener["family"] == 6 and interface:
        return f"{address}%{interface}"
    return str(address)


def request(path: str, body: bytes | None = None) -> bytes:
    """The bytes of a GET, or of a POST of JSON where there is a body."""
    length = b"" if body is None else b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    head = b"%s %s HTTP/1.1\r\nHost: localhost\r\n" % (b"GET" if body is None else b"POST", path.encode())
    return head + length + b"Connection: close\r\n\r\n" + (body or b"")


def ask(scheme: str, address: str, port: int, path: str, timeout: float, body: bytes | None = None) -> Reply:
    """Ask over "http", or over "https" without a certificate and whatever the peer's is.

    No connection and no answer are in the Reply: only what nobody thought of raises.
    """
    received = bytearray()
    deadline = time.monotonic() + timeout
    problem = None
    try:
        with connected(scheme, address, port, timeout) as connection:
            exchange(connection, request(path, body), deadline, received)
    except OSError as failure:
        problem = reason(failure)
    return reply(scheme, path, bytes(received), problem)


def connected(scheme: str, address: str, port: int, timeout: float) -> Any:
    """A connection, over "https" after the handshake. Each of the two takes `timeout` seconds at most, and less where
    the audit's deadline comes first."""
    given = audit.left(timeout)
    if not given:
        raise socket.timeout("timed out")
    connection = socket.create_connection((address, port), given)
    if scheme == "http":
        return connection
    try:
        return _context().wrap_socket(connection)
    except BaseException:
        connection.close()
        raise


def _context() -> Any:
    # Imported where it is needed, for it takes longer than all else here and most hosts have no use for it.
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # A weak peer is to be talked to as well: what we refuse ourselves would pass for its refusal.
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def exchange(
    connection: Any,
    question: bytes,
    deadline: float,
    received: bytearray,
    complete: Callable[[bytearray], bool] | None = None,
) -> None:
    """Send, and add to `received` until the answer is complete (without `complete`: in HTTP). Raises OSError."""
    complete, deadline = complete or _complete, audit.end(deadline)
    try:
        connection.sendall(question)
    except OSError:
        # Who refuses may have closed already; then the reason still lies there.
        part = connection.recv(16384)
        if not part:
            raise
        received += part
    while len(received) < SIZE_LIMIT and not complete(received):
        left = deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")
        connection.settimeout(left)
        part = connection.recv(16384)
        if not part:
            return
        received += part


def _complete(received: bytearray) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    length = _LENGTH.search(head) if end else None
    return length is not None and len(body) >= int(length.group(1))


def reply(scheme: str, path: str, data: bytes, problem: str | None) -> Reply:
    """What the bytes of an answer say; `problem` counts only where there is no answer."""
    status = _STATUS.match(data)
    server = _SERVER.search(data.partition(b"\r\n\r\n")[0]) if status else None
    if status:
        problem = None
    elif data:
        problem = "it does not answer in HTTP"
    answer = {
        "scheme": scheme,
        "path": path,
        "status": int(status.group(1)) if status else None,
        "server": plain(server.group(1).decode("latin-1")) if server else None,
        "error": problem if status else problem or "it closes the connection without an answer",
    }
    return Reply(answer, data, _WANTS_TLS in data)


def reason(problem: OSError) -> str:
    """The cause in a few words: "timed out", "Connection refused", "certificate required"."""
    if isinstance(problem, socket.timeout):
        return "timed out"
    # ssl.SSLError, by name because ssl may not have been imported: TLSV13_ALERT_CERTIFICATE_REQUIRED
    words = getattr(problem, "reason", None)
    if isinstance(words, str):
        return re.sub(r"^(?:(?:ssl|tls)v\d+ )?alert ", "", words.lower().replace("_", " "))
    return problem.strerror or str(problem)


def plain(text: str) -> str:
    """Foreign text on one short line."""
    return _NOT_PRINTABLE.sub(" ", text)[:_TEXT_LIMIT]


def whose(listener: Mapping[str, Any]) -> Any:
    """The container or the account that a listener belongs to, for `together`."""
    owners = listener["owners"] if isinstance(listener["owners"], list) else []
    return listener["container"] or next((owner.get("uid") for owner in owners), None)


def together(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    timeout: float,
    whose: Callable[[Any], Any] = lambda item: None,
) -> list[Any]:
    """`function` of each item, several at once, so that limits of time do not add up; never raises.

    An item whose function fails has an error mark in its place. So have those whose turn does not come in a dozen
    times `timeout`, and those that have no answer at the audit's deadline; whoever has many of them takes turns with
    the others, and so cannot keep them from being asked.
    """
    unanswered = error("not asked: too many others did not answer in time")
    results: list[Any] = [unanswered] * len(items)
    waiting = list(reversed(in_turns([whose(item) for item in items])))
    last = audit.end()
    end = min(last, time.monotonic() + _MAY_HANG * timeout)

    def work() -> None:
        while time.monotonic() < end:
            try:
                place = waiting.pop()
            except IndexError:
                return
            answer = attempt(function, items[place])
            # What a question says that the deadline has cut short is no answer.
            if time.monotonic() < last:
                results[place] = answer

    workers = [threading.Thread(target=work, daemon=True) for _unused in range(min(_AT_ONCE, len(items)) - 1)]
    for worker in workers:
        worker.start()
    work()
    for worker in workers:
        worker.join(audit.left(threading.TIMEOUT_MAX))
    # A copy: who answers later still writes.
    late = error(audit.reason()) if audit.passed() else unanswered
    return [late if each is unanswered else each for each in results]


def in_turns(owners: Sequence[Any]) -> list[int]:
    """The places of the first item of each owner, then of each second one, and so on."""
    counts: Counter[Any] = Counter()
    turns = []
    for place, owner in enumerate(owners):
        turns.append((counts[owner], place))
        counts[owner] += 1
    return [place for _turn, place in sorted(turns)]
