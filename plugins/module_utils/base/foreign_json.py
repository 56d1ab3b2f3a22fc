# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON that somebody else wrote, read within limits of size, memory and depth."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NoReturn

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable

# An engine with 1000 containers lists them in 1 to 2 MB; it writes some 100 bytes for each object or list, and 25 for
# each comma. An object of seven bytes takes 240 in memory.
SIZE_LIMIT = 8 * 1024 * 1024
# Both in proportion where another size is allowed.
_MOST_CONTAINERS = 100_000
_MOST_COMMAS = 400_000
# Those who read it go down by recursion.
_DEEPEST = 100
# 2^64 has 20 digits; what is longer, Python may refuse, or read in quadratic time.
_LONGEST_INTEGER = 20
_LONGEST_NUMBER = 100


class NotJson(Unreadable):
    """The text is no JSON, or beyond a limit."""


def loads(data: bytes | str, where: str, size_limit: int = SIZE_LIMIT) -> Any:
    """The value, whose texts can all be encoded as UTF-8. `where` is the path, or who said it.

    Raises NotJson, and nothing else, also for NaN and for numbers that no reader of JSON need take.
    """
    try:
        raw = data.encode("utf-8") if isinstance(data, str) else data
        if len(raw) > size_limit:
            raise NotJson(f"{where} is JSON of more than {size_limit} bytes")
        part = size_limit / SIZE_LIMIT
        if (
            raw.count(b"{") + raw.count(b"[") > part * _MOST_CONTAINERS
            or raw.count(b",") > part * _MOST_COMMAS
        ):
            raise NotJson(f"{where} is JSON with more values than are read")
        value = DECODER.decode(data if isinstance(data, str) else raw.decode("utf-8"))
        check_depth(value)
        if b"\\u" in raw:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as problem:
        raise NotJson(f"{where} is JSON that is nested too deeply") from problem
    except ValueError as problem:
        raise NotJson(f"{where} is no JSON: {_said(problem)}") from problem
    return value


def check_depth(value: Any) -> None:
    """Raises ValueError for data that those who read it could not go down by recursion."""
    level = [value]
    for _unused in range(_DEEPEST):
        level = [each for held in level for each in _held(held) if isinstance(each, (dict, list))]
        if not level:
            return
    raise ValueError(f"nested more than {_DEEPEST} deep")


def _held(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _said(problem: ValueError) -> str:
    if isinstance(problem, json.JSONDecodeError):
        return f"{problem.msg} in line {problem.lineno}, column {problem.colno}"
    return "it holds text that is not UTF-8" if isinstance(problem, UnicodeError) else str(problem)


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _number(text: str) -> float:
    value = float(text) if len(text) <= _LONGEST_NUMBER else float("inf")
    if value - value != 0:
        raise ValueError(f"the number {text[:_LONGEST_INTEGER]} is too large or too long")
    return value


# How a decoder reads numbers that others wrote.
NUMBERS: dict[str, Any] = {"parse_int": _integer, "parse_float": _number}
DECODER = json.JSONDecoder(parse_constant=_constant, **NUMBERS)
