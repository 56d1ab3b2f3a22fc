# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions: journalled before they change, undone whatever happened, at every call where a run may die."""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import stat
import struct
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import (
    files,
    kinds,
    permissions,
    steps,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps.files import foreign_changes
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps.kinds import undo
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
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import (
    StateError,
    Store,
)

from tests.unit.plugins.module_utils.changes import faults

OWN = (os.geteuid(), os.getegid())
ME = Account(pwd.getpwuid(OWN[0]).pw_name, *OWN)
SOMEBODY = Account("nobody", *pwd.getpwnam("nobody")[2:4])
FRESH = atomic_files.Image(0o640, *OWN, {})
needs_root = pytest.mark.skipif(OWN[0] != 0, reason="needs root")


def access_list() -> bytes:
    """`user::rw-,user:1234:rw-,group::r--,mask::rw-,other::---` as the kernel stores it."""
    entries = ((1, 6, 0xFFFFFFFF), (2, 6, 1234), (4, 4, 0xFFFFFFFF), (16, 6, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.fixture
def store(tmp_path):
    made = Store(str(tmp_path / "state"))
    made.prepare()
    return made


@pytest.fixture
def etc(tmp_path):
    """A directory with files of all kinds that a transaction may meet."""
    folder = tmp_path / "etc"
    folder.mkdir()
    for name, mode in (("daemon.json", 0o604), ("linked", 0o640), ("old.conf", 0o600), ("open.conf", 0o666)):
        (folder / name).write_text(f"{name} as it was\n")
        (folder / name).chmod(mode)
        os.utime(folder / name, ns=(1_500_000_000_000_000_001, 1_500_000_000_000_000_002))
    (folder / "link.json").symlink_to("linked")
    (folder / "wide").mkdir()
    (folder / "wide").chmod(0o1777)
    os.setxattr(folder / "daemon.json", "user.note", b"mine")
    if OWN[0] == 0:
        os.chown(folder / "daemon.json", *SOMEBODY.owner)
        os.chown(folder / "open.conf", *SOMEBODY.owner)
        os.setxattr(folder / "open.conf", "system.posix_acl_access", access_list())
        os.setxattr(folder / "wide", "system.posix_acl_default", access_list())
    return folder


def look(path) -> Any:
    return atomic_files.look(str(path))


def last(store, engine) -> Any:
    return last_committed(store, engine)


def picture(folder):
    """All below the folder, as exactly as can be told."""
    found = {}
    for path in sorted(folder.rglob("*")):
        seen = path.lstat()
        facts = [stat.filemode(seen.st_mode), seen.st_uid, seen.st_gid]
        if path.is_symlink():
            facts.append(str(path.readlink()))
        else:
            facts.append({name: os.getxattr(path, name) for name in os.listxattr(path)})
        if stat.S_ISREG(seen.st_mode):
            facts += [path.read_bytes(), seen.st_mtime_ns]
        found[str(path.relative_to(folder))] = facts
    return found


def write(transaction, path, content):
    """As a file of the account that runs the tests."""
    files.write(transaction, ME, path, content, FRESH)


def remove(transaction, path):
    files.remove(transaction, ME, path)


def give(transaction, path, wanted, keep_acl, account=None, inode=None):
    permissions.give(transaction, account or ME, path, wanted, keep_acl, inode)


def begin(store, **about):
    return Transaction.begin(store, {"engine": "system", **about})


def change(store, etc):
    """A transaction with entries of all kinds that need no account, not committed."""
    transaction = begin(store)
    give(transaction, str(etc / "open.conf"), (*OWN, 0o644), False)
    give(transaction, str(etc / "wide"), (*OWN, 0o755), False)
    write(transaction, str(etc / "daemon.json"), b"first")
    write(transaction, str(etc / "deep" / "er" / "new.conf"), b"new")
    transaction.note("restart", unit="docker.service")
    remove(transaction, str(etc / "old.conf"))
    write(transaction, str(etc / "link.json"), b"behind the link")
    write(transaction, str(etc / "daemon.json"), b"second")
    write(transaction, str(etc / "open.conf"), b"of a new inode")
    return transaction


def resolve(store):
    """What the next run does first; the sentences about what was left."""
    left = []
    for transaction in unfinished(store)[0]:
        left += undo(Transaction(transaction.folder))
        transaction = Transaction(transaction.folder)
        transaction.closed()
        assert Transaction(transaction.folder).state == ROLLED_BACK
    # The next one makes the same calls.
    for folder in store.transactions.iterdir():
        shutil.rmtree(folder)
    return left


def test_a_file_keeps_owner_mode_and_attributes(store, etc):
    before = look(etc / "daemon.json")[1]
    write(begin(store), str(etc / "daemon.json"), b"new")
    content, after = look(etc / "daemon.json")
    assert content == b"new"
    assert after._replace(times_ns=None) == before._replace(times_ns=None)


def test_a_link_stays_and_its_target_is_edited(store, etc):
    write(begin(store), str(etc / "link.json"), b"new")
    assert (etc / "link.json").readlink() == Path("linked")
    assert (etc / "linked").read_bytes() == b"new"


def test_a_missing_file_and_its_directories(store, etc):
    before = picture(etc)
    former = os.umask(0o077)
    try:
        transaction = begin(store)
        write(transaction, str(etc / "a" / "b" / "new"), b"new")
    finally:
        os.umask(former)
    assert (etc / "a" / "b" / "new").read_bytes() == b"new"
    modes = [stat.S_IMODE((etc / name).stat().st_mode) for name in ("a", "a/b", "a/b/new")]
    assert modes == [0o755, 0o755, 0o640]
    assert undo(transaction) == []
    assert picture(etc) == before


def test_a_directory_that_others_used_meanwhile_stays(store, etc):
    transaction = begin(store)
    write(transaction, str(etc / "a" / "new"), b"new")
    (etc / "a" / "foreign").write_text("")
    assert undo(transaction) == [f"{etc}/a stays: Directory not empty"]
    assert [path.name for path in (etc / "a").iterdir()] == ["foreign"]


def test_a_directory_that_cannot_be_made(store, etc):
    transaction = begin(store)
    with pytest.raises(atomic_files.Unwritable, match="cannot be reached: Not a directory"):
        write(transaction, str(etc / "daemon.json" / "below" / "new"), b"new")
    before = picture(etc)
    assert undo(transaction) == []
    assert picture(etc) == before


def test_undo_restores_everything_and_twice_is_harmless(store, etc):
    before = picture(etc)
    transaction = change(store, etc)
    assert picture(etc) != before
    transaction = Transaction(transaction.folder)
    assert transaction.state == OPEN
    assert undo(transaction) == []
    assert picture(etc) == before
    assert undo(transaction) == []
    assert undo(Transaction(transaction.folder)) == []
    assert picture(etc) == before


def test_undo_of_what_was_undone_does_not_touch_what_came_after(store, etc):
    transaction = change(store, etc)
    undo(transaction)
    (etc / "daemon.json").write_bytes(b"second")
    undo(Transaction(transaction.folder))
    assert (etc / "daemon.json").read_bytes() == b"second"


def test_what_is_written_while_undoing_is_undone_too(store, etc):
    before = picture(etc)
    transaction = change(store, etc)
    undo(transaction)
    write(transaction, str(etc / "daemon.json"), b"for the start alone")
    (etc / "old.conf").write_bytes(b"of others")
    assert undo(Transaction(transaction.folder)) == []
    assert (etc / "old.conf").read_bytes() == b"of others"
    assert look(etc / "daemon.json")[0] == before["daemon.json"][-2]


def test_it_undoes_in_reverse_order(store, monkeypatch):
    seen = []

    def trace(entry, transaction):
        seen.append(entry.data["number"])
        return []

    monkeypatch.setitem(kinds.KINDS, "trace", kinds.Kind(None, None, None, trace, None))
    transaction = begin(store)
    for number in range(3):
        transaction.note("trace", number=number)
    undo(transaction)
    assert seen == [2, 1, 0]


def test_the_first_before_image_is_what_counts(store, etc):
    before = picture(etc)
    transaction = begin(store)
    for content in (b"first", b"second", b"first"):
        write(transaction, str(etc / "daemon.json"), content)
    assert len(transaction.notes("file")) == 1
    undo(transaction)
    assert picture(etc) == before


def test_a_file_that_was_made_and_removed_again(store, etc):
    before = picture(etc)
    transaction = begin(store)
    write(transaction, str(etc / "new"), b"new")
    remove(transaction, str(etc / "new"))
    remove(transaction, str(etc / "never"))
    assert foreign_changes(transaction) == []
    assert undo(transaction) == []
    assert picture(etc) == before


@pytest.mark.parametrize("change_of_others", [b"foreign", None])
def test_what_others_changed_since_is_left_and_told(store, etc, change_of_others):
    transaction = change(store, etc)
    transaction.commit()
    path = etc / "daemon.json"
    path.unlink() if change_of_others is None else path.write_bytes(change_of_others)
    assert foreign_changes(transaction) == [str(path)]
    assert undo(transaction) == [f"{path} was changed by somebody else since, and is left as it is"]
    assert (path.read_bytes() if path.exists() else None) == change_of_others
    assert (etc / "linked").read_bytes() == b"linked as it was\n"
    assert undo(Transaction(transaction.folder)) == [
        f"{path} was changed by somebody else since, and is left as it is"
    ]


def test_the_content_of_before(store, etc):
    transaction = change(store, etc)
    images = {entry.key: transaction.image(entry) for entry in transaction.notes("file")}
    assert images[str(etc / "daemon.json")] == b"daemon.json as it was\n"
    assert images[str(etc / "deep" / "er" / "new.conf")] is None


@pytest.mark.parametrize(
    "failure",
    [atomic_files.Unwritable("it cannot be read"), RecursionError("too deep")],
    ids=["told", "not thought of"],
)
def test_one_that_cannot_be_undone_does_not_keep_the_others(store, etc, monkeypatch, failure):
    """S10: whatever the exception is."""
    before = picture(etc)
    transaction = change(store, etc)
    real = atomic_files.look

    def fail(path):
        if atomic_files.shown(path) == str(etc / "linked"):
            raise failure
        return real(path)

    with monkeypatch.context() as patched:
        patched.setattr(atomic_files, "look", fail)
        with pytest.raises(atomic_files.Unwritable, match=r"cannot be read|RecursionError: too deep"):
            undo(transaction)
    assert {name for name in before if picture(etc)[name] != before[name]} == {"linked"}
    assert [found.id for found in unfinished(store)[0]] == [transaction.id]
    assert undo(Transaction(transaction.folder)) == []
    assert picture(etc) == before


def test_what_others_have_put_in_the_place_of_a_file_is_left(store, etc):
    transaction = change(store, etc)
    (etc / "linked").unlink()
    (etc / "linked").mkdir()
    assert undo(transaction) == [f"{etc}/linked was changed by somebody else since, and is left as it is"]


@needs_root
def test_permissions_and_access_lists(store, etc):
    before = picture(etc)
    transaction = begin(store)
    give(transaction, str(etc / "open.conf"), (0, 0, 0o640), False)
    seen = (etc / "open.conf").stat()
    assert (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) == (0, 0, 0o640)
    assert os.listxattr(etc / "open.conf") == []
    assert undo(transaction) == []
    assert picture(etc) == before


@needs_root
def test_an_access_list_that_is_not_too_wide_stays(store, etc):
    transaction = begin(store)
    give(transaction, str(etc / "open.conf"), (0, 0, 0o660), True)
    assert os.listxattr(etc / "open.conf") == ["system.posix_acl_access"]


def test_no_link_is_followed(store, etc):
    with pytest.raises(atomic_files.Unwritable, match="symbolic link"):
        give(begin(store), str(etc / "link.json"), (*OWN, 0o600), False)
    with pytest.raises(atomic_files.Unwritable, match="none: No such file"):
        give(begin(store), str(etc / "none"), (*OWN, 0o600), False)


def test_no_link_on_the_way_is_followed(store, etc, tmp_path):
    (tmp_path / "way").symlink_to("etc")
    with pytest.raises(atomic_files.Unwritable, match="Not a directory"):
        give(begin(store), str(tmp_path / "way" / "open.conf"), (*OWN, 0o600), False)


def test_another_file_than_the_one_that_was_looked_at_is_left(store, etc):
    before = picture(etc)
    transaction = begin(store)
    with pytest.raises(atomic_files.Unwritable, match="replaced by somebody else just now"):
        give(transaction, str(etc / "open.conf"), (*OWN, 0o600), False, inode=1)
    assert transaction.entries == []
    assert picture(etc) == before


def test_permissions_that_cannot_be_changed_need_no_undoing(store, etc, monkeypatch):
    before = picture(etc)
    transaction = begin(store)

    def refuse(*_arguments, **_named):
        raise OSError(errno.EROFS, "Read-only file system")

    for owner, name in ((os, "chown"), (os, "setxattr"), (os, "removexattr"), (Path, "chmod")):
        monkeypatch.setattr(owner, name, refuse)
    with pytest.raises(atomic_files.Unwritable, match="Read-only file system; it keeps its owner and mode"):
        give(transaction, str(etc / "open.conf"), (*OWN, 0o600), False)
    assert undo(transaction) == []
    assert picture(etc) == before


@needs_root
def test_permissions_with_the_rights_of_an_ordinary_user(store, etc):
    for folder in (etc, *(each for each in etc.parents if not each.stat().st_mode & 0o001)):
        folder.chmod(0o755)
    before = picture(etc)
    transaction = begin(store)
    give(transaction, str(etc / "open.conf"), (*SOMEBODY.owner, 0o600), False, account=SOMEBODY)
    assert stat.S_IMODE((etc / "open.conf").stat().st_mode) == 0o600
    with pytest.raises(atomic_files.Unwritable, match="Operation not permitted"):
        give(transaction, str(etc / "linked"), (*OWN, 0o600), False, account=SOMEBODY)
    with pytest.raises(atomic_files.Unwritable, match="Operation not permitted"):
        give(transaction, str(etc / "open.conf"), (0, 0, 0o600), False, account=SOMEBODY)
    assert undo(transaction) == []
    assert picture(etc) == before


@needs_root
@pytest.mark.parametrize("name", ["nobody", "of-a-leaver"])
def test_what_belonged_to_another_account_of_that_name_is_left(store, etc, name):
    """Its ids may be another person's today, whose files these are."""
    former = Account(name, 1234, 2345)
    for folder in (etc, *(each for each in etc.parents if not each.stat().st_mode & 0o001)):
        folder.chmod(0o755)
    (etc / "home").mkdir()
    for path in (etc / "home", etc / "open.conf"):
        os.chown(path, 1234, 2345)
    transaction = begin(store)
    give(transaction, str(etc / "open.conf"), (1234, 2345, 0o600), False, account=former)
    files.write(transaction, former, str(etc / "home" / "file"), b"new", FRESH._replace(uid=1234, gid=2345))
    write(transaction, str(etc / "linked"), b"of root")
    after = picture(etc)
    (left,) = undo(transaction)
    assert left in (
        f"account nobody has the ids {SOMEBODY.uid}:{SOMEBODY.gid} now and had 1234:2345: what belonged to the former"
        " one is left as it is",
        "there is no account of-a-leaver any more",
    )
    now = picture(etc)
    assert {path for path in now if now[path] != after[path]} == {"linked"}
    # It is left for good: the transaction need not stay open.
    assert undo(Transaction(transaction.folder)) == [left]


def test_permissions_of_a_file_that_was_replaced(store, etc):
    file = etc / "open.conf"
    transaction = begin(store)
    give(transaction, str(file), (*OWN, 0o644), False)
    # As our own writing does it: the same owner and mode.
    atomic_files.replace(str(file), b"new", FRESH._replace(mode=0o644))
    assert undo(transaction) == []
    assert stat.S_IMODE(file.stat().st_mode) in (0o666, 0o660)


@pytest.mark.parametrize("how", ["mode", "linked", "gone"])
def test_permissions_of_a_foreign_file_are_left(store, etc, how):
    file = etc / "open.conf"
    transaction = begin(store)
    (etc / "foreign").write_text("")
    (etc / "foreign").chmod(0o644)
    give(transaction, str(file), (*OWN, 0o644), False)
    file.unlink()
    if how == "mode":
        file.write_text("")
        file.chmod(0o600)
    elif how == "linked":
        os.link(etc / "foreign", file)
    modes = {path.name: path.stat().st_mode for path in etc.iterdir()}
    assert len(undo(transaction)) == 1
    assert {path.name: path.stat().st_mode for path in etc.iterdir()} == modes


class Accounts:
    """Stands in for the account tools: those of the machine must not see a test."""

    def __init__(self, *names, failing=()):
        self.names, self.failing, self.calls = set(names), failing, []

    def run(self, argv, seconds, *_more):
        self.calls.append(argv[0])
        name = argv[-1]
        if argv[0] == "getent":
            return limits.Ended(0 if name in self.names else 2, "", "")
        if argv[0] in self.failing:
            return limits.Ended(1, "", f"{argv[0]}: no\n")
        (self.names.add if argv[0] == "useradd" else self.names.discard)(name)
        return limits.Ended(0, "", "")


def test_an_account(store, monkeypatch):
    accounts = Accounts()
    monkeypatch.setattr(limits, "run", accounts.run)
    transaction = begin(store)
    kinds.perform(steps.account("dockremap"), transaction)
    assert accounts.names == {"dockremap"}
    assert undo(transaction) == []
    assert accounts.names == set()


def test_an_account_that_is_there_is_neither_made_nor_deleted(store, monkeypatch):
    accounts = Accounts("dockremap")
    monkeypatch.setattr(limits, "run", accounts.run)
    transaction = begin(store)
    with pytest.raises(atomic_files.Unwritable, match=r"account dockremap .* is there already"):
        kinds.perform(steps.account("dockremap"), transaction)
    assert undo(transaction) == []
    assert accounts.names == {"dockremap"}


def test_an_account_that_cannot_be_made_or_deleted(store, monkeypatch):
    accounts = Accounts(failing=("useradd",))
    monkeypatch.setattr(limits, "run", accounts.run)
    transaction = begin(store)
    with pytest.raises(atomic_files.Unwritable, match="useradd: useradd: no"):
        kinds.perform(steps.account("dockremap"), transaction)
    assert undo(transaction) == []
    accounts = Accounts(failing=("userdel",))
    monkeypatch.setattr(limits, "run", accounts.run)
    transaction = begin(store)
    kinds.perform(steps.account("dockremap"), transaction)
    assert undo(transaction) == ["account dockremap stays: userdel: userdel: no"]


def test_which_is_the_last_one(store):
    made = [begin(store) for _unused in range(4)]
    other = begin(store, engine="rootless:alice")
    for transaction in (*made[:3], other):
        transaction.commit(changed=True)
    made[2].closed(reason="by order")
    assert [last(store, name).id for name in ("system", "rootless:alice")] == [made[1].id, other.id]
    assert last(store, "system").manifest["changed"] is True
    assert last(store, "files") is None
    assert [found.id for found in unfinished(store)[0]] == [made[3].id]
    assert Transaction(made[1].folder).state == COMMITTED


def test_those_left_open_come_newest_first(store):
    made = [begin(store) for _unused in range(3)]
    assert [found.id for found in unfinished(store)[0]] == [each.id for each in reversed(made)]


def test_ten_are_kept_and_open_ones_always(store):
    left_open = begin(store)
    made = [begin(store) for _unused in range(KEPT + 3)]
    for number, transaction in enumerate(made):
        transaction.commit() if number % 2 else transaction.closed()
    prune(store)
    kept = [folder.name for folder in store.folders()]
    assert kept == [left_open.id, *(each.id for each in made[3:])]
    prune(store)
    assert [folder.name for folder in store.folders()] == kept


def test_what_a_killed_replacement_left_is_swept(store, etc):
    before = picture(etc)
    transaction = begin(store)
    write(transaction, str(etc / "daemon.json"), b"new")
    (etc / ".daemon.json.abcd.bulwark").write_text("half")
    undo(transaction)
    assert picture(etc) == before


@pytest.fixture
def calls(store, etc):
    """How many calls that change a disk the transaction makes; undone again."""
    number = faults.count(lambda: change(store, etc))
    resolve(store)
    assert number > 100
    return number


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_killed_at_any_call(store, etc, calls, late):
    before = picture(etc)
    for number in range(1, calls + 1):
        assert faults.killed(lambda: change(store, etc), number, late)
        assert resolve(store) == [], number
        assert picture(etc) == before, number
    assert not faults.killed(lambda: change(store, etc), calls + 1, late)


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_killed_at_any_call_of_the_undoing(store, etc, late):
    before = picture(etc)
    change(store, etc)
    calls = faults.count(lambda: resolve(store))
    assert calls > 30
    for number in range(1, calls + 1):
        change(store, etc)
        faults.killed(lambda: resolve(store), number, late)
        assert resolve(store) == [], number
        assert picture(etc) == before, number


@pytest.mark.parametrize("once", [True, False], ids=["once", "from then on"])
def test_the_disk_is_full_at_any_call(store, etc, calls, once):
    before = picture(etc)
    for number in range(1, calls + 1):
        try:
            with faults.full_disk(number, number if once else None):
                change(store, etc)
        except (atomic_files.Unwritable, StateError) as problem:
            assert "No space left on device" in str(problem)
        assert resolve(store) == [], number
        assert picture(etc) == before, number


def test_the_disk_is_full_while_undoing(store, etc):
    before = picture(etc)
    change(store, etc)
    calls = faults.count(lambda: resolve(store))
    for number in range(1, calls + 1):
        change(store, etc)
        try:
            with faults.full_disk(number):
                resolve(store)
        except atomic_files.Unwritable as problem:
            assert "No space left on device" in str(problem)
        assert resolve(store) == [], number
        assert picture(etc) == before, number
