# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs that died have left open: one that cannot be undone, or be understood, keeps no other from it (S10, F4)."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import rollback
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.verify import Limits
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import files, kinds
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import (
    COMMITTED,
    KEPT,
    OPEN,
    ROLLED_BACK,
    Transaction,
    last_committed,
    prune,
    unfinished,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Entry
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import (
    StateError,
    Store,
)

ME = Account(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid())
LIMITS = Limits(1, 0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path / "state"))
    made.prepare()
    return made


def open_one(store: Store, tmp_path: Path, subject: str) -> tuple[Transaction, Path]:
    """An open transaction that has written a file."""
    path = tmp_path / subject.replace(":", "-")
    path.write_text("as it was")
    transaction = Transaction.begin(store, {"engine": subject})
    files.write(transaction, ME, str(path), b"changed", atomic_files.fresh(ME.owner))
    return transaction, path


def edit(transaction: Transaction, **changed: Any) -> None:
    path = transaction.folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


BROKEN = {
    "schema": ({"schema": 99}, "written by another version of bulwark.docker (schema 99, not 2)"),
    "no schema": ({"schema": None}, "written by another version"),
    "state": ({"state": "half"}, "is damaged"),
    "entries": ({"entries": {}}, "is damaged"),
    "entry": ({"entries": ["x"]}, "is damaged: it holds 'x' where a record"),
    "field": (
        {"entries": [{"kind": 1, "key": "", "account": ["root", 0, 0], "data": {}, "undone": False}]},
        "is damaged: kind of a record is '1'",
    ),
    "account": (
        {"entries": [{"kind": "lock", "key": "", "account": ["root", -1, 0], "data": {}, "undone": False}]},
        "is not an account with its ids",
    ),
    "no object": ("[]", "holds no object"),
    "no JSON": ("{", "cannot be read"),
    "deep": ("[" * 100_000, "cannot be read"),
}


@pytest.mark.parametrize(("changed", "words"), BROKEN.values(), ids=BROKEN)
def test_f4_what_cannot_be_understood_is_left_alone(
    store: Store, tmp_path: Path, changed: Any, words: str
) -> None:
    other, path = open_one(store, tmp_path, "system")
    broken, left = open_one(store, tmp_path, "rootless:worker")
    if isinstance(changed, str):
        (broken.folder / "manifest.json").write_text(changed)
    else:
        edit(broken, **changed)
    with pytest.raises(StateError, match=words.replace("(", r"\(").replace(")", r"\)")):
        Transaction(broken.folder)
    resolved = rollback.resolve(store, LIMITS)
    assert [(each.transaction, each.trouble is None) for each in resolved] == [
        (other.id, True),
        (broken.id, False),
    ]
    assert words in str(resolved[1].trouble)
    assert path.read_text() == "as it was"
    # Whoever knows it better finds it as it was.
    assert left.read_text() == "changed"
    assert broken.folder.is_dir()
    assert last_committed(store, "system") is None
    prune(store)
    assert broken.folder.is_dir()


@pytest.mark.parametrize("state", [COMMITTED, ROLLED_BACK])
def test_f4_a_closed_one_of_another_version_is_no_trouble(store: Store, tmp_path: Path, state: str) -> None:
    closed, _path = open_one(store, tmp_path, "system")
    edit(closed, schema=1, state=state)
    assert rollback.resolve(store, LIMITS) == rollback.resolve(store, LIMITS, dry=True) == []
    for _unused in range(KEPT):
        Transaction.begin(store, {"engine": "system"}).closed()
    prune(store)
    assert not closed.folder.exists()


@pytest.mark.parametrize("dry", [True, False])
def test_f4_an_open_one_of_another_version_is_about_the_engine_it_names(
    store: Store, tmp_path: Path, dry: bool
) -> None:
    for subject in ("system", "rootless:worker"):
        edit(open_one(store, tmp_path, subject)[0], schema=1)
    found = rollback.resolve(store, LIMITS, dry=dry)
    assert [each.subject for each in found] == ["rootless:worker", "system"]
    assert all(each.trouble for each in found)


