# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file of one engine, as it lies on disk and as dockerd would understand it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.probes import (
    daemon_json,
    identity,
    reading,
    redact,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.errors import Unreadable, error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.identity import Owner

_SECONDS = 5


def config(path: str, given: bool, owner: Owner) -> dict[str, Any]:
    """The `config` of an engine of that owner, read with its ids; `given`: its command line names the file. A missing
    one has settings {}. `digest` tells its content from another; it is no part of the snapshot."""
    if owner.is_root or os.geteuid() != 0:
        return _config(path, given)
    return dict(identity.within(owner, _SECONDS, _config, path, given))


def _config(path: str, given: bool) -> dict[str, Any]:
    try:
        found = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        found = None
    except OSError as problem:
        raise Unreadable(f"{path}: {problem.strerror}") from problem
    except ValueError as problem:
        raise Unreadable(f"{path!r} is no path: {problem}") from problem
    target = str(Path(path).resolve()) if Path(path).is_symlink() else None
    return {
        "path": path,
        "given": given,
        "exists": found is not None,
        "target": target,
        "modified": int(found.st_mtime) if found else None,
        "changed": int(found.st_ctime) if found else None,
        **_parsed(path),
    }


def _parsed(path: str) -> dict[str, Any]:
    try:
        content = reading.content(path)
    except Unreadable as problem:
        return {"settings": error(str(problem)), "problems": [], "digest": None}
    digest = hashlib.sha256(content or b"").hexdigest()
    if content is None:
        return {"settings": {}, "problems": [], "digest": digest}
    parsed = daemon_json.parse(content)
    settings = redact.options(parsed["settings"])
    return {"settings": settings, "problems": parsed["problems"], "digest": digest}
