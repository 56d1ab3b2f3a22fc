# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state directory: nobody else's, one lock, folders that sort by age."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import stat
import time

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import (
    RESERVE_SIZE,
    StateError,
    Store,
    give_reserve,
    read_json,
    write_json,
)

HELD = multiprocessing.get_context("fork")


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "state"))


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_private_whatever_the_umask(store):
    former = os.umask(0)
    try:
        store.prepare()
    finally:
        os.umask(former)
    assert (mode(store.root), mode(store.transactions)) == (0o700, 0o700)
    store.prepare()


@pytest.mark.parametrize("wrong", ["mode", "file", "link"])
def test_a_directory_that_others_made_is_refused(store, tmp_path, wrong):
    if wrong == "mode":
        store.root.mkdir()
        store.root.chmod(0o755)
    elif wrong == "file":
        store.root.write_text("")
    else:
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        store.root.symlink_to("elsewhere")
    with pytest.raises(StateError, match=str(store.root)):
        store.prepare()


def _hold(root, held, enough):
    with Store(root).locked(0):
        held.set()
        enough.wait(10)


def test_another_process_holds_the_lock(store):
    held, enough = HELD.Event(), HELD.Event()
    other = HELD.Process(target=_hold, args=(str(store.root), held, enough))
    other.start()
    try:
        assert held.wait(10)
        with (
            pytest.raises(StateError, match=rf"held by another run \(process {other.pid}\)"),
            store.locked(0),
        ):
            pass
        enough.set()
        with store.locked(10):
            pass
    finally:
        enough.set()
        other.join(10)


def test_the_kernel_lets_go_of_the_lock_of_a_killed_process(store):
    held, enough = HELD.Event(), HELD.Event()
    other = HELD.Process(target=_hold, args=(str(store.root), held, enough))
    other.start()
    assert held.wait(10)
    other.kill()
    other.join(10)
    with store.locked(0):
        pass


def test_the_lock_works_on_a_full_disk_and_is_given_back_after_an_error(store, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(ValueError, match="inside"), store.locked(0):
            raise ValueError("inside")
    with store.locked(0), pytest.raises(BlockingIOError), (store.root / "lock").open() as again:
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_lock_that_cannot_be_opened(store, tmp_path):
    store.prepare()
    (store.root / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match=str(store.root / "lock")), store.locked(0):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_transactions_sort_by_age(store, monkeypatch):
    monkeypatch.setattr(time, "gmtime", lambda: time.struct_time((2026, 11, 22, 10, 0, 0, 6, 326, 0)))
    made = [store.new({"number": number}) for number in range(12)]
    assert [folder.name for folder in made[:2]] == ["20261122T100000Z-001", "20261122T100000Z-002"]
    assert store.folders() == made
    assert read_json(made[3] / "manifest.json") == {"id": "20261122T100000Z-004", "number": 3}
    assert mode(made[0]) == 0o700
    assert mode(made[0] / "manifest.json") == 0o600


def test_one_that_was_cut_before_its_manifest_is_none(store):
    store.prepare()
    (store.transactions / "20261122T100000Z-001").mkdir()
    assert store.folders() == []


def test_there_is_no_state_directory_yet(store):
    assert store.folders() == []
    assert not store.root.exists()


def test_discard(store):
    folder = store.new({})
    (folder / "image-000").write_text("")
    store.discard(folder)
    assert store.folders() == []
    assert not folder.exists()
    store.discard(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff"])
def test_json_that_is_none_of_ours(tmp_path, text):
    path = tmp_path / "manifest.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(StateError, match="move it away"):
        read_json(path)


def test_json_there_and_back(tmp_path):
    path = tmp_path / "manifest.json"
    assert read_json(path) is None
    write_json(path, {"b": 1, "a": ["\u00e9"]})
    assert read_json(path) == {"a": ["\u00e9"], "b": 1}


def test_who_holds_the_lock_clears_up_after_the_dead(store):
    store.prepare()
    kept = store.new({"state": "open"})
    (store.transactions / "20261127T000000Z-001").mkdir()
    (store.root / "staged").mkdir()
    (store.root / "staged" / ".stage.json.abc.bulwark").write_text("half")
    with store.locked(0):
        assert store.folders() == [kept]
        assert not list(store.root.rglob("*.bulwark"))
        assert [path.name for path in store.transactions.iterdir()] == [kept.name]


def test_room_is_kept_for_undoing(store):
    folder = store.new({"state": "open"})
    assert (folder / "reserve").stat().st_blocks * 512 >= RESERVE_SIZE
    give_reserve(folder)
    give_reserve(folder)
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]


def test_a_transaction_that_finds_no_room_leaves_nothing(store, monkeypatch):
    def refuse(*_unused):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(StateError, match="changes need room there"):
        store.new({"state": "open"})
    assert list(store.transactions.iterdir()) == []
