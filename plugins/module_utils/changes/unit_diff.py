# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Staged unit files before and after, as `--diff` shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.probes import reading, redact


def diff(steps: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """One entry for each file that a step writes or removes, without credentials. Contents of certificates and keys
    are no such steps: their paths alone are in the actions."""
    return [
        {
            "before_header": step["key"],
            "after_header": step["key"],
            "before": redact.url(reading.text(step["key"]) or ""),
            "after": redact.url(step["content"] or ""),
        }
        for step in steps
        if step["step"] == "file"
    ]
