# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of this machine, and to which container or unit a process belongs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import (
    membership,
    process_facts,
    processes,
)

from tests.unit.plugins.module_utils.probes import process_tree

ID = "a1" * 32
INNER = "b2" * 32


@contextlib.contextmanager
def running(*command: str) -> Iterator[int]:
    """The pid of a program that has begun."""
    process = subprocess.Popen(command)
    try:
        while processes.argv(process.pid) != list(command):
            time.sleep(0.01)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def made(pid: int, ppid: int, name: str = "sleep", cgroup: str = "/", **status: str) -> dict[str, Any]:
    """A process as walk() gives it."""
    return {"pid": pid, "ppid": ppid, "name": name, "uid": 0, "gid": 0, "cgroup": cgroup, "status": status}


def test_walk_sees_this_process_and_no_kernel_thread() -> None:
    walked = processes.walk()
    own = walked[os.getpid()]
    assert (own["ppid"], own["uid"], own["gid"]) == (os.getppid(), os.geteuid(), os.getegid())
    assert own["status"]["CapBnd"] and own["status"]["NoNewPrivs"] in "01"
    # Every thread of the kernel is a child of kthreadd, which is process 2 of the first PID namespace.
    second = Path("/proc/2/comm")
    if second.exists() and second.read_text(encoding="utf-8") == "kthreadd\n":
        assert not [process for process in walked.values() if process["ppid"] == 2]


def test_process_that_is_gone() -> None:
    with running("sleep", "60") as pid:
        assert processes.read(pid) is not None
    assert processes.read(pid) is None
    assert (processes.argv(pid), processes.exe(pid), processes.started(pid)) == ([], None, None)
    assert processes.deleted(pid) is False
    with pytest.raises(Unreadable, match="has ended"):
        processes.namespaces(pid)


def test_zombie_has_no_namespaces_to_tell() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(Unreadable, match="has ended"):
        processes.namespaces(process.pid)
    process.wait()


def test_facts_of_a_process() -> None:
    with running("sleep", "60") as pid:
        assert processes.argv(pid) == ["sleep", "60"]
        assert processes.exe(pid) == os.path.realpath(shutil.which("sleep") or "")
        assert abs((processes.started(pid) or 0) - time.time()) < 5
        assert processes.namespaces(pid)["net"] == str(Path("/proc/self/ns/net").readlink())[5:-1]
        assert processes.id_map(pid, "uid") == processes.id_map(os.getpid(), "uid")


def test_a_command_line_is_read_up_to_a_limit() -> None:
    """An account may make it as long as megabytes, for a process of any name."""
    with process_tree.running("x", "a" * 60_000, "https://user:" + "hunter2" * 10_000, "b") as pid:
        assert processes.argv(pid)[3:] == ["a" * 60_000]


def test_removed_executable(tmp_path: Path) -> None:
    program = tmp_path / "daemon"
    shutil.copy(shutil.which("sleep") or "", program)
    with running(str(program), "60") as pid:
        assert not processes.deleted(pid)
        program.unlink()
        assert processes.deleted(pid)
        assert processes.exe(pid) == str(program)


def test_name_with_spaces_and_parentheses(tmp_path: Path) -> None:
    program = tmp_path / "a) b (c"
    shutil.copy(shutil.which("sleep") or "", program)
    with running(str(program), "60") as pid:
        assert (processes.read(pid) or {})["name"] == "a) b (c"
        assert abs((processes.started(pid) or 0) - time.time()) < 5


@pytest.mark.parametrize(
    ("cgroup", "container"),
    [
        (f"/docker/{ID}", ID),
        (f"/docker/{ID}/init.scope", ID),
        (f"/docker/{ID}/docker/{INNER}", ID),
        (f"/system.slice/docker-{ID}.scope", ID),
        # Below what systemd gives to an account, the account makes the names (S13).
        (f"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope", None),
        (f"/user.slice/user-1000.slice/session-3.scope/{ID}", None),
        (f"/machine.slice/libpod-{ID}.scope/container", ID),
        (f"/kubepods/besteffort/pod1234/{ID}", ID),
        (f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope", ID),
        (f"/system.slice/containerd.service/kubepods-pod1:cri-containerd:{ID}", ID),
        (f"/own-parent/{ID}", ID),
        ("/system.slice/docker.service", None),
        ("/process_api/d9e9250732a7718ed9000238e9ab8e5b", None),
        (f"/x/{ID}0", None),
        ("/", None),
    ],
)
def test_container_of(cgroup: str, container: str | None) -> None:
    assert processes.container_of(cgroup) == container


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("/system.slice/docker.service", "docker.service"),
        ("/system.slice/docker.service/supervised", "docker.service"),
        ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service", "user@1000.service"),
        ("/user.slice/user-1000.slice/session-3.scope", None),
        (f"/user.slice/user-1000.slice/user@1000.service/docker-{ID}.scope/x.service", "user@1000.service"),
        (f"/docker/{ID}/system.slice/docker.service", None),
        (f"/system.slice/docker-{ID}.scope/system.slice/ssh.service", None),
        ("/", None),
    ],
)
def test_unit_of(cgroup: str, unit: str | None) -> None:
    assert processes.unit_of(cgroup) == unit


