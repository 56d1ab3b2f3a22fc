# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mounts lead to a socket of an engine."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import socket_reach
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.socket_reach import SocketReach


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    """A directory like /run with two sockets, links to it and directories beside it."""
    run = tmp_path / "run"
    (run / "user/1000").mkdir(parents=True)
    (run / "lock").mkdir()
    (tmp_path / "runaway").mkdir()
    (tmp_path / "var").mkdir()
    (tmp_path / "var/run").symlink_to(run)
    (tmp_path / "link").symlink_to("var/run/docker.sock")
    with socket.socket(socket.AF_UNIX) as system, socket.socket(socket.AF_UNIX) as user:
        system.bind(str(run / "docker.sock"))
        user.bind(str(run / "user/1000/docker.sock"))
        yield run


def reached(run: Path, source: str) -> list[str]:
    sockets = [f"{run}/docker.sock", f"{run}/user/1000/docker.sock", f"{run.parent}/var/run/docker.sock"]
    found, _unused = SocketReach(sockets).of(source)
    return [path[len(str(run)) + 1 :] for path in found if path.startswith(str(run))]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("run/docker.sock", ["docker.sock"]),
        ("link", ["docker.sock"]),
        ("run", ["docker.sock", "user/1000/docker.sock"]),
        ("run/", ["docker.sock", "user/1000/docker.sock"]),
        ("var/run", ["docker.sock", "user/1000/docker.sock"]),
        ("var/../run", ["docker.sock", "user/1000/docker.sock"]),
        ("run/user", ["user/1000/docker.sock"]),
        ("run/user/1000", ["user/1000/docker.sock"]),
        ("", ["docker.sock", "user/1000/docker.sock"]),
        ("run/lock", []),
        ("runaway", []),
        ("var", []),
        ("missing", []),
    ],
)
def test_paths(source: str, expected: list[str], run: Path) -> None:
    assert reached(run, f"{run.parent}/{source}") == expected


def test_root_directory_reaches_all(run: Path) -> None:
    assert reached(run, "/") == ["docker.sock", "user/1000/docker.sock"]


def test_hard_link(run: Path) -> None:
    os.link(run / "docker.sock", run.parent / "other")
    assert reached(run, f"{run.parent}/other") == ["docker.sock"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_bind_mount_of_a_directory_above(run: Path) -> None:
    place = run.parent / "place"
    place.mkdir()
    subprocess.run(["mount", "--bind", run, place], check=True, timeout=10)
    try:
        assert reached(run, str(place)) == ["docker.sock", "user/1000/docker.sock"]
    finally:
        subprocess.run(["umount", place], check=True, timeout=10)


def test_engine_whose_socket_is_gone_is_known_by_its_path(tmp_path: Path) -> None:
    reach = SocketReach([f"{tmp_path}/gone/docker.sock"])
    assert reach.of(f"{tmp_path}/gone/docker.sock")[0] == [f"{tmp_path}/gone/docker.sock"]
    assert reach.of(f"{tmp_path}/gone")[0] == [f"{tmp_path}/gone/docker.sock"]
    assert f"{tmp_path}/gone/docker.sock" in reach.of(str(tmp_path))[0]


def test_facts_of_the_source(tmp_path: Path) -> None:
    tmp_path.chmod(0o2750)
    reach = SocketReach([])
    assert reach.of(str(tmp_path))[1] == {"uid": os.getuid(), "gid": os.getgid(), "mode": "2750"}
    assert reach.of(f"{tmp_path}/missing")[1] is None


def test_file_servers_are_left_alone(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_reach, "_remote_mounts", lambda: [str(run)])
    found, facts = SocketReach([f"{run}/docker.sock"]).of(str(run))
    assert (f"{run}/docker.sock" in found, facts) == (True, None)
    assert SocketReach([]).of(f"{run.parent}/runaway")[1] is not None


def test_file_servers_are_found_in_the_mount_table(monkeypatch: pytest.MonkeyPatch) -> None:
    # None is mounted here: proc stands for them.
    monkeypatch.setattr(socket_reach, "NETWORK", {"proc"})
    assert SocketReach([]).of("/proc/self") == ([], None)
    assert SocketReach([]).of("/etc")[1] is not None
