# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How large and how deep the data of one host may be, before anything else looks at it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

DEPTH, VALUES, TEXT, TEXTS = 32, 1_000_000, 65_536, 64 * 1024 * 1024
# Every integer of 64 bits, with or without a sign, is below it.
NUMBER = 10**20
_SHOWN = 40


class Malformed(ValueError):
    """What a host returned is not what the module returns: one sentence, with the place."""


def bounded(value: Any, name: str) -> Any:
    """The value without lone surrogates, when it is plain data of a size and depth that an audit may have.

    `name` is what it is called in messages. A lone surrogate becomes its code point as text, such as <U+DC80>.
    Raises Malformed. It does not recurse before it knows how deep the data is.
    """
    texts = count = 0
    waiting: list[tuple[Any, int, Any]] = [(value, 0, (None, name))]
    while waiting:
        found, depth, place = waiting.pop()
        count += 1
        if count > VALUES:
            raise Malformed(f"{name} holds more than {VALUES} values")
        if isinstance(found, str):
            texts += _length(found, place)
            if texts > TEXTS:
                raise Malformed(f"{name} holds more than {TEXTS} characters")
        elif isinstance(found, (dict, list)):
            if depth >= DEPTH:
                raise Malformed(f"{where(place)} is nested more than {DEPTH} deep")
            for key, one in _items(found):
                if isinstance(found, dict):
                    texts += _length(key, place)
                waiting.append((one, depth + 1, (place, key)))
        else:
            _scalar(found, place)
    return _visible(value)


def where(place: Any) -> str:
    """The path to a place, such as result.findings[3].title."""
    parts: list[str] = []
    while place is not None:
        place, key = place
        short = key if isinstance(key, int) else str(key)[:_SHOWN]
        parts.append(f"[{short}]" if isinstance(key, int) else f".{short}")
    return "".join(reversed(parts)).removeprefix(".")


def _items(found: dict[Any, Any] | list[Any]) -> Iterable[tuple[Any, Any]]:
    return found.items() if isinstance(found, dict) else enumerate(found)


def _length(text: Any, place: Any) -> int:
    if not isinstance(text, str):
        raise Malformed(f"{where(place)} has a key that is no text")
    if len(text) > TEXT:
        raise Malformed(f"{where(place)} has a text of more than {TEXT} characters")
    return len(text)


def _scalar(found: Any, place: Any) -> None:
    if found is None or isinstance(found, bool):
        return
    if not isinstance(found, (int, float)):
        raise Malformed(f"{where(place)} is of the type {type(found).__name__}, which JSON does not have")
    # Neither of the comparisons holds for NaN.
    if not -NUMBER < found < NUMBER:
        raise Malformed(f"{where(place)} is a number out of range")


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else _without_surrogates(value)
    if isinstance(value, list):
        return [_visible(one) for one in value]
    if isinstance(value, dict):
        return {_visible(key): _visible(one) for key, one in value.items()}
    return value


def _without_surrogates(text: str) -> str:
    if not any("\ud800" <= char <= "\udfff" for char in text):
        return text
    return "".join(f"<U+{ord(char):04X}>" if "\ud800" <= char <= "\udfff" else char for char in text)
