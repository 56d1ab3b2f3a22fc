# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and keys that openssl makes here, read back: dates, names, purposes, keys, signers."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes import limits
from ansible_collections.bulwark.docker.plugins.module_utils.probes.certificates import (
    certificates,
    decode,
    neighbours,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.errors import Unreadable

from tests.unit.plugins.module_utils.probes.laying import lay

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
EXTENSIONS = """\
[ca]
basicConstraints = critical, CA:TRUE
[server]
basicConstraints = CA:FALSE
subjectAltName = critical, DNS:docker.example, DNS:*.example, IP:192.0.2.5, IP:2001:db8::1
extendedKeyUsage = serverAuth, clientAuth
[client]
extendedKeyUsage = clientAuth, 1.2.3.4
[bare]
subjectKeyIdentifier = none
"""


def openssl(directory: Path, *words: str) -> None:
    subprocess.run(
        ["openssl", *words], cwd=directory, check=True, capture_output=True, stdin=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, certificates that it signed, one that it did not, and keys of every kind."""
    directory = lay(tmp_path_factory.mktemp("pki"), {"extensions": EXTENSIONS})

    def request(name: str, *key: str) -> None:
        openssl(directory, "req", "-new", *key, "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", f"/O=Bulwark/CN={name}")  # fmt: skip

    def sign(name: str, section: str, days: int, *by: str) -> None:
        openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", "-days", str(days),
                "-extfile", "extensions", "-extensions", section, *by)  # fmt: skip

    by_ca = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    request("ca", *EC)
    sign("ca", "ca", 3650, "-signkey", "ca.key")
    request("server", "-newkey", "rsa:2048")
    sign("server", "server", 30, *by_ca)
    request("client", "-newkey", "ed25519")
    sign("client", "client", 30, *by_ca)
    request("intermediate", *EC)
    sign("intermediate", "ca", 30, *by_ca)
    request("leaf", *EC)
    sign("leaf", "bare", 30, "-CA", "intermediate.pem", "-CAkey", "intermediate.key", "-CAcreateserial")
    request("other", *EC)
    sign("other", "bare", 30, "-signkey", "other.key")
    for name, options in (("pkcs8", ("pkcs8", "-topk8")), ("legacy", ("ec", "-aes128"))):
        openssl(directory, *options, "-in", "ca.key", "-out", f"{name}.key", "-passout", "pass:secret")
    chain = b"".join((directory / name).read_bytes() for name in ("leaf.pem", "intermediate.pem", "leaf.key"))
    (directory / "chain.pem").write_bytes(b"text before\n" + chain)
    return directory


Read = Callable[..., tuple[dict[str, Any], dict[str, Any]]]


@pytest.fixture
def read(pki: Path) -> Read:
    """certificates() of files named without their directory, in and out."""

    def reader(*names: str) -> tuple[dict[str, Any], dict[str, Any]]:
        found = json.dumps(certificates(str(pki / name) for name in names))
        certs, keys = json.loads(found.replace(f"{pki}/", ""))
        return certs, keys

    return reader


def test_a_server_certificate(read: Read, pki: Path) -> None:
    found, keys = read("server.pem", "server.key")
    (certificate,) = found["server.pem"]
    lifetime = certificate.pop("not_after") - certificate["not_before"]
    assert lifetime == 30 * 86400
    assert abs(certificate.pop("not_before") - (pki / "server.pem").stat().st_mtime) < 60
    assert keys == {"server.key": {"public_key": certificate["public_key"], "encrypted": False}}
    assert len(certificate.pop("public_key")) == 64
    assert certificate == {
        "subject": "O=Bulwark, CN=server",
        "issuer": "O=Bulwark, CN=ca",
        "ca": False,
        "eku": ["clientAuth", "serverAuth"],
        "san": ["DNS:*.example", "DNS:docker.example", "IP:192.0.2.5", "IP:2001:db8::1"],
        "key_type": "RSA",
        "key_bits": 2048,
        "signature_algorithm": "ecdsa-with-SHA256",
        "self_signed": False,
        "signed_by": [],
    }


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        (
            "ca.pem",
            {"ca": True, "eku": None, "san": [], "key_type": "EC", "key_bits": 256, "self_signed": True},
        ),
        (
            "client.pem",
            {"ca": False, "eku": ["1.2.3.4", "clientAuth"], "key_type": "Ed25519", "key_bits": 256},
        ),
        ("other.pem", {"ca": False, "eku": None, "san": [], "self_signed": True}),
    ],
)
def test_kinds_of_certificates(read: Read, name: str, facts: dict[str, Any]) -> None:
    certificate = read(name)[0][name][0]
    assert {fact: certificate[fact] for fact in facts} == facts


def test_who_signed_whom(read: Read) -> None:
    found, _unused = read("ca.pem", "server.pem", "client.pem", "other.pem", "chain.pem")
    assert {path: [held["signed_by"] for held in certificate] for path, certificate in found.items()} == {
        "ca.pem": [["ca.pem"]],
        # Through the intermediate in the same file; that one is an authority for the other.
        "chain.pem": [["ca.pem", "chain.pem"], ["ca.pem", "chain.pem"]],
        "client.pem": [["ca.pem"]],
        "other.pem": [["other.pem"]],
        "server.pem": [["ca.pem"]],
    }


def test_certificates_come_in_the_order_of_the_file(read: Read) -> None:
    found, keys = read("chain.pem", "leaf.key")
    assert [held["subject"] for held in found["chain.pem"]] == [
        "O=Bulwark, CN=leaf",
        "O=Bulwark, CN=intermediate",
    ]
    assert keys["chain.pem"]["public_key"] == found["chain.pem"][0]["public_key"]
    assert keys["chain.pem"] == keys["leaf.key"]


def test_an_expired_certificate_was_signed_all_the_same(pki: Path, tmp_path: Path) -> None:
    openssl(pki, "x509", "-req", "-in", "client.csr", "-out", str(tmp_path / "old.pem"), "-days", "-1",
            "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")  # fmt: skip
    found, _unused = certificates([str(tmp_path / "old.pem"), str(pki / "ca.pem")])
    (old,) = found[str(tmp_path / "old.pem")]
    assert old["not_after"] < old["not_before"]
    assert old["signed_by"] == [str(pki / "ca.pem")]


def test_keys_tell_their_public_half_only(read: Read, pki: Path) -> None:
    found, keys = read("ca.pem", "ca.key", "pkcs8.key", "legacy.key")
    assert list(found) == ["ca.pem"]
    encrypted = {"public_key": None, "encrypted": True}
    assert keys == {
        "ca.key": {"public_key": found["ca.pem"][0]["public_key"], "encrypted": False},
        "legacy.key": encrypted,
        "pkcs8.key": encrypted,
    }


def test_what_cannot_be_read(read: Read, pki: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    broken = "-----BEGIN {0}-----\nMIIBAAAA\n-----END {0}-----\n"
    lay(
        tmp_path,
        {
            "none": "text",
            "cert.pem": broken.format("CERTIFICATE"),
            "key.pem": broken.format("PRIVATE KEY"),
            "mixed.pem": (pki / "ca.pem").read_text(encoding="utf-8") + broken.format("CERTIFICATE"),
        },
    )
    names = ("none", "cert.pem", "key.pem", "mixed.pem", "missing", "fifo")
    found, keys = certificates([*(str(tmp_path / name) for name in names), str(pki / "ca.pem")])
    assert found.pop(str(pki / "ca.pem"))[0]["signed_by"] == [str(pki / "ca.pem")]
    told = json.loads(json.dumps([found, keys]).replace(f"{tmp_path}/", ""))
    not_regular = {"error": "fifo is not a regular file"}
    assert told == [
        {
            "cert.pem": {"error": "openssl does not read the certificate"},
            "fifo": not_regular,
            "missing": None,
            "mixed.pem": {"error": "openssl does not read the certificate"},
            "none": {"error": "none holds no PEM certificate"},
        },
        {
            "fifo": not_regular,
            "key.pem": {"error": "key.pem: openssl does not read the private key"},
            "missing": None,
        },
    ]


def test_a_broken_certificate_among_many_does_not_cost_a_process_each(pki: Path, tmp_path: Path) -> None:
    good = (pki / "ca.pem").read_text(encoding="ascii")
    path = tmp_path / "many.pem"
    path.write_text(good * 30, encoding="ascii")
    assert len(certificates([str(path)])[0][str(path)]) == 30
    path.write_text(good * 30 + good[:60] + "AAAA" + good[-60:], encoding="ascii")
    assert certificates([str(path)])[0][str(path)] == {
        "error": "openssl does not read all of the 31 certificates"
    }


def test_nothing_to_read() -> None:
    assert certificates([]) == ({}, {})
    assert certificates(["/nonexistent"]) == ({"/nonexistent": None}, {"/nonexistent": None})


def test_without_openssl(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEARCH", "/nonexistent")
    missing = {"error": "openssl is not installed"}
    assert read("ca.pem", "ca.key") == ({"ca.pem": missing}, {"ca.key": missing})


def test_a_certificate_from_a_handshake(pki: Path) -> None:
    der = ssl.PEM_cert_to_DER_cert((pki / "server.pem").read_text(encoding="ascii"))
    assert decode([der])[0]["subject"] == "O=Bulwark, CN=server"
    with pytest.raises(Unreadable, match="openssl does not read the certificate"):
        decode([der, b"no certificate"])


def test_neighbours_are_other_keys_and_certificates(pki: Path, tmp_path: Path) -> None:
    beside = neighbours([str(pki / "server.pem"), str(tmp_path / "none/x.pem")])
    assert str(pki / "ca.key") in beside
    assert str(pki / "chain.pem") in beside
    assert not {str(pki / name) for name in ("server.pem", "server.csr", "extensions")} & set(beside)
