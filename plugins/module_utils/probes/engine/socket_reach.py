# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which engine sockets lie at or below a path that a container mounts, whatever links or binds lead there."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.mounts import NETWORK

# A container that reaches one of these controls the host, or all that its user owns.
_SOCKETS = (
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/k3s/containerd/containerd.sock",
)
_RUNTIME_DIRECTORIES = Path("/run/user")
_SOCKETS_OF_USERS = ("*/docker.sock", "*/docker/containerd/containerd.sock", "*/podman/podman.sock")
_OCTAL = re.compile(r"\\([0-7]{3})")


class SocketReach:
    """The engine sockets of this host, with the paths `engines`: looked up once, asked for each mount."""

    def __init__(self, engines: Iterable[str]) -> None:
        of_users = (str(path) for form in _SOCKETS_OF_USERS for path in _RUNTIME_DIRECTORIES.glob(form))
        known = filter(_is_socket, (*_SOCKETS, *of_users))
        # What a configuration names may be no path at all.
        named = (path for path in engines if "\0" not in path)
        self._sockets = sorted({os.path.realpath(path) for path in (*named, *known)})
        self._by_inode: dict[tuple[int, int], set[str]] = {}
        for path in self._sockets:
            for place in (path, *map(str, PurePosixPath(path).parents)):
                found = _facts(place)
                if found is not None:
                    self._by_inode.setdefault((found.st_dev, found.st_ino), set()).add(path)
        self._remote = _remote_mounts()

    def of(self, source: str) -> tuple[list[str], dict[str, Any] | None]:
        """(paths of the sockets that are `source` or lie below it, {uid, gid, mode} of `source`).

        The facts are None where `source` does not exist, may not be seen or lies on a file server.
        """
        below = source.rstrip("/") + "/"
        if any(below.startswith(mount + "/") for mount in self._remote):
            return self._at_or_below(os.path.normpath(source)), None
        facts = _facts(source)
        if facts is None:
            return self._at_or_below(os.path.realpath(source)), None
        return sorted(self._by_inode.get((facts.st_dev, facts.st_ino), ())), {
            "uid": facts.st_uid,
            "gid": facts.st_gid,
            "mode": f"{stat.S_IMODE(facts.st_mode):04o}",
        }

    def _at_or_below(self, place: str) -> list[str]:
        below = place.rstrip("/") + "/"
        return [path for path in self._sockets if path == place or path.startswith(below)]


def _facts(path: str) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except (OSError, ValueError):
        return None


def _is_socket(path: str) -> bool:
    facts = _facts(path)
    return facts is not None and stat.S_ISSOCK(facts.st_mode)


def _remote_mounts() -> list[str]:
    """Where file systems of other machines or programs are mounted: who looks there waits for them."""
    found = []
    for line in Path("/proc/self/mountinfo").read_bytes().decode("utf-8", "replace").split("\n"):
        place, _unused, file_system = line.partition(" - ")
        kind = file_system.split(" ", 1)[0]
        if kind in NETWORK or kind == "fuse" or kind.startswith("fuse."):
            found.append(_OCTAL.sub(lambda escape: chr(int(escape.group(1), 8)), place.split(" ")[4]))
    return found
