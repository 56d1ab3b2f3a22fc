# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change as a transaction: what it changes is journalled, with its before-image, before it is changed.

States: `open` until it is committed or undone. One that is found open belongs to a run that died. What an entry means
and how it is undone is told by kinds.py; docs/state_directory.md has the format.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.atomic_files import Unwritable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import (
    Entry,
    Malformed,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import (
    StateError,
    Store,
    give_reserve,
    read_json,
    write,
    write_json,
)

# Of the manifest and its entries. A reader of another one leaves the transaction alone.
SCHEMA = 2
KEPT = 10
OPEN, COMMITTED, ROLLED_BACK = "open", "committed", "rolled_back"
_CLOSED = (COMMITTED, ROLLED_BACK)
_STATES = (OPEN, *_CLOSED)


class Transaction:
    """One transaction, by its folder in the store. Raises StateError for a manifest that cannot be understood."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = _checked(folder, read_json(folder / "manifest.json") or {})
        self.entries = _entries(folder, self.manifest)

    @classmethod
    def begin(cls, store: Store, about: dict[str, Any]) -> Transaction:
        """A new open transaction; `about` is what its manifest tells beside the entries."""
        return cls(
            store.new({"schema": SCHEMA, "state": OPEN, "created": int(time.time()), **about, "entries": []})
        )

    @property
    def id(self) -> str:
        """Its name, which sorts by age."""
        return self.folder.name

    @property
    def state(self) -> str:
        """OPEN, COMMITTED or ROLLED_BACK."""
        return str(self.manifest["state"])

    @property
    def subject(self) -> str:
        """What it changes: the name of an engine, or that of a module that changes none."""
        return str(self.manifest.get("engine"))

    @property
    def left(self) -> list[str]:
        """What undoing has left as it is so far, a sentence each."""
        return list(self.manifest.get("left", ()))

    def notes(self, kind: str) -> list[Entry]:
        """The entries of one kind, in the order of the changes."""
        return [entry for entry in self.entries if entry.kind == kind]

    def note(self, kind: str, **data: Any) -> None:
        """Journal something that is not undone by itself: it is on disk when this returns."""
        self.journal(Entry(kind, "", ROOT, data))

    def journal(self, entry: Entry) -> None:
        """Add the entry: it is on disk when this returns."""
        self.entries.append(entry)
        self._save()

    def amend(self, entry: Entry, **data: Any) -> None:
        """The entry, which is due for undoing again, has this data too."""
        self._replace(entry, replace(entry, data={**entry.data, **data}, undone=False))
        self._save()

    def withdraw(self, entry: Entry) -> None:
        """Forget the entry: what it announced did not come about, and nothing of it is left."""
        self.entries = [each for each in self.entries if each is not entry]
        self._save()

    def keep(self, content: bytes) -> str:
        """Keep a before-image; returns the name of its file."""
        name = f"image-{len(self.entries):03d}"
        write(self.folder / name, content)
        return name

    def image(self, entry: Entry) -> bytes | None:
        """The before-image of a file's entry, None when there was no file."""
        name = entry.data["image"]
        return (self.folder / Path(name).name).read_bytes() if name else None

    def commit(self, **about: Any) -> None:
        """The change holds. From now on only an explicit order undoes it."""
        self._save(state=COMMITTED, **about)
        give_reserve(self.folder)

    def closed(self, **about: Any) -> None:
        """All is as it was before."""
        self._save(state=ROLLED_BACK, **about)

    def undone(self, undo: Callable[[Entry], list[str]], due: list[Entry]) -> list[str]:
        """Call `undo` for the entries in reverse order; returns a sentence for each thing that was left as it is.

        Undoing twice is harmless, so a run that died while undoing is no special case. What was undone stays as others
        make it since; only what the transaction itself has written since is undone again. Raises Unwritable, after all
        else was undone, with what cannot be undone now; it stays open then.
        """
        left, failed = self.left, []
        give_reserve(self.folder)
        for entry in reversed(due):
            try:
                sentences = undo(entry)
            except Exception as problem:
                # Whatever it is, the others come back all the same.
                failed.append(_told(entry, problem))
                continue
            self._replace(entry, replace(entry, undone=True))
            left += [each for each in sentences if each not in left]
        self.manifest["left"] = left
        if due:
            # Should it be undone once more, that is harmless too.
            with contextlib.suppress(Unwritable):
                self._save()
        if failed:
            raise Unwritable("; ".join(failed))
        return left

    def _replace(self, entry: Entry, by: Entry) -> None:
        self.entries[next(at for at, each in enumerate(self.entries) if each is entry)] = by

    def _save(self, **about: Any) -> None:
        manifest = {**self.manifest, **about, "entries": [entry.as_json() for entry in self.entries]}
        write_json(self.folder / "manifest.json", manifest)
        self.manifest = manifest


class Unknown:
    """A folder of the store that holds no transaction that this version understands; `why` is one sentence.

    `state` and `subject` are as those of a transaction, "" where the manifest does not tell.
    """

    def __init__(self, folder: Path, why: str) -> None:
        self.folder = folder
        self.id = folder.name
        self.why = why
        manifest: dict[str, Any] = {}
        with contextlib.suppress(StateError):
            manifest = read_json(folder / "manifest.json") or {}
        self.state = str(manifest.get("state", ""))
        self.subject = str(manifest.get("engine", ""))


def unfinished(store: Store) -> tuple[list[Transaction], list[Unknown]]:
    """The open transactions, the newest first: the order in which they are undone. And what cannot be understood and is
    not known to be closed."""
    found = [each for each in reversed(_all(store)) if each.state not in _CLOSED]
    return (
        [each for each in found if isinstance(each, Transaction)],
        [each for each in found if isinstance(each, Unknown)],
    )


def last_committed(store: Store, subject: str) -> Transaction | None:
    """The newest transaction about it that was committed, and was neither undone since nor undoes another.

    Raises StateError where one that cannot be understood came after it: what is below is not undone before that.
    """
    for each in reversed(_committed(store, subject)):
        if isinstance(each, Unknown):
            raise StateError(each.why)
        if not each.manifest.get("undoes"):
            return each
    return None


def last_undone(store: Store, subject: str) -> str | None:
    """The id of the transaction that was undone by order, where nothing has been committed since."""
    last = _committed(store, subject)[-1:]
    return last[0].manifest.get("undoes") if last and isinstance(last[0], Transaction) else None


def prune(store: Store) -> None:
    """Keep the last KEPT of those that are closed."""
    closed = [found for found in _all(store) if found.state in _CLOSED]
    for found in closed[:-KEPT]:
        store.discard(found.folder)


def _all(store: Store) -> list[Transaction | Unknown]:
    return [_read(folder) for folder in store.folders()]


def _committed(store: Store, subject: str) -> list[Transaction | Unknown]:
    return [each for each in _all(store) if each.subject == subject and each.state == COMMITTED]


def _read(folder: Path) -> Transaction | Unknown:
    """One that cannot be read keeps no other from being read."""
    try:
        return Transaction(folder)
    except StateError as problem:
        return Unknown(folder, str(problem))


def _checked(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    schema = manifest.get("schema")
    if schema != SCHEMA:
        raise StateError(
            f"{folder} was written by another version of bulwark.docker (schema {schema}, not {SCHEMA}), and is left "
            "alone: use that version to resolve or undo it, or move the folder away"
        )
    if manifest.get("state") not in _STATES or not isinstance(manifest.get("entries"), list):
        raise StateError(f"{folder}/manifest.json is damaged; look at it, then move the folder away")
    return manifest


def _entries(folder: Path, manifest: dict[str, Any]) -> list[Entry]:
    try:
        return [Entry.from_json(each) for each in manifest["entries"]]
    except Malformed as problem:
        raise StateError(
            f"{folder}/manifest.json is damaged: {problem}; look at it, then move the folder away"
        ) from problem


def _told(entry: Entry, problem: Exception) -> str:
    text = str(problem)
    return (
        text
        if isinstance(problem, Unwritable)
        else f"{entry.kind} {entry.key}: {type(problem).__name__}: {text}"
    )
