# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a file lies behind links, and that a path which leads elsewhere a moment later changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Owner, Place
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.location import located, real

OWN = Owner(os.geteuid(), os.getegid())
needs_root = pytest.mark.skipif(OWN.uid != 0, reason="needs root")


def test_links_are_followed_and_a_circle_is_named(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "dangling").symlink_to("none/below")
    (tmp_path / "up").symlink_to(f"{tmp_path}/../{tmp_path.name}/target")
    assert real(Place(f"{tmp_path}/link", OWN)) == f"{tmp_path}/target"
    assert real(Place(f"{tmp_path}/up", OWN)) == f"{tmp_path}/target"
    assert real(Place(f"{tmp_path}/dangling", OWN)) == f"{tmp_path}/none/below"
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(
        atomic_files.Unwritable, match=f"{tmp_path}/a cannot be reached: Too many levels of symbolic links"
    ):
        real(Place(f"{tmp_path}/a", OWN))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", "a directory, where a file is to be"),
        ("/etc/..", "a directory, where a file is to be"),
        ("/nothing/../x", "No such file"),
        ("/etc/a\0b", "null"),
    ],
)
def test_what_is_no_place_of_a_file(path: str, words: str) -> None:
    with pytest.raises(atomic_files.Unwritable, match=words):
        real(Place(path, OWN))


def test_directory_that_was_moved_meanwhile(tmp_path: Path) -> None:
    """S3: what was looked at is what is written, though its path leads elsewhere by then."""
    (tmp_path / "home").mkdir()
    (tmp_path / "etc").mkdir()
    with located(Place(f"{tmp_path}/home/file", OWN)) as found:
        (tmp_path / "home").rename(tmp_path / "moved")
        (tmp_path / "home").symlink_to("etc")
        atomic_files.replace(found.by_handle, b"new", atomic_files.fresh(OWN))
    assert (tmp_path / "moved/file").read_bytes() == b"new"
    assert list((tmp_path / "etc").iterdir()) == []


def test_directories_are_made_once_and_their_mode_is_told(tmp_path: Path) -> None:
    with located(Place(f"{tmp_path}/a/b/file", OWN)) as found:
        assert found.missing == [f"{tmp_path}/a", f"{tmp_path}/a/b"]
        (tmp_path / "a").mkdir(mode=0o700)
        found.make_directories()
        atomic_files.replace(found.by_handle, b"new", atomic_files.fresh(OWN))
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o755


def test_directory_that_became_a_link(tmp_path: Path) -> None:
    with located(Place(f"{tmp_path}/a/file", OWN)) as found:
        (tmp_path / "a").symlink_to("/etc")
        with pytest.raises(atomic_files.Unwritable, match=f"{tmp_path}/a cannot be made"):
            found.make_directories()


@needs_root
@pytest.mark.parametrize("whose", ["link", "directory"])
def test_root_follows_no_link_that_others_can_turn(tmp_path: Path, whose: str) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below/file").symlink_to("/etc/hostname")
    changed = tmp_path / "below/file" if whose == "link" else tmp_path / "below"
    os.chown(changed, 1234, 1234, follow_symlinks=False)
    with pytest.raises(
        atomic_files.Unwritable, match="symbolic link file, which others than root can turn elsewhere"
    ):
        real(Place(f"{tmp_path}/below/file", OWN))


@needs_root
def test_links_of_an_account_are_followed_with_its_ids(tmp_path: Path) -> None:
    for folder in (tmp_path, *(each for each in tmp_path.parents if not each.stat().st_mode & 0o001)):
        folder.chmod(0o755)
    (tmp_path / "secret").mkdir(mode=0o700)
    (tmp_path / "secret/file").write_text("root's")
    (tmp_path / "link").symlink_to("secret/file")
    os.chown(tmp_path / "link", 1234, 1234, follow_symlinks=False)
    with pytest.raises(atomic_files.Unwritable, match="Permission denied"):
        real(Place(f"{tmp_path}/link", Owner(1234, 1234)))
