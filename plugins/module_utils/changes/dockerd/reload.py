# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a SIGHUP takes of a configuration file, and what keeps it from taking anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def acceptable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in a form that a reload takes, with the same meaning.

    `userland-proxy: true` makes a reload fail as a whole, where a start takes it: `invalid userland-proxy-path:
    userland-proxy is enabled, but userland-proxy-path is not set` (seen on 26.1 and 28.5, not on 20.10). It is the
    default.
    """
    known = dict(settings)
    if known.get("userland-proxy") is True and not known.get("userland-proxy-path"):
        del known["userland-proxy"]
    return known


def is_acceptable(settings: Mapping[str, Any], major: int | None) -> bool:
    """Whether an engine of that major version takes the file by a reload."""
    return (major is not None and major < 23) or acceptable(settings) == dict(settings)
