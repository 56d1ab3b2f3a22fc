# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that no honest program makes, put together from DER. Nobody has signed them."""

from __future__ import annotations

from functools import partial

_CN = b"\x55\x04\x03"
_ECDSA = b"\x2a\x86\x48\xce\x3d\x04\x03\x02"
_EC_KEY, _P256 = b"\x2a\x86\x48\xce\x3d\x02\x01", b"\x2a\x86\x48\xce\x3d\x03\x01\x07"


def tlv(tag: int, *parts: bytes) -> bytes:
    """One element."""
    content = b"".join(parts)
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (size if len(content) < 128 else bytes([0x80 | len(size)]) + size) + content


SEQUENCE, SET, OID, OCTETS = (partial(tlv, tag) for tag in (0x30, 0x31, 0x06, 0x04))
UTF8, UTC, GENERALIZED = (partial(tlv, tag) for tag in (0x0C, 0x17, 0x18))
EMAIL, DNS, URI, IP = (partial(tlv, tag) for tag in (0x81, 0x82, 0x86, 0x87))


def name(*values: bytes) -> bytes:
    """A name of common names."""
    return SEQUENCE(*(SET(SEQUENCE(OID(_CN), UTF8(value))) for value in values))


def extension(identifier: bytes, value: bytes) -> bytes:
    """One of a certificate's extensions."""
    return SEQUENCE(OID(identifier), OCTETS(value))


def ALTERNATIVE(*names: bytes) -> bytes:
    """The extension with alternative names."""
    return extension(b"\x55\x1d\x11", SEQUENCE(*names))


def made(
    *,
    subject: bytes = name(b"subject"),
    issuer: bytes = name(b"issuer"),
    not_before: bytes = UTC(b"260101000000Z"),
    not_after: bytes = UTC(b"360101000000Z"),
    extensions: tuple[bytes, ...] = (),
    key: bytes = SEQUENCE(SEQUENCE(OID(_EC_KEY), OID(_P256)), tlv(0x03, b"\0\x04" + 64 * b"\1")),
    optional: bytes | None = None,
) -> bytes:
    """A certificate of version 3."""
    algorithm = SEQUENCE(OID(_ECDSA))
    signed = SEQUENCE(
        tlv(0xA0, b"\x02\x01\x02"),
        b"\x02\x01\x01",
        algorithm,
        issuer,
        SEQUENCE(not_before, not_after),
        subject,
        key,
        (tlv(0xA3, SEQUENCE(*extensions)) if extensions else b"") if optional is None else optional,
    )
    return SEQUENCE(signed, algorithm, tlv(0x03, b"\0" + 70 * b"\1"))
