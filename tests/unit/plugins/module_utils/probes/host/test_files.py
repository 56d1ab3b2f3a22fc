# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files: mode, owner, ACL, symbolic links, and the directories above them."""

from __future__ import annotations

import errno
import os
import socket
import struct
import tempfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Owner, Place
from ansible_collections.bulwark.docker.plugins.module_utils.base.limits import within
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.files import files

from tests.unit.plugins.module_utils.probes.laying import lay

USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER, NOBODY = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0xFFFFFFFF


def look(path: Path) -> Any:
    return files([str(path)])[str(path)]


def give_acl(path: Path, entries: list[tuple[int, int, int]], kind: str = "access") -> None:
    raw = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(path, f"system.posix_acl_{kind}", raw)
    except OSError as problem:
        if problem.errno == errno.EOPNOTSUPP:
            pytest.skip(f"the file system of {path} has no ACLs")
        raise


def test_a_file(tmp_path: Path) -> None:
    path = lay(tmp_path, {"daemon.json": "{}"}) / "daemon.json"
    path.chmod(0o4622)
    os.utime(path, (1, 1700000000))
    seen = look(path)
    stat = path.stat()
    assert {
        name: seen[name] for name in ("type", "mode", "size", "modified", "target", "acl", "children")
    } == {
        "type": "file",
        "mode": "4622",
        "size": 2,
        "modified": 1700000000,
        "target": None,
        "acl": [],
        "children": [],
    }
    assert (seen["uid"], seen["gid"], seen["owner"]) == (stat.st_uid, stat.st_gid, path.owner())
    assert (seen["inode"], seen["device"]) == (
        stat.st_ino,
        f"{os.major(stat.st_dev)}:{os.minor(stat.st_dev)}",
    )


def test_a_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert look(tmp_path / "s")["type"] == "socket"


@pytest.mark.parametrize("name", ["missing", "file/below", "dangling"])
def test_what_is_not_there_is_null(tmp_path: Path, name: str) -> None:
    lay(tmp_path, {"file": ""})
    (tmp_path / "dangling").symlink_to("nowhere")
    assert look(tmp_path / name) is None


def test_a_link_is_judged_by_what_it_leads_to(tmp_path: Path) -> None:
    lay(tmp_path, {"etc/real": "", "open/x": ""})
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open/link").symlink_to("../etc/real")
    seen = look(tmp_path / "open/link")
    assert (seen["type"], seen["target"]) == ("file", str(tmp_path / "etc/real"))
    # Who can write beside the link can make it lead elsewhere.
    assert [parent["path"] for parent in seen["parents"] if parent["mode"] == "0777"] == [
        str(tmp_path / "open")
    ]


@pytest.mark.parametrize(
    ("mode", "weak"), [(0o755, False), (0o775, True), (0o757, True), (0o1777, False), (0o733, True)]
)
@pytest.mark.skipif(os.geteuid() != 0, reason="needs directories of root")
def test_directories_above_that_others_can_write(tmp_path: Path, mode: int, weak: bool) -> None:
    path = lay(tmp_path, {"etc/docker/daemon.json": ""}) / "etc/docker/daemon.json"
    (tmp_path / "etc").chmod(mode)
    expected = [{"path": str(tmp_path / "etc"), "mode": f"{mode:04o}", "uid": 0, "gid": 0, "acl": []}]
    assert look(path)["parents"] == (expected if weak else [])


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory away")
def test_a_directory_of_someone_else_is_weak(tmp_path: Path) -> None:
    path = lay(tmp_path, {"home/x": ""}) / "home/x"
    os.chown(tmp_path / "home", 1234567, 0)
    seen = look(path)
    assert [(parent["path"], parent["uid"]) for parent in seen["parents"]] == [
        (str(tmp_path / "home"), 1234567)
    ]
    assert look(tmp_path / "home")["owner"] is None


