# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systemd units, as a snapshot tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_enabled(found: Mapping[str, Any]) -> bool:
    """Whether the unit starts at boot by itself; static and indirect ones start with others."""
    return found.get("enabled") in ("enabled", "enabled-runtime")
