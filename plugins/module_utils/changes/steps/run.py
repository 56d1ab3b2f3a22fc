# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of the host as one transaction: done and committed, or undone. All changes run here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import ExplainedError
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import kinds
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction import signals
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import (
    Transaction,
    prune,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Step
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store

Work = TypeVar("Work")


class Failed(Exception):
    """The change failed; `rolled_back` tells whether all is as before, `journal` what the engine logged meanwhile."""

    def __init__(self, sentence: str, transaction: str, rolled_back: bool, journal: list[str]) -> None:
        super().__init__(sentence)
        self.transaction = transaction
        self.rolled_back = rolled_back
        self.journal = journal


def undone(transaction: Transaction) -> list[str]:
    """Undo and close a transaction that changes no engine; returns what it left, a sentence each."""
    left = kinds.undo(transaction)
    transaction.closed(left=left)
    return left


def carried_out(
    store: Store,
    about: Mapping[str, Any],
    work: Callable[[Transaction], Work],
    journal: Callable[[float], list[str]] = lambda began: [],
    undo: Callable[[Transaction], list[str]] = undone,
    look: str = "",
) -> tuple[str | None, Work]:
    """Do the work; returns the id of the transaction and what the work returns. `about` is for its manifest.

    Where the work journals nothing no transaction is kept (None): it would push out one that can be undone. One that
    undoes another is kept all the same, as the other is not to be undone again.

    The caller holds the lock. A lost connection changes nothing; a signal to end undoes. Raises Failed, after `undo`
    has undone what was done, with what `journal` tells since then (epoch); `look` says where to look first should that
    fail as well.
    """
    began = time.time()
    with signals.ends_by_undoing():
        transaction = Transaction.begin(store, dict(about))
        try:
            done = work(transaction)
            if not transaction.entries and not about.get("undoes"):
                store.discard(transaction.folder)
                return None, done
            transaction.commit()
        except Exception as problem:
            with signals.held_off():
                raise _failed(transaction, problem, journal(began), undo, look) from problem
        prune(store)
    return transaction.id, done


def perform(planned: Sequence[Step], transaction: Transaction) -> list[str]:
    """The steps, in order; returns a sentence for each thing that they leave as it is."""
    return [sentence for step in planned for sentence in kinds.perform(step, transaction)]


def reason(problem: Exception) -> str:
    """Why it failed, in a sentence."""
    return str(problem) if isinstance(problem, ExplainedError) else f"{type(problem).__name__}: {problem}"


def _failed(
    transaction: Transaction,
    problem: Exception,
    journal: list[str],
    undo: Callable[[Transaction], list[str]],
    look: str,
) -> Failed:
    try:
        left = undo(transaction)
    except Exception as worse:
        return Failed(
            f"The change failed ({reason(problem)}), and undoing it failed as well ({reason(worse)}). The former files "
            f"lie in {transaction.folder}; {look}put right what it says, then run "
            "bulwark.docker.daemon_apply with state: resolved.",
            transaction.id,
            False,
            journal,
        )
    more = f" Not as before: {'; '.join(left)}." if left else ""
    return Failed(
        f"The change failed and was undone: {reason(problem)}.{more}", transaction.id, True, journal
    )
