# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files replaced as a whole: owner, mode, attributes and links are kept; a failure leaves the old content alone."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
import subprocess
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files

FRESH = atomic_files.Image(0o640, os.geteuid(), os.getegid(), {})
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def access_list(uid: int, bits: int = 6) -> bytes:
    """`user::rw-,user:UID:BITS,group::r--,mask::rw-,other::---` as the kernel stores it."""
    entries = ((0x01, 6, 0xFFFFFFFF), (0x02, bits, uid), (0x04, 4, 0xFFFFFFFF), (0x10, 6, 0xFFFFFFFF))
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", *entry) for entry in (*entries, (0x20, 0, 0xFFFFFFFF))
    )


def look(path) -> Any:
    return atomic_files.look(str(path))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], check=False).returncode:
        pytest.skip("this machine does not let mount")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def immutable(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    if subprocess.run(["chattr", "+i", file], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let make files immutable")
    yield file
    subprocess.run(["chattr", "-i", file], check=True)


def test_content_owner_mode_and_attributes_are_kept(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    file.chmod(0o604)
    os.setxattr(file, "user.note", b"mine")
    if os.geteuid() == 0:
        os.chown(file, 1234, 2345)
    content, image = look(file)
    assert content == b"old"
    atomic_files.replace(str(file), b"new", image._replace(times_ns=None))
    now, kept = look(file)
    assert now == b"new"
    assert kept._replace(times_ns=None) == image._replace(times_ns=None)
    assert names(tmp_path) == ["file"]


@needs_root
def test_setuid_bits_outlast_the_change_of_owner(tmp_path):
    file = tmp_path / "file"
    atomic_files.replace(str(file), b"", atomic_files.Image(0o6755, 1234, 1234, {}))
    assert stat.S_IMODE(file.stat().st_mode) == 0o6755


@needs_root
def test_access_lists_are_kept_and_none_is_inherited(tmp_path):
    os.setxattr(tmp_path, "system.posix_acl_default", access_list(1234))
    listed, plain = tmp_path / "listed", tmp_path / "plain"
    atomic_files.replace(
        str(listed), b"", FRESH._replace(xattrs={"system.posix_acl_access": access_list(1000, 4)})
    )
    assert look(listed)[1].xattrs == {"system.posix_acl_access": access_list(1000, 4)}
    atomic_files.replace(str(plain), b"", FRESH)
    assert look(plain)[1].xattrs == {}
    assert stat.S_IMODE(plain.stat().st_mode) == 0o640


def test_times_come_back_with_an_image_that_has_them(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    os.utime(file, ns=(1_000_000_001, 2_000_000_002))
    content, image = look(file)
    atomic_files.replace(str(file), b"new", image._replace(times_ns=None))
    assert file.stat().st_mtime_ns != 2_000_000_002
    atomic_files.replace(str(file), content, image)
    assert file.stat().st_mtime_ns == 2_000_000_002


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_the_umask_does_not_matter(tmp_path, umask):
    former = os.umask(umask)
    try:
        atomic_files.replace(str(tmp_path / "file"), b"new", FRESH)
    finally:
        os.umask(former)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_nothing_there(tmp_path):
    assert look(tmp_path / "none") is None
    (tmp_path / "file").write_text("")
    assert look(tmp_path / "file" / "below") is None


@pytest.mark.parametrize("kind", ["directory", "fifo", "link", "large"])
def test_what_is_no_file_of_ours_is_refused(tmp_path, kind):
    path = tmp_path / "thing"
    make = {
        "directory": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
        "link": lambda: path.symlink_to("/etc/hostname"),
        "large": lambda: path.open("wb").truncate(atomic_files.SIZE_LIMIT + 1),
    }
    make[kind]()
    with pytest.raises(atomic_files.Unwritable, match=str(path)):
        look(path)


def test_an_immutable_file_is_left_without_a_trace(immutable):
    with pytest.raises(atomic_files.Unwritable, match="immutable") as caught:
        atomic_files.replace(str(immutable), b"new", FRESH)
    assert str(immutable) in str(caught.value)
    assert immutable.read_text() == "old"
    assert names(immutable.parent) == ["file"]
    with pytest.raises(atomic_files.Unwritable, match="cannot be removed"):
        atomic_files.remove(str(immutable))


def test_a_full_disk(small_disk):
    file = small_disk / "file"
    file.write_text("old")
    with pytest.raises(atomic_files.Unwritable, match="No space left on device; make room"):
        atomic_files.replace(str(file), b"x" * 100_000, FRESH)
    assert file.read_text() == "old"
    assert names(small_disk) == ["file"]


def test_a_file_system_that_is_read_only(small_disk):
    file = small_disk / "file"
    file.write_text("old")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(atomic_files.Unwritable, match="mounted read-only"):
        atomic_files.replace(str(file), b"new", FRESH)
    assert file.read_text() == "old"


def test_a_file_that_is_a_mount_of_its_own(tmp_path):
    source, file = tmp_path / "source", tmp_path / "file"
    source.write_text("old")
    file.write_text("")
    if subprocess.run(["mount", "--bind", source, file], check=False).returncode:
        pytest.skip("this machine does not let mount")
    try:
        with pytest.raises(atomic_files.Unwritable, match="mount point"):
            atomic_files.replace(str(file), b"new", FRESH)
        assert file.read_text() == "old"
        assert names(tmp_path) == ["file", "source"]
    finally:
        subprocess.run(["umount", file], check=True)


CALLS = ("write", "fsync", "fchmod", "close")


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "problem",
    [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()],
    ids=["full", "stopped"],
)
def test_a_failure_before_the_rename_leaves_nothing(tmp_path, monkeypatch, name, problem):
    file = tmp_path / "file"
    file.write_text("old")
    real = getattr(os, name)

    def fail(handle, *arguments):
        real(handle, *arguments)
        raise problem

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        with pytest.raises((atomic_files.Unwritable, KeyboardInterrupt)):
            atomic_files.replace(str(file), b"new", FRESH)
    assert file.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_write_that_takes_only_a_part_goes_on(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:3]))
    atomic_files.replace(str(tmp_path / "file"), b"0123456789", FRESH)
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_leftovers_of_a_killed_run_are_swept_and_no_others(tmp_path):
    file = tmp_path / "daemon[1].json"
    for name in (
        "daemon[1].json",
        ".daemon[1].json.abc.bulwark",
        ".other.json.abc.bulwark",
        ".daemon[1].json",
    ):
        (tmp_path / name).write_text("")
    atomic_files.sweep(str(file))
    assert names(tmp_path) == sorted(["daemon[1].json", ".other.json.abc.bulwark", ".daemon[1].json"])


def test_remove_is_content_with_what_is_gone(tmp_path):
    (tmp_path / "file").write_text("")
    atomic_files.remove(str(tmp_path / "file"))
    atomic_files.remove(str(tmp_path / "file"))
    assert names(tmp_path) == []


def test_what_a_journal_holds_is_written_over_in_place_on_a_full_disk(small_disk):
    path = small_disk / "daemon.json"
    path.write_text("what was written" * 8)
    with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(b"x" * 4096):
            pass
    with pytest.raises(atomic_files.Unwritable, match="make room"):
        atomic_files.replace(str(path), b"former", FRESH)
    atomic_files.replace(str(path), b"former", FRESH, in_place=True)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"former", 0o640)
    with pytest.raises(atomic_files.Unwritable, match="make room"):
        atomic_files.replace(str(small_disk / "none"), b"former", FRESH, in_place=True)
    assert names(small_disk) == ["daemon.json", "filler"]


@pytest.mark.parametrize(
    ("content", "empty", "stays"),
    [
        (b"4194305", False, False),
        (b"", False, True),
        (b"", True, False),
        (b"%d", True, True),
        (b"x", True, True),
    ],
)
def test_a_lock_goes_when_its_owner_is_gone(tmp_path, content, empty, stays):
    lock = tmp_path / "subuid.lock"
    lock.write_bytes(content.replace(b"%d", str(os.getpid()).encode()) + b"\0" * bool(content))
    atomic_files.remove_dead_lock(lock, empty)
    assert lock.exists() is stays
