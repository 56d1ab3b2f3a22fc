# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of an engine: contexts and variables of accounts, read from homes that may hold anything."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import clients as probe
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.clients import clients, environment

from tests.unit.plugins.module_utils.probes.laying import lay

ACCOUNTS = {
    "users": [
        {"name": "alice", "uid": 1000, "gid": 1000, "home": "/home/alice"},
        {"name": "daemon", "uid": 1, "gid": 1, "home": "/usr/sbin"},
        {"name": "twin", "uid": 1001, "gid": 1001, "home": "/home/alice/"},
        {"name": "nowhere", "uid": 1002, "gid": 1002, "home": "/nonexistent"},
        {"name": "none", "uid": 1003, "gid": 1003, "home": ""},
    ]
}


@pytest.fixture
def root() -> Iterator[Path]:
    """Where accounts get to their homes, as they do on a host."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def context(name: str, **endpoint: Any) -> dict[str, str]:
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = {"Name": name, "Metadata": {"token": "secret"}, "Endpoints": {"docker": endpoint}}
    return {f"home/alice/.docker/contexts/meta/{digest}/meta.json": json.dumps(meta)}


def test_contexts(root: Path) -> None:
    local, remote = (hashlib.sha256(name).hexdigest() for name in (b"local", b"remote"))
    lay(
        root,
        {
            "home/alice/.docker/config.json": json.dumps(
                {"auths": {"registry.example": {"auth": "secret"}}, "currentContext": "remote"}
            ),
            **context("remote", Host="tcp://user:secret@docker.example:2376", SkipTLSVerify=True),
            **context("local", Host="unix:///run/docker.sock"),
            f"home/alice/.docker/contexts/tls/{remote}/docker/cert.pem": "",
            f"home/alice/.docker/contexts/tls/{local}/docker/ca.pem": "",
        },
    )
    read = clients(ACCOUNTS, root)
    assert read == [
        {
            "user": "alice",
            "uid": 1000,
            "home": "/home/alice",
            "current_context": "remote",
            "contexts": [
                {
                    "name": "local",
                    "host": "unix:///run/docker.sock",
                    "skip_tls_verify": False,
                    "authority": f"/home/alice/.docker/contexts/tls/{local}/docker/ca.pem",
                    "certificate": None,
                },
                {
                    "name": "remote",
                    "host": "tcp://docker.example:2376",
                    "skip_tls_verify": True,
                    "authority": None,
                    "certificate": f"/home/alice/.docker/contexts/tls/{remote}/docker/cert.pem",
                },
            ],
            "environment": {},
        }
    ]
    assert "secret" not in json.dumps(read)


def test_a_folder_without_anything_in_it_counts(root: Path) -> None:
    (root / "home/alice/.docker").mkdir(parents=True)
    (client,) = clients(ACCOUNTS, root)
    assert (client["user"], client["current_context"], client["contexts"]) == ("alice", None, [])


def test_variables_of_an_account_and_of_everyone(root: Path) -> None:
    lay(
        root,
        {
            "home/alice/.profile": "export DOCKER_HOST=tcp://u:secret@192.0.2.1:2375\n",
            "etc/environment": 'DOCKER_TLS_VERIFY="1"\nTOKEN=secret\n',
            "etc/profile.d/docker.sh": "DOCKER_CONTENT_TRUST=1\nexport DOCKER_CONTENT_TRUST\n",
        },
    )
    alice, everyone = clients(ACCOUNTS, root)
    assert alice["environment"] == {
        "DOCKER_HOST": {"value": "tcp://192.0.2.1:2375", "file": "/home/alice/.profile"}
    }
    assert everyone == {
        "user": None,
        "uid": None,
        "home": None,
        "current_context": None,
        "contexts": [],
        "environment": {
            "DOCKER_CONTENT_TRUST": {"value": "1", "file": "/etc/profile.d/docker.sh"},
            "DOCKER_TLS_VERIFY": {"value": "1", "file": "/etc/environment"},
        },
    }


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("export DOCKER_HOST=tcp://a:1", "tcp://a:1"),
        ("  export DOCKER_HOST='tcp://a b'; true", "tcp://a b"),
        ('declare -x DOCKER_HOST="tcp://a"', "tcp://a"),
        ("export DOCKER_HOST=tcp://a # comment", "tcp://a"),
        ("export DOCKER_HOST=tcp://a;ls", "tcp://a"),
        ("DOCKER_HOST=tcp://a\nexport PATH DOCKER_HOST", "tcp://a"),
        ("export DOCKER_HOST=tcp://a\nexport DOCKER_HOST=tcp://b", "tcp://b"),
        ("export DOCKER_HOST=", ""),
        ("DOCKER_HOST=tcp://a", None),
        ("# export DOCKER_HOST=tcp://a", None),
        ("export MY_DOCKER_HOST=tcp://a", None),
        (f"export DOCKER_HOST={'x' * 5000}", "x" * 500),
    ],
)
def test_exported_variables(root: Path, line: str, value: str) -> None:
    (root / ".bashrc").write_text(line, encoding="utf-8")
    found = environment([root / ".bashrc"], root)
    assert found == ({} if value is None else {"DOCKER_HOST": {"value": value, "file": "/.bashrc"}})


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (".docker/config.json", "current_context"),
        (f".docker/contexts/meta/{'a' * 64}/meta.json", "contexts"),
        (".bashrc", "environment"),
    ],
)
def test_a_fifo_and_a_huge_file_do_no_harm(root: Path, name: str, sentence: str) -> None:
    path = lay(root, {f"home/alice/{name}": "", "home/alice/.docker/x": ""}) / "home/alice" / name
    with path.open("wb") as stream:
        stream.truncate(10 * 1024**3)
    assert "is larger than" in clients(ACCOUNTS, root)[0][sentence]["error"]
    path.unlink()
    os.mkfifo(path)
    assert clients(ACCOUNTS, root)[0]["user"] == "alice"


def test_a_link_to_a_file_of_the_kernel_is_not_read(root: Path) -> None:
    """/proc/kmsg is a regular file to the eye; to read it takes the kernel's messages, or waits for some."""
    (root / "home/alice/.docker").mkdir(parents=True)
    (root / "home/alice/.bashrc").symlink_to("/proc/kmsg")
    assert clients(ACCOUNTS, root)[0]["environment"] == {}


