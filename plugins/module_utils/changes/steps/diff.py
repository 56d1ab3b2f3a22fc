# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Staged unit files before and after, as `--diff` shows them."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.bulwark.docker.plugins.module_utils.base import redact
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Step


def diff(planned: Iterable[Step]) -> list[dict[str, str]]:
    """One entry for each file that a step writes or removes, without credentials. Contents of certificates and keys
    are no such steps: their paths alone are in the actions."""
    return [
        {
            "before_header": files.shown(step),
            "after_header": files.shown(step),
            "before": redact.url(files.content_of(step) or ""),
            "after": redact.url(step.value["content"] or ""),
        }
        for step in planned
        if step.kind == files.FILE
    ]
