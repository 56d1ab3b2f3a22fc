# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that bring patterns and parsers to their knees where these are not linear, and a limit that notices (S7)."""

from __future__ import annotations

import contextlib
import re
import signal
from collections.abc import Iterator
from typing import Any

try:
    from re import _parser as parser  # type: ignore[attr-defined]
except ImportError:  # before Python 3.11
    import sre_parse as parser

SIZE = 20_000
# Of CPU time. What is linear takes 1 millisecond, 5 with a match at each place; what is quadratic 150 and more.
SECONDS = 0.1

_UNITS = (
    "a", "0", " ", "\n", "/", "\\", "=", ":", ".", "-", "@", "%", "?", "(", "[", "{", '"', "'", "é", "a ", "a/", "aaa=",
    "a=b,", "a.", "a:", "--a ", "0.", '\\"', "://a:", "?a=", "password=", '{"a":', " \n",
)  # fmt: skip
_HEADS = ("-----BEGIN CERTIFICATE-----\n", "-----BEGIN EC PRIVATE KEY-----\n", "|1 ", "https://", '"', "<<")
_MOST_TEXTS = 60


class TooSlow(Exception):
    """The limit of CPU time is over."""


@contextlib.contextmanager
def limited(seconds: float = SECONDS) -> Iterator[None]:
    """Raises TooSlow after so much CPU time; only in the main thread."""

    def over(_number: int, _frame: Any) -> None:
        raise TooSlow

    former = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)


def texts(size: int = SIZE) -> Iterator[str]:
    """Texts of that length for whatever reads text."""
    for unit in _UNITS:
        yield (unit * (size // len(unit) + 1))[:size]
    for head in _HEADS:
        for unit in ("a", " ", "\n", "a/", "A" * 64 + "\n", "="):
            yield (head + unit * (size // len(unit) + 1))[:size]


def texts_for(pattern: re.Pattern[Any], size: int = SIZE) -> list[str]:
    """Texts that get far in the pattern: up to each repetition as it wants them, then that again and again."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    flags = pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    found = []
    for head, unit in dict.fromkeys(_repetitions(parser.parse(source, flags), "")):
        for each in dict.fromkeys((unit, unit + " ", unit + "=", unit + "/")):
            found.append(head + (each * (size // len(each) + 1))[: size - len(head)] + "\x01")
        if head:
            found.append((head * (size // len(head) + 1))[:size])
    found = list(dict.fromkeys(found))
    # Of a long pattern some from everywhere.
    return found[:: len(found) // _MOST_TEXTS + 1]


def _repetitions(nodes: Any, head: str) -> Iterator[tuple[str, str]]:
    """(a text that matches what comes before, one that matches what is repeated) of each repetition without a limit."""
    for kind, value in nodes:
        name = str(kind)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            _least, most, inner = value
            yield from _repetitions(inner, head)
            if most > 100:
                for unit in _samples(inner):
                    if unit:
                        yield head, unit
        elif name == "SUBPATTERN":
            yield from _repetitions(value[3], head)
        elif name == "BRANCH":
            for branch in value[1]:
                yield from _repetitions(branch, head)
        elif name in ("ASSERT", "ASSERT_NOT"):
            yield from _repetitions(value[1], head)
        head += next(iter(_samples([(kind, value)])), "")


def _samples(nodes: Any) -> list[str]:
    """Some texts that the nodes match, the first ones of each class of characters."""
    found = [""]
    for kind, value in nodes:
        found = [before + each for before in found for each in _of_one(str(kind), value)][:8]
    return found


def _of_one(name: str, value: Any) -> list[str]:
    if name == "LITERAL":
        return [chr(value)]
    if name in ("NOT_LITERAL", "ANY"):
        return ["b" if value == ord("a") else "a", " "]
    if name == "IN":
        return [each for each in 'a0 =/.-_"\\\n' if _takes(value, each)][:6] or [_first(value)]
    if name == "BRANCH":
        return [each for branch in value[1] for each in _samples(branch)][:6]
    if name == "SUBPATTERN":
        return _samples(value[3])
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return [each * max(1, value[0]) for each in _samples(value[2])]
    return [""]


def _takes(members: Any, character: str) -> bool:
    negated = bool(members) and str(members[0][0]) == "NEGATE"
    return any(_is(str(kind), value, character) for kind, value in members) != negated


def _is(kind: str, value: Any, character: str) -> bool:
    if kind == "LITERAL":
        return chr(value) == character
    if kind == "RANGE":
        return value[0] <= ord(character) <= value[1]
    if kind == "CATEGORY":
        category = str(value)
        of = {"DIGIT": str.isdigit, "SPACE": str.isspace, "WORD": lambda each: each.isalnum() or each == "_"}
        known = next(test for word, test in of.items() if category.endswith(word))
        return bool(known(character)) != ("_NOT_" in category)
    return False


def _first(members: Any) -> str:
    kind, value = members[0]
    return chr(value[0] if str(kind) == "RANGE" else value) if str(kind) in ("RANGE", "LITERAL") else "a"
