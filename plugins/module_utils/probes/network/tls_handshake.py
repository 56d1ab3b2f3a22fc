# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an end point does with a client of TLS that shows no certificate: the TLS of the snapshot."""

from __future__ import annotations

import re
import time
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt
from ansible_collections.bulwark.docker.plugins.module_utils.pki import certificates, pem
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import conversation, http_client

_MOST_NAMES = 300
_HANDSHAKE = re.compile(r"^New, (TLSv[\d.]{1,5})[^\n]{0,40}, Cipher is (?!\(NONE\))", re.MULTILINE)
_ALERT = re.compile(r"\balert ([a-z ]{1,60}):[^\n]{0,300}SSL alert number")
_FIRST_NAME = "\nAcceptable client certificate CA names\n"
_AFTER_NAMES = re.compile(r"^(?:Client Certificate Types|Requested Signature Algorithms|---)", re.MULTILINE)
# What s_client prints of a request for a certificate; one without CA names shows only the last two.
_REQUESTED = (_FIRST_NAME, "\nClient Certificate Types: ", "\nRequested Signature Algorithms: ")


def ask(address: str, port: int, path: str, timeout: float) -> dict[str, Any]:
    """The end point's TLS by the openssl program; without it by Python's ssl, which tells no CA names (None).

    Under TLS 1.3 the handshake ends before the server refuses a missing certificate: only `status` tells who
    is let in.
    """
    try:
        return _by_openssl(address, port, path, timeout)
    except Unreadable:
        return _by_python(address, port, path, timeout)


def without(reason: str, asked: bool = True) -> dict[str, Any]:
    """The TLS of an end point that does not speak it, or that was not asked."""
    return _tls(None, None, reason, requested=False if asked else None, names=[] if asked else None)


def _tls(
    version: str | None, status: int | None, error: str | None,
    *, requested: bool | None, names: list[str] | None, der: bytes | None = None,
) -> dict[str, Any]:  # fmt: skip
    decoded = attempt(certificates.decode, [der]) if der else None
    return {
        "handshake": version is not None,
        "version": version,
        "status": status,
        "error": error,
        "certificate_requested": requested,
        "ca_names": names,
        "certificate": decoded[0] if isinstance(decoded, list) else decoded,
    }


def _by_openssl(address: str, port: int, path: str, timeout: float) -> dict[str, Any]:
    host = f"[{address}]" if ":" in address else address
    # Without -ign_eof s_client leaves before the answer, and takes lines that start with Q or R for commands.
    options = ("-connect", f"{host}:{port}", "-ign_eof", "-cipher", "ALL:@SECLEVEL=0")
    said = conversation.first_words(["openssl", "s_client", *options], timeout, http_client.request(path))
    if "Cipher is " not in said.out:
        raise Unreadable(f"openssl s_client: {said.err[:200]}")
    return _told(said, path)


def _told(said: conversation.Said, path: str) -> dict[str, Any]:
    """What s_client has printed."""
    handshake = _HANDSHAKE.search(said.out)
    end = handshake.end() if handshake else len(said.out)
    head, answer = said.out[:end], said.out[end:]
    data = answer[answer.find("HTTP/1.") :].encode("utf-8", "replace") if "HTTP/1." in answer else b""
    alert = _ALERT.search(said.err)
    problem = alert.group(1) if alert else None if said.in_time else "timed out"
    reply = http_client.reply("https", path, data, problem).answer
    # A name may hold the words, a line of its own cannot.
    served = next((block for block in pem.blocks(head) if pem.is_certificate(block)), None)
    version = handshake.group(1) if handshake else None
    # Before TLS 1.3 a refusal ends the handshake, and s_client shows the cipher all the same.
    return _tls(
        None if alert and version != "TLSv1.3" else version,
        reply["status"],
        reply["error"],
        requested=any(line in head for line in _REQUESTED),
        names=_names(head),
        der=pem.der(served) if served else None,
    )


def _names(head: str) -> list[str]:
    """The names of the CAs in the request for a certificate, as `certificates` writes names."""
    _unused, found, rest = head.partition(_FIRST_NAME)
    end = _AFTER_NAMES.search(rest)
    lines = rest[: end.start()].splitlines() if found and end else []
    return sorted(re.sub(r" ?= ?", "=", http_client.plain(line)) for line in lines)[:_MOST_NAMES]


def _by_python(address: str, port: int, path: str, timeout: float) -> dict[str, Any]:
    received = bytearray()
    problem, version = None, None
    try:
        with http_client.connected("https", address, port, timeout) as connection:
            version = connection.version()
            http_client.exchange(connection, http_client.request(path), time.monotonic() + timeout, received)
    except OSError as failure:
        problem = http_client.reason(failure)
    reply = http_client.reply("https", path, bytes(received), problem).answer
    return _tls(version, reply["status"], reply["error"], requested=None, names=None)