@pytest.fixture
def cgroups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A tree of cgroups in which user@1000.service belongs to its account, and one service to its User=."""
    given = ("user.slice/user-1000.slice/user@1000.service/app", "system.slice/ci.service/sub")
    for name in (*given, "system.slice/docker.service", "docker"):
        (tmp_path / name).mkdir(parents=True)
    for name in given:
        os.chown(tmp_path / Path(name).parent, 1000, 1000)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    monkeypatch.setattr(processes, "_CGROUPS", ("/nonexistent", str(tmp_path)))
    monkeypatch.setattr(processes, "_cgroup_base", lambda: "")
    processes._is_roots.cache_clear()
    yield tmp_path
    processes._is_roots.cache_clear()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives cgroups to accounts")
@pytest.mark.parametrize(
    ("cgroup", "container"),
    [
        (f"/docker/{ID}", ID),
        (f"/docker/{ID}/user.slice/user@1000.service/{INNER}", ID),
        (f"/system.slice/docker-{ID}.scope", ID),
        (f"/system.slice/docker.service/{ID}", ID),
        (f"/user.slice/docker-{ID}.scope", ID),
        (f"/system.slice/ci.service/{ID}", None),
        (f"/system.slice/ci.service/sub/docker-{ID}.scope", None),
        (f"/user.slice/user-1000.slice/user@1000.service/{ID}", None),
        (f"/user.slice/user-1000.slice/user@1000.service/app/docker-{ID}.scope", None),
        (f"/open/{ID}", None),
    ],
)
def test_a_name_counts_where_root_alone_can_give_it(
    cgroups: Path, cgroup: str, container: str | None
) -> None:
    """S13: whoever owns a cgroup makes others in it, with the names of containers too."""
    assert processes.container_of(cgroup) == container


@pytest.mark.parametrize(
    "name", ["hid\x0bden", "hid\x0cden", "hid\x1cden", "hid\x85den", "hid\u2028den", "a:b", "\r"]
)
def test_no_name_of_a_cgroup_hides_a_process(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """S13: lines of /proc end with a line feed alone."""
    real = processes.text_of

    def answers(path: str) -> str:
        content = f"1:name=systemd:/user.slice/{name}\n0::/user.slice/{name}\n"
        return content if path == f"/proc/{os.getpid()}/cgroup" else real(path)

    monkeypatch.setattr(processes, "text_of", answers)
    monkeypatch.setattr(processes, "_cgroup_base", lambda: "")
    assert (processes.read(os.getpid()) or {})["cgroup"] == f"/user.slice/{name}"


def test_a_name_with_a_blank_is_not_the_name_without_it(tmp_path: Path) -> None:
    program = tmp_path / "dockerd\x1c "
    shutil.copy(shutil.which("sleep") or "", program)
    with running(str(program), "60") as pid:
        assert (processes.read(pid) or {})["name"] == "dockerd\x1c "


def test_containers_by_cgroup() -> None:
    walked = {
        10: made(10, 1, cgroup=f"/docker/{ID}"),
        11: made(11, 10, cgroup=f"/docker/{ID}/sub"),
        12: made(12, 1, cgroup="/system.slice/ssh.service"),
    }
    assert membership.by_container(walked) == {ID: [walked[10], walked[11]]}


@pytest.fixture
def shim(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A process that looks like containerd's shim of Docker's container ID, as walk() gives it."""
    script = tmp_path / "containerd-shim-runc-v2"
    script.write_text("#!/bin/sh\nread line\n", encoding="utf-8")
    script.chmod(0o755)
    process = subprocess.Popen(
        [script, "-namespace", "moby", "-id", ID, "-address", "/x"], stdin=subprocess.PIPE
    )
    try:
        found = None
        while not found or found["name"] != "containerd-shim":
            found = processes.read(process.pid)
        # These tests may run in a container.
        yield {**found, "cgroup": "/system.slice/containerd.service"}
    finally:
        process.communicate()


