# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile variants of data and of text, always the same for a seed.

A test takes `for seed in seeds(300)`: as many rounds in the gate, and in `make fuzz` as many as fit into
FUZZ_SECONDS, from another first seed at each call. A failure names its seed: run the test with FUZZ_SEED=<seed>.
"""

from __future__ import annotations

import copy
import os
import random
import time
from collections.abc import Iterator
from typing import Any

# What a reader of JSON may meet in the place of any value.
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**12, 10**400, 0.5, float("nan"), float("inf"),
    "", "x", "0", "\x00", "\ud800", "\x1b[31m", "\u202e", "<img src=x onerror=alert(1)>", "{{ 7 * 7 }}", "../../x",
    "a" * 100_000, [], [None], [[]], {}, {"": None}, {"error": "said by the other side"}, {"error": 1},
)  # fmt: skip
_TEXTS = (
    "\x00", "\n", "\r\n", "\t", "\x0b", "\x1b[2J", "\x7f", "\u2028", "\u202e", "\ufeff", "\ud800", "%", "$", "${X}",
    "\\", "'", '"', "{", "}", "[", "]", "#", ";", "=", ":", "/", "../", "-" * 40, "9" * 5000, "[" * 2000, "é" * 50,
)  # fmt: skip


def seeds(rounds: int) -> Iterator[int]:
    """The seeds of one test, at least one."""
    if os.environ.get("FUZZ_SEED"):
        yield int(os.environ["FUZZ_SEED"])
        return
    seconds = float(os.environ.get("FUZZ_SECONDS", "0"))
    if not seconds:
        yield from range(rounds)
        return
    end, seed = time.monotonic() + seconds, random.SystemRandom().randrange(10**9)
    while True:
        yield seed
        seed += 1
        if time.monotonic() > end:
            return


def data(value: Any, seed: int) -> Any:
    """A copy of JSON data with up to three places replaced, removed, renamed, doubled or nested deeply."""
    chance = random.Random(seed)
    holder = {"": copy.deepcopy(value)}
    for _round in range(chance.randint(1, 3)):
        _mutate(holder, chance)
    return holder[""]


def text(value: str, seed: int) -> str:
    """A variant of the text: parts cut, doubled, moved or replaced by what readers stumble over."""
    chance = random.Random(seed)
    for _round in range(chance.randint(1, 6)):
        start = chance.randint(0, len(value))
        end = min(len(value), start + chance.choice((0, 1, 2, 8, 40, 400)))
        part = chance.choice((*_TEXTS, "", value[start:end] * 3, chr(chance.randint(0, 0x2FF))))
        value = value[:start] + part + value[end:]
    return value


def octets(value: bytes, seed: int) -> bytes:
    """The same for bytes, which need not be UTF-8."""
    chance = random.Random(seed)
    found = bytearray(value)
    for _round in range(chance.randint(1, 6)):
        start = chance.randint(0, len(found))
        end = min(len(found), start + chance.choice((0, 1, 1, 4, 40)))
        found[start:end] = chance.choice(
            (b"", chance.randbytes(chance.choice((1, 4, 64))), bytes(found[start:end]) * 2)
        )
    return bytes(found)


def _mutate(holder: dict[str, Any], chance: random.Random) -> None:
    places = list(_places(holder))
    container, key = chance.choice(places)
    kind = chance.randrange(10)
    if kind == 0 and container is not holder:
        del container[key]
    elif kind == 1 and isinstance(container, dict) and container is not holder:
        container[chance.choice(("", "x", "\x00", "__proto__", "error"))] = container.pop(key)
    elif kind == 2 and isinstance(container[key], list):
        container[key] = container[key] * 2
    elif kind == 3:
        nested: Any = container[key]
        for _level in range(chance.choice((5, 90, 250))):
            nested = [nested] if chance.random() < 0.5 else {"x": nested}
        container[key] = nested
    elif kind == 4:
        other, name = chance.choice(places)
        container[key] = copy.deepcopy(other[name]) if name in _keys(other) else None
    else:
        container[key] = copy.deepcopy(chance.choice(HOSTILE))


def _places(holder: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    waiting: list[Any] = [holder]
    while waiting:
        container = waiting.pop()
        for key in _keys(container):
            yield container, key
            if isinstance(container[key], (dict, list)):
                waiting.append(container[key])


def _keys(container: Any) -> list[Any]:
    return list(container) if isinstance(container, dict) else list(range(len(container)))
