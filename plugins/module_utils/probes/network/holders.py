# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes hold a socket: from its inode to the processes with an open file of it."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

_LISTENING = 0x10000  # __SO_ACCEPTCON
_ROW = re.compile(
    r"[0-9a-f]+: [0-9A-F]+ [0-9A-F]+ ([0-9A-F]+) [0-9A-F]+ [0-9A-F]+ +([0-9]{1,20}) (.+)",
    re.ASCII | re.DOTALL,
)


def holders(inodes: Collection[int], pids: Iterable[int]) -> dict[int, list[int]]:
    """{inode: pids that hold it}, by one walk over the open files of `pids`.

    Processes that may not be looked at are left out, see `may_see_all`.
    """
    wanted = {f"socket:[{inode}]": inode for inode in inodes if inode}
    found: dict[int, list[int]] = {inode: [] for inode in inodes}
    for pid in sorted(pids) if wanted else ():
        for link in _open_files(pid):
            inode = wanted.get(link)
            if inode and pid not in found[inode][-1:]:
                found[inode].append(pid)
    return found


def _open_files(pid: int) -> list[str]:
    try:
        folder = os.open(f"/proc/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return []
    links = []
    try:
        for entry in os.scandir(folder):
            try:
                links.append(os.readlink(entry.name, dir_fd=folder))
            except FileNotFoundError:
                continue
    except OSError:
        # The process ended meanwhile.
        return links
    finally:
        os.close(folder)
    return links


def may_see_all() -> bool:
    """Whether the open files of every process can be read."""
    return os.geteuid() == 0


def unix_listeners(folder: str = "/proc/net") -> dict[str, list[int]]:
    """{path: inodes} of the unix sockets that listen on a path, in the network namespace with the tables in `folder`.

    Several where the path was taken over: those who had it before still listen, and nobody reaches them.
    The kernel writes a path as it is, also a line feed in it: an account can bind a socket so that lines follow which
    name any path and any inode. Who asks for a path of root has to see that its holder is root's.
    """
    found: dict[str, list[int]] = {}
    table = Path(folder, "unix").read_bytes().decode("utf-8", "surrogateescape")
    for line in table.split("\n")[1:]:
        # Num: RefCount Protocol Flags Type St Inode Path
        row = _ROW.match(line)
        if row and int(row[1], 16) & _LISTENING:
            found.setdefault(row[3], []).append(int(row[2]))
    return found
