# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of all kinds, read from DER as openssl prints them; and what hostile ones cannot do (S16)."""

from __future__ import annotations

import calendar
import hashlib
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.pki import oid_names, pem, x509

from tests.unit.plugins.module_utils.probes.making import (
    ALTERNATIVE,
    DNS,
    EMAIL,
    GENERALIZED,
    IP,
    OID,
    SEQUENCE,
    URI,
    UTC,
    extension,
    made,
    name,
    tlv,
)

_KEYS = {
    "rsa": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "odd rsa": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1031"),
    "pss": ("-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"),
    "ed25519": ("-algorithm", "ED25519"),
    "ed448": ("-algorithm", "ED448"),
    **{curve: ("-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}") for curve in (
        "P-256", "P-384", "P-521", "secp224r1", "secp256k1", "prime192v1", "brainpoolP320r1", "sect283k1", "sect571r1",
    )},
    "explicit": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"),
}  # fmt: skip
_SUBJECTS = (
    "/CN=plain",
    "/C=DE/ST=Sachsen/L=Leipzig/O=DigiCert, Inc./OU=a b/CN=x.example/emailAddress=root@x.example",
    "/DC=example/DC=corp/UID=jo/CN=Jo Doe/serialNumber=17/title=Dr/GN=Jo/SN=Doe/street=Way 1/postalCode=04109",
    "/O=Bücher \"GmbH\"/CN=日本/1.2.3.4.5=foo",
    "/O=a=b/CN=x;y<z>/OU=#1/organizationIdentifier=NTRDE-1/businessCategory=Private",
    "/O=A\\/B/OU=x\\+y/CN=back\\\\slash",
)  # fmt: skip
_EXTENSIONS = (
    "",
    "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign",
    "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth,codeSigning,emailProtection,timeStamping,"
    "OCSPSigning",
    "extendedKeyUsage=critical,anyExtendedKeyUsage,msSmartcardLogin,1.2.3.4,ipsecIKE,nsSGC\nsubjectKeyIdentifier=hash",
    "subjectAltName=critical,DNS:a.example,DNS:*.example,IP:192.0.2.1,IP:2001:db8::1,IP:::1,IP:::ffff:192.0.2.1,"
    "email:root@a.example,URI:https://a.example/x,RID:1.2.3.4\nbasicConstraints=CA:FALSE",
    "subjectAltName=IP:fe80::1\nextendedKeyUsage=clientAuth\nnsComment=X509v3 Basic Constraints",
)


def _openssl(directory: Path, *words: str, stdin: bytes = b"") -> str:
    command = ["openssl", *words]
    return subprocess.run(
        command, cwd=directory, check=True, capture_output=True, input=stdin
    ).stdout.decode()


def _issue(directory: Path, key: str, subject: str, extensions: str, mask: str = "utf8only") -> bytes:
    head = f"[req]\nstring_mask={mask}\ndistinguished_name=dn\nx509_extensions=v3\n[dn]\n[v3]\n"
    # With a section that is empty 3.2 and newer add some of their own, as they do for a request.
    (directory / "config").write_text(
        f"{head}{extensions or 'subjectKeyIdentifier=none'}\n", encoding="utf-8"
    )
    if not (directory / key).exists():
        _openssl(directory, "genpkey", *_KEYS[key], "-out", key)
    words = (
        "-config",
        "config",
        "-days",
        "30",
        "-utf8",
        "-multivalue-rdn",
        "-subj",
        subject,
        "-outform",
        "DER",
    )
    command = ["openssl", "req", "-x509", "-new", "-key", key, *words]
    return subprocess.run(command, cwd=directory, check=True, capture_output=True).stdout


def _printed(directory: Path, der: bytes) -> dict[str, Any]:
    """What openssl prints of the certificate, read by patterns: good enough where nobody is hostile."""
    (directory / "one.pem").write_text(pem.armored("CERTIFICATE", der), encoding="ascii")
    text = _openssl(directory, "storeutl", "-noout", "-text", "-certs", "one.pem")

    def line(pattern: str) -> str:
        found = re.search(pattern, text)
        return found[1].strip() if found else ""

    def listed(title: str) -> list[str] | None:
        found = re.search(rf"\n +X509v3 {title}:[^\n]*\n +([^\n]*)", text)
        return found and [part.strip() for part in found[1].split(", ")]

    purposes = {"TLS Web Server Authentication": "serverAuth", "TLS Web Client Authentication": "clientAuth",
                "Code Signing": "codeSigning", "E-mail Protection": "emailProtection", "OCSP Signing": "OCSPSigning",
                "Time Stamping": "timeStamping", "Any Extended Key Usage": "anyExtendedKeyUsage"}  # fmt: skip
    kinds = {"rsaEncryption": "RSA", "rsassaPss": "RSA-PSS", "id-ecPublicKey": "EC", "ED25519": "Ed25519",
             "ED448": "Ed448"}  # fmt: skip
    bits = re.search(r"Public-Key: \((\d+) bit", text)
    key_type = kinds[line(r"Public Key Algorithm: (\S+)")]
    eku = listed("Extended Key Usage")
    return {
        "subject": line(r"\n +Subject: ?(.*)"),
        "issuer": line(r"\n +Issuer: ?(.*)"),
        "not_before": _seconds(line(r"Not Before: (.*)")),
        "not_after": _seconds(line(r"Not After : (.*)")),
        "ca": "CA:TRUE" in (listed("Basic Constraints") or ()),
        "eku": None if eku is None else sorted(purposes.get(each, each) for each in eku),
        "key_type": key_type,
        "key_bits": int(bits[1]) if bits else {"Ed25519": 256, "Ed448": 456}[key_type],
        "signature_algorithm": line(r"Signature Algorithm: (\S+)"),
    }


