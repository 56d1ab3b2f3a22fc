# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's audit system: whether it is on, the rules it has loaded, and the rule files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt
from ansible_collections.bulwark.docker.plugins.module_utils.base.limits import find, run
from ansible_collections.bulwark.docker.plugins.module_utils.base.reading import significant, text

_SECONDS = 10


def audit(root: Path = Path("/")) -> dict[str, Any] | None:
    """{enabled: 0 | 1 | 2 (locked) | error, loaded: [rules] | error, files: {path: [rules]} | error}

    None when no audit system is installed. Rules are lines as auditctl(8) takes and prints them.
    """
    directory = root / "etc/audit"
    if not find("auditctl") and not directory.is_dir():
        return None
    return {"enabled": attempt(_enabled), "loaded": attempt(_loaded), "files": attempt(_files, directory)}


def _enabled() -> int:
    stated = re.search(r"^enabled (\d)", _auditctl("-s"), re.MULTILINE)
    if not stated:
        raise Unreadable("auditctl -s does not tell whether auditing is enabled")
    return int(stated[1])


def _loaded() -> list[str]:
    return [line for line in significant(_auditctl("-l")) if line != "No rules"]


def _auditctl(option: str) -> str:
    ended = run(["auditctl", option], _SECONDS)
    if ended.status:
        raise Unreadable(f"auditctl {option}: {ended.err.strip() or f'ended with status {ended.status}'}")
    return ended.out


def _files(directory: Path) -> dict[str, list[str]]:
    """augenrules makes audit.rules of the files in rules.d."""
    parts = sorted(path for path in _inside(directory / "rules.d") if path.suffix == ".rules")
    read = {str(path): text(path) for path in (directory / "audit.rules", *parts)}
    return {path: significant(rules) for path, rules in read.items() if rules is not None}


def _inside(directory: Path) -> list[Path]:
    """Not by glob, which passes over a directory that may not be read."""
    try:
        return list(directory.iterdir())
    except FileNotFoundError:
        return []
