# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From sockets to the processes that hold them, with sockets of this process."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import holders


def inode(one: socket.socket) -> int:
    return os.fstat(one.fileno()).st_ino


def test_every_holder_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(fileno=os.dup(server.fileno())):
        child = subprocess.Popen(["sleep", "60"], pass_fds=[server.fileno()])
        try:
            # A socket without a file has no inode (0), and nobody holds it.
            found = holders.holders({inode(server), 0}, [child.pid, os.getpid()])
            assert found == {0: [], inode(server): sorted([os.getpid(), child.pid])}
        finally:
            child.kill()
            child.wait()


def test_unix_sockets_that_listen_on_a_path(tmp_path: Path) -> None:
    path = str(tmp_path / "with a space.sock")
    with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
        first.bind(path)
        assert path not in holders.unix_listeners()
        first.listen()
        assert holders.unix_listeners()[path] == [inode(first)]
        # Whoever takes the path over leaves the former owner listening.
        Path(path).unlink()
        second.bind(path)
        second.listen()
        assert sorted(holders.unix_listeners()[path]) == sorted([inode(first), inode(second)])


def test_a_process_ends_during_the_walk() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert holders.holders({1}, [ended.pid]) == {1: []}
