# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are read whole or refused, and nothing that is not a regular file is opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.reading import (
    content,
    kernel_text,
    significant,
    text,
    word,
)


def test_reads_more_than_one_part(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"x" * 200_000)
    assert content(path) == b"x" * 200_000


@pytest.mark.parametrize("name", ["missing", "file/below"])
def test_what_is_not_there_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    assert content(tmp_path / name) is None


def test_settings_of_the_kernel_are_read() -> None:
    assert word("/proc/sys/kernel/ostype") == "Linux"


@pytest.mark.parametrize("path", ["/proc/kmsg", "/proc/self/environ", "/proc/sys/kernel/ostype", "link"])
def test_files_of_the_kernel_are_read_by_those_alone_who_know_them(tmp_path: Path, path: str) -> None:
    """Reading /proc/kmsg drains the kernel's log, and waits for more."""
    (tmp_path / "link").symlink_to("/proc/kmsg")
    with pytest.raises(Unreadable, match="a file of the kernel's"):
        content(tmp_path / path)
    assert "Linux" in (kernel_text("/proc/version") or "")


def test_an_empty_file_is_no_file_of_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert content(tmp_path / "empty") == b""


def test_a_fifo_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(Unreadable, match="fifo is not a regular file"):
        content(tmp_path / "fifo")


@pytest.mark.parametrize("path", ["/dev/null", "/"])
def test_devices_and_directories_are_refused(path: str) -> None:
    with pytest.raises(Unreadable, match="not a regular file"):
        content(path)


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"123456")
    assert content(tmp_path / "big", limit=6) == b"123456"
    with pytest.raises(Unreadable, match="larger than 5 bytes"):
        content(tmp_path / "big", limit=5)


def test_a_loop_of_links_names_the_path(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(Unreadable, match=r"/loop: Too many levels"):
        content(tmp_path / "loop")


def test_bytes_that_are_not_utf_8_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    assert text(tmp_path / "latin") == "caf\ufffd"


def test_significant_lines() -> None:
    assert significant("# no\n\n  one \n\t# no\ntwo # kept\n") == ["one", "two # kept"]
