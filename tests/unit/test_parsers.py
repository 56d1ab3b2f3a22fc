# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every parser of foreign text takes linear time and little of it, whatever the text is (S7)."""

from __future__ import annotations

import contextlib

import pytest

from tests.unit.hostile import TooSlow, limited, texts
from tests.unit.parsers import PARSERS

# A large text, so that also what copies instead of searching is noticed; per byte Python's own loops take 1 µs.
_SIZE, _SECONDS = 100_000, 0.8


@pytest.mark.parametrize("name", PARSERS)
def test_sound_texts_are_understood(name: str) -> None:
    assert PARSERS[name].read(PARSERS[name].sound)


@pytest.mark.parametrize("name", PARSERS)
def test_linear(name: str) -> None:
    parser = PARSERS[name]
    sound = parser.sound if isinstance(parser.sound, str) else parser.sound.decode("latin-1")
    for text in (*texts(_SIZE), (sound * (_SIZE // len(sound) + 1))[:_SIZE]):
        try:
            with limited(_SECONDS), contextlib.suppress(*parser.raises):
                parser.read(text if isinstance(parser.sound, str) else text.encode())
        except TooSlow:
            pytest.fail(f"{name} is not linear: {text[:80]!r}")
