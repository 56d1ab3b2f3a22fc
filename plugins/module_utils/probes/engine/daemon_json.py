# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""daemon.json read as strictly as dockerd's JSON decoder does, with the place of each problem."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import foreign_json

_BOM = "\ufeff"
# In valid JSON each has its end; asking for it would take quadratic time elsewhere.
_STRING = r'"(?:[^"\\]|\\.)*"?'
_TOKEN = re.compile(rf"{_STRING}|[{{}}]", re.DOTALL)
# In valid JSON a string before a colon is a key.
_COLON = re.compile(r"[ \t\r\n]*:")
_NOT_JSON = re.compile(rf"{_STRING}|(-?Infinity|NaN)", re.DOTALL)
_MOST_DUPLICATES = 20
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(content: bytes) -> dict[str, Any]:
    """What dockerd makes of the file: `settings` (None when no dockerd could read them) and `problems`.

    A problem is `{kind, message, line, column}`, both counted from 1. Whether dockerd starts with it depends
    on its version (measured on 20.10.24 and 26.1.5):

    - `syntax`, `not_object`: refused by all; settings are None
    - `bom`, `empty`: refused by 20.10, accepted by 26.1; settings as 26.1 reads them
    - `trailing`: something after the object; accepted by 20.10, refused by 26.1; settings as 20.10 reads them
    - `duplicate_key`: accepted by all, the last one counts
    """
    # Go's decoder replaces bytes that are not UTF-8 as well.
    text = content.decode("utf-8", "replace")
    problems: list[dict[str, Any]] = []
    if text.startswith(_BOM):
        text = text[1:]
        problems.append(_problem(text, 0, "bom", "the file starts with a byte order mark"))
    start = len(text) - len(text.lstrip(" \t\r\n"))
    if start == len(text):
        return {"settings": {}, "problems": [*problems, _problem(text, 0, "empty", "the file is empty")]}
    try:
        value, end = _DECODER.raw_decode(text, start)
        foreign_json.check_depth(value)
    except json.JSONDecodeError as error:
        return {"settings": None, "problems": [*problems, _syntax(text, error.pos, error.msg)]}
    except (ValueError, RecursionError):
        # Numbers that no dockerd takes, and nesting of a hundred levels.
        return {
            "settings": None,
            "problems": [*problems, _syntax(text, start, "too deep, or a number too large for dockerd")],
        }
    if value is not None and not isinstance(value, dict):
        return {
            "settings": None,
            "problems": [*problems, _problem(text, start, "not_object", "not an object")],
        }
    constant = next((match for match in _NOT_JSON.finditer(text, start, end) if match.group(1)), None)
    if constant:
        problem = _syntax(text, constant.start(), f"{constant.group(1)} is no JSON number")
        return {"settings": None, "problems": [*problems, problem]}
    problems += [
        _problem(text, offset, "duplicate_key", f"the key {key!r} is given more than once")
        for key, offset in itertools.islice(_duplicate_keys(text, start, end), _MOST_DUPLICATES)
    ]
    rest = text[end:].strip(" \t\r\n")
    if rest:
        offset = text.index(rest, end)
        problems.append(_problem(text, offset, "trailing", "something follows after the object"))
    return {"settings": _storable(value or {}), "problems": problems}


def _duplicate_keys(text: str, start: int, end: int) -> Iterator[tuple[str, int]]:
    """The keys of valid JSON that their object has already, with the offset of the later one."""
    seen: list[set[str]] = []
    for match in _TOKEN.finditer(text, start, end):
        token = match.group()
        if token == "{":
            seen.append(set())
        elif token == "}":
            seen.pop()
        elif _COLON.match(text, match.end()):
            key = json.loads(token, strict=False)
            if key in seen[-1]:
                yield key, match.start()
            seen[-1].add(key)


def _syntax(text: str, offset: int, message: str) -> dict[str, Any]:
    """The same place and words for the same mistake under all versions of Python."""
    before, after = text[:offset].rstrip(), text[offset:].lstrip()
    if after.startswith(("//", "/*", "#")):
        return _problem(text, text.index(after, offset), "syntax", "a comment; JSON has none")
    if after.startswith(","):  # Python 3.13 points at the comma, older ones behind it.
        before, after = text[: text.index(after, offset) + 1], after[1:].lstrip()
    if before.endswith(",") and after.startswith(("}", "]")):
        return _problem(text, len(before) - 1, "syntax", f"a comma before the closing {after[0]}")
    return _problem(text, offset, "syntax", message[:1].lower() + message[1:])


def _problem(text: str, offset: int, kind: str, message: str) -> dict[str, Any]:
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return {"kind": kind, "message": message, "line": line, "column": column}


def _storable(value: Any) -> Any:
    """Half a surrogate pair cannot be encoded; Go's decoder replaces it."""
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


_DECODER = json.JSONDecoder(**foreign_json.NUMBERS)
