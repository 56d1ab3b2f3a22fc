# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What daemon_apply has left on record: which configuration a running engine was seen to have taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import reading
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.state_directory import STATE

RECORD = Path(STATE, "in-force.json")


def digest(path: str, pid: int | None, started: int | None, record: Path = RECORD) -> str | None:
    """The SHA-256 of what that file held when the process with that id and start (in ticks) was reloaded or started.

    A reload leaves the file younger than the process; without the record nobody could tell that it was taken.
    """
    try:
        known: Any = json.loads(reading.text(record) or "{}")
        entry = known.get(path) if isinstance(known, dict) else None
        if not isinstance(entry, dict) or (entry.get("pid"), entry.get("started")) != (pid, started):
            return None
        held = entry.get("digest")
        return held if isinstance(held, str) else None
    except (Unreadable, ValueError, RecursionError):
        return None
