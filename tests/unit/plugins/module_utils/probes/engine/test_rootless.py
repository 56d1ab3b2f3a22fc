# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rootless engines: below a rootlesskit, or only set up in a home."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import rootless

from tests.unit.plugins.module_utils.probes.laying import lay
from tests.unit.plugins.module_utils.probes.process_tree import entry, running

UID = 54321
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="starts programs of an account")
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
        (engine,) = rootless.find(tree(pid), accounts(home))
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
        (engine,) = rootless.find(tree(pid), {"users": []})
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
    assert rootless.find(processes, accounts(tmp_path)) == []


def test_engines_without_number_cost_none_of_a_known_account(tmp_path: Path) -> None:
    """As an account with subordinate ids starts them, one for each id."""
    many: dict[int, dict[str, Any]] = {}
    for at in range(100):
        kit, uid = 2_000_000 + 2 * at, 20_000 + at
        many |= {**entry(kit, "rootlesskit", uid=uid), **entry(kit + 1, "dockerd", ppid=kit, uid=uid)}
    found = rootless.find({**many, **tree(2_100_000)}, accounts(tmp_path))
    assert len(found) == 65
    assert "rootless:alice" in {engine["name"] for engine in found}
    assert [engine["error"] for engine in found if engine["uid"] is None] == [rootless._TOO_MANY]


def test_set_up_and_not_running(home: Path) -> None:
    lay(home, {".config/systemd/user/docker.service": "[Service]\n", ".config/docker/daemon.json": "{"})
    (engine,) = rootless.find({}, accounts(home))
    assert (engine["name"], engine["state"], engine["pid"]) == ("rootless:alice", "stopped", None)
    assert engine["error"] == "No dockerd of alice runs below a rootlesskit"
    assert engine["socket"] == f"/run/user/{UID}/docker.sock"
    assert engine["config"]["settings"] is None
    assert engine["user_unit"]["enabled"] is False
    assert rootless.find({}, accounts(home, "toor", 0)) == []


def test_a_socket_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rootless, "_runtime_folder", lambda uid: str(tmp_path / str(uid)))
    lay(tmp_path, {f"{UID}/docker.sock": ""})
    (engine,) = rootless.find({}, accounts("/nonexistent"))
    assert (engine["state"], engine["unit"], engine["socket"]) == (
        "stopped",
        None,
        str(tmp_path / str(UID) / "docker.sock"),
    )


LISTEN = (
    "import socket, os; s = socket.socket(socket.AF_UNIX); s.bind({!r}); os.chmod({!r}, 0o666); s.listen({})"
)


@contextlib.contextmanager
def listening(path: Path, uid: int, backlog: int = 5) -> Iterator[int]:
    """A process of that account which listens there, under any name."""
    script = f"import os, socket; os.setgid({uid}); os.setuid({uid})\n" + LISTEN.format(
        str(path), str(path), backlog
    )
    with running("anything", script=script) as pid:
        yield pid


