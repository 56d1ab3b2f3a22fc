# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mount table: decoded, reduced to what is the host's own, and searched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.mounts import mount_of, mounts

CONTAINER = "5d41402abc4b2a76b9719d911017c592" * 2
TABLE = f"""\
22 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,errors=remount-ro,prjquota
23 22 254:0 /srv/doc\\134ker\\040data /var/lib/docker rw,nodev - ext4 /dev/vda rw
24 22 0:40 / /mnt/a\\011b\\012c rw - tmpfs tmpfs rw,size=4k,gid=5
25 22 0:41 / /proc rw,nosuid - proc proc rw,hidepid=invisible
26 22 0:42 / /home rw - nfs4 files.example:/home rw,addr=192.0.2.1,sec=sys
27 22 0:43 / /var/lib/docker/overlay2/{CONTAINER}/merged rw - overlay overlay rw,lowerdir=/a:/b
28 22 0:44 / /var/lib/docker/overlay2/x7hjk2l9zq/merged rw - overlay overlay rw,lowerdir=/a:/b
29 22 0:45 / /var/lib/docker/containers/{CONTAINER}/mounts/shm rw - tmpfs shm rw,size=65536k
30 22 0:4 net:[4026532281] /run/docker/netns/5d41402abc4b rw - nsfs nsfs rw
31 22 0:46 / /dav rw - fuse.davfs2 https://user:secret@dav.example/x rw,user_id=0
"""


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "mountinfo"
    path.write_text(TABLE, encoding="utf-8")
    return str(path)


def test_the_mounts_of_containers_are_left_out(table: str) -> None:
    targets = [mount["target"] for mount in mounts(table)]
    assert targets == ["/", "/var/lib/docker", "/mnt/a\tb\nc", "/proc", "/home", "/dav"]


def test_options_of_the_mount_and_its_file_system(table: str) -> None:
    options = {mount["target"]: mount["options"] for mount in mounts(table)}
    assert options["/"] == ["prjquota", "relatime", "rw"]
    assert options["/var/lib/docker"] == ["nodev", "rw"]
    assert options["/mnt/a\tb\nc"] == ["gid=5", "rw", "size=4k"]
    assert options["/proc"] == ["hidepid=invisible", "nosuid", "rw"]


def test_device_and_root_tell_a_bind_mount_of_the_same_disk(table: str) -> None:
    root, data = mounts(table)[:2]
    assert root["device"] == data["device"] == "254:0"
    assert (root["root"], data["root"]) == ("/", "/srv/doc\\ker data")


def test_a_source_carries_no_password(table: str) -> None:
    assert mounts(table)[-1]["source"] == "https://dav.example/x"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/var/lib/docker/volumes", "/var/lib/docker"),
        ("/var/lib/docker", "/var/lib/docker"),
        ("/var/lib/dockerish", "/"),
        ("/home/alice", "/home"),
    ],
)
def test_the_mount_of_a_path(table: str, path: str, target: str) -> None:
    mount = mount_of(path, mounts(table))
    assert mount and mount["target"] == target


def test_of_two_mounts_on_one_target_the_later_hides_the_earlier(table: str) -> None:
    over = {"target": "/home", "fstype": "tmpfs"}
    assert mount_of("/home/alice", [*mounts(table), over]) is over


def test_this_machine() -> None:
    mount = mount_of("/proc", mounts())
    assert mount and mount["fstype"] == "proc"
    root = mount_of("/", mounts())
    device = os.stat("/").st_dev  # noqa: PTH116
    assert root and root["device"] == f"{os.major(device)}:{os.minor(device)}"