def test_f4_what_lies_below_one_of_another_version_is_not_undone(store: Store, tmp_path: Path) -> None:
    below, _path = open_one(store, tmp_path, "system")
    below.commit()
    newer, _path = open_one(store, tmp_path, "system")
    edit(newer, schema=99, state=COMMITTED)
    with pytest.raises(StateError, match=r"schema 99, not 2.*use that version to resolve or undo it"):
        last_committed(store, "system")
    assert last_committed(store, "files") is None
    newest, _path = open_one(store, tmp_path, "system")
    newest.commit()
    found = last_committed(store, "system")
    assert found and found.id == newest.id


def test_f4_an_entry_of_an_unknown_kind_is_not_reversed(store: Store, tmp_path: Path) -> None:
    transaction, _path = open_one(store, tmp_path, "system")
    transaction.journal(Entry("hologram", "x", ME))
    with pytest.raises(atomic_files.Unwritable, match=r"does not know \(hologram\)"):
        kinds.reversed_steps(transaction)


def test_the_engine_of_an_account_that_is_gone_stays_gone(store: Store, tmp_path: Path) -> None:
    """It cannot be reached, and its transaction must not stay open for ever."""
    transaction, path = open_one(store, tmp_path, "rootless:of-a-leaver")
    transaction.note("engine", account=["of-a-leaver", 1234, 1234], state="running")
    assert rollback.resolve(store, LIMITS) == [rollback.Resolved(transaction.id, "rootless:of-a-leaver", [])]
    assert path.read_text() == "as it was"
    assert Transaction(transaction.folder).state == ROLLED_BACK


def test_f4_an_entry_of_an_unknown_kind_stops_the_undo(store: Store, tmp_path: Path) -> None:
    transaction, path = open_one(store, tmp_path, "system")
    transaction.journal(Entry("hologram", "x", ME))
    with pytest.raises(
        atomic_files.Unwritable, match=r"does not know \(hologram\): undo it with the version that made it"
    ):
        kinds.undo(transaction)
    assert path.read_text() == "changed"
    (resolved,) = rollback.resolve(store, LIMITS)
    assert "hologram" in str(resolved.trouble)
    assert Transaction(transaction.folder).state == OPEN


def test_f4_an_entry_of_an_unknown_kind_keeps_the_engine_as_it_is(store: Store, tmp_path: Path) -> None:
    transaction, _path = open_one(store, tmp_path, "system")
    # What is to be known of an engine before it is stopped is not there, and is not asked for.
    transaction.note("engine", account=["root", 0, 0], state="running")
    transaction.journal(Entry("hologram", "x", ME))
    (resolved,) = rollback.resolve(store, LIMITS)
    assert "hologram" in str(resolved.trouble)


def test_s10_one_that_cannot_be_undone_blocks_no_other(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, one = open_one(store, tmp_path, "system")
    second, other = open_one(store, tmp_path, "rootless:worker")

    row = kinds.KINDS["file"]

    def fail(entry: Entry, transaction: Transaction) -> list[str]:
        if transaction.id == second.id:
            raise RecursionError("maximum recursion depth exceeded")
        return files.undo_file(entry, transaction)

    with monkeypatch.context() as patched:
        patched.setitem(kinds.KINDS, "file", row._replace(undo=fail))
        resolved = rollback.resolve(store, LIMITS)
    assert [(each.subject, each.trouble is None) for each in resolved] == [
        ("rootless:worker", False),
        ("system", True),
    ]
    assert "RecursionError" in str(resolved[0].trouble)
    assert (one.read_text(), other.read_text()) == ("as it was", "changed")
    assert [Transaction(each.folder).state for each in (first, second)] == [ROLLED_BACK, OPEN]
    assert [each.subject for each in rollback.resolve(store, LIMITS)] == ["rootless:worker"]
    assert other.read_text() == "as it was"


def test_check_mode_tells_and_undoes_nothing(store: Store, tmp_path: Path) -> None:
    transaction, path = open_one(store, tmp_path, "system")
    assert rollback.resolve(store, LIMITS, dry=True) == [rollback.Resolved(transaction.id, "system", [])]
    assert path.read_text() == "changed"
    assert [each.id for each in unfinished(store)[0]] == [transaction.id]