@pytest.mark.parametrize(
    "content", ["", "[]", '{"Name": 5, "Endpoints": []}', '{"Endpoints": {"docker": {"Host": [1]}}}']
)
def test_contexts_of_another_shape(root: Path, content: str) -> None:
    lay(root, {"home/alice/.docker/contexts/meta/x/meta.json": content})
    (seen,) = clients(ACCOUNTS, root)[0]["contexts"]
    assert isinstance(seen["name"], str)
    assert (seen["skip_tls_verify"], seen["certificate"]) == (False, None)


def test_what_is_not_json_is_named_and_not_quoted(root: Path) -> None:
    path = lay(root, {"home/alice/.docker/config.json": "secret"}) / "home/alice/.docker/config.json"
    assert clients(ACCOUNTS, root)[0]["current_context"] == {
        "error": f"{path} is no JSON: Expecting value in line 1, column 1"
    }


def test_json_that_is_nested_deeply_costs_its_entry_alone(root: Path) -> None:
    """S10: RecursionError is no ValueError."""
    lay(root, {"home/alice/.docker/config.json": "[" * 90_000, **context("near", Host="unix:///x")})
    (alice,) = clients(ACCOUNTS, root)
    assert "nested too deeply" in alice["current_context"]["error"]
    assert [each["name"] for each in alice["contexts"]] == ["near"]


AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="reads with the ids of accounts")


@AS_ROOT
def test_what_an_account_may_not_read_is_not_read_through_its_links(root: Path) -> None:
    """S15: root follows no link of an account to a file of root's."""
    lay(root, {"root/config.json": '{"currentContext": "of root"}', "home/alice/.docker/x": ""})
    (root / "root/config.json").chmod(0o600)
    (root / "home/alice/.docker/config.json").symlink_to(root / "root/config.json")
    (root / "home/alice/.bashrc").symlink_to(root / "root/config.json")
    (alice,) = clients(ACCOUNTS, root)
    assert "Permission denied" in alice["current_context"]["error"]
    assert "Permission denied" in alice["environment"]["error"]
    assert alice["contexts"] == []


@AS_ROOT
def test_an_account_that_may_not_enter_its_home_has_no_client_there(root: Path) -> None:
    lay(root, {"home/alice/.docker/config.json": "{}"})
    (root / "home/alice").chmod(0o700)
    assert clients(ACCOUNTS, root) == []


def test_many_assignments_take_no_time(root: Path) -> None:
    """S7: of one name the file is searched once, not for each assignment."""
    lay(root, {"home/alice/.bashrc": "DOCKER_HOST=tcp://a\n" * 12_000 + "export DOCKER_HOST\n"})
    begun = time.monotonic()
    assert environment([root / "home/alice/.bashrc"], root)["DOCKER_HOST"]["value"] == "tcp://a"
    assert time.monotonic() - begun < 2


def test_too_many_contexts(root: Path) -> None:
    for number in range(51):
        lay(root, context(str(number)))
    assert "more than 50 contexts" in clients(ACCOUNTS, root)[0]["contexts"]["error"]


def test_homes_on_a_file_server_are_not_touched(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file server can be mounted here."""
    lay(root, {"home/alice/.bashrc": "export DOCKER_HOST=tcp://a\n"})
    monkeypatch.setattr(probe, "mounts", lambda: [{"target": "/home", "fstype": "nfs4"}])
    (homes,) = clients(ACCOUNTS, root)
    assert (homes["user"], homes["home"]) == (None, "/home")
    told = "the homes of 2 accounts on /home were not read: it is a network file system"
    assert homes["contexts"] == homes["environment"] == homes["current_context"] == {"error": told}


def test_users_that_are_not_known() -> None:
    with pytest.raises(Unreadable, match=r"^NSS hangs$"):
        clients({"users": {"error": "NSS hangs"}})
