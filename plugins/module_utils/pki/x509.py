# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate (RFC 5280) read from its DER, in the words that `openssl x509 -text` would use. Pure."""

from __future__ import annotations

import calendar
import datetime
import hashlib
import re
import socket
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.pki import der, oid_names

SIZE_LIMIT = 256 * 1024
_MOST_NAMES = 1000
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_BASIC_CONSTRAINTS, _EXTENDED_KEY_USAGE, _ALTERNATIVE_NAMES = "2.5.29.19", "2.5.29.37", "2.5.29.17"
# RFC 5280, 4.1.2.5: in UTC, with seconds and without parts of them.
_TIMES = {
    der.UTC_TIME: re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})Z"),
    der.GENERALIZED_TIME: re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})Z"),
}
_CENTURY = 50
_BIG_ENDIAN, _LATIN = "utf-16-be", "latin-1"
# UniversalString, BMPString and T61String; the others are UTF-8 or a part of it.
_ENCODINGS = {0x1C: "utf-32-be", 0x1E: _BIG_ENDIAN, 0x14: _LATIN}
# GeneralName (4.2.1.6): tag -> what stands before the text.
_TEXTS = {0x81: "email:", 0x82: "DNS:", 0x86: "URI:"}
_OTHER, _DIRECTORY, _ADDRESS, _REGISTERED = 0xA0, 0xA4, 0x87, 0x88
_NETWORKS = {4: socket.AF_INET, 16: socket.AF_INET6}
# What would pass for the next attribute of a name.
_SEPARATOR = re.compile(r"[,/+](?= ?[A-Za-z0-9.]{1,32}=)")

Certificate = dict[str, Any]


class Names(NamedTuple):
    """Issuer and subject as they are compared: for a chain, other spellings of a name are the same."""

    issuer: tuple[Any, ...]
    subject: tuple[Any, ...]


class _Parts(NamedTuple):
    signature: der.Element
    issuer: der.Element
    validity: der.Element
    subject: der.Element
    key: der.Element
    extensions: Mapping[str, bytes]


def certificate(data: bytes) -> Certificate:
    """The CERTIFICATE of docs/snapshot.md; a date that is none is None. Raises Unreadable."""
    try:
        return _certificate(_parts(data))
    except der.Malformed as problem:
        raise Unreadable(f"a certificate that cannot be read: {problem}") from problem


def names(data: bytes) -> Names:
    """Who signed it, and whose it is. Raises Unreadable."""
    try:
        parts = _parts(data)
        return Names(_compared(parts.issuer), _compared(parts.subject))
    except der.Malformed as problem:
        raise Unreadable(f"a certificate that cannot be read: {problem}") from problem


def _certificate(parts: _Parts) -> Certificate:
    not_before, not_after = _exactly(der.sequence(parts.validity), 2)
    purposes = parts.extensions.get(_EXTENDED_KEY_USAGE)
    alternatives = parts.extensions.get(_ALTERNATIVE_NAMES)
    algorithm = der.oid(der.sequence(parts.signature)[0])
    key_type, bits = _key(parts.key)
    return {
        "subject": _text(parts.subject),
        "issuer": _text(parts.issuer),
        "not_before": _time(not_before),
        "not_after": _time(not_after),
        "ca": _is_ca(parts.extensions.get(_BASIC_CONSTRAINTS)),
        "eku": None if purposes is None else sorted(map(_purpose, _list(purposes))),
        "san": [] if alternatives is None else sorted(map(_alternative, _list(alternatives))),
        "key_type": key_type,
        "key_bits": bits,
        "signature_algorithm": oid_names.SIGNATURES.get(algorithm, algorithm),
        "public_key": hashlib.sha256(parts.key.whole).hexdigest(),
        "self_signed": parts.issuer.whole == parts.subject.whole,
        "signed_by": [],
    }


def _parts(data: bytes) -> _Parts:
    if len(data) > SIZE_LIMIT:
        raise der.Malformed(f"it is larger than {SIZE_LIMIT} bytes")
    signed, _algorithm, _signature = _exactly(der.sequence(der.only(data, der.SEQUENCE)), 3)
    fields = der.sequence(signed)
    if fields and fields[0].tag == _VERSION:  # which version 1 leaves out
        fields = fields[1:]
    if len(fields) < 6:
        raise der.Malformed("fields are missing")
    _serial, signature, issuer, validity, subject, key, *optional = fields
    der.sequence(issuer), der.sequence(subject)
    held = [each for each in optional if each.tag == _EXTENSIONS]
    if len(held) > 1:
        raise der.Malformed("it has extensions twice")
    return _Parts(signature, issuer, validity, subject, key, _extensions(held[0].content) if held else {})


def _extensions(content: bytes) -> dict[str, bytes]:
    """{identifier: content}. A certificate must not have one twice (4.2): readers would differ in which counts."""
    found: dict[str, bytes] = {}
    for extension in der.sequence(der.only(content, der.SEQUENCE)):
        name, *_critical, value = _between(der.sequence(extension), 2, 3)
        identifier = der.oid(name)
        if identifier in found:
            raise der.Malformed(f"it has the extension {identifier} twice")
        found[identifier] = der.expect(value, der.OCTET_STRING).content
    return found


def _list(content: bytes) -> list[der.Element]:
    found = der.sequence(der.only(content, der.SEQUENCE))
    if len(found) > _MOST_NAMES:
        raise der.Malformed(f"an extension lists more than {_MOST_NAMES} names")
    return found


