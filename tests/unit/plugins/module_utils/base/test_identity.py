# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to an account is reached with its ids: files, programs, sockets."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import identity
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import ROOT, Owner, acting_as

SOMEBODY, OTHER = Owner(1234, 2345), Owner(1235, 2345)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="acts as others")
pytestmark = needs_root


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory of SOMEBODY's that others may enter."""
    for folder in (tmp_path, *(each for each in tmp_path.parents if not each.stat().st_mode & 0o001)):
        folder.chmod(0o755)
    own = tmp_path / "own"
    own.mkdir()
    os.chown(own, *SOMEBODY)
    return own


@pytest.fixture
def served(place: Path) -> Iterator[Path]:
    """A socket to which SOMEBODY listens."""
    with socket.socket(socket.AF_UNIX) as server, acting_as(SOMEBODY):
        server.bind(str(place / "s"))
        server.listen(1)
        with acting_as(ROOT):
            pass
        os.seteuid(0)
        yield place / "s"


def connect(path: Path, owner: Owner, seconds: float = 1) -> None:
    identity.connect(str(path), owner, time.monotonic() + seconds).close()


def test_acting_as_a_user_has_that_users_rights_alone(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    groups = os.getgroups()
    with acting_as(SOMEBODY):
        assert (os.geteuid(), os.getegid(), os.getgroups()) == (1234, 2345, [2345])
        with pytest.raises(PermissionError):
            secret.read_text()
    assert (os.geteuid(), os.getegid(), os.getgroups()) == (0, 0, groups)
    with pytest.raises(ValueError, match="inside"), acting_as(SOMEBODY):
        raise ValueError("inside")
    assert os.geteuid() == 0
    with acting_as(ROOT):
        assert os.geteuid() == 0


def test_a_child_has_the_ids_for_good() -> None:
    assert identity.within(SOMEBODY, 5, os.getresuid) == [1234] * 3
    assert identity.within(SOMEBODY, 5, os.getresgid) == [2345] * 3
    assert identity.within(SOMEBODY, 5, os.getgroups) == [2345]


def test_a_program_has_the_ids_for_good_and_nothing_of_our_environment() -> None:
    """S1: and no way back to root."""
    done = identity.run(
        SOMEBODY, ["sh", "-c", "id -u; id -g; id -G; pwd; env"], 5, {"XDG_RUNTIME_DIR": "/run/x"}
    )
    assert done.out.split()[:4] == ["1234", "2345", "2345", "/"]
    assert "XDG_RUNTIME_DIR=/run/x" in done.out
    assert "HOME=" not in done.out
    status = identity.run(SOMEBODY, ["cat", "/proc/self/status"], 5).out
    assert "Uid:\t1234\t1234\t1234\t1234" in status
    assert "CapEff:\t0000000000000000" in status


def test_socket_of_the_account(served: Path) -> None:
    connect(served, SOMEBODY)


def test_socket_of_another_account(served: Path) -> None:
    with pytest.raises(Unreadable, match="uid 1234 owns it"):
        connect(served, OTHER)
    with pytest.raises(Unreadable, match="uid 1234 listens there, not uid 0"):
        connect(served, ROOT)


def test_link_to_the_socket_of_another(place: Path, tmp_path: Path) -> None:
    """S14: an account that links its socket to the system's is not believed."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "roots"))
        server.listen(1)
        (tmp_path / "roots").chmod(0o666)
        (place / "s").symlink_to(tmp_path / "roots")
        with pytest.raises(Unreadable, match="symbolic link s, which others than root can turn elsewhere"):
            connect(place / "s", SOMEBODY)
        # Not by its own name either.
        with pytest.raises(Unreadable, match="uid 0 owns it"):
            connect(tmp_path / "roots", SOMEBODY)


def test_socket_of_the_account_to_which_root_listens(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "s"))
        os.chown(place / "s", *SOMEBODY)
        server.listen(1)
        with pytest.raises(Unreadable, match="uid 0 listens there, not uid 1234"):
            connect(place / "s", SOMEBODY)


def test_links_of_root_are_followed(served: Path, tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to("own")
    connect(tmp_path / "run/s", SOMEBODY)


def test_what_is_no_socket(place: Path) -> None:
    (place / "s").touch()
    os.chown(place / "s", *SOMEBODY)
    with pytest.raises(Unreadable, match="it is no socket"):
        connect(place / "s", SOMEBODY)
    with pytest.raises(FileNotFoundError):
        connect(place / "none", SOMEBODY)


def test_full_backlog(served: Path) -> None:
    """S11: it never waits for longer than it was told to."""
    clients = []
    while True:
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        clients.append(client)
        try:
            client.connect(str(served))
        except BlockingIOError:
            break
    begun = time.monotonic()
    with pytest.raises(socket.timeout):
        connect(served, SOMEBODY, 0.3)
    assert time.monotonic() - begun < 2
    for client in clients:
        client.close()
