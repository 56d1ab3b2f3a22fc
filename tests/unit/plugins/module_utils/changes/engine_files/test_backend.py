# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which owner, mode and access list a file gets, judged by the controls; and the transaction around it."""

from __future__ import annotations

import os
import pwd
import signal
import stat
import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine_files import backend as module
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine_files import (
    plan as engine_files_plan,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine_files.backend import (
    keep_in_force,
    restrict,
    roll_back,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine_files.plan import plan
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.atomic_files import Unwritable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import permissions
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps.run import Failed
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import (
    COMMITTED,
    ROLLED_BACK,
    Transaction,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store
from ansible_collections.bulwark.docker.plugins.module_utils.controls.host.files import FILES
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import loaded_config
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import files, processes

from tests.unit.builders.host import SOCKET, file, rootless_engine, snapshot, unit
from tests.unit.builders.judging import finding

DAEMON_JSON = "/etc/docker/daemon.json"
KEY = "/etc/docker/certs.d/registry.example/client.key"
DROP_IN = "/etc/systemd/system/docker.service.d/limits.conf"
# What the controls look at beside the tree.
ABSENT = (
    "/etc/default/docker",
    "/etc/docker",
    "/etc/docker/certs.d",
    "/etc/sysconfig/docker",
    "/run/containerd/containerd.sock",
    "/run/docker/containerd/containerd.sock",
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def planned(path, changes=None, parameters=None, **fields):
    """What is planned for a host where only that file is as `fields` say, as (owner, group, mode, list stays)."""
    data = snapshot({"files": {path: file(**fields)}, **(changes or {})})
    found = plan(data, parameters or {})
    assert {change.name for change in found.changes} <= {path}
    return [tuple(change.wanted) for change in found.changes], found


def test_a_sound_host_needs_nothing():
    found = plan(snapshot({}), {})
    assert (found.changes, found.refused, found.notices) == ([], [], [])


@pytest.mark.parametrize(
    ("path", "fields", "wanted"),
    [
        (DAEMON_JSON, {"mode": "0666", "uid": 1000, "gid": 1000}, (0, 0, 0o644, True)),
        (DAEMON_JSON, {"mode": "0666"}, (0, 0, 0o644, True)),
        # Nothing is added.
        (DAEMON_JSON, {"mode": "0222"}, (0, 0, 0o200, True)),
        (DAEMON_JSON, {"mode": "0400", "uid": 1000}, (0, 0, 0o400, True)),
        # A program of somebody else's must not become one of root's.
        (DAEMON_JSON, {"mode": "6755", "uid": 1000}, (0, 0, 0o644, True)),
        ("/etc/docker", {"mode": "2777", "type": "directory"}, (0, 0, 0o2755, True)),
        (KEY, {"mode": "0644"}, (0, 0, 0o600, True)),
        (DROP_IN, {"mode": "0666"}, (0, 0, 0o644, True)),
        (SOCKET, {"mode": "0666", "gid": 990, "type": "socket"}, (0, 990, 0o660, True)),
        (SOCKET, {"mode": "0666", "gid": 100, "type": "socket"}, (0, 0, 0o660, True)),
        (DAEMON_JSON, {"mode": "0664", "acl": ["user:alice:rw-", "group::r--"]}, (0, 0, 0o644, False)),
        # Without its list the group would get what was the mask.
        (SOCKET, {"mode": "0660", "acl": ["user:alice:rw-", "group::---"]}, (0, 0, 0o600, False)),
        # A list that is no wider than the mode stays.
        (DAEMON_JSON, {"mode": "0666", "acl": ["user:alice:r--"]}, (0, 0, 0o644, True)),
    ],
)
def test_what_a_file_gets(path, fields, wanted):
    data = {"files": {path: file(**{"owner": "x", "group": "x", **fields})}}
    asked, _found = planned(path, data, **{"owner": "x", "group": "x", **fields})
    assert asked == [wanted]
    uid, gid, mode, acl = wanted
    after = {
        **fields,
        "uid": uid,
        "gid": gid,
        "mode": f"{mode:04o}",
        "acl": fields.get("acl", []) if acl else [],
    }
    healed = snapshot({"files": {path: file(**after)}})
    # The same controls that asked for it accept it, and nothing more is planned.
    assert plan(healed, {}).changes == []
    assert {finding(control, healed)["verdict"] for control in FILES} <= {"pass", "not_applicable"}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (SOCKET, {"mode": "0600", "type": "socket"}),
        (SOCKET, {"mode": "0660", "gid": 990, "type": "socket"}),
        (DAEMON_JSON, {"mode": "0400"}),
        (DAEMON_JSON, {"mode": "0644", "acl": ["user:alice:r--"]}),
        ("/etc/docker", {"mode": "0755", "type": "directory", "acl": ["default:user:alice:rwx"]}),
    ],
)
def test_what_is_strict_enough_stays(path, fields):
    assert planned(path, **fields)[0] == []


def test_a_parameter_moves_the_bound():
    wider = {"file.registry_keys": {"mode": "0640"}}
    assert planned(KEY, parameters=wider, mode="0644")[0] == [(0, 0, 0o640, True)]
    stricter = {"file.engine_socket": {"mode": "0600"}}
    assert planned(SOCKET, parameters=stricter, mode="0660", type="socket")[0] == [(0, 0, 0o600, True)]


def test_two_controls_that_look_at_one_file_are_both_satisfied():
    parameters = {"file.default_docker": {"mode": "0600"}, "file.unit_environment_files": {"mode": "0640"}}
    asked, _found = planned("/etc/default/docker", parameters=parameters, mode="0666")
    assert asked == [(0, 0, 0o600, True)]


def test_directories_above_are_named_and_not_changed():
    parent = {"path": "/etc/docker/certs.d", "mode": "0777", "uid": 0, "gid": 0, "acl": []}
    asked, found = planned(KEY, mode="0600", parents=[parent])
    assert asked == []
    assert found.notices == [
        "/etc/docker/certs.d (mode 0777, owner 0:0) can be written by others, who can so replace"
        f" {KEY}: take that away from them."
    ]


def test_a_directory_above_that_is_changed_itself_is_not_named():
    parent = {"path": "/etc/docker", "mode": "0777", "uid": 0, "gid": 0, "acl": []}
    data = {
        "files": {
            "/etc/docker": file("0777", type="directory"),
            DAEMON_JSON: file("0644", parents=[parent]),
        }
    }
    found = plan(snapshot(data), {})
    assert [change.path for change in found.changes] == ["/etc/docker"]
    assert found.notices == []


def test_what_is_unread_is_told():
    found = plan(snapshot({"files": {DAEMON_JSON: {"error": "it hangs"}}}), {})
    assert (found.changes, len(found.notices)) == ([], 1)
    assert found.notices[0].endswith("not known, it hangs")
    found = plan(snapshot({"units": {"error": "systemctl hangs"}}), {})
    assert any("systemctl hangs" in notice for notice in found.notices)


def test_a_host_without_engines_keeps_its_unit_files_in_order():
    data = snapshot({"engines": [], "files": {DROP_IN: file("0666"), SOCKET: file("0666")}})
    assert [change.path for change in plan(data, {}).changes] == [DROP_IN]


@pytest.mark.parametrize(
    ("fields", "wanted", "refused"),
    [
        ({"mode": "0666", "uid": 1000, "gid": 1000}, [(1000, 1000, 0o644, True)], 0),
        ({"mode": "0644", "uid": 1000, "gid": 1000}, [], 0),
        # S20: what somebody else owns is named in a finding, and nothing is demanded of it.
        ({"mode": "0644", "uid": 1001, "gid": 1001}, [], 0),
        ({"mode": "0666", "uid": 0, "gid": 0}, [], 0),
    ],
)
def test_files_of_a_rootless_engine(fields, wanted, refused):
    path = "/home/alice/.config/docker/daemon.json"
    home = {"path": "/home/alice", "mode": "0755", "uid": 1000, "gid": 1000, "acl": []}
    data = {
        "engines": [rootless_engine()],
        "files": {path: file(owner="alice", group="alice", parents=[home], **fields)},
    }
    found = plan(snapshot(data), {})
    assert [tuple(change.wanted) for change in found.changes] == wanted
    assert [tuple(change.account.owner) for change in found.changes] == [(1000, 1000)] * len(wanted)
    assert len(found.refused) == refused


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder in the place of /etc/docker with a careless daemon.json and key, and its store."""
    folder = tmp_path / "docker"
    folder.mkdir(mode=0o755)
    for name, mode in (("daemon.json", 0o666), ("key.pem", 0o644)):
        (folder / name).write_text("")
        (folder / name).chmod(mode)
    settings = {"tlskey": str(folder / "key.pem")}
    engine: dict[str, Any] = {
        "name": "system",
        "user": None,
        "flags": {},
        "socket": str(folder / "docker.sock"),
        "info": {},
    }
    engine["config"] = {"path": str(folder / "daemon.json"), "exists": True, "settings": settings}

    def look():
        known = {"users": [], "groups": [], "subids": {"uid": [], "gid": []}}
        names = [*map(str, folder.rglob("*"))]
        fixed = dict.fromkeys((*ABSENT, engine["socket"]))
        return {"accounts": known, "units": {}, "engines": [engine], "files": {**fixed, **files.files(names)}}

    monkeypatch.setattr(module, "look", look)
    return folder


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "state"))


def modes(folder):
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


@needs_root
def test_there_and_back(tree, store):
    before = modes(tree)
    planned = restrict(store, {}, check=True)
    assert (planned["changed"], planned["transaction"], modes(tree)) == (True, None, before)
    assert not store.root.exists()
    done = restrict(store, {}, check=False)
    assert modes(tree) == {"daemon.json": 0o644, "key.pem": 0o400}
    assert {**planned, "transaction": done["transaction"]} == done
    assert restrict(store, {}, check=False)["changed"] is False
    assert len(store.folders()) == 1
    planned = roll_back(store, check=True)
    assert modes(tree) == {"daemon.json": 0o644, "key.pem": 0o400}
    back = roll_back(store, check=False)
    assert modes(tree) == before
    assert (
        planned["diff"] == back["diff"] == {"before": done["diff"]["after"], "after": done["diff"]["before"]}
    )
    assert [planned["actions"], planned["changed"]] == [back["actions"], back["changed"]]
    nothing = roll_back(store, check=False)
    assert (nothing["changed"], nothing["transaction"], len(nothing["notices"])) == (False, None, 1)


@pytest.mark.parametrize(
    ("written", "concerned", "kept"), [(-10, True, True), (10, True, False), (-10, False, False)]
)
def test_the_engine_has_taken_a_file_whose_mode_alone_is_new(tmp_path, store, written, concerned, kept):
    """Or the next daemon_config would restart it, as a chmod makes the file look younger than the engine."""
    config, pid = tmp_path / "daemon.json", os.getpid()
    config.write_text("{}", encoding="ascii")
    started = processes.started(pid)
    digest = atomic_files.digest(config.read_bytes())
    about = {"path": str(config), "modified": started + written, "changed": started + written}
    store.prepare()
    keep_in_force(
        store,
        {
            "engines": [
                {"pid": pid, "user": None, "started": started, "config": about},
                {"config": {"error": ""}},
            ]
        },
        [str(config)] if concerned else [],
    )
    taken = loaded_config.digest(str(config), pid, processes.start_ticks(pid), store.root / "in-force.json")
    assert (taken == digest) is kept


@needs_root
def test_undoing_leaves_what_others_changed_and_tells(tree, store):
    restrict(store, {}, check=False)
    (tree / "daemon.json").chmod(0o600)
    (tree / "key.pem").unlink()
    undone = roll_back(store, check=False)
    assert [Transaction(folder).state for folder in store.folders()] == [ROLLED_BACK]
    assert len(undone["notices"]) == 2
    assert modes(tree) == {"daemon.json": 0o600}
    assert roll_back(store, check=False)["changed"] is False


def giving(monkeypatch, give):
    """`give(real, path, wanted)` stands in for changing the permissions of a path."""
    real = permissions.give

    def stand_in(transaction, account, path, wanted, *more):
        give(lambda mode: real(transaction, account, path, (*wanted[:2], mode), *more), path, wanted)

    monkeypatch.setattr(permissions, "give", stand_in)


@needs_root
def test_s20_a_path_that_cannot_be_changed_keeps_no_other_from_it(tree, store, monkeypatch):
    before = modes(tree)

    def give(real, path, wanted):
        if path.endswith("key.pem"):
            raise Unwritable("key.pem: Read-only file system; it keeps its owner and mode")
        real(wanted[2])

    giving(monkeypatch, give)
    done = restrict(store, {}, check=False)
    assert modes(tree) == {**before, "daemon.json": 0o644}
    assert done["changed"]
    assert [line.partition(": ")[0] for line in done["actions"]] == [f"{tree}/daemon.json"]
    assert {
        "message": "key.pem: Read-only file system; it keeps its owner and mode",
        "consent": None,
        "control": "file.tls_server_key",
    } in done["refused"]
    assert [Transaction(folder).state for folder in store.folders()] == [COMMITTED]


@needs_root
def test_a_failure_that_nobody_thought_of_undoes_all(tree, store, monkeypatch):
    before = modes(tree)

    def give(real, path, wanted):
        if path.endswith("key.pem"):
            raise ValueError("never seen")
        real(wanted[2])

    giving(monkeypatch, give)
    with pytest.raises(Failed, match="was undone: ValueError: never seen") as caught:
        restrict(store, {}, check=False)
    assert caught.value.rolled_back
    assert modes(tree) == before
    assert [Transaction(folder).state for folder in store.folders()] == [ROLLED_BACK]


@needs_root
def test_f5_a_signal_undoes_and_a_lost_connection_does_not(tree, store, monkeypatch):
    before = modes(tree)

    def give(real, path, wanted):
        os.kill(os.getpid(), number)
        real(wanted[2])

    giving(monkeypatch, give)
    number = signal.SIGTERM
    with pytest.raises(Failed, match=f"ended by signal {int(number)}"):
        restrict(store, {}, check=False)
    assert modes(tree) == before
    number = signal.SIGHUP
    assert restrict(store, {}, check=False)["changed"]
    assert modes(tree) == {"daemon.json": 0o644, "key.pem": 0o400}


@needs_root
def test_what_does_not_hold_is_undone(tree, store, monkeypatch):
    before = modes(tree)
    giving(monkeypatch, lambda real, path, wanted: real(0o666))
    with pytest.raises(Failed, match=r"daemon\.json, .*key\.pem did not keep"):
        restrict(store, {}, check=False)
    assert modes(tree) == before


@pytest.fixture
def of_nobody(tree, tmp_path, monkeypatch):
    """The daemon.json of a rootless engine beside the tree, which its account keeps too wide."""
    account = pwd.getpwnam("nobody")
    ids = {"uid": account.pw_uid, "gid": account.pw_gid}
    folder = tmp_path / "home"
    folder.mkdir()
    own = folder / "daemon.json"
    own.write_text("")
    own.chmod(0o666)
    for path in (folder, own):
        os.chown(path, account.pw_uid, account.pw_gid)
    for above in (each for each in folder.parents if not each.stat().st_mode & 0o001):
        above.chmod(0o755)
    engine = {
        "name": "rootless:nobody",
        "user": "nobody",
        "state": "running",
        "flags": {},
        "socket": str(folder / "docker.sock"),
        "info": {},
        "config": {"path": str(own), "exists": True, "settings": {}},
        **ids,
    }
    of_system = vars(module)["look"]

    def look():
        seen = of_system()
        absent = dict.fromkeys(
            (engine["socket"], f"{folder}/certs.d", f"{folder}/docker/containerd/containerd.sock")
        )
        return {
            "accounts": {**seen["accounts"], "users": [{"name": "nobody", **ids}]},
            "units": {},
            "engines": [*seen["engines"], engine],
            "files": {**seen["files"], **absent, **files.files([str(own), str(folder)])},
        }

    monkeypatch.setattr(module, "look", look)
    return own


@needs_root
def test_s20_what_an_account_changes_back_costs_itself_alone(tree, of_nobody, store, monkeypatch):
    def give(real, path, wanted):
        real(wanted[2])
        if path == str(of_nobody):
            of_nobody.chmod(0o666)

    giving(monkeypatch, give)
    done = restrict(store, {}, check=False)
    assert modes(tree) == {"daemon.json": 0o644, "key.pem": 0o400}
    assert stat.S_IMODE(of_nobody.stat().st_mode) == 0o666
    assert not [each for each in done["actions"] if each.startswith(str(of_nobody))]
    assert done["refused"] == [
        {
            "message": f"{of_nobody} did not keep the mode it was given: it was changed back at once, as a program of"
            " nobody can; end that program, then run this again",
            "consent": None,
            "control": "file.engine_configuration",
        }
    ]
    # Each run meets it again, and pushes out no transaction that can be undone.
    again = restrict(store, {}, check=False)
    assert (again["changed"], again["transaction"], again["refused"]) == (False, None, done["refused"])
    assert [folder.name for folder in store.folders()] == [done["transaction"]]
    roll_back(store, check=False)
    assert modes(tree) == {"daemon.json": 0o666, "key.pem": 0o644}


@needs_root
def test_links(tree, store):
    target = tree / "elsewhere"
    target.write_text("")
    target.chmod(0o644)
    (tree / "key.pem").unlink()
    (tree / "key.pem").symlink_to("elsewhere")
    done = restrict(store, {}, check=False)
    assert modes(tree)["elsewhere"] == 0o400
    assert f"{target} (through {tree}/key.pem): mode 0400 instead of 0644" in done["actions"]
    target.chmod(0o644)
    tree.chmod(0o777)
    refused = restrict(store, {}, check=False)["refused"]
    assert [each["control"] for each in refused] == ["file.tls_server_key"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


def test_links_on_the_way_are_all_seen(tmp_path):
    (tmp_path / "real" / "below").mkdir(parents=True)
    (tmp_path / "real" / "below" / "file").write_text("")
    (tmp_path / "first").symlink_to("second")
    (tmp_path / "second").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "last").symlink_to("below/../below/file")
    path, links = engine_files_plan.way(f"{tmp_path}/first/last")
    assert path == f"{tmp_path}/real/below/file"
    assert [os.path.relpath(link, tmp_path) for link in links] == ["first", "second", "real/last"]
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(Unread, match=f"{tmp_path}/loop: Too many levels of symbolic links"):
        engine_files_plan.way(f"{tmp_path}/loop")
    (tmp_path / "file").write_text("")
    with pytest.raises(Unread, match=f"{tmp_path}/file/below: Not a directory"):
        engine_files_plan.way(f"{tmp_path}/file/below")


SWAP = """
import os, sys, time
end = time.monotonic() + 1
while time.monotonic() < end:
    os.symlink("real", sys.argv[1])
    os.unlink(sys.argv[1])
    open(sys.argv[1], "w").close()
    os.unlink(sys.argv[1])
"""


def test_s20_a_link_that_comes_and_goes_is_there_or_not(tmp_path):
    path = tmp_path / "daemon.json"
    with subprocess.Popen([sys.executable, "-c", SWAP, str(path)]) as swapping:
        seen = set()
        while swapping.poll() is None:
            seen.add(len(engine_files_plan.way(str(path))[1]))
    assert swapping.returncode == 0
    assert seen == {0, 1}


@pytest.mark.parametrize(
    ("listens", "shown", "notice"),
    [
        ([SOCKET], "SocketMode=0666\nSocketUser=\nSocketGroup=docker\n", "docker.socket makes"),
        ([SOCKET], "SocketMode=0660\nSocketUser=\nSocketGroup=docker\n", None),
        ([], "", None),
    ],
)
def test_the_unit_that_is_the_cause_is_named(monkeypatch, listens, shown, notice):
    monkeypatch.setattr(limits, "run", lambda *_arguments: limits.Ended(0, shown, ""))
    socket_unit = unit("docker.socket", listens=[{"type": "Stream", "address": path} for path in listens])
    data = {
        "units": {"docker.socket": socket_unit},
        "files": {SOCKET: file("0666", gid=990, group="docker", type="socket")},
    }
    notices = plan(snapshot(data), {}).notices
    assert [each.partition(f" {SOCKET}")[0] for each in notices] == ([notice] if notice else [])


def test_a_socket_that_its_program_makes_too_wide_again_is_told():
    _asked, found = planned(
        SOCKET,
        {"units": {"docker.socket": {"listens": []}}},
        {"file.engine_socket": {"mode": "0600"}},
        mode="0660",
        type="socket",
    )
    assert found.notices == [
        f"{SOCKET} is made anew by its program at the next start, with mode 0660: run this again then."
    ]
