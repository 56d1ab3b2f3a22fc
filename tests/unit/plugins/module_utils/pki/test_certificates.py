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
from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.pki import certificates as probe
from ansible_collections.bulwark.docker.plugins.module_utils.pki import pem, signatures
from ansible_collections.bulwark.docker.plugins.module_utils.pki.certificates import (
    certificates,
    decode,
    neighbours,
)

from tests.unit.plugins.module_utils.probes.laying import lay
from tests.unit.plugins.module_utils.probes.making import ALTERNATIVE, DNS, GENERALIZED, made

UNREADABLE = "a certificate that cannot be read: an element is longer than what holds it"
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
            "cert.pem": {"error": f"cert.pem holds {UNREADABLE}"},
            "fifo": not_regular,
            "missing": None,
            "mixed.pem": {"error": f"mixed.pem holds {UNREADABLE}"},
            "none": {"error": "none holds no PEM certificate"},
        },
        {
            "fifo": not_regular,
            "key.pem": {"error": "key.pem: openssl does not read the private key"},
            "missing": None,
        },
    ]


def test_one_file_costs_one_file(pki: Path, tmp_path: Path) -> None:
    """S16: a certificate of the year 0, one that ends early, one with an extension twice."""
    files = {
        "year.pem": made(not_before=GENERALIZED(b"00000101000000Z")),
        "cut.pem": made()[:-1],
        "twice.pem": made(extensions=(ALTERNATIVE(DNS(b"a")), ALTERNATIVE(DNS(b"b")))),
    }
    for name, data in files.items():
        (tmp_path / name).write_text(pem.armored("CERTIFICATE", data), encoding="ascii")
    names = [*(str(tmp_path / name) for name in files), str(pki / "ca.pem"), str(pki / "server.pem"), "/\0"]
    found, _unused = certificates(names)
    assert found[str(pki / "server.pem")][0]["signed_by"] == [str(pki / "ca.pem")]
    assert found[str(tmp_path / "year.pem")][0]["not_before"] is None
    for name in ("cut.pem", "twice.pem"):
        assert f"{name} holds a certificate that cannot be read" in found[str(tmp_path / name)]["error"]
    assert set(found["/\0"]) == {"error"}


def test_a_key_is_read_as_it_was_seen(pki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 3: openssl opened by its path once more what had been checked."""
    path = tmp_path / "key.pem"
    path.write_bytes((pki / "ca.key").read_bytes())
    seen: list[Any] = []

    def run(argv: list[str], *others: Any) -> Any:
        path.unlink(missing_ok=True)
        seen.append(argv)
        return limits.run(argv, *others)

    monkeypatch.setattr(probe, "run", run)
    _unused, keys = certificates([str(path)])
    assert keys[str(path)] == certificates([str(pki / "ca.key")])[1][str(pki / "ca.key")]
    assert str(path) not in seen[0]


def test_one_directory_costs_one_directory(pki: Path, tmp_path: Path) -> None:
    """S17: many large files in a home."""
    for number in range(4):
        (tmp_path / f"{number}.pem").write_text(" " * 1_000_000, encoding="ascii")
    found, _unused = certificates([*(str(tmp_path / f"{n}.pem") for n in range(4)), str(pki / "ca.pem")])
    assert "have more than 2097152 bytes" in found.pop(str(tmp_path / "3.pem"))["error"]
    assert isinstance(found[str(pki / "ca.pem")], list)


def test_a_signature_that_takes_too_long_costs_itself(pki: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S16: both files are tried with the CA at once, then alone."""
    slow = ssl.PEM_cert_to_DER_cert((pki / "client.pem").read_text(encoding="ascii"))

    def run(argv: list[str], seconds: float, *others: Any, **named: Any) -> Any:
        if any(
            Path(f"/dev/fd/{fd}").read_text() == pem.armored("CERTIFICATE", slow) for fd in named["pass_fds"]
        ):
            raise Unreadable("openssl did not end within 1 s")
        return limits.run(argv, seconds, *others, **named)

    monkeypatch.setattr(signatures, "run", run)
    found, _unused = certificates(str(pki / name) for name in ("ca.pem", "client.pem", "server.pem"))
    assert found[str(pki / "server.pem")][0]["signed_by"] == [str(pki / "ca.pem")]
    assert "did not end within 1 s" in found[str(pki / "client.pem")][0]["signed_by"]["error"]


def test_nothing_to_read() -> None:
    assert certificates([]) == ({}, {})
    assert certificates(["/nonexistent"]) == ({"/nonexistent": None}, {"/nonexistent": None})


def test_without_openssl(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEARCH", "/nonexistent")
    found, keys = read("ca.pem", "ca.key")
    assert keys == {"ca.key": {"error": "openssl is not installed"}}
    assert found["ca.pem"][0].pop("signed_by") == {
        "error": "whether ca.pem verifies it is not known: openssl is not installed"
    }
    assert found["ca.pem"][0]["subject"] == "O=Bulwark, CN=ca"


def test_a_certificate_from_a_handshake(pki: Path) -> None:
    der = ssl.PEM_cert_to_DER_cert((pki / "server.pem").read_text(encoding="ascii"))
    assert decode([der])[0]["subject"] == "O=Bulwark, CN=server"
    with pytest.raises(Unreadable, match=UNREADABLE):
        decode([der, b"no certificate"])


def test_neighbours_are_other_keys_and_certificates(pki: Path, tmp_path: Path) -> None:
    beside = neighbours([str(pki / "server.pem"), str(tmp_path / "none/x.pem")])
    assert str(pki / "ca.key") in beside
    assert str(pki / "chain.pem") in beside
    assert not {str(pki / name) for name in ("server.pem", "server.csr", "extensions")} & set(beside)
