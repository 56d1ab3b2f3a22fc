# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof, by handshakes, that an engine's TCP end points let in clients of its own CA and nobody else."""

from __future__ import annotations

import contextlib
import re
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.target import PAUSE
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.verify import Unwell
from ansible_collections.bulwark.docker.plugins.module_utils.pki import certificates
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import http_client, tls_handshake

_PATH = "/_ping"
# For one question, in seconds.
_EACH = 5
_OPENSSL_SECONDS = 15
# `[::]` takes IPv4 as well unless told otherwise.
_LOOPBACKS = {"": ("127.0.0.1", "::1"), "0.0.0.0": ("127.0.0.1",), "::": ("127.0.0.1", "::1")}
# Silence says nothing about who is let in.
_NO_ANSWER = ("timed out", "Connection refused")
# ssl.VERIFY_X509_PARTIAL_CHAIN, which Python names since 3.10: an intermediate CA alone will do, as in Go.
_PARTIAL_CHAIN = 0x80000
_SUBJECT = re.compile(r"^subject=(.*)$", re.MULTILINE)


class Proof(NamedTuple):
    """What is to be proved: where the engine listens, which files it serves, and a client that it lets in.

    `client` is a directory with cert.pem and key.pem, None where there is no client's key on this host.
    """

    endpoints: list[tuple[str, int]]
    ca: str
    certificate: str
    client: str | None

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {**self._asdict(), "endpoints": [list(each) for each in self.endpoints]}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Proof:
        endpoints = [(str(address), int(port)) for address, port in data["endpoints"]]
        return cls(endpoints, data["ca"], data["certificate"], data["client"])


class _Expected(NamedTuple):
    """What the files say: the certificate to be served, and the names of the CAs as a request tells them."""

    certificate: dict[str, Any]
    ca_names: list[str]


class _Place(NamedTuple):
    """An end point as it is named, and where it is asked; `name` is what the certificate has to cover."""

    title: str
    connect: str
    port: int
    name: str | None


def prove(proof: Proof, seconds: float) -> list[str]:
    """Ask every end point as each kind of client; returns what could not be proved, a sentence each.

    An engine that has just started gets `seconds` for its first answer; every question has a limit of its own.
    Raises Unwell at the first end point that does not do as it should.
    """
    deadline = time.monotonic() + seconds
    notices = (
        [] if proof.client else ["no client certificate on this host: that one is let in was not proved here"]
    )
    with_openssl = limits.find("openssl") is not None
    if not with_openssl:
        notices.append(
            "openssl is not installed: it was not proved which CAs are asked for, and that others are refused"
        )
    expected = _expected(proof) if with_openssl else None
    with _stranger() if with_openssl else contextlib.nullcontext() as foreign:
        for address, port in proof.endpoints:
            place = _reached(address, port, seconds, deadline)
            _nobody(place, proof, expected)
            _verified(place, proof)
            if foreign:
                _other_ca(place, proof, foreign)
            notices += _client(place, proof) if proof.client else []
    return notices


def _reached(address: str, port: int, seconds: float, deadline: float) -> _Place:
    """Wait for its first answer; that one is to plain HTTP, which a server of TLS refuses in plain HTTP."""
    title = f"tcp://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"
    loopbacks = _LOOPBACKS.get(address)
    while True:
        for connect in loopbacks or (address,):
            found = http_client.ask("http", connect, port, _PATH, _EACH)
            if found.data:
                break
        if found.data:
            break
        if time.monotonic() > deadline:
            raise Unwell(f"{title} does not answer within {seconds:g} s: {found.answer['error']}")
        time.sleep(PAUSE)
    if not found.wants_tls:
        status = found.answer["status"]
        what = f"answers plain HTTP with {status}" if status else "speaks neither HTTP nor TLS"
        raise Unwell(f"{title} {what}: TLS is not in force there")
    return _Place(title, connect, port, None if loopbacks else address.partition("%")[0])


def _nobody(place: _Place, proof: Proof, expected: _Expected | None) -> None:
    """A client without a certificate is refused, the CAs asked for are ours, and the certificate is the new one.

    Under TLS 1.3 the refusal comes after the handshake: only the missing answer tells it.
    """
    found = tls_handshake.ask(place.connect, place.port, _PATH, _EACH)
    _refused(place, found, "without a certificate")
    if expected is None:
        return
    if found["ca_names"] is None or not found["certificate"]:
        raise Unwell(f"{place.title} ends no handshake: {found['error']}")
    names = found["ca_names"]
    if not names:
        raise Unwell(
            f"{place.title} names no CA when it asks for a certificate: dockerd runs without {proof.ca}, and lets in "
            "clients of every CA of this system"
        )
    if set(names) != set(expected.ca_names):
        raise Unwell(
            f"{place.title} asks for certificates of {'; '.join(names)} and not of {'; '.join(expected.ca_names)}, "
            f"the CAs in {proof.ca}"
        )
    if _identity(found["certificate"]) != _identity(expected.certificate):
        raise Unwell(
            f"{place.title} serves a certificate of {found['certificate'].get('subject')} that is not the one in "
            f"{proof.certificate}"
        )


def _verified(place: _Place, proof: Proof) -> None:
    """A client that trusts our CA, and no other, takes the certificate for that address."""
    answer = _get(place, _trusting(proof, place), proof)
    _refused(place, answer, "without a certificate")


def _other_ca(place: _Place, proof: Proof, foreign: str) -> None:
    context = _trusting(proof, place)
    context.load_cert_chain(f"{foreign}/client.pem", f"{foreign}/client.key")
    _refused(place, _get(place, context, proof), "with a certificate of another CA")


