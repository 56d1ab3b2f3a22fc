# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of the host beside the configuration of an engine, as one transaction: done and committed, or undone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes import apply, interruptions, steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.store import Store
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction import Transaction, prune


def carried_out(
    store: Store,
    about: Mapping[str, Any],
    work: Callable[[Transaction], Any],
    journal: Callable[[float], list[str]] = lambda began: [],
) -> tuple[str, Any]:
    """Do the work; returns the id of the transaction and what the work returns. `about` is for its manifest.

    The caller holds the lock. Raises apply.Failed, after undoing what was done, with what `journal` tells since then
    (epoch).
    """
    began = time.time()
    with interruptions.ends_by_undoing():
        transaction = Transaction.begin(store, dict(about))
        try:
            done = work(transaction)
            transaction.commit()
        except Exception as problem:
            with interruptions.held_off():
                raise _undone(transaction, problem, journal(began)) from problem
        prune(store)
    return transaction.id, done


def perform(planned: Sequence[dict[str, Any]], transaction: Transaction) -> None:
    """The steps, in order."""
    for step in planned:
        steps.perform(step, transaction)


def _undone(transaction: Transaction, problem: Exception, journal: list[str]) -> apply.Failed:
    cause = str(problem) if isinstance(problem, apply.EXPECTED) else f"{type(problem).__name__}: {problem}"
    try:
        left = transaction.undo()
        transaction.closed(left=left)
    except Exception as worse:
        return apply.Failed(
            f"The change failed ({cause}), and undoing it failed as well ({worse}). The former files lie in "
            f"{transaction.folder}; put right what it says, then run bulwark.docker.daemon_apply with state: resolved.",
            transaction.id,
            False,
            journal,
        )
    more = f" Not as before: {'; '.join(left)}." if left else ""
    return apply.Failed(f"The change failed and was undone: {cause}.{more}", transaction.id, True, journal)
