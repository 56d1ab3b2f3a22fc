# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd units of the host, as the controls of several scopes look them up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Case


def unit(case: Case, name: str | None) -> Mapping[str, Any]:
    """What systemd says of the unit; empty for one that it does not know."""
    found: Mapping[str, Any] = case.host("units").get(name) or {}
    return found
