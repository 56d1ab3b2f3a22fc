# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DER (ITU-T X.690) as certificates use it, read element by element; whatever the bytes are, each is read once."""

from __future__ import annotations

from typing import NamedTuple

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID = 0x01, 0x02, 0x03, 0x04, 0x06
UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x17, 0x18, 0x30, 0x31

_MOST_ELEMENTS = 5000
_LONGEST_LENGTH = 4
_LONGEST_OID = 64


class Malformed(ValueError):
    """The bytes are no DER, or hold other elements than they should. A few words."""


class Element(NamedTuple):
    """`whole` is the element with its tag and length, `content` what these announce."""

    tag: int
    content: bytes
    whole: bytes


def elements(data: bytes) -> list[Element]:
    """The elements that follow each other in the bytes and fill them."""
    found: list[Element] = []
    start = 0
    while start < len(data):
        if len(found) == _MOST_ELEMENTS:
            raise Malformed(f"more than {_MOST_ELEMENTS} elements follow each other")
        content, end = _extent(data, start)
        found.append(Element(data[start], data[content:end], data[start:end]))
        start = end
    return found


def _extent(data: bytes, start: int) -> tuple[int, int]:
    """Where the content of the element at `start` begins and ends."""
    content = start + 2
    if content > len(data) or data[start] & 0x1F == 0x1F:
        raise Malformed("an element is cut off, or has a tag of several bytes")
    length = data[start + 1]
    if length & 0x80:
        digits = length & 0x7F
        content += digits
        if not 0 < digits <= _LONGEST_LENGTH or content > len(data):
            raise Malformed("an element has a length of another form")
        length = int.from_bytes(data[content - digits : content], "big")
    if content + length > len(data):
        raise Malformed("an element is longer than what holds it")
    return content, content + length


def only(data: bytes, tag: int) -> Element:
    """The one element that the bytes are."""
    found = elements(data)
    if len(found) != 1:
        raise Malformed(f"{len(found)} elements in the place of one")
    return expect(found[0], tag)


def expect(element: Element, tag: int) -> Element:
    """The element, which has that tag."""
    if element.tag != tag:
        raise Malformed(f"an element of type 0x{element.tag:02x} in the place of one of type 0x{tag:02x}")
    return element


def sequence(element: Element) -> list[Element]:
    """The elements of a SEQUENCE."""
    return elements(expect(element, SEQUENCE).content)


def oid(element: Element) -> str:
    """An OBJECT IDENTIFIER with dots."""
    content = expect(element, OID).content
    if not content or len(content) > _LONGEST_OID or content[-1] & 0x80:
        raise Malformed("an object identifier of another form")
    numbers, number = [], 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def bits(element: Element) -> int:
    """How many bits an INTEGER that is positive has."""
    return int.from_bytes(expect(element, INTEGER).content, "big").bit_length()
