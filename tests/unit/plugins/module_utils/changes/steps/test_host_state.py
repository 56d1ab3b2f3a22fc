# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the host as far as they take no systemd and no engine: what is read, written, and said."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import account as accounts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT, Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.systemd import Service, ServiceError
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import host_state as module
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import kinds
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Entry

from tests.unit.plugins.module_utils.probes.engine_server import Engine, listening

NOBODY = "bulwark-nobody-here"
FILE = module.CLIENT_FILE
ME = accounts.Account(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid())
WORKER = Account("worker", 1000, 1000)
AUTHS = {"auths": {"store.example": {"auth": "bm90OnNlY3JldA=="}}}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The client's file of an account with its home in `tmp_path`."""
    monkeypatch.setattr(accounts, "home", lambda account: str(tmp_path))
    return tmp_path / ".docker/config.json"


def undo(before: str | None) -> list[str]:
    entry = Entry("context", FILE, ME, {"before": before, "after": "rootless"})
    return kinds.KINDS["context"].undo(entry, None)  # type: ignore[misc,arg-type]


def test_context_of_a_client_without_files(client: Path) -> None:
    assert module.read("context", ME, FILE) is None
    assert module.write("context", ME, FILE, "rootless") == []
    assert json.loads(client.read_text()) == {"currentContext": "rootless"}
    assert client.stat().st_mode & 0o777 == 0o600
    assert client.parent.stat().st_mode & 0o777 == 0o700
    assert module.read("context", ME, FILE) == "rootless"
    # It came with the context.
    module.write("context", ME, FILE, None)
    assert not client.exists()


def test_write_of_the_client_that_was_killed(client: Path) -> None:
    client.parent.mkdir()
    left = client.parent / ".config.json.abc123.bulwark"
    left.touch()
    assert undo(None) == []
    assert not left.exists() and not client.exists()
    module.write("context", ME, FILE, "rootless")
    undo("other")
    assert module.read("context", ME, FILE) == "other"


def test_what_else_the_client_keeps(client: Path) -> None:
    client.parent.mkdir()
    client.write_text(json.dumps({**AUTHS, "currentContext": "other"}))
    client.chmod(0o640)
    module.write("context", ME, FILE, "rootless")
    assert json.loads(client.read_text()) == {**AUTHS, "currentContext": "rootless"}
    module.write("context", ME, FILE, None)
    assert json.loads(client.read_text()) == AUTHS
    assert client.stat().st_mode & 0o777 == 0o640


def test_file_behind_a_link_of_the_client(client: Path, tmp_path: Path) -> None:
    client.parent.mkdir()
    (tmp_path / "dotfiles.json").write_text(json.dumps(AUTHS))
    client.symlink_to("../dotfiles.json")
    module.write("context", ME, FILE, "rootless")
    assert client.is_symlink()
    assert json.loads((tmp_path / "dotfiles.json").read_text())["currentContext"] == "rootless"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{,}", "is no JSON:"),
        ("[]", "is no JSON object;"),
        ("[" * 200_000, "is JSON with more values than are read;"),
    ],
)
def test_file_of_the_client_that_is_broken(client: Path, text: str, said: str) -> None:
    client.parent.mkdir()
    client.write_text(text)
    with pytest.raises(atomic_files.Unwritable, match=said):
        module.read("context", ME, FILE)
    with pytest.raises(atomic_files.Unwritable, match="correct it, or move it away"):
        module.write("context", ME, FILE, "rootless")
    assert client.read_text() == text


def test_empty_file_of_the_client(client: Path) -> None:
    client.parent.mkdir()
    client.write_text("\n")
    assert module.read("context", ME, FILE) is None


@pytest.mark.parametrize("what", ["context", "enabled"])
def test_account_that_is_gone(what: str) -> None:
    with pytest.raises(atomic_files.Unwritable, match=f"there is no account {NOBODY} any more"):
        module.read(what, Account(NOBODY, 12345, 12345), FILE)


