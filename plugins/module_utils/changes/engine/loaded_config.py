# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record that probes/engine/loaded_config.py reads: which configuration a running engine was seen to have taken."""

from __future__ import annotations

from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import (
    Store,
    read_json,
    write_json,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.loaded_config import RECORD
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes


def record(store: Store, path: str, pid: int, content: bytes | None) -> None:
    """The engine with that process has taken `content` of its configuration file `path`, None for no file."""
    place = store.root / RECORD.name
    known = read_json(place) or {}
    known[path] = {
        "pid": pid,
        "started": processes.start_ticks(pid),
        "digest": atomic_files.digest(content or b""),
    }
    write_json(place, known)
