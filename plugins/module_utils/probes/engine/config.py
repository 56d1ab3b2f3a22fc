# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file of one engine, as it lies on disk and as dockerd would understand it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import reading, redact
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, error
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.daemon_options import KEYS
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import daemon_json


def config(path: str, given: bool, applied: str | None = None) -> dict[str, Any]:
    """The `config` of an engine. `given`: its command line names the file; `applied`: the digest of the content that
    is known to be in force. A missing file has settings {}."""
    if "\0" in path:
        raise Unreadable(f"{path!r} cannot be the path of a file")
    try:
        found = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        found = None
    except OSError as problem:
        raise Unreadable(f"{path}: {problem.strerror}") from problem
    target = str(Path(path).resolve()) if Path(path).is_symlink() else None
    return {
        "path": path,
        "given": given,
        "exists": found is not None,
        "target": target,
        "modified": int(found.st_mtime) if found else None,
        "changed": int(found.st_ctime) if found else None,
        **_parsed(path, applied),
    }


def _parsed(path: str, applied: str | None) -> dict[str, Any]:
    try:
        content = reading.content(path)
    except Unreadable as problem:
        return {"settings": error(str(problem)), "problems": [], "in_force": False}
    in_force = hashlib.sha256(content or b"").hexdigest() == applied
    if content is None:
        return {"settings": {}, "problems": [], "in_force": in_force}
    parsed = daemon_json.parse(content)
    return {
        "settings": redacted(parsed["settings"]),
        "problems": parsed["problems"],
        "in_force": in_force,
    }


def redacted(settings: Any) -> Any:
    """The settings without credentials, whoever wrote them: keys that no dockerd knows keep their names alone."""
    if not isinstance(settings, Mapping):
        return redact.options(settings)
    return redact.options({key: value if key in KEYS else redact.REDACTED for key, value in settings.items()})
