# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the unit tests of controls share: lay changes over sound snapshot data, and judge it with one control."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.audit.judge import findings_of
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Control


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A deep copy of `base` with `changes` laid over it; dicts are merged, everything else is replaced."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict) and set(value) != {"error"}:
            result[key] = changed(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def finding(control: Control, snapshot: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    """The control's only finding on that snapshot (a snapshot with one engine, or a control of the host)."""
    (only,) = findings_of(snapshot, [control], {control.id: parameters}, {})
    return only
