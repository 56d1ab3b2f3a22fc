# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's times (RFC 3339 with nanoseconds) as seconds since 1970."""

from __future__ import annotations

import datetime
import re
from typing import Any

# Before Python 3.11 fromisoformat() takes neither "Z" nor nine digits.
_FORM = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def seconds(text: Any) -> int | None:
    """The time in UTC; None for what is no time and for year 1, by which the engine says "never"."""
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None or match.group(1).startswith("0001-"):
        return None
    zone = "+00:00" if match.group(2) == "Z" else match.group(2)
    try:
        return int(datetime.datetime.fromisoformat(match.group(1) + zone).timestamp())
    except (ValueError, OverflowError):
        return None
