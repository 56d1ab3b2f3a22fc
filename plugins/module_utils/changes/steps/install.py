# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of root's that are copied from where they were uploaded: certificates and keys."""

from __future__ import annotations

from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Place
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.location import located
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import files, permissions
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Step

INSTALL = "install"


def perform(step: Step, transaction: Transaction) -> list[str]:
    """The file holds what its source holds, if that is what was looked at when the step was planned."""
    found = content(step.value["source"])
    if found is None or atomic_files.digest(found) != step.value["digest"]:
        raise atomic_files.Unwritable(
            f"{step.value['source']} was changed since it was looked at; run it again"
        )
    # Before the content: a key must not be readable for a moment.
    if content(step.key) is not None:
        permissions.perform(
            Step(permissions.PERMISSIONS, step.key, step.account, step.value["mode"]), transaction
        )
    fresh = atomic_files.fresh(step.account.owner, step.value["mode"])
    files.write(transaction, step.account, step.key, found, fresh)
    return []


def holds(step: Step) -> bool:
    """Whether the file holds that already."""
    found = content(step.key)
    return found is not None and atomic_files.digest(found) == step.value["digest"]


def content(path: str) -> bytes | None:
    """What a file of root's holds, None where there is none. Raises Unwritable."""
    with located(Place(path, ROOT.owner)) as found:
        seen = atomic_files.look(found.by_handle)
    return seen[0] if seen else None
