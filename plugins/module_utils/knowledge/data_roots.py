# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the Docker daemon keeps its data: with userns-remap in a directory `UID.GID` of the data root."""

from __future__ import annotations

import posixpath
import re

_MAPPED = re.compile(r"(\d+)\.(\d+)")


def mapped_ids(name: str) -> tuple[int, int] | None:
    """(uid, gid) of root of the containers, where the name of a directory is that of a mapping."""
    match = _MAPPED.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


def without_mapping(path: str) -> str:
    """The data root that the configuration names, of the one in force (DockerRootDir of /info)."""
    return posixpath.dirname(path) if mapped_ids(posixpath.basename(path)) else path
