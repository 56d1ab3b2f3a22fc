# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers of foreign text, fed with mutations of what they take: no exception but the documented, and no long wait."""

from __future__ import annotations

import contextlib

import pytest

from tests.fuzz import mutations
from tests.unit.hostile import TooSlow, limited
from tests.unit.parsers import PARSERS

_SECONDS = 0.5


@pytest.mark.parametrize("name", PARSERS)
def test_mutations(name: str) -> None:
    parser = PARSERS[name]
    for seed in mutations.seeds(150):
        mutated = (
            mutations.text(parser.sound, seed)
            if isinstance(parser.sound, str)
            else mutations.octets(parser.sound, seed)
        )
        try:
            with limited(_SECONDS), contextlib.suppress(*parser.raises):
                parser.read(mutated)
        except TooSlow:
            pytest.fail(f"{name}, seed {seed}: slower than {_SECONDS} s")
        except Exception as problem:
            raise AssertionError(f"{name}, seed {seed}: {type(problem).__name__}: {problem}") from problem
