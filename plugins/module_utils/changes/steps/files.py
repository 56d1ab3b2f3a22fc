# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and their directories, written and removed within a transaction, and how that is undone and reversed.

Every file operation is done with the ids of the owner that the place or the entry names, through the handle of the
directory that was looked at.
"""

from __future__ import annotations

import base64
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Place, acting_as
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import account as accounts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.atomic_files import Unwritable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.location import Location, located
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Entry, Step

FILE, DIRECTORY, REMOVED_DIRECTORY = "file", "directory", "removed_directory"


def place_of(step: Step) -> Place:
    """Where the thing of a step lies, and with which ids it is touched. Raises Unwritable without such an account."""
    if step.key.startswith("~/"):
        return Place(f"{accounts.home(step.account)}/{step.key[2:]}", step.account.owner)
    return Place(step.key, step.account.owner)


def shown(step: Step) -> str:
    """The path as people know it: what is below a home bears the account's name."""
    return f"~{step.account.name}{step.key[1:]}" if step.key.startswith("~/") else step.key


def content_of(step: Step) -> str | None:
    """What the file of a step holds now. Raises Unwritable."""
    place = place_of(step)
    with located(place) as found, acting_as(place.owner):
        seen = atomic_files.look(found.by_handle)
    return seen[0].decode("utf-8", "surrogateescape") if seen else None


def write(
    transaction: Transaction,
    account: Account,
    path: str,
    content: bytes,
    fresh: atomic_files.Image,
    in_place: bool = False,
) -> None:
    """Replace the file behind `path`, which is that account's; it keeps owner, mode and extended attributes.

    A new one gets those of `fresh`. `in_place` as for atomic.replace(). Raises Unwritable.
    """
    with located(Place(path, account.owner)) as found:
        with acting_as(account.owner):
            before = atomic_files.look(found.by_handle)
        for each in found.missing:
            transaction.journal(Entry(DIRECTORY, each, account))
        _journal_file(transaction, account, found, before, content)
        with acting_as(account.owner):
            found.make_directories()
            image = before[1]._replace(times_ns=None) if before else fresh
            atomic_files.replace(found.by_handle, content, image, in_place)


def remove(transaction: Transaction, account: Account, path: str) -> None:
    """Remove the file behind `path`, which is that account's. Raises Unwritable."""
    with located(Place(path, account.owner)) as found:
        with acting_as(account.owner):
            before = atomic_files.look(found.by_handle)
        if before:
            _journal_file(transaction, account, found, before, None)
            with acting_as(account.owner):
                atomic_files.remove(found.by_handle)


def foreign_changes(transaction: Transaction) -> list[str]:
    """Files that somebody changed after the commit, so that undoing would lose that. Raises Unwritable."""
    return [
        entry.key
        for entry in transaction.notes(FILE)
        if _current(entry) not in (entry.data["written"][-1], entry.data["before"])
    ]


def is_same_file(entry: Entry, place: Place) -> bool:
    """Whether the entry is about the file behind that place, as both lie now."""
    if entry.kind != FILE:
        return False
    with located(place) as found:
        return entry.key == found.path and entry.account.owner == place.owner


def perform_file(step: Step, transaction: Transaction) -> list[str]:
    """The file of the step holds what it says, or is gone."""
    place, text = place_of(step), step.value["content"]
    if text is None:
        remove(transaction, step.account, place.path)
    else:
        uid, gid = step.value.get("ids") or place.owner
        fresh = atomic_files.Image(step.value.get("mode", 0o644), uid, gid, {})
        write(transaction, step.account, place.path, text.encode("utf-8", "surrogateescape"), fresh)
    return []


def undo_file(entry: Entry, transaction: Transaction) -> list[str]:
    """The former content, with its attributes, unless others have changed it."""
    with located(_place(entry)) as found:
        with acting_as(entry.account.owner):
            atomic_files.sweep(found.by_handle)
            current = _digest(found)
        if current == entry.data["before"]:
            return []
        if current not in entry.data["written"] or found.path != entry.key:
            return [changed_since(entry)]
        content = transaction.image(entry)
        with acting_as(entry.account.owner):
            if content is None:
                atomic_files.remove(found.by_handle)
            else:
                found.make_directories()
                atomic_files.replace(found.by_handle, content, _image(entry.data["facts"]), in_place=True)
    return []