def test_account_that_has_other_ids_now() -> None:
    """What belonged to the former one is not brought back into the home of its successor."""
    former = Account(ME.name, 12345, 12345)
    for what, key in (("context", FILE), ("enabled", "docker.service")):
        with pytest.raises(
            atomic_files.Unwritable, match=f"account {ME.name} has the ids .* now and had 12345:12345"
        ):
            module.read(what, former, key)
    with pytest.raises(ServiceError, match="has the ids"):
        Service("docker.service", (), former).state()


def test_linger_of_an_account_that_is_gone() -> None:
    assert module.read("linger", ROOT, NOBODY) is False


def test_enabled_unit_of_an_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its systemd need not run."""
    monkeypatch.setattr(accounts, "home", lambda account: str(tmp_path))
    somebody = Account("somebody", 1234, 2345)
    for folder in (tmp_path, *(each for each in tmp_path.parents if not each.stat().st_mode & 0o001)):
        folder.chmod(0o755)
    assert module.read("enabled", somebody, "docker.service") is False
    wants = tmp_path / ".config/systemd/user/default.target.wants"
    wants.mkdir(parents=True)
    (wants / "docker.service").symlink_to("../docker.service")
    # Its file is gone: a link alone starts nothing.
    assert module.read("enabled", somebody, "docker.service") is False
    (wants.parent / "docker.service").touch()
    assert module.read("enabled", somebody, "docker.service") is True


def test_capability_as_setcap_writes_it(tmp_path: Path) -> None:
    """`setcap cap_net_bind_service=ep` and `getfattr -e hex`, seen on ext4."""
    assert module.NET_BIND_SERVICE == "0100000200040000000000000000000000000000"
    program = tmp_path / "rootlesskit"
    program.touch()
    assert module.read("capability", ROOT, str(program)) is None


def test_sysctl() -> None:
    assert module.read("sysctl", ROOT, "kernel.ostype") == "Linux"
    assert module.read("sysctl", ROOT, "kernel.bulwark_none") is None
    with pytest.raises(atomic_files.Unwritable, match=r"^set kernel\.bulwark_none to 0: "):
        module.write("sysctl", ROOT, "kernel.bulwark_none", "0")


@pytest.mark.parametrize(
    ("what", "value", "said"),
    [
        ("apparmor", True, "load the profile KEY"),
        ("apparmor", False, "unload the profile KEY"),
        ("capability", module.NET_BIND_SERVICE, "give cap_net_bind_service to KEY"),
        ("capability", None, "take the capabilities of KEY"),
        ("containers", [], "stop the running containers"),
        ("containers", ["1", "2"], "start the containers (2)"),
        ("last_containers", [], "stop the running containers"),
        ("context", "rootless", "docker of worker talks to the context rootless"),
        ("context", None, "docker of worker talks to the context default"),
        ("enabled", False, "disable KEY"),
        ("linger", True, "enable linger of KEY"),
        ("masked", False, "unmask KEY"),
        ("running", True, "start KEY"),
        ("sysctl", "0", "set KEY to 0"),
    ],
)
def test_what_is_said(what: str, value: Any, said: str) -> None:
    assert module.SETTINGS[what].says(WORKER if what == "context" else ROOT, "KEY", value) == said


def test_an_engine_that_goes_is_not_kept_by_its_containers() -> None:
    container = "a" * 64
    answers = {
        "/containers/json": [{"Id": container}],
        f"/containers/{container}/stop": lambda: (500, {"message": "I stay"}),
    }
    with listening(Engine(answers)) as socket:
        with pytest.raises(atomic_files.Unwritable, match="I stay"):
            module.write("containers", ME, socket, [])
        (left,) = module.write("last_containers", ME, socket, [])
        assert left.startswith(f"stop the running containers of {ME.name}: not done: ") and "I stay" in left
    assert module.read("last_containers", ME, socket) == []