def _client(place: _Place, proof: Proof) -> list[str]:
    """Our client gets 200; where a plugin decides who may do what, it may refuse the one that only asks."""
    context = _trusting(proof, place)
    path = f"{proof.client}/cert.pem"
    try:
        # Without a passphrase openssl would ask for it at the terminal.
        context.load_cert_chain(path, f"{proof.client}/key.pem", password="")
    except OSError as problem:
        raise Unwell(
            f"{path} and key.pem beside it are no certificate with its key: {http_client.reason(problem)}"
        ) from problem
    answer = _get(place, context, proof)
    if answer["status"] == 403:
        return [f"{place.title} lets the client of {path} in, and an authorization plugin refuses it {_PATH}"]
    if answer["status"] != 200:
        cause = answer["error"] or f"status {answer['status']}"
        raise Unwell(f"{place.title} refuses the client of {path}: {cause}")
    return []


def _refused(place: _Place, answer: Mapping[str, Any], how: str) -> None:
    if answer["status"] is not None:
        raise Unwell(f"{place.title} answers a client {how}, with {answer['status']}: anyone would be let in")
    if answer["error"] in _NO_ANSWER:
        raise Unwell(f"{place.title} gives a client {how} no answer: {answer['error']}")


def _trusting(proof: Proof, place: _Place) -> Any:
    # Imported where it is needed: it takes longer than all else, and most runs have no use for it.
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = place.name is not None
    context.verify_flags |= _PARTIAL_CHAIN
    try:
        context.load_verify_locations(proof.ca)
    except OSError as problem:
        raise Unwell(f"{proof.ca} is no file of CAs: {http_client.reason(problem)}") from problem
    return context


def _get(place: _Place, context: Any, proof: Proof) -> dict[str, Any]:
    """The ANSWER to GET /_ping. Raises Unwell where the server's certificate does not hold."""
    import ssl

    deadline = time.monotonic() + _EACH
    received, problem = bytearray(), None
    try:
        with _connected(place, context) as connection:
            http_client.exchange(connection, http_client.request(_PATH), deadline, received)
    except ssl.SSLCertVerificationError as failure:
        raise Unwell(
            f"clients that trust {proof.ca} refuse the certificate of {place.title}: {failure.verify_message}"
        ) from failure
    except OSError as failure:
        problem = http_client.reason(failure)
    return http_client.reply("https", _PATH, bytes(received), problem).answer


def _connected(place: _Place, context: Any) -> Any:
    raw = socket.create_connection((place.connect, place.port), _EACH)
    try:
        return context.wrap_socket(raw, server_hostname=place.name)
    except BaseException:
        raw.close()
        raise


def _expected(proof: Proof) -> _Expected:
    try:
        found, _unused = certificates.certificates([proof.certificate])
        held = found.get(proof.certificate)
        if not isinstance(held, list):
            raise Unwell(f"{proof.certificate} holds no certificate that openssl reads")
        return _Expected(held[0], _ca_names(proof.ca))
    except Unreadable as problem:
        raise Unwell(str(problem)) from problem


def _ca_names(path: str) -> list[str]:
    """The subjects in a file as a request for certificates shows them.

    `openssl s_client` escapes and quotes names otherwise than what `certificates` reads; these commands do as it does.
    """
    ended = limits.run(["openssl", "crl2pkcs7", "-nocrl", "-certfile", path], _OPENSSL_SECONDS)
    shown = limits.run(["openssl", "pkcs7", "-print_certs", "-noout"], _OPENSSL_SECONDS, ended.out.encode())
    names = sorted({_name(line) for line in _SUBJECT.findall(shown.out)})
    if not names:
        raise Unreadable(f"{path} holds no certificate that openssl reads")
    return names


def _name(shown: str) -> str:
    """As `tls_asking` writes the names in a request."""
    return re.sub(r" ?= ?", "=", http_client.plain(shown.strip()))


def _identity(certificate: Mapping[str, Any]) -> dict[str, Any]:
    """All but who signed it, which the handshake does not tell."""
    return {key: value for key, value in certificate.items() if key != "signed_by"}


@contextlib.contextmanager
def _stranger() -> Iterator[str]:
    """A directory with client.pem and client.key, good but for its CA, which nobody knows; gone afterwards."""
    new = (
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        "/CN=stranger",
    )
    with tempfile.TemporaryDirectory(prefix="bulwark-tls-") as directory:
        path = {
            name: f"{directory}/{name}"
            for name in ("ca.key", "ca.pem", "client.key", "client.pem", "request")
        }
        extensions = Path(directory, "extensions")
        extensions.write_text("extendedKeyUsage=clientAuth\n", encoding="ascii")
        by_ca = ("-CA", path["ca.pem"], "-CAkey", path["ca.key"], "-CAcreateserial", "-days", "1")
        for words in (
            (*new, "-x509", "-days", "1", "-keyout", path["ca.key"], "-out", path["ca.pem"]),
            (*new, "-keyout", path["client.key"], "-out", path["request"]),
            (
                "x509",
                "-req",
                "-in",
                path["request"],
                *by_ca,
                "-extfile",
                str(extensions),
                "-out",
                path["client.pem"],
            ),
        ):
            try:
                ended = limits.run(["openssl", *words], _OPENSSL_SECONDS)
            except Unreadable as problem:
                raise Unwell(str(problem)) from problem
            if ended.status:
                raise Unwell(
                    f"openssl {words[0]} makes no certificate of another CA: {ended.err.strip()[-200:]}"
                )
        yield directory