def reverse_file(entry: Entry, transaction: Transaction) -> Step:
    """The step that leads back to the former file: it is the same account's, wherever its path leads by then."""
    content, facts = transaction.image(entry), entry.data["facts"] or {}
    value: dict[str, Any] = {
        "content": None if content is None else content.decode("utf-8", "surrogateescape")
    }
    if facts:
        value["mode"] = facts["mode"]
    if facts and entry.account.is_root:
        value["ids"] = [facts["uid"], facts["gid"]]
    return Step(FILE, _key(entry), entry.account, value)


def perform_no_directory(step: Step, transaction: Transaction) -> list[str]:
    """The directory goes if nothing is in it."""
    place = place_of(step)
    with located(place) as found:
        path = Path(found.by_handle)
        try:
            with acting_as(place.owner):
                seen = path.lstat()
                if not stat.S_ISDIR(seen.st_mode) or any(path.iterdir()):
                    return []
            mode = {"mode": stat.S_IMODE(seen.st_mode)}
            transaction.journal(Entry(REMOVED_DIRECTORY, found.path, step.account, mode))
            with acting_as(place.owner):
                path.rmdir()
        except FileNotFoundError:
            return []
        except OSError as problem:
            raise Unwritable(f"{found.path} cannot be removed: {problem.strerror}") from problem
    return []


def is_no_directory(step: Step) -> bool:
    """Whether there is no such directory."""
    place = place_of(step)
    with located(place) as found, acting_as(place.owner):
        return not Path(found.by_handle).is_dir()


def undo_directory(entry: Entry, transaction: Transaction) -> list[str]:
    """One that was made goes, unless others use it by now."""
    with located(_place(entry)) as found, acting_as(entry.account.owner):
        try:
            Path(found.by_handle).rmdir()
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as problem:
            return [f"{entry.key} stays: {problem.strerror}"]
    return []


def reverse_directory(entry: Entry, transaction: Transaction) -> Step:
    """The step that takes away what was made."""
    return Step(DIRECTORY, _key(entry), entry.account)


def undo_removed_directory(entry: Entry, transaction: Transaction) -> list[str]:
    """One that was removed is there again."""
    with located(_place(entry)) as found, acting_as(entry.account.owner):
        path = Path(found.by_handle)
        path.mkdir(exist_ok=True)
        path.chmod(entry.data["mode"])
    return []


def _journal_file(
    transaction: Transaction,
    account: Account,
    found: Location,
    before: tuple[bytes, atomic_files.Image] | None,
    content: bytes | None,
) -> None:
    after = None if content is None else atomic_files.digest(content)
    for entry in transaction.notes(FILE):
        if (entry.key, entry.account) == (found.path, account):
            # Changed a second time by the same transaction: the first before-image is what undo restores.
            transaction.amend(entry, written=[*entry.data["written"], after])
            return
    data = {
        "image": transaction.keep(before[0]) if before else "",
        "before": atomic_files.digest(before[0]) if before else None,
        "facts": _facts(before[1]) if before else None,
        "written": [after],
    }
    transaction.journal(Entry(FILE, found.path, account, data))


def _key(entry: Entry) -> str:
    """The path, relative to the home of an account where it lies below it: a home may be moved."""
    if entry.account.is_root:
        return entry.key
    home = Path(accounts.home(entry.account))
    below = Path(entry.key)
    return f"~/{below.relative_to(home)}" if home in below.parents else entry.key


def _place(entry: Entry) -> Place:
    return Place(entry.key, entry.account.owner)


def _current(entry: Entry) -> str | None:
    with located(_place(entry)) as found, acting_as(entry.account.owner):
        return _digest(found)


def _digest(found: Location) -> str | None:
    try:
        seen = atomic_files.look(found.by_handle)
    except atomic_files.NotAFile:
        return "not a file"
    return atomic_files.digest(seen[0]) if seen else None


def _facts(image: atomic_files.Image) -> dict[str, Any]:
    return {**image._asdict(), "xattrs": encoded(image.xattrs)}


def _image(facts: dict[str, Any]) -> atomic_files.Image:
    times: Sequence[int] = facts["times_ns"]
    return atomic_files.Image(
        facts["mode"], facts["uid"], facts["gid"], decoded(facts["xattrs"]), (times[0], times[1])
    )


def changed_since(entry: Entry) -> str:
    """Why what the entry is about is not brought back."""
    return f"{entry.key} was changed by somebody else since, and is left as it is"


def encoded(xattrs: dict[str, bytes]) -> dict[str, str]:
    """Extended attributes as the journal has them."""
    return {name: base64.b64encode(value).decode() for name, value in xattrs.items()}


def decoded(xattrs: dict[str, str]) -> dict[str, bytes]:
    """The same back."""
    return {name: base64.b64decode(value) for name, value in xattrs.items()}
