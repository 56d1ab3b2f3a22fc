# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the host as far as they take no systemd and no engine: what is read, written, and said."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes import atomic
from ansible_collections.bulwark.docker.plugins.module_utils.changes import host_settings as module

NOBODY = "bulwark-nobody-here"
AUTHS = {"auths": {"store.example": {"auth": "bm90OnNlY3JldA=="}}}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The client's file of an account with its home in `tmp_path`."""
    account = module.Account(os.getuid(), os.getgid(), str(tmp_path))
    monkeypatch.setattr(module, "user_of", lambda name: account)
    return tmp_path / ".docker/config.json"


def test_context_of_a_client_without_files(client: Path) -> None:
    assert module.read("context", "worker") is None
    assert module.write("context", "worker", "rootless") == []
    assert json.loads(client.read_text()) == {"currentContext": "rootless"}
    assert client.stat().st_mode & 0o777 == 0o600
    assert client.parent.stat().st_mode & 0o777 == 0o700
    assert module.read("context", "worker") == "rootless"
    # It came with the context.
    module.write("context", "worker", None)
    assert not client.exists()


def test_write_of_the_client_that_was_killed(client: Path) -> None:
    client.parent.mkdir()
    left = client.parent / ".config.json.abc123.bulwark"
    left.touch()
    assert module.undo("context", "worker", None) == []
    assert not left.exists() and not client.exists()
    module.write("context", "worker", "rootless")
    module.undo("context", "worker", "other")
    assert module.read("context", "worker") == "other"


def test_what_else_the_client_keeps(client: Path) -> None:
    client.parent.mkdir()
    client.write_text(json.dumps({**AUTHS, "currentContext": "other"}))
    client.chmod(0o640)
    module.write("context", "worker", "rootless")
    assert json.loads(client.read_text()) == {**AUTHS, "currentContext": "rootless"}
    module.write("context", "worker", None)
    assert json.loads(client.read_text()) == AUTHS
    assert client.stat().st_mode & 0o777 == 0o640


def test_file_behind_a_link_of_the_client(client: Path, tmp_path: Path) -> None:
    client.parent.mkdir()
    (tmp_path / "dotfiles.json").write_text(json.dumps(AUTHS))
    client.symlink_to("../dotfiles.json")
    module.write("context", "worker", "rootless")
    assert client.is_symlink()
    assert json.loads((tmp_path / "dotfiles.json").read_text())["currentContext"] == "rootless"


@pytest.mark.parametrize(("text", "said"), [("{,}", "is no JSON:"), ("[]", "is no JSON object;")])
def test_file_of_the_client_that_is_broken(client: Path, text: str, said: str) -> None:
    client.parent.mkdir()
    client.write_text(text)
    with pytest.raises(atomic.Unwritable, match=said):
        module.read("context", "worker")
    with pytest.raises(atomic.Unwritable, match="correct it, or move it away"):
        module.write("context", "worker", "rootless")
    assert client.read_text() == text


def test_empty_file_of_the_client(client: Path) -> None:
    client.parent.mkdir()
    client.write_text("\n")
    assert module.read("context", "worker") is None


def test_units_of_the_system_and_of_accounts() -> None:
    assert module.service_of("docker.service").unit == "docker.service"
    with pytest.raises(atomic.Unwritable, match=f"there is no account {NOBODY} any more"):
        module.service_of(f"{NOBODY}/docker.service")


@pytest.mark.parametrize("what", ["context", "linger", "running"])
def test_account_that_is_gone(what: str) -> None:
    key = f"{NOBODY}/docker.service" if what == "running" else NOBODY
    if what == "linger":
        assert module.read(what, key) is False
        return
    with pytest.raises(atomic.Unwritable, match=NOBODY):
        module.read(what, key)


def test_enabled_unit_of_an_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its systemd need not run."""
    monkeypatch.setattr(module, "user_of", lambda name: module.Account(1000, 1000, str(tmp_path)))
    assert module.read("enabled", "worker/docker.service") is False
    wants = tmp_path / ".config/systemd/user/default.target.wants"
    wants.mkdir(parents=True)
    (wants / "docker.service").symlink_to("../docker.service")
    # Its file is gone: a link alone starts nothing.
    assert module.read("enabled", "worker/docker.service") is False
    (wants.parent / "docker.service").touch()
    assert module.read("enabled", "worker/docker.service") is True


def test_capability_as_setcap_writes_it(tmp_path: Path) -> None:
    """`setcap cap_net_bind_service=ep` and `getfattr -e hex`, seen on ext4."""
    assert module.NET_BIND_SERVICE == "0100000200040000000000000000000000000000"
    program = tmp_path / "rootlesskit"
    program.touch()
    assert module.read("capability", str(program)) is None


def test_sysctl() -> None:
    assert module.read("sysctl", "kernel.ostype") == "Linux"
    assert module.read("sysctl", "kernel.bulwark_none") is None
    with pytest.raises(atomic.Unwritable, match=r"^set kernel\.bulwark_none to 0: "):
        module.write("sysctl", "kernel.bulwark_none", "0")


@pytest.mark.parametrize(
    ("what", "value", "said"),
    [
        ("apparmor", True, "load the profile KEY"),
        ("apparmor", False, "unload the profile KEY"),
        ("capability", module.NET_BIND_SERVICE, "give cap_net_bind_service to KEY"),
        ("capability", None, "take the capabilities of KEY"),
        ("containers", [], "stop the running containers"),
        ("containers", ["1", "2"], "start the containers (2)"),
        ("context", "rootless", "docker of KEY talks to the context rootless"),
        ("context", None, "docker of KEY talks to the context default"),
        ("enabled", False, "disable KEY"),
        ("linger", True, "enable linger of KEY"),
        ("masked", False, "unmask KEY"),
        ("running", True, "start KEY"),
        ("sysctl", "0", "set KEY to 0"),
    ],
)
def test_what_is_said(what: str, value: Any, said: str) -> None:
    assert module.SETTINGS[what].says("KEY", value) == said