def _is_ca(constraints: bytes | None) -> bool:
    fields = [] if constraints is None else der.sequence(der.only(constraints, der.SEQUENCE))
    return bool(fields) and fields[0].tag == der.BOOLEAN and any(fields[0].content)


def _purpose(element: der.Element) -> str:
    identifier = der.oid(element)
    return oid_names.PURPOSES.get(identifier, identifier)


def _alternative(name: der.Element) -> str:
    """`DNS:x`, `IP:::1`, and the others as openssl writes them."""
    if name.tag in _TEXTS:
        return _TEXTS[name.tag] + _printable(name.content)
    if name.tag == _ADDRESS:
        family = _NETWORKS.get(len(name.content))
        return f"IP:{socket.inet_ntop(family, name.content) if family else '<invalid>'}"
    if name.tag == _DIRECTORY:
        return f"DirName:{_text(der.only(name.content, der.SEQUENCE))}"
    if name.tag == _REGISTERED:
        return f"Registered ID:{der.oid(name._replace(tag=der.OID))}"
    return "othername:<unsupported>" if name.tag == _OTHER else "<unsupported>"


def _attributes(name: der.Element) -> list[list[tuple[str, der.Element]]]:
    """[[(identifier, value)]]: a name is a sequence of sets of attributes."""
    found = []
    for held in der.sequence(name):
        pairs = [_exactly(der.sequence(each), 2) for each in der.elements(der.expect(held, der.SET).content)]
        found.append([(der.oid(kind), value) for kind, value in pairs])
    return found


def _text(name: der.Element) -> str:
    """`O=Example, CN=x/emailAddress=y`, as OpenSSL's X509_NAME_print() has written it always.

    It puts a comma before the attributes of one or two capitals alone, a plus sign within a set, and a backslash
    before what would otherwise look like one. What would look like a comma and an attribute gets one here.
    """
    text = ""
    for held in _attributes(name):
        for place, (identifier, value) in enumerate(held):
            attribute = oid_names.ATTRIBUTES.get(identifier, identifier)
            short = len(attribute) <= 2 and attribute.isupper()
            separator = "+" if place else ", " if short else "/"
            shown = _printable(value.content).replace("/", "\\/").replace("+", "\\+")
            text += f"{separator if text else ''}{attribute}={_SEPARATOR.sub(_escaped, shown)}"
    return text.strip()


def _escaped(match: re.Match[str]) -> str:
    return match[0] if match[0] in "/+" else f"\\{match[0]}"


def _printable(octets: bytes) -> str:
    """On one line, as OpenSSL does: bytes that are no printable ASCII as `\\x0A`."""
    return "".join(chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02X}" for byte in octets)


def _compared(name: der.Element) -> tuple[Any, ...]:
    """Without the differences in kind, case and white space that do not count (RFC 5280, 7.1)."""
    return tuple(
        tuple(
            sorted(
                (
                    identifier,
                    " ".join(
                        value.content.decode(_ENCODINGS.get(value.tag, "utf-8"), "replace").lower().split()
                    ),
                )
                for identifier, value in held
            )
        )
        for held in _attributes(name)
    )


def _time(element: der.Element) -> int | None:
    """Seconds since 1970; None for what is no date."""
    form = _TIMES.get(element.tag)
    found = form.fullmatch(element.content.decode("ascii", "replace")) if form else None
    if not found:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    if element.tag == der.UTC_TIME:
        year += 1900 if year >= _CENTURY else 2000
    try:
        return calendar.timegm(datetime.datetime(year, month, day, hour, minute, second).timetuple())
    except ValueError:
        return None


def _key(element: der.Element) -> tuple[str, int | None]:
    """(kind, bits) of a public key; a key of its kind that cannot be read has no bits."""
    algorithm, held = _exactly(der.sequence(element), 2)
    fields = der.sequence(algorithm)
    if not fields:
        raise der.Malformed("the public key has no algorithm")
    identifier = der.oid(fields[0])
    kind, bits = oid_names.KEYS.get(identifier, (identifier, None))
    parameters = fields[1] if len(fields) > 1 else None
    try:
        if kind in (oid_names.RSA, oid_names.RSA_PSS):
            # After the number of unused bits.
            key = der.only(der.expect(held, der.BIT_STRING).content[1:], der.SEQUENCE)
            return kind, der.bits(der.sequence(key)[0])
        if parameters and kind == oid_names.DSA:
            return kind, der.bits(der.sequence(parameters)[0])
        if parameters and kind == oid_names.EC:
            return kind, _curve_bits(parameters)
    except (der.Malformed, IndexError):
        return kind, None
    return kind, bits


def _curve_bits(parameters: der.Element) -> int | None:
    """Of a curve by name, or by its numbers (RFC 3279, 2.3.5), where the order is the fifth of them."""
    if parameters.tag == der.SEQUENCE:
        return der.bits(der.sequence(parameters)[4])
    return oid_names.CURVES.get(der.oid(parameters))


def _exactly(found: Sequence[der.Element], count: int) -> Sequence[der.Element]:
    return _between(found, count, count)


def _between(found: Sequence[der.Element], least: int, most: int) -> Sequence[der.Element]:
    if not least <= len(found) <= most:
        raise der.Malformed(f"{len(found)} elements in the place of {most}")
    return found
