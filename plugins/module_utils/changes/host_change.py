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
                raise apply.failed(
                    transaction, problem, journal(began), lambda: _undo(transaction)
                ) from problem
        prune(store)
    return transaction.id, done


def perform(planned: Sequence[dict[str, Any]], transaction: Transaction) -> None:
    """The steps, in order."""
    for step in planned:
        steps.perform(step, transaction)


def _undo(transaction: Transaction) -> list[str]:
    left = transaction.undo()
    transaction.closed(left=left)
    return left