def _seconds(stated: str) -> int:
    return calendar.timegm(time.strptime(stated, "%b %d %H:%M:%S %Y GMT"))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


def _agrees(directory: Path, der: bytes) -> dict[str, Any]:
    found = x509.certificate(der)
    printed = _printed(directory, der)
    assert {key: found[key] for key in printed} == printed
    return found


@pytest.mark.parametrize("key", _KEYS)
def test_keys_as_openssl_prints_them(key: str, directory: Path) -> None:
    der = _issue(directory, key, "/CN=x", "")
    public = _openssl(directory, "pkey", "-in", key, "-pubout", "-outform", "PEM")
    (block,) = pem.blocks(public)
    found = _agrees(directory, der)
    assert found["public_key"] == hashlib.sha256(pem.der(block)).hexdigest()
    assert found["self_signed"]


@pytest.mark.parametrize(
    "mask", ["utf8only", "nombstr", "MASK:0x800", "pkix"], ids=["utf8", "t61", "bmp", "printable"]
)
@pytest.mark.parametrize("subject", _SUBJECTS)
def test_names_as_openssl_prints_them(subject: str, mask: str, directory: Path) -> None:
    try:
        der = _issue(directory, "P-256", subject, "", mask)
    except subprocess.CalledProcessError:
        pytest.skip("openssl puts no such name into strings of this kind")
    assert _agrees(directory, der)["subject"]


def test_sets_of_several_attributes_as_openssl_prints_them(directory: Path) -> None:
    assert _agrees(directory, _issue(directory, "P-256", "/O=A+OU=B+CN=c/L=d", ""))["subject"].count("+") == 2


@pytest.mark.parametrize("extensions", _EXTENSIONS)
def test_extensions_as_openssl_prints_them(extensions: str, directory: Path) -> None:
    _agrees(directory, _issue(directory, "P-256", "/CN=x", extensions))


def test_alternative_names(directory: Path) -> None:
    found = x509.certificate(_issue(directory, "P-256", "/CN=x", _EXTENSIONS[4]))
    assert found["san"] == [
        "DNS:*.example", "DNS:a.example", "IP:192.0.2.1", "IP:2001:db8::1", "IP:::1", "IP:::ffff:192.0.2.1",
        "Registered ID:1.2.3.4", "URI:https://a.example/x", "email:root@a.example",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "table", [oid_names.ATTRIBUTES, oid_names.SIGNATURES], ids=["attributes", "signatures"]
)
def test_names_of_identifiers_are_those_of_openssl(table: dict[str, str]) -> None:
    known: dict[str, list[str]] = {}
    listed = subprocess.run(
        ["openssl", "list", "-objects"], check=True, capture_output=True, text=True
    ).stdout
    for line in listed.splitlines():
        names, _unused, identifier = line.replace(" = ", ", ", 1).rpartition(", ")
        known[identifier] = names.split(", ")
    for identifier, wanted in table.items():
        assert wanted in known[identifier]


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        (UTC(b"700101000000Z"), 0),
        (UTC(b"491231235959Z"), 2524607999),
        (UTC(b"500101000000Z"), -631152000),
        (GENERALIZED(b"20500101000000Z"), 2524608000),
        (GENERALIZED(b"99991231235959Z"), 253402300799),
        (GENERALIZED(b"00000101000000Z"), None),
        (GENERALIZED(b"20260230000000Z"), None),
        (GENERALIZED(b"20260101000060Z"), None),
        (GENERALIZED(b"20260101000000.5Z"), None),
        (GENERALIZED(b"20260101000000+0100"), None),
        (GENERALIZED("\uff12\uff10260101000000Z".encode()), None),
        (UTC(b"2601010000Z"), None),
        (UTC(b""), None),
        (UTC(b"9" * 10_000 + b"Z"), None),
        (tlv(0x0C, b"260101000000Z"), None),
    ],
)
def test_dates(date: bytes, seconds: int | None) -> None:
    """S16: the year 0 was a ValueError that cost all certificates of the host."""
    found = x509.certificate(made(not_before=date, not_after=date))
    assert (found["not_before"], found["not_after"]) == (seconds, seconds)


