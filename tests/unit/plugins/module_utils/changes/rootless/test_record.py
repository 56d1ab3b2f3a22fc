# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a rootless engine, and whose it is."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT, Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import files, record
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store

WORKER = Account("worker", 1000, 1000)
STEPS = [
    steps.setting("linger", ROOT, "worker", False),
    steps.file(WORKER, f"~/{files.UNIT_FILE}", None),
    steps.setting("running", WORKER, files.UNIT, False),
]


def recorded(tmp_path: Path) -> Store:
    path = tmp_path / "rootless/worker.json"
    path.parent.mkdir()
    data = {"schema": record.SCHEMA, "user": "worker", "steps": [step.as_json() for step in STEPS]}
    path.write_text(json.dumps(data), encoding="utf-8")
    return Store(str(tmp_path))


def test_it_is_the_accounts(tmp_path: Path) -> None:
    assert record.read(recorded(tmp_path), WORKER) == record.Record(STEPS, [])
    assert record.read(Store(str(tmp_path)), Account("other", 1001, 1001)) is None


def test_of_a_former_account_only_what_is_roots_counts(tmp_path: Path) -> None:
    """Nothing can be done as it, and the steps of the one that bears its name now are about the same things."""
    found = record.read(recorded(tmp_path), Account("worker", 1005, 1005))
    assert found is not None
    assert found.steps == STEPS[:1]
    (notice,) = found.notices
    assert notice.startswith("worker was another account when ")


def test_of_an_account_that_is_gone_nobody_is_told(tmp_path: Path) -> None:
    assert record.read(recorded(tmp_path), Account("worker", None, None)) == record.Record(STEPS[:1], [])
