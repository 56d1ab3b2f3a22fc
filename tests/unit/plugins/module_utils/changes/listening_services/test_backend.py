# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Undoing the last change of listening services: once, and nothing before it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.backend import (
    SUBJECT,
    roll_back,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import run, steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store

ME = Account(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path / "state"))
    made.prepare()
    return made


def change(store: Store, path: Path, content: str) -> str | None:
    """A committed change of one file; its transaction."""
    step = steps.file(ME, str(path), content)
    return run.carried_out(store, {"engine": SUBJECT}, lambda transaction: run.perform([step], transaction))[
        0
    ]


def test_run_again_it_does_nothing(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "drop-in.conf"
    for content in ("first", "second"):
        last = change(store, path, content)
    assert roll_back(store, dry=True)["undone"] == last
    assert roll_back(store, dry=False)["undone"] == last
    for dry in (True, False):
        assert roll_back(store, dry) == {}
    assert path.read_text() == "first"
    # Until there is another change.
    last = change(store, path, "third")
    assert roll_back(store, dry=False)["undone"] == last
    assert path.read_text() == "first"