def test_containers_by_their_shim_where_there_is_no_cgroup(shim: dict[str, Any]) -> None:
    pid = shim["pid"]
    # In any order: numbers are given again.
    walked = {
        5: made(5, pid, name="exec"),
        7: made(7, 9),
        9: made(9, pid),
        pid: shim,
        pid + 1: made(pid + 1, pid + 2, cgroup=f"/docker/{INNER}"),
        pid + 2: made(pid + 2, 9, name="containerd-shim", cgroup=f"/docker/{ID}"),
        pid + 3: made(pid + 3, 999_999),
    }
    members = {key: [each["pid"] for each in value] for key, value in membership.by_container(walked).items()}
    assert members == {ID: [5, 7, 9, pid + 1, pid + 2]}


def test_shims_of_docker(shim: dict[str, Any]) -> None:
    pid, uid = shim["pid"], os.geteuid()
    assert processes.shims({pid: shim}, uid) == {ID: pid}
    assert processes.shims({pid: shim}, uid + 1) == {}
    assert processes.shims({pid: shim}, None) == {}
    assert processes.shims({pid: {**shim, "cgroup": f"/docker/{INNER}"}}, uid) == {}


def test_first_process_of_a_container() -> None:
    executed, init, child = made(3, 2, NSpid="3 8"), made(5, 2, NSpid="5 1"), made(6, 5, NSpid="6 2")
    assert process_facts.first([executed, init, child], 2) is init
    # --pid=host: no namespace of its own.
    assert process_facts.first([made(9, 2), made(7, 2), made(6, 7)], 2) == made(7, 2)
    assert process_facts.first([], 2) is None


def test_member_that_started_after_the_walk(shim: dict[str, Any]) -> None:
    known = made(5, 4)
    assert process_facts.member(ID, 5, [known]) is known
    with running("sleep", "60") as pid, pytest.raises(Unreadable, match="PID namespace is not the engine's"):
        process_facts.member(ID, pid, [known])
    with pytest.raises(Unreadable, match="ended during the scan"):
        process_facts.member(ID, pid, [])


@pytest.mark.parametrize("told", ["../tmp/fifo", "1", True, 0, -1, 1.0, None, [1]])
def test_what_is_no_number_becomes_no_path(told: Any) -> None:
    """An engine tells what it likes as the process of its container, and root opens the files below."""
    for read in (lambda: process_facts.member(ID, told, []), lambda: processes.id_map(told, "uid")):
        with pytest.raises(Unreadable, match="is told as the number of a process"):
            read()


def test_facts_of_the_first_process() -> None:
    with running("sleep", "60") as pid:
        process = processes.read(pid)
        assert process is not None
        facts = process_facts.process(process)
        own = dict(
            line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        )
    assert (facts["pid"], facts["uid"], facts["gid"]) == (pid, os.geteuid(), os.getegid())
    assert facts["groups"] == sorted(set(os.getgroups()))
    assert (facts["cap_bnd"], facts["cap_eff"]) == (own["CapBnd"], own["CapEff"])
    assert (facts["no_new_privs"], facts["seccomp"]) == (own["NoNewPrivs"] == "1", int(own["Seccomp"]))
    assert facts["uid_map"] == processes.id_map(os.getpid(), "uid")
    assert "net" in facts["namespaces"]


def test_equal_processes_are_one_entry() -> None:
    members = [made(1, 0), made(2, 0, NoNewPrivs="1"), made(3, 0), made(4, 0, name="httpd")]
    shown = [(each["name"], each["no_new_privs"], each["count"]) for each in process_facts.grouped(members)]
    assert shown == [("httpd", False, 1), ("sleep", False, 2), ("sleep", True, 1)]


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root's rights")
def test_without_privileges() -> None:
    with running("sleep", "60") as pid:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.setresuid(65534, 65534, 65534)
            seen = processes.walk()[pid]
            marks = attempt(processes.namespaces, pid), processes.exe(pid), seen["name"]
            os.write(writer, repr(marks).encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writer)
        with os.fdopen(reader) as stream:
            said = stream.read()
    assert said == repr(
        ({"error": f"/proc/{pid}/ns/cgroup: no right to trace the process; run as root"}, None, "sleep")
    )
