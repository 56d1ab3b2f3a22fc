# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the host that host.py reads itself, and the whole on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.host import (
    SYSCTLS,
    cgroup,
    default_target,
    host,
    kernel_arguments,
    os_release,
    sysctls,
)

from tests.unit.plugins.module_utils.probes.laying import lay

OS_RELEASE = """\
# comment
ID=debian
PRETTY_NAME="Debian \\"12\\" (bookworm)"
VERSION_ID='12'
SUPPORT_END=2028-06-30
EMPTY=
"""


def test_os_release_with_quotes(tmp_path: Path) -> None:
    assert os_release(lay(tmp_path, {"etc/os-release": OS_RELEASE})) == {
        "ID": "debian",
        "PRETTY_NAME": 'Debian "12" (bookworm)',
        "VERSION_ID": "12",
        "SUPPORT_END": "2028-06-30",
        "EMPTY": "",
    }


def test_the_administrators_os_release_comes_first(tmp_path: Path) -> None:
    lay(tmp_path, {"usr/lib/os-release": "ID=vendor\n"})
    assert os_release(tmp_path) == {"ID": "vendor"}
    assert os_release(lay(tmp_path, {"etc/os-release": "ID=own\n"})) == {"ID": "own"}
    assert os_release(tmp_path / "none") is None


def test_kernel_arguments_keep_no_secret(tmp_path: Path) -> None:
    line = (
        "BOOT_IMAGE=/vmlinuz root=/dev/vda ro quiet apparmor=0 rd.iscsi.password=x lsm=yama,bpf -- --key=y\n"
    )
    (tmp_path / "cmdline").write_text(line, encoding="utf-8")
    assert kernel_arguments(str(tmp_path / "cmdline")) == [
        *("BOOT_IMAGE=(redacted)", "root=(redacted)", "ro", "quiet"),
        *("apparmor=0", "rd.iscsi.password=(redacted)", "lsm=yama,bpf"),
    ]


def test_sysctls(tmp_path: Path) -> None:
    lay(tmp_path, {"net/ipv4/ping_group_range": "1\t0\n", "net/bridge/bridge-nf-call-iptables": "1\n"})
    read = sysctls(tmp_path)
    assert tuple(read) == SYSCTLS
    assert {name: value for name, value in read.items() if value is not None} == {
        "net.bridge.bridge-nf-call-iptables": "1",
        "net.ipv4.ping_group_range": "1 0",
    }


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ([("/sys/fs/cgroup", "cgroup2")], {"version": 2, "controllers": ["cpu", "memory"]}),
        ([("/sys/fs/cgroup", "tmpfs"), ("/sys/fs/cgroup/cpu", "cgroup"), ("/sys/fs/cgroup/x", "cgroup2")],
         {"version": 1, "controllers": ["cpuset", "pids"]}),
        ([("/", "ext4")], None),
    ],
)  # fmt: skip
def test_cgroup(tmp_path: Path, mounts: list[tuple[str, str]], expected: Any) -> None:
    v1 = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t2\t1\nmemory\t0\t1\t0\npids\t8\t2\t1\n"
    lay(tmp_path, {"proc/cgroups": v1, "sys/fs/cgroup/cgroup.controllers": "cpu memory\n"})
    assert cgroup([{"target": target, "fstype": fstype} for target, fstype in mounts], tmp_path) == expected


def test_default_target(tmp_path: Path) -> None:
    assert default_target(tmp_path) is None
    for directory, target in (
        ("usr/lib", "graphical.target"),
        ("etc", "/lib/systemd/system/multi-user.target"),
    ):
        (tmp_path / directory / "systemd/system").mkdir(parents=True)
        (tmp_path / directory / "systemd/system/default.target").symlink_to(target)
        assert default_target(tmp_path) == Path(target).name


def test_this_machine() -> None:
    read = host(updates=False)
    assert read["name"] == os.uname().nodename
    assert read["privileged"] == (os.geteuid() == 0)
    assert read["kernel"]["release"] == os.uname().release
    assert read["kernel"]["last_capability"] >= 36
    assert read["sysctls"]["net.ipv4.ip_forward"] in ("0", "1")
    assert read["os"]["ID"]
    assert read["uptime"] > 0
    assert any(mount["target"] == "/" for mount in read["mounts"])
    assert read["updates"] is None


def test_updates_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "ansible_collections.bulwark.docker.plugins.module_utils.probes.host.host"
    monkeypatch.setattr(f"{module}._updates", lambda manager: {"security": [], "as_of": None})
    assert host(updates=True)["updates"] == {"security": [], "as_of": None}
