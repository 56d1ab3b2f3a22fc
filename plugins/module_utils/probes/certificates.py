# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and private keys in PEM files, decoded by the `openssl` program: one process for all."""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import os
import re
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.probes.errors import (
    Unreadable,
    attempt,
    error,
    is_error,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.limits import run, within, within_each
from ansible_collections.bulwark.docker.plugins.module_utils.probes.reading import text

_SECONDS = 15
_SECONDS_TO_READ = 5
_LIMIT = 1024 * 1024
_MOST_NEIGHBOURS = 50
# Of one file; longer ones are the authorities of a whole system, and nobody asks who signed those.
_MOST_VERIFIED = 20
# A file in a home may hold a thousand, which would be as many processes.
_MOST_ONE_BY_ONE = 20
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----")
_KEY = re.compile(r"-----BEGIN (ENCRYPTED )?(?:[A-Z]+ )?PRIVATE KEY-----\s+(Proc-Type: 4,ENCRYPTED)?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PURPOSES = {
    "Any Extended Key Usage": "anyExtendedKeyUsage",
    "Code Signing": "codeSigning",
    "E-mail Protection": "emailProtection",
    "OCSP Signing": "OCSPSigning",
    "TLS Web Client Authentication": "clientAuth",
    "TLS Web Server Authentication": "serverAuth",
    "Time Stamping": "timeStamping",
}
# Algorithms of keys as openssl names them: the common name, and the bits where it does not print them.
_KEY_TYPES = {
    "ED25519": ("Ed25519", 256),
    "ED448": ("Ed448", 456),
    "dsaEncryption": ("DSA", None),
    "id-ecPublicKey": ("EC", None),
    "rsaEncryption": ("RSA", None),
    "rsassaPss": ("RSA-PSS", None),
}

Certificate = dict[str, Any]


def certificates(paths: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the PEM files hold: ({path: [CERTIFICATE]}, {path: {public_key, encrypted}}) of docs/snapshot.md.

    A path that is missing or cannot be read is in both, as null or error; that of a key alone in the second.
    Every certificate is checked against every file that holds a CA (`signed_by`).
    """
    asked = sorted(set(paths))
    texts: dict[str, Any] = {}
    for some, answer in within_each(_SECONDS_TO_READ, _texts, asked):
        texts.update(dict.fromkeys(some, answer) if is_error(answer) else answer)
    found = {path: held for path, held in texts.items() if not isinstance(held, str)}
    keys = dict(found)
    blocks = {}
    for path, pem in texts.items():
        if not isinstance(pem, str):
            continue
        key = _KEY.search(pem)
        if key:
            keys[path] = attempt(_key, path, bool(key[1] or key[2]))
        blocks[path] = [_der(block) for block in _BLOCK.findall(pem)]
        if not key and not blocks[path]:
            found[path] = error(f"{path} holds no PEM certificate")
    decoded = attempt(_decode_files, {path: ders for path, ders in blocks.items() if ders})
    found.update({path: decoded for path in blocks if blocks[path]} if is_error(decoded) else decoded)
    return dict(sorted(found.items())), dict(sorted(keys.items()))


def neighbours(paths: Iterable[str]) -> list[str]:
    """Other files beside these with the names of keys or certificates: where a CA's key is left behind."""
    wanted = sorted(set(paths))
    found: list[str] = within(_SECONDS_TO_READ, _beside, wanted) if wanted else []
    return found


def decode(ders: Sequence[bytes]) -> list[Certificate]:
    """CERTIFICATE of each in DER, without `signed_by`; Unreadable when openssl does not understand one."""
    if not ders:
        return []
    pems = "".join(_pem(der) for der in ders).encode()
    ended = run(["openssl", "storeutl", "-noout", "-text", "-certs", "/dev/stdin"], _SECONDS, pems)
    texts = re.split(r"^\d+: Certificate$", ended.out, flags=re.MULTILINE)[1:]
    if len(texts) != len(ders):
        if len(ders) > _MOST_ONE_BY_ONE:
            raise Unreadable(f"openssl does not read all of the {len(ders)} certificates")
        texts = [_text(der) for der in ders]
    return [_certificate(described, der) for described, der in zip(texts, ders)]


def _texts(paths: Sequence[str]) -> dict[str, Any]:
    return {path: attempt(text, path, _LIMIT) for path in paths}


def _beside(paths: Sequence[str]) -> list[str]:
    found: list[str] = []
    for directory in {Path(path).parent for path in paths}:
        if os.access(directory, os.R_OK | os.X_OK):
            held = [str(path) for path in directory.iterdir() if path.suffix in (".crt", ".key", ".pem")]
            found += sorted(held)[:_MOST_NEIGHBOURS]
    return sorted(set(found) - set(paths))


def _decode_files(files: dict[str, list[bytes]]) -> dict[str, Any]:
    """One process for all; when a certificate is broken, one for each file."""
    ders = [der for path in files for der in files[path]]
    try:
        flat = iter(decode(ders))
        found: dict[str, Any] = {path: [next(flat) for _unused in files[path]] for path in files}
    except Unreadable:
        found = {path: attempt(decode, files[path]) for path in files}
    readable = {path: held for path, held in found.items() if isinstance(held, list)}
    _verify({path: files[path] for path in readable}, readable)
    return found


def _verify(files: dict[str, list[bytes]], found: dict[str, list[Certificate]]) -> None:
    """Fill `signed_by`: one process for each file that holds a CA or a self-signed certificate.

    The certificates reach openssl as files in memory, without the keys that may lie in the same file.
    Dates are left out: an expired one has been signed as well.
    """
    handles: list[int] = []

    def lay(ders: Sequence[bytes]) -> str:
        handles.append(os.memfd_create("certificates"))
        os.write(handles[-1], "".join(map(_pem, ders)).encode())
        return f"/dev/fd/{handles[-1]}"

    try:
        bundles = {path: lay(ders) for path, ders in files.items()}
        leaves = {
            lay([der]): held for path in files for der, held in zip(files[path][:_MOST_VERIFIED], found[path])
        }
        chains = [
            word for path, ders in files.items() if len(ders) > 1 for word in ("-untrusted", bundles[path])
        ]
        for path in sorted(files):
            if any(held["ca"] or held["self_signed"] for held in found[path]):
                options = ["-no_check_time", "-partial_chain", "-CAfile", bundles[path], *chains]
                ended = run(["openssl", "verify", *options, *leaves], _SECONDS, pass_fds=handles)
                for line in ended.out.splitlines():
                    if line.endswith(": OK"):
                        leaves[line[:-4]]["signed_by"].append(path)
    finally:
        for handle in handles:
            os.close(handle)


def _key(path: str, encrypted: bool) -> dict[str, Any]:
    """The digest of the public half; of an encrypted key nothing is known."""
    if encrypted:
        return {"public_key": None, "encrypted": True}
    ended = run(["openssl", "pkey", "-in", path, "-passin", "pass:", "-pubout"], _SECONDS)
    held = re.search(r"-----BEGIN PUBLIC KEY-----([^-]+)-----END", ended.out)
    if not held:
        raise Unreadable(f"{path}: openssl does not read the private key")
    return {"public_key": _digest(base64.b64decode(held[1])), "encrypted": False}


def _text(der: bytes) -> str:
    ended = run(["openssl", "x509", "-noout", "-text"], _SECONDS, _pem(der).encode())
    if ended.status:
        raise Unreadable("openssl does not read the certificate")
    return ended.out


def _certificate(described: str, der: bytes) -> Certificate:
    issuer, subject, public_key = _fields(der)
    algorithm = _value(described, r"Public Key Algorithm: (\S+)")
    key_type, bits = _KEY_TYPES.get(algorithm, (algorithm, None))
    purposes = _extension(described, "Extended Key Usage")
    printed_bits = re.search(r"Public-Key: \((\d+) bit", described)
    return {
        "subject": _name(described, "Subject"),
        "issuer": _name(described, "Issuer"),
        "not_before": _time(_value(described, r"Not Before: (.*)")),
        "not_after": _time(_value(described, r"Not After : (.*)")),
        "ca": "CA:TRUE" in (_extension(described, "Basic Constraints") or ()),
        "eku": None if purposes is None else sorted(_PURPOSES.get(purpose, purpose) for purpose in purposes),
        "san": sorted(_alternative(name) for name in _extension(described, "Subject Alternative Name") or ()),
        "key_type": key_type,
        "key_bits": int(printed_bits[1]) if printed_bits else bits,
        "signature_algorithm": _value(described, r"Signature Algorithm: (\S+)"),
        "public_key": _digest(public_key),
        "self_signed": issuer == subject,
        "signed_by": [],
    }


def _value(described: str, pattern: str) -> str:
    found = re.search(pattern, described)
    return found[1].strip() if found else ""


def _name(described: str, kind: str) -> str:
    """OpenSSL 3.2 writes CN=x where older ones write CN = x."""
    return re.sub(r" ?= ?", "=", _value(described, rf"\n +{kind}: ?(.*)"))


def _extension(described: str, name: str) -> list[str] | None:
    found = re.search(rf"\n +X509v3 {name}:[^\n]*\n +([^\n]*)", described)
    return found and [part.strip() for part in found[1].split(", ")]


def _alternative(name: str) -> str:
    """`IP Address:0:0:0:0:0:0:0:1` as `IP:::1`, the others as openssl writes them."""
    kind, _unused, value = name.partition(":")
    if kind != "IP Address":
        return name
    family = socket.AF_INET6 if ":" in value else socket.AF_INET
    try:
        return f"IP:{socket.inet_ntop(family, socket.inet_pton(family, value))}"
    except OSError:
        return f"IP:{value}"


def _time(stated: str) -> int | None:
    """`Nov 22 10:38:05 2026 GMT` as seconds since 1970; not by strptime, which speaks the locale."""
    found = re.match(r"([A-Z][a-z]{2}) +(\d+) (\d+):(\d+):(\d+) (\d+)", stated)
    if not found or found[1] not in _MONTHS:
        return None
    day, hour, minute, second, year = (int(found[group]) for group in range(2, 7))
    month = _MONTHS.index(found[1]) + 1
    utc = datetime.timezone.utc
    return int(datetime.datetime(year, month, day, hour, minute, second, tzinfo=utc).timestamp())


def _der(block: str) -> bytes:
    try:
        return base64.b64decode("".join(block.split()))
    except binascii.Error:
        return b""


def _pem(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n"


def _digest(public_key: bytes) -> str:
    return hashlib.sha256(public_key).hexdigest()


def _fields(der: bytes) -> tuple[bytes, bytes, bytes]:
    """(issuer, subject, public key) of a certificate, each as its own DER (RFC 5280, 4.1)."""
    try:
        parts = _inside(_inside(der)[0])
        if parts[0][0] == 0xA0:  # the version, which version 1 leaves out
            parts = parts[1:]
        return parts[2], parts[4], parts[5]
    except IndexError as problem:
        raise Unreadable("a PEM block is not a certificate") from problem


def _inside(der: bytes) -> list[bytes]:
    """The elements that an element consists of."""
    position, end = _content(der, 0)
    found = []
    while position < end:
        _unused, stop = _content(der, position)
        found.append(der[position:stop])
        position = stop
    return found


def _content(der: bytes, position: int) -> tuple[int, int]:
    """Where the content of the element at `position` starts and ends."""
    length, start = der[position + 1], position + 2
    if length & 0x80:
        digits = length & 0x7F
        length = int.from_bytes(der[start : start + digits], "big")
        start += digits
    return start, start + length
