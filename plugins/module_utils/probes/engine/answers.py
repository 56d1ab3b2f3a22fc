# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers of an engine as an audit takes them: whoever listens on its socket may say anything, at any length."""

from __future__ import annotations

from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import redact
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.api import EngineApi

# Far above what a host has: containers, images and volumes, and what belongs to one of them.
MOST_ENTRIES = 5000
# A path has up to 4096 characters, a seccomp profile within --security-opt some 14,000.
LONGEST_TEXT = 32 * 1024
# What engines answer is nested up to eight deep, and stands in a result below six more.
_DEEPEST = 20


class AuditedApi(EngineApi):
    """Longer texts are cut, longer lists refused."""

    def get(self, path: str) -> Any:
        """As EngineApi.get; Unreadable too for an answer that is longer or deeper than that of any engine."""
        return self._bounded(super().get(path), path, 0)

    def _bounded(self, value: Any, path: str, depth: int) -> Any:
        if isinstance(value, str):
            return redact.cut(value, LONGEST_TEXT)
        if not isinstance(value, (dict, list)):
            return value
        if len(value) > MOST_ENTRIES:
            raise Unreadable(
                f"{self.path} answers GET {path} with more than {MOST_ENTRIES} entries in one list"
            )
        if depth > _DEEPEST:
            raise Unreadable(
                f"{self.path} answers GET {path} with data that is nested more than {_DEEPEST} deep"
            )
        if isinstance(value, list):
            return [self._bounded(each, path, depth + 1) for each in value]
        return {
            redact.cut(key, LONGEST_TEXT): self._bounded(each, path, depth + 1) for key, each in value.items()
        }
