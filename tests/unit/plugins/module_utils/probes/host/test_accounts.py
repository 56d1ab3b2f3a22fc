# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts: what NSS tells, subordinate ids read strictly, login.defs, linger."""

from __future__ import annotations

import grp
import pwd
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.accounts import (
    accounts,
    linger,
    login_defs,
    subids,
)

from tests.unit.plugins.module_utils.probes.laying import lay, program


def test_users_and_groups_of_this_machine() -> None:
    read = accounts()
    root = next(user for user in read["users"] if user["name"] == "root")
    assert root == {
        "name": "root",
        "uid": 0,
        "gid": 0,
        "home": pwd.getpwnam("root").pw_dir,
        "shell": pwd.getpwnam("root").pw_shell,
    }
    assert {group["name"] for group in read["groups"]} == {group.gr_name for group in grp.getgrall()}
    assert read["users"] == sorted(read["users"], key=lambda user: user["name"])


def test_members_by_primary_group_are_members() -> None:
    """The group file does not name them: `getent group root` shows no root."""
    groups = {group["name"]: group["members"] for group in accounts()["groups"]}
    assert "root" not in grp.getgrnam("root").gr_mem
    assert "root" in groups["root"]


def test_login_defs(tmp_path: Path) -> None:
    text = "#UID_MIN 1\nUID_MIN\t\t 1000\nSUB_UID_COUNT 0x10000\nUMASK 022\nSYS_GID_MAX 999\nUID_MIN 500\n"
    assert login_defs(tmp_path) is None
    assert login_defs(lay(tmp_path, {"etc/login.defs": text})) == {
        "SUB_UID_COUNT": 65536,
        "SYS_GID_MAX": 999,
        "UID_MIN": 500,
    }


def test_linger(tmp_path: Path) -> None:
    assert linger(tmp_path) == []
    names = (r"o\x27neil", "alice")
    lay(tmp_path, {f"var/lib/systemd/linger/{name}": "" for name in names})
    assert linger(tmp_path) == ["alice", "o'neil"]


def test_subids_from_files(tmp_path: Path) -> None:
    text = "\n# comment\nbob:165536:65536\n 1000:100000:65536 \nalice:300000:1\n"
    assert subids([], lay(tmp_path, {"etc/subuid": text})) == {
        "source": "files",
        "uid": [
            {"owner": "1000", "start": 100000, "count": 65536},
            {"owner": "bob", "start": 165536, "count": 65536},
            {"owner": "alice", "start": 300000, "count": 1},
        ],
        "gid": None,
    }


@pytest.mark.parametrize(
    "line", ["alice:100000", "alice:x:65536", "alice:100000:65536:", ":1:2", "alice:-1:5", "alice:1:²"]
)
def test_a_malformed_line_is_quoted_with_its_number(tmp_path: Path, line: str) -> None:
    lay(tmp_path, {"etc/subuid": f"bob:1:2\n{line}\n", "etc/subgid": "bob:1:2\n"})
    read = subids([], tmp_path)
    expected = f"{tmp_path}/etc/subuid line 2 is not owner:start:count: {line!r}"
    assert read["uid"] == {"error": expected}
    assert read["gid"] == [{"owner": "bob", "start": 1, "count": 2}]


def test_subids_from_a_directory_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the output of getsubids 4.17; no directory service runs here."""
    program(
        tmp_path / "bin",
        "getsubids",
        """case "$*" in
"worker") printf '0: worker 100000 65536\n1: worker 300000 10\n';;
"-g worker") printf '0: worker 200000 65536\n';;
*) echo 'Error fetching ranges' >&2; exit 1;;
esac""",
    )
    monkeypatch.setattr(limits, "SEARCH", str(tmp_path / "bin"))
    lay(tmp_path, {"etc/nsswitch.conf": "passwd: files sss\nsubid:  sss\n", "etc/subuid": "bad line\n"})
    assert subids(["nobody", "worker"], tmp_path) == {
        "source": "sss",
        "uid": [
            {"owner": "worker", "start": 100000, "count": 65536},
            {"owner": "worker", "start": 300000, "count": 10},
        ],
        "gid": [{"owner": "worker", "start": 200000, "count": 65536}],
    }


def test_a_directory_service_without_getsubids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEARCH", str(tmp_path))
    read = subids(["worker"], lay(tmp_path, {"etc/nsswitch.conf": "subid: sss\n"}))
    assert read["uid"] == {"error": "getsubids is not installed"}