def test_forged_names_stay_what_they_are() -> None:
    """S16: openssl prints DNS names as they are, line breaks and commas included."""
    forged = b"a\n            X509v3 Basic Constraints: \n                CA:TRUE"
    found = x509.certificate(
        made(
            subject=name(b"x\n        Subject: CN=y", b"x, CN=good/emailAddress=a@b+OU=c"),
            extensions=(
                ALTERNATIVE(
                    DNS(forged),
                    DNS(b"good.example, DNS:evil.example"),
                    EMAIL(b"\xff\0"),
                    IP(b"\1\2\3"),
                    URI(b""),
                ),
            ),
        )
    )
    assert not found["ca"]
    assert found["san"] == [
        r"DNS:a\x0A            X509v3 Basic Constraints: \x0A                CA:TRUE",
        "DNS:good.example, DNS:evil.example",
        "IP:<invalid>",
        "URI:",
        r"email:\xFF\x00",
    ]
    assert found["subject"] == r"CN=x\x0A        Subject: CN=y, CN=x\, CN=good\/emailAddress=a@b\+OU=c"


_CA = extension(b"\x55\x1d\x13", SEQUENCE(b"\1\1\xff"))


@pytest.mark.parametrize(
    ("der", "words"),
    [
        (b"", "0 elements"),
        (b"\x30", "cut off"),
        (b"\x30\x80\0\0", "length of another form"),
        (b"\x30\x85\0\0\0\0\0", "length of another form"),
        (b"\x30\x84\xff\xff\xff\xff", "longer than what holds it"),
        (b"\x3f\x01\0", "several bytes"),
        (made() + b"\0\0", "2 elements"),
        (made(extensions=(_CA, ALTERNATIVE(DNS(b"x")), _CA)), "the extension 2.5.29.19 twice"),
        (made(optional=2 * tlv(0xA3, SEQUENCE(_CA))), "extensions twice"),
        (
            made(extensions=(extension(b"\x55\x1d\x11", b"\x0c\x01x"),)),
            "type 0x0c in the place of one of type 0x30",
        ),
        (made(extensions=(extension(b"\xff" * 80, b""),)), "object identifier"),
        (made(extensions=(ALTERNATIVE(*[DNS(b"x")] * 1001),)), "more than 1000 names"),
        (made(extensions=(ALTERNATIVE(*[b"\x05\0"] * 6000),)), "more than 5000 elements"),
        (made(subject=SEQUENCE(SEQUENCE())), "type 0x30 in the place of one of type 0x31"),
        (made(key=SEQUENCE(SEQUENCE(), tlv(3, b"\0"))), "no algorithm"),
        (made(subject=name(b"x" * 300_000)), "larger than 262144 bytes"),
    ],
)
def test_what_is_refused(der: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match="a certificate that cannot be read: ") as caught:
        x509.certificate(der)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        SEQUENCE(SEQUENCE(OID(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")), tlv(3)),
        SEQUENCE(SEQUENCE(OID(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")), tlv(3, b"\0" + SEQUENCE())),
        SEQUENCE(SEQUENCE(OID(b"\x2a\x86\x48\xce\x3d\x02\x01")), tlv(3, b"\0")),
        SEQUENCE(SEQUENCE(OID(b"\x2a\x86\x48\xce\x3d\x02\x01"), SEQUENCE()), tlv(3, b"\0")),
        SEQUENCE(SEQUENCE(OID(b"\x2a\x03")), tlv(3, b"\0")),
    ],
)
def test_keys_that_cannot_be_read_have_no_bits(key: bytes) -> None:
    assert x509.certificate(made(key=key))["key_bits"] is None


def test_names_are_compared_as_openssl_does() -> None:
    """Kind of string, case and white space do not count."""
    spelled = x509.names(made(subject=name(b"Some  CA "))).subject
    cn = OID(b"\x55\x04\x03")
    for tag, value in ((0x13, b"some ca"), (0x1E, "SOME CA".encode("utf-16-be")), (0x14, b" Some CA")):
        other = SEQUENCE(tlv(0x31, SEQUENCE(cn, tlv(tag, value))))
        assert x509.names(made(issuer=other)).issuer == spelled
    assert x509.names(made(issuer=name(b"Some", b"CA"))).issuer != spelled
