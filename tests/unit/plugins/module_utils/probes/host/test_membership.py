# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose word about the container of a process is enough: root's, and an account's for its own engine (S13)."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import membership, processes

from tests.unit.plugins.module_utils.probes.process_tree import entry

ID, INNER = "a1" * 32, "b2" * 32
ALICE = 54321
MANAGER = "/user.slice/user-54321.slice/user@54321.service"
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="starts processes of accounts")


def shim(tmp_path: Path, uid: int, below: str = "") -> subprocess.Popen[bytes]:
    """A process that looks like containerd's shim of container ID, with what it runs below it."""
    script = tmp_path / "containerd-shim-runc-v2"
    script.write_text(f"#!/bin/sh\n{below}\necho\nread line\n", encoding="utf-8")
    script.chmod(0o755)
    tmp_path.chmod(0o755)
    words = [str(script), "-namespace", "moby", "-id", ID, "-address", "/x"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, user=uid, group=uid)
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def walked() -> dict[int, Any]:
    """These tests may run in a container: nothing of that here."""
    return {pid: {**process, "cgroup": "/"} for pid, process in processes.walk().items()}


def engine(uid: int | None, *ids: str, **first: Any) -> dict[str, Any]:
    return {
        "user": None if uid is None else "alice",
        "uid": uid,
        "containers": [{"id": each, "process": first or None} for each in ids],
    }


def below(pid: int) -> list[int]:
    return [each["pid"] for each in processes.walk().values() if each["ppid"] == pid]


@ROOT_ONLY
def test_a_shim_of_root_tells(folder: Path) -> None:
    with shim(folder, 0, "sleep 60 &") as process:
        (inside,) = below(process.pid)
        found = membership.by_container(walked())
        os.kill(inside, 9)
        process.kill()
    assert [each["pid"] for each in found[ID]] == [inside]


@ROOT_ONLY
def test_a_shim_of_an_account_says_nothing_about_containers_of_root(folder: Path) -> None:
    with shim(folder, ALICE, "sleep 60 &") as process:
        (inside,) = below(process.pid)
        seen = walked()
        by_root, listed = membership.by_container(seen), membership.containers_of(seen, [engine(None, ID)])
        served = processes.shims(seen, 0), processes.shims(seen, ALICE)
        os.kill(inside, 9)
        process.kill()
    assert (ID in by_root, listed) == (False, {})
    assert (ID in served[0], served[1]) == (False, {ID: process.pid})


@ROOT_ONLY
def test_a_program_with_roots_rights_that_an_account_started_is_no_shim_of_root() -> None:
    """su under the name of a link runs with the effective uid 0, and the real one of who called it."""
    seen = entry(7, "containerd-shim")[7]
    assert processes.is_shim({**seen, "status": {"Uid": "0\t0\t0\t0"}}, 0)
    assert not processes.is_shim({**seen, "status": {"Uid": "1000\t0\t0\t0"}}, 0)


@ROOT_ONLY
@pytest.mark.parametrize(("apart", "believed"), [("", False), ("unshare --mount ", True)])
def test_of_an_account_only_what_shares_the_first_process_namespaces(
    folder: Path, apart: str, believed: bool
) -> None:
    """What looks like a shim of the account and has it in its own namespaces proves nothing."""
    with shim(folder, ALICE, "") as process:
        words = f"{apart}sleep 60".split()
        with subprocess.Popen(words) as inside:
            time.sleep(0.2)
            seen = walked()
            seen[inside.pid] = {**seen[inside.pid], "ppid": process.pid}
            found = membership.by_container(seen, ALICE)
            listed = membership.containers_of(seen, [engine(ALICE, ID)])
            foreign = membership.containers_of(seen, [engine(ALICE, INNER)])
            elsewhere = membership.containers_of(seen, [engine(ALICE, ID)], "the host's network")
            inside.kill()
        process.kill()
    assert [each["pid"] for each in found.get(ID, ())] == [inside.pid] * believed
    assert listed == ({inside.pid: ID} if believed else {})
    # Its engine does not list the id; the container is in another network than the one that is asked about.
    assert foreign == elsewhere == {}


def test_the_cgroup_that_an_account_may_name_says_nothing() -> None:
    seen = {
        **entry(10, "nc", uid=ALICE, cgroup=f"{MANAGER}/{ID}"),
        **entry(11, "httpd", cgroup=f"/docker/{ID}"),
    }
    assert [each["pid"] for each in membership.by_container(seen)[ID]] == [11]
    assert membership.containers_of(seen, [engine(None, ID), engine(ALICE, ID)]) == {11: ID}


def test_root_comes_first() -> None:
    """An account whose engine lists a container of root's takes nothing away."""
    seen = entry(11, "httpd", cgroup=f"/docker/{ID}")
    assert membership.containers_of(seen, [engine(ALICE, ID)], "the host's network") == {11: ID}
    assert membership.by_container(seen, ALICE) == {}


def test_numbers_that_were_given_again_end_nowhere() -> None:
    seen = {**entry(20, "a", ppid=21), **entry(21, "b", ppid=20)}
    assert membership.by_container(seen) == {}