def test_acl_in_force_after_the_mask(tmp_path: Path) -> None:
    path = lay(tmp_path, {"x": ""}) / "x"
    give_acl(
        path,
        [(USER_OBJ, 6, NOBODY), (USER, 7, 0), (USER, 7, 1234567), (GROUP_OBJ, 4, NOBODY), (GROUP, 2, 0),
         (MASK, 6, NOBODY), (OTHER, 0, NOBODY)],
    )  # fmt: skip
    seen = look(path)
    assert seen["mode"] == "0660"  # the mask, where the group would be
    assert seen["acl"] == ["group::r--", "group:root:-w-", "user:1234567:rw-", "user:root:rw-"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a directory of root")
def test_a_directory_above_that_an_acl_opens(tmp_path: Path) -> None:
    path = lay(tmp_path, {"etc/x": ""}) / "etc/x"
    give_acl(
        path.parent,
        [
            (USER_OBJ, 7, NOBODY),
            (USER, 7, 1234567),
            (GROUP_OBJ, 5, NOBODY),
            (MASK, 7, NOBODY),
            (OTHER, 5, NOBODY),
        ],
    )
    parent = look(path)["parents"][0]
    assert (parent["path"], parent["acl"]) == (str(path.parent), ["group::r-x", "user:1234567:rwx"])


def test_default_acl_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    entries = [
        (USER_OBJ, 7, NOBODY),
        (USER, 6, 0),
        (GROUP_OBJ, 5, NOBODY),
        (MASK, 7, NOBODY),
        (OTHER, 0, NOBODY),
    ]
    give_acl(tmp_path / "d", entries, "default")
    assert look(tmp_path / "d")["acl"] == ["default:group::r-x", "default:user:root:rw-"]


@pytest.mark.parametrize("asked", ["certs.d", "certs.d/"])
def test_the_content_of_certs_d_is_looked_at(tmp_path: Path, asked: str) -> None:
    lay(tmp_path, {"certs.d/registry.example:5000/ca.crt": "", "certs.d/b/client.key": ""})
    (tmp_path / "certs.d/loop").symlink_to(".")
    seen = files([f"{tmp_path}/{asked}"])
    top = f"{tmp_path}/certs.d"
    below = ["b", "b/client.key", "loop", "registry.example:5000", "registry.example:5000/ca.crt"]
    assert seen[top]["children"] == [f"{top}/{name}" for name in below]
    assert list(seen) == [top, *seen[top]["children"]]
    assert seen[f"{top}/b/client.key"]["type"] == "file"


def test_the_content_of_other_directories_is_not(tmp_path: Path) -> None:
    lay(tmp_path, {"d/x": ""})
    assert list(files([f"{tmp_path}/d"])) == [f"{tmp_path}/d"]


def test_too_much_content_is_an_error(tmp_path: Path) -> None:
    lay(tmp_path, {f"certs.d/{number}": "" for number in range(501)})
    seen = look(tmp_path / "certs.d")
    assert seen["children"] == {"error": f"{tmp_path}/certs.d holds more than 500 files"}


def _as_nobody(paths: list[str]) -> dict[str, Any]:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    return files(paths)


@pytest.mark.skipif(os.geteuid() != 0, reason="changes to another user")
def test_without_permission_it_is_an_error_and_not_null() -> None:
    seen = within(10, _as_nobody, ["/proc/1/fd/0", "/etc/passwd"])
    assert seen["/proc/1/fd/0"] == {"error": "/proc/1/fd/0: Permission denied"}
    assert seen["/etc/passwd"]["mode"] == "0644"


def test_a_loop_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert "Too many levels" in look(tmp_path / "loop")["error"]


def test_no_paths() -> None:
    assert files([]) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="looks with the ids of accounts")
def test_what_an_account_names_is_looked_at_with_its_ids(tmp_path: Path) -> None:
    """S15: its links lead to nothing that it may not see, and root's own answer is not replaced."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        lay(Path(folder), {"secret/key.pem": "", "home/open.pem": ""})
        Path(folder, "secret").chmod(0o700)
        link, there = Path(folder, "home/key.pem"), Path(folder, "home/open.pem")
        link.symlink_to("../secret/key.pem")
        alice, bob = Owner(54321, 54321), Owner(54322, 54322)
        places = [Place(str(link), alice), Place(str(there), alice), Place(str(there), bob)]
        seen = files(places)
        by_root = files([*places, str(link), Place(f"{folder}/secret/key.pem", bob)])
    assert "Permission denied" in seen[str(link)]["error"]
    assert seen[str(there)]["mode"] == "0644"
    assert by_root[str(link)]["target"] == f"{folder}/secret/key.pem"
    assert "Permission denied" in by_root[f"{folder}/secret/key.pem"]["error"]


def test_a_path_that_is_none_costs_itself(tmp_path: Path) -> None:
    """S9"""
    path = lay(tmp_path, {"a": ""}) / "a"
    seen = files([f"{path}\0", str(path)])
    assert "null byte" in seen[f"{path}\0"]["error"]
    assert seen[str(path)]["type"] == "file"
