# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of an audit the host returns: what the controller takes, whoever made it more.

An account may have as many containers, listeners and paths as it likes, of any name. Verdicts and counts are about all
of them; what is shown ends somewhere, and says so.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import error
from ansible_collections.bulwark.docker.plugins.module_utils.base.text import beginning

# By `weight`. plugin_utils/report/bounds.py refuses a result of a million values or of 64 times as many characters.
_OF_A_VALUE = 64
MOST = 1_000_000 * _OF_A_VALUE * 9 // 10
# Of all subjects together: those of a host with a thousand containers, thirty controls failing for each.
_MOST_OF_SUBJECTS = 24_000_000
_LONGEST_TEXT = 4096
_MOST_OF_A_VALUE = 64 * 1024
# Each of these alone is refused too.
_TOO_LONG, _TOO_DEEP = 65_536, 26


def weight(value: Any, depth: int = 0) -> float:
    """The characters in it, and 64 for each value; infinite where the controller would not take it at all."""
    if isinstance(value, str):
        return _OF_A_VALUE + len(value) if len(value) <= _TOO_LONG else math.inf
    if not isinstance(value, (dict, list, tuple)):
        return _OF_A_VALUE
    if depth > _TOO_DEEP:
        return math.inf
    own: float = _OF_A_VALUE
    for name, held in value.items() if isinstance(value, dict) else zip(itertools.repeat(""), value):
        own += weight(str(name)) - _OF_A_VALUE + weight(held, depth + 1)
    return own


def text(given: str) -> str:
    """A text of a finding."""
    return beginning(given, _LONGEST_TEXT)


def value(given: Any) -> Any:
    """What a finding shows of the snapshot; of a value that is too large the beginning, as text."""
    if isinstance(given, str):
        return text(given)
    return given if weight(given) <= _MOST_OF_A_VALUE else text(json.dumps(given, default=str))


def shorten(findings: Sequence[dict[str, Any]]) -> None:
    """Leave of the subjects as many for each finding, the worst first, as all findings together have room for."""
    most = max((len(finding["subjects"]) for finding in findings), default=0)
    while sum(weight(finding["subjects"][:most]) for finding in findings) > _MOST_OF_SUBJECTS:
        most //= 2
    for finding in findings:
        subjects = finding["subjects"]
        if len(subjects) > most:
            finding["message"] += f" Only {most} of {len(subjects)} are listed."
            finding["subjects"] = subjects[:most]


def fitting(snapshot: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """The snapshot for which the result has room still: from the smallest part to the largest, with a mark in the place
    of each that is too large. The engines of accounts have half of the room at most."""
    copy = dict(snapshot)
    if isinstance(copy.get("engines"), list):
        copy["engines"] = [dict(engine) for engine in copy["engines"]]
    room = MOST - weight(dict(result))
    room -= _fill(_parts_of_accounts(copy), room / 2)
    _fill(_parts_of_root(copy), room)
    return copy


def _fill(parts: Iterable[tuple[dict[str, Any], str]], room: float) -> float:
    """The weight of what is kept."""
    left = room
    for size, _order, holder, name in sorted(
        (weight(holder[name]), order, holder, name) for order, (holder, name) in enumerate(parts)
    ):
        if size <= left:
            left -= size
        else:
            holder[name] = error(
                f"{name} is left out of the result: it is larger than what a host may return"
            )
    return room - left


def _parts_of_accounts(snapshot: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    for engine in _engines(snapshot):
        if engine.get("user") is not None:
            yield from ((engine, name) for name in engine)


def _parts_of_root(snapshot: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    for engine in _engines(snapshot):
        if engine.get("user") is None:
            yield from ((engine, name) for name in engine)
    yield from (
        (snapshot, name) for name in snapshot if not isinstance(snapshot[name], list) or name != "engines"
    )


def _engines(snapshot: Mapping[str, Any]) -> list[dict[str, Any]]:
    engines = snapshot.get("engines")
    return engines if isinstance(engines, list) else []
