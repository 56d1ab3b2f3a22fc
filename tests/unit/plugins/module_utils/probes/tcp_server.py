# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP servers for the probes to ask: plain ones, ones with TLS, and ones that never answer."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Union

Answers = Union[Mapping[str, bytes], Callable[[bytes], bytes], bytes]
# What Go's server of TLS says to a plain client.
HTTPS_HINT = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


def http(status: int, body: bytes = b"", server: str = "") -> bytes:
    """An HTTP answer."""
    named = f"Server: {server}\r\n" if server else ""
    return f"HTTP/1.1 {status} X\r\n{named}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextlib.contextmanager
def serving(
    answers: Answers | None,
    tls: ssl.SSLContext | None = None,
    address: str = "127.0.0.1",
    plain: bytes = HTTPS_HINT,
) -> Iterator[int]:
    """A server that answers by path (`answers` as bytes: always the same; None: never; a function: of the question);
    yields its port.

    With `tls` it answers `plain` to who does not speak TLS.
    """
    with socket.create_server(
        (address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET
    ) as server:
        held: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                held.append(connection)
                if answers is not None:
                    # A client may leave at any time.
                    with contextlib.suppress(OSError):
                        _answer(connection, answers, tls, plain)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


def _answer(
    connection: socket.socket,
    answers: Answers,
    tls: ssl.SSLContext | None,
    plain: bytes,
) -> None:
    connection.settimeout(5)
    if tls is None:
        _reply(connection, answers)
    elif connection.recv(1, socket.MSG_PEEK) == b"\x16":
        with tls.wrap_socket(connection, server_side=True) as wrapped:
            _reply(wrapped, answers)
    else:
        _reply(connection, plain)
    connection.close()


def _reply(connection: socket.socket, answers: Answers) -> None:
    question = connection.recv(65536)
    if isinstance(answers, bytes):
        connection.sendall(answers)
    elif callable(answers):
        connection.sendall(answers(question))
    else:
        path = question.split(b" ")[1].decode() if question.count(b" ") > 1 else ""
        connection.sendall(answers.get(path, http(404)))


def certificate(folder: Path, subject: str = "/O=Test/CN=server") -> ssl.SSLContext:
    """A server's context with a certificate of its own, which is also its CA."""
    key, pem = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "9", "-subj", subject, "-keyout", str(key), "-out", str(pem)],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    return context