@pytest.fixture
def runtime(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the account's docker.sock lies."""
    monkeypatch.setattr(rootless, "_runtime_folder", lambda uid: str(home))
    return home / "docker.sock"


def only(processes: dict[int, Any], units: Any = None) -> dict[str, Any]:
    (engine,) = rootless.find(processes, accounts("/nonexistent"), units)
    return engine


@AS_ROOT
def test_an_engine_under_another_name_is_found_where_it_listens(runtime: Path) -> None:
    """The name of a program is its account's choice: what listens on the account's socket is its engine."""
    with listening(runtime, UID) as pid:
        engine = only(entry(pid, "anything", uid=UID))
    assert (engine["state"], engine["pid"], engine["error"]) == ("running", pid, None)
    assert (engine["uid"], engine["gid"], engine["socket"]) == (UID, UID, str(runtime))


@AS_ROOT
def test_nobody_connects_where_the_accounts_systemd_listens(runtime: Path) -> None:
    with listening(runtime, UID) as pid:
        units = {f"user@{UID}.service": {"main_pid": pid}}
        assert only(entry(pid, "systemd", uid=UID), units)["state"] == "stopped"


@AS_ROOT
def test_a_link_to_a_socket_of_somebody_else_is_not_followed(runtime: Path, tmp_path: Path) -> None:
    """S14: the socket and who listens are the account's, or it is none of its engines."""
    with tempfile.TemporaryDirectory() as folder, listening(Path(folder, "docker.sock"), 0) as pid:
        Path(folder).chmod(0o755)
        runtime.symlink_to(Path(folder, "docker.sock"))
        engine = only(entry(pid, "dockerd"))
    assert (engine["state"], engine["pid"]) == ("stopped", None)
    assert "uid 0 owns it" in engine["error"]


@AS_ROOT
def test_a_link_to_its_own_socket_is(runtime: Path, home: Path) -> None:
    runtime.symlink_to(home / "elsewhere.sock")
    with listening(home / "elsewhere.sock", UID) as pid:
        assert only(entry(pid, "anything", uid=UID))["pid"] == pid


@AS_ROOT
def test_who_listens_and_keeps_everybody_waiting_is_there(runtime: Path) -> None:
    """S11: a full backlog."""
    with listening(runtime, UID, 0) as pid, contextlib.ExitStack() as held:
        for _unused in range(2):
            client = held.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(str(runtime))
        begun = time.monotonic()
        engine = only(entry(pid, "anything", uid=UID))
    assert (engine["state"], engine["pid"]) == ("running", None)
    assert time.monotonic() - begun < 5


def test_below_a_rootlesskit_any_name_that_listens_is_an_engine(home: Path) -> None:
    with running("foo", script=LISTEN.format(str(home / "docker.sock"), str(home / "docker.sock"), 5)) as pid:
        processes = {**entry(2_000_000, "rootlesskit", uid=UID), **entry(pid, "foo", ppid=2_000_000, uid=UID)}
        (engine,) = rootless.find(processes, accounts("/nonexistent"))
    assert (engine["pid"], engine["rootlesskit"]["pid"]) == (pid, 2_000_000)


@AS_ROOT
def test_what_an_account_may_not_read_is_not_read_for_it(home: Path, tmp_path: Path) -> None:
    """S15: its links lead root nowhere."""
    lay(tmp_path, {"secret.json": '{"auths": {"registry": "secret"}}'})
    lay(home, {".config/systemd/user/docker.service": "", ".config/docker/x": ""})
    (home / ".config/docker/daemon.json").symlink_to(tmp_path / "secret.json")
    (engine,) = rootless.find({}, accounts(home))
    assert "Permission denied" in engine["config"]["error"]
    assert "secret" not in json.dumps(engine).replace("secret.json", "")


def test_what_one_account_does_costs_its_own_engine(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(home, {".config/systemd/user/docker.service": ""})
    home.chmod(0o755)
    known = accounts(home)["users"] + accounts(home, "bob", UID + 1)["users"]
    real = rootless._engine

    def fails_for_alice(user: Any, *others: Any) -> Any:
        if user["name"] == "alice":
            raise ValueError("embedded null byte")
        return real(user, *others)

    monkeypatch.setattr(rootless, "_engine", fails_for_alice)
    alice, bob = rootless.find({}, {"users": known})
    assert "embedded null byte" in alice["config"]["error"]
    assert bob["config"]["exists"] is False
    assert set(alice) == set(bob)


def test_nobody(tmp_path: Path) -> None:
    assert rootless.find({}, accounts(tmp_path)) == []
    assert rootless.find({}, {"users": {"error": "NSS does not answer"}}) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root looks into every home")
def test_a_home_of_another_user(tmp_path: Path) -> None:
    (tmp_path / ".config/systemd/user").mkdir(parents=True)
    (tmp_path / ".config/systemd/user").chmod(0)
    with running("dockerd") as pid:
        (engine,) = rootless.find(tree(pid), accounts(tmp_path))
    assert "Permission denied; run as root" in engine["user_unit"]["error"]
