# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record that probes/applied.py reads: which configuration a running engine was seen to have taken."""

from __future__ import annotations

from ansible_collections.bulwark.docker.plugins.module_utils.changes import atomic
from ansible_collections.bulwark.docker.plugins.module_utils.changes.store import Store, read_json, write_json
from ansible_collections.bulwark.docker.plugins.module_utils.probes import processes
from ansible_collections.bulwark.docker.plugins.module_utils.probes.applied import RECORD


def record(store: Store, path: str, pid: int, content: bytes | None) -> None:
    """The engine with that process has taken `content` of its configuration file `path`, None for no file."""
    place = store.root / RECORD.name
    known = read_json(place) or {}
    known[path] = {"pid": pid, "started": processes.start_ticks(pid), "digest": atomic.digest(content or b"")}
    write_json(place, known)
