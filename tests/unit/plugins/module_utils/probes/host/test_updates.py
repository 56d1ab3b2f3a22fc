# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pending security updates as apt and dnf tell them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import updates

from tests.unit.plugins.module_utils.probes.laying import lay, program

APT = """\
Inst libssl3 [3.0.11-1] (3.0.14-1~deb12u2 Debian-Security:12/stable-security [amd64])
Inst base-files [12.4] (12.4+deb12u5 Debian:12.5/stable [amd64])
Inst openssl [3.0.11-1] (3.0.14-1 Debian:12.5/stable, Debian-Security:12/stable-security [amd64]) []
Inst linux-image-6.1.0-30-amd64 (6.1.124-1 Debian-Security:12/stable-security [amd64])
Conf libssl3 (3.0.14-1~deb12u2 Debian-Security:12/stable-security [amd64])
"""
DNF_4 = """\
FEDORA-2024-0e5fac0e1b Important/Sec. openssl-libs-1:3.2.1-2.fc40.x86_64
FEDORA-2024-3f5d8a1f0c Moderate/Sec.  python3-idna-3.7-1.fc40.noarch
"""
DNF_5 = """\
Name                   Type     Severity     Package                              Issued
FEDORA-2024-0e5fac0e1b security Important    openssl-libs-1:3.2.1-2.fc40.x86_64   2024-04-14 01:12:21
"""


def apt(root: Path, script: str) -> Path:
    program(root / "bin", "apt-get", script)
    return lay(root, {"lists/deb.example_Packages.lz4": ""}) / "lists"


def test_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = apt(tmp_path, f"cat <<'END'\n{APT}END")
    os.utime(lists, (1, 1700000000))
    monkeypatch.setattr(limits, "SEARCH", f"{tmp_path}/bin:/usr/bin:/bin")
    assert updates._apt(lists) == {
        "security": ["libssl3", "linux-image-6.1.0-30-amd64", "openssl"],
        "as_of": 1700000000,
    }


def test_apt_without_lists_knows_nothing(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    with pytest.raises(Unreadable, match="no package lists; run apt-get update"):
        updates._apt(tmp_path / "lists")


def test_apt_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = apt(tmp_path, "echo 'E: Unmet dependencies.' >&2; exit 100")
    monkeypatch.setattr(limits, "SEARCH", f"{tmp_path}/bin:/usr/bin:/bin")
    with pytest.raises(Unreadable, match=r"^apt-get: E: Unmet dependencies\.$"):
        updates._apt(lists)


@pytest.mark.parametrize(
    ("output", "names"), [(DNF_4, ["openssl-libs", "python3-idna"]), (DNF_5, ["openssl-libs"]), ("", [])]
)
def test_dnf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, names: list[str]) -> None:
    program(tmp_path / "bin", "dnf", f"cat <<'END'\n{output}END")
    monkeypatch.setattr(limits, "SEARCH", f"{tmp_path}/bin:/usr/bin:/bin")
    assert updates._dnf([tmp_path / "no cache"]) == {"security": names, "as_of": None}


@pytest.mark.parametrize(("manager", "named"), [("apk", "apk"), (None, "without a package manager")])
def test_others_do_not_tell(manager: str, named: str) -> None:
    with pytest.raises(Unreadable, match=named):
        updates.updates(manager)
