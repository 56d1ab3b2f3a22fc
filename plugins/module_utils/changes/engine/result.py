# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module that changes an engine returns, and how it tells that a change is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import redact
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.merge import differences

Refusal = Mapping[str, Any]


def result(check_mode: bool, **known: Any) -> dict[str, Any]:
    """The common keys, with what is known of them."""
    return {
        "changed": False,
        "check_mode": check_mode,
        "actions": [],
        "effect": "none",
        "restart_required": known.get("effect") == "restart",
        "costs": [],
        "refused": [],
        "left_alone": [],
        "notices": [],
        "transaction": None,
        **known,
    }


def sentence(refused: Iterable[Refusal]) -> str:
    """Why nothing was changed, with the variables that would allow it."""
    parts = [
        f"{each['message'].rstrip('.')}"
        + (f" (set {each['consent']} to allow it)" if each["consent"] else "")
        for each in refused
    ]
    return f"Nothing was changed: {'; '.join(parts)}."


def option_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A line for each option that differs, without credentials."""
    old, new = redact.options(before), redact.options(after)
    return [f"{key}: {_value(old, key)} -> {_value(new, key)}" for key in sorted(differences(before, after))]


def _value(settings: Mapping[str, Any], key: str) -> str:
    return json.dumps(settings[key], ensure_ascii=False) if key in settings else "not set"
