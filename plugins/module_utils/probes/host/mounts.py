# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mount table of the host: which file system a path is on, and with which options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.reading import kernel_text
from ansible_collections.bulwark.docker.plugins.module_utils.base.redact import url

Mount = dict[str, Any]

# Options of the file system that are kept with their value; others can name hundreds of paths, or users.
_VALUED = {"data", "gid", "hidepid", "mode", "size", "uid"}
# How engines name the mounts of one container or build step: by its id, or as a merged overlay.
_PER_CONTAINER = re.compile(r"/[0-9a-f]{64}|/overlay2?/[^/]+/merged$")
NETWORK = {
    *(
        "afs",
        "autofs",
        "beegfs",
        "ceph",
        "cifs",
        "davfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "nfs",
        "nfs4",
        "smb3",
    ),
    *("fuse.davfs2", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"),
}


def mounts(table: str = "/proc/self/mountinfo") -> list[Mount]:
    """Every mount in the order of the table, without those that engines make for each container.

    {target, source, fstype, options, device: "8:1", root: the directory of the file system that is mounted}
    """
    found = []
    for line in (kernel_text(table, limit=64 * 1024 * 1024) or "").split("\n"):
        # An account that mounts by FUSE chooses names, in which the kernel masks blanks and line feeds alone.
        if not line:
            continue
        own, _unused, filesystem = line.partition(" - ")
        device, root, target, options = own.split(" ")[2:6]
        fstype, source, super_options = filesystem.split(" ", 2)
        if fstype == "nsfs" or _PER_CONTAINER.search(target):
            continue
        found.append(
            {
                "target": _decoded(target),
                "source": url(_decoded(source)),
                "fstype": fstype,
                "options": sorted({*options.split(","), *filter(_kept, super_options.split(","))}),
                "device": device,
                "root": _decoded(root),
            }
        )
    return found


def mount_of(path: str, table: Sequence[Mount]) -> Mount | None:
    """The mount that a path without symbolic links is on: the longest target, and of equal ones the last."""
    best = None
    for mount in table:
        target = mount["target"]
        if (path == target or path.startswith(target.rstrip("/") + "/")) and (
            best is None or len(target) >= len(best["target"])
        ):
            best = mount
    return best


def _kept(option: str) -> bool:
    name, equals, _unused = option.partition("=")
    return not equals or name in _VALUED


def _decoded(field: str) -> str:
    """The kernel writes blanks, tabs, newlines and backslashes of a path as three octal digits."""
    if "\\" not in field:
        return field
    raw = re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field.encode("utf-8", "replace"))
    return raw.decode("utf-8", "replace")
