# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rootless engines: below a rootlesskit, or only set up in a home."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes import rootless_engines

from tests.unit.plugins.module_utils.probes.laying import lay
from tests.unit.plugins.module_utils.probes.process_tree import entry, running

UID = 54321
CONTAINER = "c" * 64
SERVICE = "/user.slice/user-54321.slice/user@54321.service/app.slice/docker.service"


def tree(dockerd: int, cgroup: str = SERVICE, uid: int = UID) -> dict[int, dict[str, Any]]:
    """rootlesskit runs itself again, and that starts dockerd."""
    return {
        **entry(2_000_000, "rootlesskit", uid=UID, cgroup=cgroup),
        **entry(2_000_001, "exe", ppid=2_000_000, uid=UID, cgroup=cgroup),
        **entry(dockerd, "dockerd", ppid=2_000_001, uid=uid, cgroup=cgroup),
        **entry(2_000_003, "containerd", ppid=dockerd, uid=UID, cgroup=cgroup),
    }


def accounts(home: Path | str, name: str = "alice", uid: int = UID) -> dict[str, Any]:
    return {"users": [{"name": name, "uid": uid, "gid": uid, "home": str(home), "shell": "/bin/sh"}]}


@pytest.fixture
def home() -> Iterator[Path]:
    """A home of the account, who can get there."""
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() == 0:
            os.chown(folder, UID, UID)
        yield Path(folder)


def test_running(home: Path) -> None:
    lay(
        home,
        {
            ".config/docker/daemon.json": '{"icc": false}',
            ".config/systemd/user/docker.service": "[Service]\n",
        },
    )
    wants = home / ".config/systemd/user/default.target.wants"
    wants.mkdir()
    (wants / "docker.service").symlink_to("../docker.service")
    with running("dockerd", "--iptables=false", XDG_RUNTIME_DIR="/run/user/5") as pid:
        (engine,) = rootless_engines.find(tree(pid), accounts(home))
    assert (engine["name"], engine["user"], engine["unit"]) == ("rootless:alice", "alice", "docker.service")
    assert (engine["state"], engine["error"], engine["pid"], engine["uid"]) == ("running", None, pid, UID)
    assert engine["user_unit"] == {
        "path": str(home / ".config/systemd/user/docker.service"),
        "enabled": True,
        "fragment_exists": True,
    }
    assert engine["rootlesskit"] == {"pid": 2_000_000, "uid": UID, "argv": []}
    assert engine["config"]["settings"] == {"icc": False}
    assert engine["flags"]["iptables"] == ["false"]
    assert engine["socket"] == "/run/user/5/docker.sock"


def test_files_elsewhere(home: Path) -> None:
    lay(home, {"conf/docker/daemon.json": '{"hosts": ["unix:///run/user/7/own.sock"]}'})
    with running("dockerd", XDG_CONFIG_HOME=str(home / "conf"), XDG_RUNTIME_DIR="/run/user/7") as pid:
        (engine,) = rootless_engines.find(tree(pid), {"users": []})
    assert (engine["name"], engine["unit"]) == (f"rootless:{UID}", None)
    assert engine["user_unit"]["enabled"] is False
    assert engine["config"]["path"] == str(home / "conf/docker/daemon.json")
    assert engine["socket"] == "/run/user/7/own.sock"


@pytest.mark.parametrize(
    "processes",
    [
        # A name alone, without rootlesskit, of root, of another user, in a container.
        entry(90, "dockerd", uid=UID),
        {**entry(91, "rootlesskit", uid=UID), **entry(92, "sleep", ppid=91, uid=UID)},
        tree(90, uid=0),
        tree(90, uid=UID + 1),
        tree(90, cgroup=f"/docker/{CONTAINER}"),
    ],
)
def test_a_name_makes_no_engine(processes: dict[int, Any], tmp_path: Path) -> None:
    assert rootless_engines.find(processes, accounts(tmp_path)) == []


def test_set_up_and_not_running(home: Path) -> None:
    lay(home, {".config/systemd/user/docker.service": "[Service]\n", ".config/docker/daemon.json": "{"})
    (engine,) = rootless_engines.find({}, accounts(home))
    assert (engine["name"], engine["state"], engine["pid"]) == ("rootless:alice", "stopped", None)
    assert engine["error"] == "No dockerd of alice runs below a rootlesskit"
    assert engine["socket"] == f"/run/user/{UID}/docker.sock"
    assert engine["config"]["settings"] is None
    assert engine["user_unit"]["enabled"] is False
    assert rootless_engines.find({}, accounts(home, "toor", 0)) == []


def test_a_socket_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rootless_engines, "_runtime_folder", lambda uid: str(tmp_path / str(uid)))
    lay(tmp_path, {f"{UID}/docker.sock": ""})
    (engine,) = rootless_engines.find({}, accounts("/nonexistent"))
    assert (engine["state"], engine["unit"], engine["socket"]) == (
        "stopped",
        None,
        str(tmp_path / str(UID) / "docker.sock"),
    )


def test_nobody(tmp_path: Path) -> None:
    assert rootless_engines.find({}, accounts(tmp_path)) == []
    assert rootless_engines.find({}, {"users": {"error": "NSS does not answer"}}) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root looks into every home")
def test_a_home_of_another_user(tmp_path: Path) -> None:
    (tmp_path / ".config/systemd/user").mkdir(parents=True)
    (tmp_path / ".config/systemd/user").chmod(0)
    with running("dockerd") as pid:
        (engine,) = rootless_engines.find(tree(pid), accounts(tmp_path))
    assert "Permission denied; run as root" in engine["user_unit"]["error"]
