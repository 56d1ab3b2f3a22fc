# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What redis, memcached and mongodb are asked, and how they let somebody in or turn him away. Data only."""

from __future__ import annotations

import re
import struct

from ansible_collections.bulwark.docker.plugins.module_utils.probes.network.raw_client import (
    ANSWERS,
    OPEN,
    REFUSED,
    Question,
    line,
)

# NOPERM: the default user has no password, and no right to it. DENIED: protected mode, to all but loopback.
_REDIS_REFUSES = re.compile(rb"\A-(?:NOAUTH|NOPERM|DENIED|WRONGPASS|ERR operation not permitted)\b")
# Credentials come first: who is told that it still loads has been let in.
_REDIS_BUSY = rb"\A-(?:LOADING|MISCONF|MASTERDOWN|BUSY)\b"

REDIS = (
    Question(
        "PING",
        b"PING\r\n",
        ((OPEN, re.compile(rb"\A\+PONG|" + _REDIS_BUSY)), (REFUSED, _REDIS_REFUSES)),
        line,
    ),
    # An ACL may allow PING and nothing else. The number of keys is not kept.
    Question(
        "DBSIZE",
        b"DBSIZE\r\n",
        ((OPEN, re.compile(rb"\A:\d+\r|" + _REDIS_BUSY)), (REFUSED, _REDIS_REFUSES)),
        line,
    ),
)

# With SASL memcached speaks its binary protocol alone, where it tells its version to everybody; with -Y or -B ascii it
# speaks text alone.
_UNAUTHENTICATED = re.compile(rb"\ACLIENT_ERROR unauthenticated")

MEMCACHED = (
    Question(
        "noop",
        struct.pack(">BB22x", 0x80, 0x0A),
        (
            (OPEN, re.compile(rb"(?s)\A\x81\x0a.{4}\x00\x00")),
            (REFUSED, re.compile(rb"(?s)\A\x81\x0a.{4}\x00\x20")),
            (REFUSED, _UNAUTHENTICATED),
        ),
        # 0x0a ends a line: a server of text answers one.
        lambda data: len(data) >= 24 or (data[:1] != b"\x81" and line(data)),
    ),
    Question(
        "version",
        b"version\r\n",
        ((OPEN, re.compile(rb"\AVERSION ")), (REFUSED, _UNAUTHENTICATED)),
        line,
    ),
)

_OP_MSG = 2013
_REQUEST = 1
_ANSWER = rb"(?s)\A.{8}" + re.escape(struct.pack("<ii", _REQUEST, _OP_MSG)) + rb".*"
_OK = rb"\x01ok\x00\x00\x00\x00\x00\x00\x00\xf0\x3f"
# Unauthorized, AuthenticationFailed
_CODES = rb"\x10code\x00(?:\x0d|\x12)\x00\x00\x00"


def _document(*elements: bytes) -> bytes:
    content = b"".join(elements)
    return struct.pack("<i", len(content) + 5) + content + b"\0"


def _number(name: bytes, value: int) -> bytes:
    return b"\x10" + name + b"\0" + struct.pack("<i", value)


def _truth(name: bytes) -> bytes:
    return b"\x08" + name + b"\0\1"


def _text(name: bytes, value: bytes) -> bytes:
    return b"\x02" + name + b"\0" + struct.pack("<i", len(value) + 1) + value + b"\0"


def _nested(name: bytes, *elements: bytes) -> bytes:
    return b"\x03" + name + b"\0" + _document(*elements)


def _command(*elements: bytes) -> bytes:
    """An OP_MSG with one document, to the database admin."""
    body = struct.pack("<ix", 0) + _document(*elements, _text(b"$db", b"admin"))
    return struct.pack("<iiii", len(body) + 16, _REQUEST, 0, _OP_MSG) + body


def _whole(data: bytearray) -> bool:
    return len(data) >= 4 and len(data) >= int(struct.unpack_from("<i", data)[0])


MONGODB = (
    Question("hello", _command(_number(b"hello", 1)), ((ANSWERS, re.compile(_ANSWER + rb"ok\x00")),), _whole),
    Question(
        "listDatabases",
        # No database has an empty name: not even names come back. Secondaries answer as well.
        _command(
            _number(b"listDatabases", 1),
            _truth(b"nameOnly"),
            _nested(b"filter", _text(b"name", b"")),
            _nested(b"$readPreference", _text(b"mode", b"secondaryPreferred")),
        ),
        ((OPEN, re.compile(_ANSWER + _OK)), (REFUSED, re.compile(_ANSWER + _CODES))),
        _whole,
    ),
)
