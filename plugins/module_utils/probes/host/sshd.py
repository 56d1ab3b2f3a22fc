# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of sshd, from its files with what they include."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.reading import significant, text

_CONFIGURATIONS = ("etc/ssh/sshd_config", "usr/etc/ssh/sshd_config")
_DEEPEST = 16  # as in OpenSSH
_COMMENT = re.compile(r"(?<=\s)#")
_DIRECTIVE = re.compile(r"(\w+)(?:[ \t]*=[ \t]*|[ \t]+|$)(.*)")


def sshd(root: Path = Path("/")) -> dict[str, Any] | None:
    """{settings: {lower-case name: [values]}, matches: [criteria]}; None when sshd is not installed.

    settings holds what applies to everyone, in the order of the files: of most, sshd takes the first value.
    What stands in Match blocks is left out; matches tells their criteria.
    """
    main = next((root / name for name in _CONFIGURATIONS if (root / name).exists()), None)
    if main is None:
        return None
    settings: dict[str, list[str]] = {}
    matches: list[str] = []
    for name, value, matched in _directives(main, root, False, _DEEPEST):
        if name == "match":
            matches.append(value)
        elif not matched:
            settings.setdefault(name, []).append(value)
    return {"settings": dict(sorted(settings.items())), "matches": sorted(matches)}


def _directives(path: Path, root: Path, matched: bool, deeper: int) -> Iterator[tuple[str, str, bool]]:
    """(name, value, whether a Match block is around it) of each line; a Match ends with its file."""
    if not deeper:
        raise Unreadable(f"{path}: more than {_DEEPEST} levels of Include")
    for line in significant(text(path) or ""):
        directive = _DIRECTIVE.match(line)
        if not directive:
            continue
        name, value = directive[1].lower(), directive[2].strip()
        if name == "include":
            for included in _included(value, root):
                yield from _directives(included, root, matched, deeper - 1)
            continue
        if name == "match":
            matched = value.lower() != "all"
        yield name, _plain(value), matched


def _included(patterns: str, root: Path) -> Iterator[Path]:
    """The files of an Include line in the order sshd reads them; relative ones are meant below /etc/ssh."""
    for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', patterns):
        pattern = quoted or bare
        yield from sorted(root.glob(pattern[1:] if pattern.startswith("/") else f"etc/ssh/{pattern}"))


def _plain(value: str) -> str:
    """Without the quotes around it, or the comment behind it."""
    quoted = re.match(r'"([^"]*)"', value)
    return quoted[1] if quoted else _COMMENT.split(value, maxsplit=1)[0].rstrip()
