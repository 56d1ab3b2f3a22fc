# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The blocks of PEM text (RFC 7468), line by line. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import NamedTuple

_BEGIN, _END, _DASHES = "-----BEGIN ", "-----END ", "-----"
_CERTIFICATE, _KEY = "CERTIFICATE", "PRIVATE KEY"


class Block(NamedTuple):
    """`lines` are what stands between the two that name the label; `complete`: the last of them is there."""

    label: str
    lines: list[str]
    complete: bool


def blocks(text: str) -> Iterator[Block]:
    """The blocks in order. One that is begun within another ends that."""
    label: str | None = None
    lines: list[str] = []
    for raw in text.split("\n"):
        line = raw.rstrip()
        if line.startswith(_BEGIN) and line.endswith(_DASHES):
            if label is not None:
                yield Block(label, lines, complete=False)
            label, lines = line[len(_BEGIN) : -len(_DASHES)], []
        elif label is not None and line == f"{_END}{label}{_DASHES}":
            yield Block(label, lines, complete=True)
            label, lines = None, []
        elif label is not None and line:
            lines.append(line)
    if label is not None:
        yield Block(label, lines, complete=False)


def is_certificate(block: Block) -> bool:
    """Whether it is a whole certificate; others are of no use to anybody."""
    return block.label == _CERTIFICATE and block.complete


def is_key(block: Block) -> bool:
    """Whether it is a private key, or the beginning of one."""
    return block.label == _KEY or block.label.endswith(f" {_KEY}")


def is_encrypted(key: Block) -> bool:
    """Whether a private key needs a passphrase."""
    return key.label.startswith("ENCRYPTED ") or key.lines[:1] == ["Proc-Type: 4,ENCRYPTED"]


def der(block: Block) -> bytes:
    """The bytes of a block; empty where its text is no Base64."""
    try:
        return base64.b64decode("".join(block.lines), validate=True)
    except (binascii.Error, ValueError):
        return b""


def armored(label: str, data: bytes) -> str:
    """A block with that label."""
    return f"{_BEGIN}{label}{_DASHES}\n{base64.encodebytes(data).decode()}{_END}{label}{_DASHES}\n"


def text(block: Block) -> str:
    """The block as it stood there."""
    lines = [f"{_BEGIN}{block.label}{_DASHES}", *_with_headers(block.lines), f"{_END}{block.label}{_DASHES}"]
    return "\n".join(lines) + "\n"


def _with_headers(lines: list[str]) -> list[str]:
    """An empty line parts headers from the rest."""
    count = sum(":" in line for line in lines)
    return [*lines[:count], *([""] if count else []), *lines[count:]]
