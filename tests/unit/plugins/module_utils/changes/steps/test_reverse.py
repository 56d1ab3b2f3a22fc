# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back by order: the steps that a committed transaction is reversed to lead to what was there before."""

from __future__ import annotations

import os

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT, Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless.files import UNIT
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import (
    accounts,
    host_state,
    kinds,
    permissions,
    run,
    steps,
    units,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Entry
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store

WORKER = Account("worker", 1000, 1000)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def transaction(tmp_path):
    store = Store(str(tmp_path / "state"))
    store.prepare()
    return Transaction.begin(store, {"engine": "system"})


def picture(folder):
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            path.stat().st_uid,
            path.is_file() and path.read_bytes(),
        )
        for path in folder.rglob("*")
    }


@needs_root
def test_files_and_directories_come_back_and_go_again(tmp_path, transaction):
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "kept.conf").write_bytes(b"before \xff\n")
    (etc / "kept.conf").chmod(0o640)
    (etc / "gone.conf").write_text("gone")
    os.chown(etc / "gone.conf", 1000, 1000)
    before = picture(etc)
    run.perform(
        [
            steps.file(ROOT, str(etc / "kept.conf"), "after\n"),
            steps.file(ROOT, str(etc / "gone.conf"), None),
            steps.file(ROOT, str(etc / "new/deep/new.conf"), "new"),
        ],
        transaction,
    )
    assert picture(etc) != before
    back, left = kinds.reversed_steps(transaction)
    assert left == []
    run.perform(back, Transaction.begin(Store(str(tmp_path / "state")), {"engine": "system", "undoes": "x"}))
    assert picture(etc) == before


@pytest.mark.parametrize(
    ("entry", "back", "left"),
    [
        (
            Entry("enabled", "rpcbind.socket", ROOT, {"before": True, "value": False}),
            [steps.setting("enabled", ROOT, "rpcbind.socket", True)],
            [],
        ),
        (
            Entry(units.REREAD, UNIT, WORKER, {"restart": True}),
            [steps.restart(WORKER, UNIT)],
            [],
        ),
        (Entry(units.REREAD, UNIT, WORKER, {"restart": False}), [], []),
        (Entry(accounts.ACCOUNT, "dockremap", ROOT, {}), [], ["account dockremap stays"]),
        (
            Entry(permissions.PERMISSIONS, "/etc/x", ROOT, {"before": [0, 0, 0o666], "after": [0, 0, 0o644]}),
            [],
            ["/etc/x keeps its mode 0644"],
        ),
        # Who was cut off is gone.
        (Entry(host_state.CLIENTS, "/run/docker.sock", ROOT, {"before": []}), [], []),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_each_kind_leads_back_or_says_what_stays(transaction, entry, back, left):
    transaction.journal(entry)
    assert kinds.reversed_steps(transaction) == (back, left)


def test_the_latest_is_reversed_first(transaction):
    for unit, value in (("a.service", True), ("b.service", False)):
        transaction.journal(Entry("enabled", unit, ROOT, {"before": value, "value": not value}))
    back, _left = kinds.reversed_steps(transaction)
    assert [step.key for step in back] == ["b.service", "a.service"]
