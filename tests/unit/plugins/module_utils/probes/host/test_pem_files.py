# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM files of several owners: each is read with the ids of its own, and costs nobody else's."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import ROOT, Owner, Place
from ansible_collections.bulwark.docker.plugins.module_utils.pki import certificates
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import pem_files

from tests.unit.plugins.module_utils.probes.laying import lay

ALICE = Owner(54321, 54321)
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="reads with the ids of accounts")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@AS_ROOT
def test_a_file_of_root_is_not_read_through_a_link_of_an_account(folder: Path) -> None:
    """S15"""
    lay(folder, {"root/ca.pem": "of root", "home/x": ""})
    (folder / "root/ca.pem").chmod(0o600)
    (folder / "home/ca.pem").symlink_to("../root/ca.pem")
    link, own = str(folder / "home/ca.pem"), str(folder / "root/ca.pem")
    found = pem_files.read([Place(link, ALICE), Place(own, ROOT), Place(own, ALICE)])
    assert "Permission denied" in found["certificates"][link]["error"]
    # Root's answer stays.
    assert "holds no PEM certificate" in found["certificates"][own]["error"]


def test_what_fails_for_one_owner_fails_for_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S9, S16: one file must not blank the certificates of the host."""
    real = certificates.certificates

    def fails_for_alice(paths: Any) -> Any:
        if any("alice" in path for path in paths):
            raise ValueError("year 0 is out of range")
        return real(paths)

    monkeypatch.setattr(certificates, "certificates", fails_for_alice)
    lay(folder, {"alice.pem": "", "bob.pem": ""})
    (alice, bob) = (str(folder / name) for name in ("alice.pem", "bob.pem"))
    monkeypatch.setattr(certificates, "neighbours", lambda paths: [])
    found = pem_files.read([Place(alice, ALICE), Place(bob, ROOT)])
    assert "year 0" in found["certificates"][alice]["error"]
    assert "holds no PEM certificate" in found["certificates"][bob]["error"]


def test_nothing_to_read() -> None:
    assert pem_files.read([]) == {"certificates": {}, "keys": {}}
