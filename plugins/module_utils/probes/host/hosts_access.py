# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of /etc/hosts.allow and /etc/hosts.deny."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt
from ansible_collections.bulwark.docker.plugins.module_utils.base.reading import significant, text


def hosts_access(root: Path = Path("/")) -> dict[str, Any]:
    """{allow: [lines] | null | error, deny: the same}; continued lines are joined (hosts_access(5))."""
    return {kind: attempt(_lines, root / f"etc/hosts.{kind}") for kind in ("allow", "deny")}


def _lines(path: Path) -> list[str] | None:
    rules = text(path)
    return None if rules is None else significant(rules.replace("\\\n", " "))
