# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Staged unit files before and after, as `--diff` shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes import steps
from ansible_collections.bulwark.docker.plugins.module_utils.probes import redact


def diff(planned: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """One entry for each file that a step writes or removes, without credentials. Contents of certificates and keys
    are no such steps: their paths alone are in the actions."""
    return [
        {
            "before_header": step["key"],
            "after_header": step["key"],
            "before": redact.url(steps.content_of(step) or ""),
            "after": redact.url(step["content"] or ""),
        }
        for step in planned
        if step["step"] in ("file", "home_file")
    ]
