# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of daemon.json: read where it can be edited safely, and written so that only what changed differs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import redact
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import ExplainedError
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.merge import differences
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.daemon_json import parse

TLS_KEYS = ("tls", "tlscacert", "tlscert", "tlskey", "tlsverify")
_BLANK = re.compile(r"[ \t\r\n]*")
_INDENTED = re.compile(r"\{[ \t]*\r?\n([ \t]+)\"")
# Problems that are mended by writing the file anew -> what is done about them; those of the second table only
# with `force`, because somebody may have meant something else.
_MENDED = {
    "bom": "the byte order mark is taken out",
    "empty": "the file is empty, which engine 20.10 refuses, and is written as an object",
}
_FORCED = {
    "duplicate_key": ("the last one counts, and is kept", "keep one of each"),
    "trailing": ("what follows after the object is taken out", "take it out"),
}


class Unsound(ExplainedError):
    """The file cannot be edited safely. One sentence: path with line and column, cause, way out."""


class Style(NamedTuple):
    """How a file is laid out; `indent` is None for all on one line."""

    indent: str | None = "  "
    newline: str = "\n"
    colon: str = ": "
    ends_with_newline: bool = True


class Document(NamedTuple):
    """A file as read. `content` is None where there is none; each of the notices makes it be written anew."""

    path: str
    content: bytes | None
    settings: dict[str, Any]
    style: Style
    notices: tuple[str, ...] = ()

    @property
    def existed(self) -> bool:
        """Whether there is a file."""
        return self.content is not None


def read(path: str, content: bytes | None, force: bool = False) -> Document:
    """The file's settings and layout. Unsound when no dockerd reads it as it is meant.

    With `force` duplicate keys (the last counts, as in dockerd) and what follows after the object go.
    """
    if content is None:
        return Document(path, None, {}, Style())
    text = _decoded(path, content)
    try:
        parsed = parse(content)
        # What Python takes for an infinite number, dockerd refuses, and we could not write it.
        json.dumps(parsed["settings"], allow_nan=False)
    except (RecursionError, ValueError) as error:
        raise Unsound(f"{path}: too deep, or a number too large for dockerd: mend it by hand") from error
    notices, unsound = [], []
    for problem in parsed["problems"]:
        kind, said = problem["kind"], f"{path}:{problem['line']}:{problem['column']}: {problem['message']}"
        if kind in _MENDED:
            notices.append(f"{path}: {_MENDED[kind]}")
        elif kind not in _FORCED:
            raise Unsound(f"{said}: mend it by hand, nothing was changed")
        elif force:
            notices.append(f"{said}; {_FORCED[kind][0]}")
        else:
            unsound.append((said, _FORCED[kind]))
    if unsound:
        way_out = "; ".join(
            dict.fromkeys(f"{by_hand} by hand, or set force: {done}" for _said, (done, by_hand) in unsound)
        )
        raise Unsound(f"{', '.join(said for said, _way in unsound)}: {way_out}")
    return Document(path, content, parsed["settings"], _style(text), tuple(notices))


def render(document: Document, settings: Mapping[str, Any]) -> bytes | None:
    """The file with those settings: byte for byte the old one where they mean the same and nothing was mended.

    None: there is no file, and none is needed. Keys whose value is the same keep their text.
    """
    if document.content is None and not settings:
        return None
    if _unchanged(document, settings):
        return document.content
    return _text(document, settings).encode()


def shown(settings: Mapping[str, Any], document: Document) -> str:
    """The text of `render` for a diff, without credentials."""
    if document.content is None and not settings:
        return ""
    safe = redact.options(settings)
    if safe == settings and _unchanged(document, settings):
        return (document.content or b"").decode()
    return _text(document, safe)


def _decoded(path: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as problem:
        before = content[: problem.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise Unsound(f"{path}:{line}:{column}: a byte that is not UTF-8: mend it by hand") from problem


def _unchanged(document: Document, settings: Mapping[str, Any]) -> bool:
    # An empty value means what a missing key does, but in conflict with a flag only the missing key will do.
    return (
        document.existed
        and not document.notices
        and settings.keys() == document.settings.keys()
        and not differences(document.settings, settings)
    )


def _style(text: str) -> Style:
    body = text.strip("\ufeff \t\r\n")
    indented = _INDENTED.match(body)
    if indented:
        indent: str | None = indented.group(1)
    else:
        indent = None if '"' in body and "\n" not in body else Style().indent
    return Style(
        indent,
        "\r\n" if body and "\r\n" in text else "\n",
        ":" if '":' in body and not re.search(r'":\s', body) else ": ",
        text.endswith("\n") or not body,
    )


def _text(document: Document, settings: Mapping[str, Any]) -> str:
    style = document.style
    known = {} if document.notices else _pieces(document)
    entries = []
    for key, value in settings.items():
        piece = known.get(key)
        if piece is None or json.dumps(document.settings[key]) != json.dumps(value):
            # A value that stood on one line stays on one.
            flat = style.indent is None or (piece is not None and len(piece) > 2 and "\n" not in piece)
            piece = _dumped(value, style, flat)
        entries.append(_dumped(key, style, True) + style.colon + piece)
    if style.indent is None or not entries:
        text = "{" + (", " if style.colon == ": " else ",").join(entries) + "}"
    else:
        line = style.newline + style.indent
        text = "{" + line + f",{line}".join(entries) + style.newline + "}"
    return text + (style.newline if style.ends_with_newline else "")


def _dumped(value: Any, style: Style, flat: bool) -> str:
    comma = ", " if flat and style.colon == ": " else ","
    text = json.dumps(
        value,
        indent=None if flat else style.indent,
        separators=(comma, style.colon),
        ensure_ascii=False,
        allow_nan=False,
    )
    return text if flat else text.replace("\n", f"{style.newline}{style.indent}")


def _pieces(document: Document) -> dict[str, str]:
    """key -> the text of its value in a document that has been parsed without a problem."""
    pieces: dict[str, str] = {}
    if not document.settings:
        return pieces
    text, decoder = (document.content or b"").decode(), json.JSONDecoder()
    # Where the brace or a comma is.
    at = text.index("{")
    while text[at] != "}":
        key, at = decoder.raw_decode(text, _after_blank(text, at + 1))
        start = _after_blank(text, _after_blank(text, at) + 1)
        at = decoder.raw_decode(text, start)[1]
        pieces[key] = text[start:at]
        at = _after_blank(text, at)
    return pieces


def _after_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at
