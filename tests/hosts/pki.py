# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private CA within the test's own process, certificates of every kind, and a client that comes from outside."""

from __future__ import annotations

import http.client
import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


class Issued(NamedTuple):
    """A certificate and its key in PEM."""

    certificate: bytes
    key: bytes

    @property
    def serial(self) -> int:
        return x509.load_pem_x509_certificate(self.certificate).serial_number

    @property
    def secrets(self) -> list[str]:
        """The lines of the key that nobody may show."""
        return self.key.decode().splitlines()[1:-1]


class Authority:
    """A CA whose key lies nowhere."""

    def __init__(self, name: str = "test CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        built = _certificate(self._name, self._name, self._key.public_key(), 365)
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.pem = built.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        names: Sequence[str] = (),
        usage: x509.ObjectIdentifier = SERVER,
        days: float = 90,
        passphrase: bytes | None = None,
    ) -> Issued:
        """For these names and addresses; one that has ended with negative `days`."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = _certificate(_name("docker"), self._name, key.public_key(), days)
        built = built.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            built = built.add_extension(x509.SubjectAlternativeName(list(map(_alternative, names))), False)
        hidden: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            hidden = serialization.BestAvailableEncryption(passphrase)
        return Issued(
            built.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden),
        )


class Answer(NamedTuple):
    """What a client gets: None for no answer, and the serial number of the certificate that it was shown."""

    status: int | None
    serial: int | None = None


def ask(
    address: str, port: int, ca: bytes | None = None, client: Issued | None = None, timeout: float = 5
) -> Answer:
    """GET /_ping as this machine sees the host: in plain HTTP without `ca`, else in TLS that trusts it alone."""
    if ca is None:
        return _asked(http.client.HTTPConnection(address, port, timeout=timeout))
    context = ssl.create_default_context(cadata=ca.decode())
    if client:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "client.pem")
            path.write_bytes(client.certificate + client.key)
            context.load_cert_chain(path)
    return _asked(http.client.HTTPSConnection(address, port, timeout=timeout, context=context))


def _asked(connection: http.client.HTTPConnection) -> Answer:
    serial = None
    try:
        connection.connect()
        if isinstance(connection.sock, ssl.SSLSocket):
            shown = connection.sock.getpeercert(binary_form=True) or b""
            serial = x509.load_der_x509_certificate(shown).serial_number
        connection.request("GET", "/_ping")
        return Answer(connection.getresponse().status, serial)
    except (OSError, http.client.HTTPException):
        return Answer(None, serial)
    finally:
        connection.close()


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: float
) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
