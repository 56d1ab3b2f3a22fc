# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON of others: what is taken, and that the rest is refused in one sentence, in little time and memory."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import foreign_json
from ansible_collections.bulwark.docker.plugins.module_utils.base.limits import within

_MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, -2, 0.5, 1e300, True, None, "é\U0001f433"], "": {}},
        2**64 - 1,
        "\\ud800 in plain text",
        json.loads("[" * 100 + "]" * 100),
        [],
    ],
)
def test_what_is_taken(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert foreign_json.loads(text, "x") == value
        assert foreign_json.loads(text.encode(), "x") == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "line 1, column 1"),
        (b"{'a': 1}", "is no JSON: "),
        (b"[1]\n  2", "Extra data in line 2, column 3"),
        (b'"\xff"', "not UTF-8"),
        ('"\ud800"', "not UTF-8"),
        (b'["\\ud800"]', "not UTF-8"),
        (b'{"\\udfff": 1}', "not UTF-8"),
        ("[1]".encode("utf-16"), "is no JSON: "),
        ("\ufeff[1]", "is no JSON: "),
        (b"[NaN]", "NaN is no JSON number"),
        (b'{"a": -Infinity}', "-Infinity is no JSON number"),
        (b"1e99999", "too large"),
        (b"-1" + b"0" * 400 + b".0", "too large or too long"),
        (b"9" * 21, "21 digits"),
        (b"[" * 101 + b"]" * 101, "deep"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, "deep"),
        (b"[" * 100_000, "deep"),
        (b"[" * 1_000_000, "more values"),
        (b"1," * 1_000_000, "more values"),
        (b" " * (8 * _MEGABYTE + 1), "more than 8388608 bytes"),
    ],
)
def test_what_is_refused(text: bytes | str, words: str) -> None:
    """S17, and S10: deep nesting is a RecursionError."""
    with pytest.raises(foreign_json.NotJson) as caught:
        foreign_json.loads(text, "/the/file")
    assert str(caught.value).startswith("/the/file is ")
    assert words in str(caught.value)
    assert len(str(caught.value)) < 200


def test_numbers_of_thousands_of_digits_in_any_python() -> None:
    """Python refuses them since 3.11 alone, and by a limit that can be set."""
    with pytest.raises(foreign_json.NotJson, match="5000 digits"):
        foreign_json.loads(b'{"a": ' + b"9" * 5000 + b"}", "x")


def _growth(unit: str, wide: str) -> int:
    """How many megabytes of memory the text and what is made of it take at their height."""
    count = min(99_000 // (unit.count("{") + unit.count("[") or 1), 399_000 // (unit.count(",") + 1))
    text = "[" + ",".join(unit.replace("%", str(each)) for each in range(count)) + wide + "]"
    raw = text.encode().ljust(8 * _MEGABYTE)
    del text
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _height()
    with contextlib.suppress(foreign_json.NotJson):
        foreign_json.loads(raw, "x")
    return _height() - before


def _height() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


@pytest.mark.parametrize("wide", ["", ',"\U0001f433"'], ids=["narrow", "wide"])
@pytest.mark.parametrize(
    "unit", ["[]", "{}", '{"%":1}', '"%"', "%.5", '{"%a":1,"%b":2}', "[%,2]", '"%xxxxxxxxxxxxx"']
)
def test_memory(unit: str, wide: str) -> None:
    """S17: 15 MB of `[[],[],...` cost 359 MB. The text itself is held three times, four bytes a letter."""
    growth = within(20, _growth, unit, wide)

    assert growth < 100
