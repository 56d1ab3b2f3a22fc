# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Daemons of engines among the processes, and the files they run from."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import daemons
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes as proc

from tests.unit.plugins.module_utils.probes.process_tree import entry, running

CONTAINER = "b" * 64


def test_engine_processes(tmp_path: Path) -> None:
    decoy = tmp_path / "dockerd"
    shutil.copy("/bin/sleep", decoy)
    with (
        running("dockerd", "--log-opt", "token=abc") as engine,
        subprocess.Popen([str(decoy), "60"]) as other,
    ):
        processes = {
            **entry(engine, "dockerd", cgroup="/system.slice/docker.service"),
            **entry(2_000_001, "containerd", ppid=engine),
            **entry(2_000_002, "etcd", ppid=2_000_001, cgroup=f"/docker/{CONTAINER}"),
            **entry(2_000_003, "kube-controller", uid=5),
            **entry(2_000_004, "containerd-shim", ppid=engine),
            **entry(2_000_005, "docker-proxy", ppid=engine),
            # Its process has another name than its executable.
            **entry(other.pid, "renamed"),
        }
        found = daemons.engine_processes(
            processes, [{"name": "system", "user": None, "pid": engine, "rootlesskit": None}]
        )
        other.kill()
    by_name = {each["name"]: each for each in found}
    assert set(by_name) == {"dockerd", "containerd", "etcd", "kube-controller", "renamed"}
    assert [each["pid"] for each in found] == sorted(each["pid"] for each in found)
    assert by_name["dockerd"]["argv"][-1] == "token=(redacted)"
    assert (by_name["dockerd"]["engine"], by_name["dockerd"]["unit"]) == ("system", "docker.service")
    assert by_name["containerd"]["engine"] == "system"
    assert (by_name["etcd"]["engine"], by_name["etcd"]["container"]) == (None, CONTAINER)
    assert (by_name["kube-controller"]["uid"], by_name["kube-controller"]["exe"]) == (5, None)
    assert (by_name["renamed"]["exe"], by_name["renamed"]["engine"]) == (str(decoy), None)


def test_of_a_container_the_program_alone() -> None:
    with running("etcd", "--initial-cluster-token=abc") as pid:
        (found,) = daemons.engine_processes(entry(pid, "etcd", cgroup=f"/docker/{CONTAINER}"), [])
    assert found["argv"] == ["etcd"]


def test_those_of_accounts_cost_themselves_when_no_time_is_left() -> None:
    """Anybody may run a thousand processes called etcd."""
    taken = {
        **entry(2_000_009, "dockerd"),
        **{pid: entry(pid, "etcd", uid=1000)[pid] for pid in range(2_000_000, 2_000_005)},
    }
    seen: list[int] = []

    def slow(pid: int) -> list[str]:
        seen.append(pid)
        time.sleep(0.1)
        return ["x"]

    with pytest.MonkeyPatch.context() as patch, deadline.limited(0.25):
        patch.setattr(proc, "argv", slow)
        found = daemons.engine_processes(taken, [])
        deleted = daemons.deleted_files([each for each in found if each["uid"]])
    assert seen[0] == 2_000_009
    assert [each["pid"] for each in found] == sorted(taken)
    argv = {each["pid"]: each["argv"] for each in found}
    assert argv[2_000_009] == ["x"]
    assert "deadline" in argv[2_000_004]["error"]
    assert all("deadline" in each["paths"]["error"] for each in deleted)


def test_lineage_ends() -> None:
    processes = {
        **entry(10, "a", ppid=1),
        **entry(11, "b", ppid=10),
        **entry(20, "c", ppid=21),
        **entry(21, "d", ppid=20),
    }
    assert list(daemons.lineage(processes, 11)) == [11, 10]
    assert list(daemons.lineage(processes, 20)) == [20, 21]
    assert list(daemons.lineage(processes, 99)) == []


def wait_until_mapped(pid: int, program: Path) -> None:
    """The parent goes on when exec has succeeded; the kernel maps the program a moment later."""
    for _attempt in range(500):
        if str(program) in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8"):
            return
        time.sleep(0.01)
    raise AssertionError(f"{program} was not mapped within 5 s")


def test_a_binary_that_was_replaced(tmp_path: Path) -> None:
    program = tmp_path / "dockerd"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([str(program), "60"]) as process:
        wait_until_mapped(process.pid, program)
        assert daemons.binary(process.pid)["deleted"] is False
        program.unlink()
        gone = daemons.binary(process.pid)
        shutil.copy("/bin/sleep", program)
        replaced = daemons.binary(process.pid)
        daemon = {"pid": process.pid, "name": "dockerd", "uid": 0, "unit": None, "container": None}
        mapped = daemons.deleted_files([daemon])
        in_container = daemons.deleted_files([{**daemon, "container": CONTAINER}])
        process.kill()
    assert gone == {"path": str(program), "modified": None, "changed": None, "deleted": True}
    assert replaced["deleted"] is True
    assert replaced["changed"] == int(program.stat().st_ctime)
    assert mapped == [{"pid": process.pid, "name": "dockerd", "unit": None, "paths": [str(program)]}]
    assert in_container == []


def test_mappings_without_a_file_do_not_count() -> None:
    memory = "import mmap; held = mmap.mmap(-1, 4096)"
    with running("dockerd", script=memory) as pid:
        assert "(deleted)" in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
        assert (
            daemons.deleted_files(
                [{"pid": pid, "name": "dockerd", "unit": None, "uid": 0, "container": None}]
            )
            == []
        )


def test_a_process_that_has_ended() -> None:
    with running(sys.executable) as pid:
        pass
    assert (
        daemons.deleted_files([{"pid": pid, "name": "dockerd", "unit": None, "uid": 0, "container": None}])
        == []
    )
    with pytest.raises(Unreadable, match="has ended"):
        daemons.binary(pid)
