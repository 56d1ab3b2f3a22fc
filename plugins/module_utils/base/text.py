# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text for people, made of names that others chose."""

from __future__ import annotations

from collections.abc import Iterable

CUT = "(cut)"
_MOST_NAMED, _LONGEST = 5, 80


def beginning(text: str, most: int) -> str:
    """The text, or its first `most` characters with a mark that says so."""
    return text if len(text) <= most else text[:most] + CUT


def few(names: Iterable[str]) -> str:
    """The first names and the number of the others; what is no printable character becomes a question mark."""
    shown = [_plain(name) for name in names]
    more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
    return ", ".join(shown[:_MOST_NAMED]) + more


def _plain(name: str) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in name)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
