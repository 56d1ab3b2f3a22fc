# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From sockets to the processes that hold them, with sockets of this process."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
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


def test_open_files_without_number_cost_their_own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that open a file half a million times each took all of the audit's time."""
    monkeypatch.setattr(holders, "_MOST_FILES", 20)
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = "import os, time; [os.dup(0) for _unused in range(50)]; print(flush=True); time.sleep(60)"
        many = subprocess.Popen(["python3", "-c", script], stdout=subprocess.PIPE)
        few = subprocess.Popen(["sleep", "60"], pass_fds=[server.fileno()])
        try:
            assert many.stdout is not None and many.stdout.readline() == b"\n"
            held, unseen = holders.search({inode(server)}, [os.getpid()], [many.pid, few.pid])
            assert held == {inode(server): sorted([os.getpid(), few.pid])}
            assert unseen == [many.pid]
            monkeypatch.setattr(holders, "_SECONDS", 0.0)
            held, unseen = holders.search({inode(server)}, [os.getpid()], [many.pid, few.pid])
            assert held == {inode(server): [os.getpid()]}
            assert unseen == [many.pid, few.pid]
        finally:
            for each in (many, few):
                each.kill()
                each.communicate()
