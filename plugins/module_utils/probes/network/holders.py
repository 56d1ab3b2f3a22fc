# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes hold a socket: from its inode to the processes with an open file of it."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline

# Open files of one process, and seconds for those of all processes, where others than root decide how many there are.
_MOST_FILES, _SECONDS = 16_384, 5.0
_LISTENING = 0x10000  # __SO_ACCEPTCON
_ROW = re.compile(
    r"[0-9a-f]+: [0-9A-F]+ [0-9A-F]+ ([0-9A-F]+) [0-9A-F]+ [0-9A-F]+ +([0-9]{1,20}) (.+)",
    re.ASCII | re.DOTALL,
)


def holders(inodes: Collection[int], pids: Iterable[int]) -> dict[int, list[int]]:
    """{inode: pids that hold it}, sorted, by one walk over the open files of `pids`.

    Processes that may not be looked at are left out, see `may_see_all`.
    """
    found, _unseen = search(inodes, sorted(pids))
    return found


def search(
    inodes: Collection[int], pids: Iterable[int], others: Iterable[int] = ()
) -> tuple[dict[int, list[int]], list[int]]:
    """(the holders, the pids of `others` whose open files were not all read).

    `others` come last, in their order, with a limit for each of them and one for all together: half a million open
    files, which an account may have in each of its processes, take two seconds to read.
    """
    wanted = {f"socket:[{inode}]": inode for inode in inodes if inode}
    found: dict[int, set[int]] = {inode: set() for inode in inodes}
    unseen = []
    for pid in pids if wanted else ():
        _note(found, wanted, pid, _open_files(pid))
    end = time.monotonic() + deadline.left(2 * _SECONDS) / 2
    for pid in others if wanted else ():
        links = itertools.islice(_open_files(pid), _MOST_FILES + 1) if time.monotonic() < end else ()
        count = _note(found, wanted, pid, links)
        if count > _MOST_FILES or time.monotonic() >= end:
            unseen.append(pid)
    return {inode: sorted(held) for inode, held in found.items()}, unseen


def _note(found: Mapping[int, set[int]], wanted: Mapping[str, int], pid: int, links: Iterable[str]) -> int:
    """How many links there are."""
    count = 0
    for count, link in enumerate(links, 1):  # noqa: B007 (the last one)
        inode = wanted.get(link)
        if inode:
            found[inode].add(pid)
    return count


def _open_files(pid: int) -> Iterator[str]:
    try:
        folder = os.open(f"/proc/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        for entry in os.scandir(folder):
            try:
                yield os.readlink(entry.name, dir_fd=folder)
            except FileNotFoundError:
                continue
    except OSError:
        # The process ended meanwhile.
        return
    finally:
        os.close(folder)


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
