# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Untrusted text made fit to be looked at: what does not print is shown by its code point."""

from __future__ import annotations

import json
from typing import Any

_WORDS = {None: "", True: "true", False: "false"}


def visible(text: str) -> str:
    """The text with every control, format, bidi, separator, surrogate or unassigned character as <U+XXXX>."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"<U+{ord(char):04X}>" for char in text)


def show(value: Any) -> str:
    """A value of a finding (null, string, number, bool, list or mapping) as visible text; null is empty."""
    if isinstance(value, str):
        return visible(value)
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, list):
        return ", ".join(show(item) for item in value)
    return visible(json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False))


def clip(text: str, width: int) -> str:
    """The text in at most `width` characters; what is cut off is marked by three dots."""
    return text if len(text) <= width else text[: width - 3] + "..."


def count(number: int, noun: str) -> str:
    """A number with its noun: 1 host, 2 hosts."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def percent(value: float | None) -> str:
    """A score as people read it; there is none where nothing could be judged."""
    return "none" if value is None else f"{value:.1f} %"
