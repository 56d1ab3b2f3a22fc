# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of what a change is made of: one row for each kind of step and of journal entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Optional

from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.atomic_files import Unwritable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import (
    accounts,
    files,
    host_state,
    install,
    permissions,
    units,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Entry, Step
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.subids import FILES

Holds = Callable[[Step], bool]
Perform = Callable[[Step, Transaction], list[str]]
Describe = Callable[[Step], Optional[str]]
Undo = Callable[[Entry, Transaction], list[str]]
# The step that leads back, a sentence for what stays as it is, or None where nothing is to be done.
Reverse = Callable[[Entry, Transaction], "Step | str | None"]


class Kind(NamedTuple):
    """What is known of a kind. Steps have `holds`, `perform` and `describe`, entries `undo` and `reverse`.

    holds     whether it is so already. Raises Unwritable
    perform   do it, journalled; returns a sentence for each part that it leaves as it is. Raises Unwritable
    describe  the line that tells of it; None for a step that only accompanies others
    undo      bring back what was before, also after a run that was killed; returns what it leaves as it is. Raises
              Unwritable
    reverse   what leads back by order, as a change of its own
    """

    holds: Holds | None
    perform: Perform | None
    describe: Describe | None
    undo: Undo | None
    reverse: Reverse | None


def never(step: Step) -> bool:
    """An event is not so already."""
    return False


def _nothing(entry: Entry, transaction: Transaction) -> None:
    """What comes after it is reversed by itself."""
    return


def _kept(sentence: Callable[[Entry], str]) -> Reverse:
    return lambda entry, transaction: sentence(entry)


def _file_action(step: Step) -> str:
    return f"{'remove' if step.value['content'] is None else 'write'} {files.shown(step)}"


def _subids_action(step: Step) -> str:
    return f"give {step.key} the subordinate ids {step.value['start']}:{step.value['count']}"


def _reverse_file(entry: Entry, transaction: Transaction) -> Step | str:
    if entry.key in FILES.values():
        # Undone by hand only: what bears these ids on disk must not fall to another account.
        return f"{entry.key} keeps its new range: data on disk may bear its ids"
    return files.reverse_file(entry, transaction)


def _setting(what: str) -> Kind:
    """One of host_settings.SETTINGS."""
    return Kind(
        lambda step: host_state.read(what, step.account, step.key) == step.value,
        host_state.perform,
        lambda step: host_state.SETTINGS[what].says(step.account, step.key, step.value),
        host_state.undo,
        host_state.reverse,
    )


# What the journal notes and nothing undoes by itself: rollback.py reads it.
_NOTE = Kind(None, None, None, None, None)

KINDS: dict[str, Kind] = {
    "account": Kind(
        accounts.is_there,
        accounts.perform_account,
        lambda step: f"create the system account {step.key}",
        accounts.undo_account,
        _kept(accounts.stays),
    ),
    "containers_stopped": _NOTE,
    "dead_socket": Kind(
        units.is_no_dead_socket,
        units.perform_dead_socket,
        lambda step: f"remove the dead socket {step.key}",
        None,
        None,
    ),
    # The entry is a directory that was made, the step has one go.
    "directory": Kind(
        files.is_no_directory,
        files.perform_no_directory,
        lambda step: None,
        files.undo_directory,
        files.reverse_directory,
    ),
    "engine": _NOTE,
    "file": Kind(
        lambda step: files.content_of(step) == step.value["content"],
        files.perform_file,
        _file_action,
        files.undo_file,
        _reverse_file,
    ),
    "install": Kind(
        install.holds,
        install.perform,
        lambda step: f"write {step.key} from {step.value['source']}",
        None,
        None,
    ),
    "let_go": _NOTE,
    "lock": Kind(None, None, None, accounts.undo_lock, _nothing),
    "login": Kind(
        accounts.is_there,
        accounts.perform_login,
        lambda step: f"create the account {step.key} with its home",
        accounts.undo_login,
        _kept(accounts.stays),
    ),
    "permissions": Kind(
        permissions.holds,
        permissions.perform,
        lambda step: f"give {step.key} to root with mode {step.value:04o}",
        permissions.undo,
        _kept(permissions.stays),
    ),
    "reload": _NOTE,
    "removed_directory": Kind(None, None, None, files.undo_removed_directory, _nothing),
    "reread": Kind(
        never,
        units.perform_reread,
        lambda step: None,
        units.undo_reread,
        units.reverse_reread,
    ),
    # As an entry it notes that the engine was restarted.
    "restart": Kind(
        never,
        units.perform_restart,
        lambda step: f"restart {host_state.named(step.account, step.key)}",
        None,
        None,
    ),
    "sockets": _NOTE,
    "started": _NOTE,
    "subids": Kind(never, accounts.perform_subids, _subids_action, None, None),
    **{what: _setting(what) for what in host_state.SETTINGS},
}


def holds(step: Step) -> bool:
    """Whether it is so already. Raises Unwritable."""
    check = KINDS[step.kind].holds
    return check is not None and check(step)


def can_hold(step: Step) -> bool:
    """Whether a step of that kind is a state, not an event."""
    return KINDS[step.kind].holds not in (None, never)


def perform(step: Step, transaction: Transaction) -> list[str]:
    """Do one step; returns a sentence for each part that it leaves as it is. Raises Unwritable; what it did until then
    is journalled."""
    do = KINDS[step.kind].perform
    if do is None:
        raise Unwritable(f"{step.kind} is no kind of step")
    return do(step, transaction)


def actions(planned: Iterable[Step]) -> list[str]:
    """A line for each step that is a change by itself, in order."""
    found = (describe(step) for step in planned)
    return list(dict.fromkeys(each for each in found if each))


def describe(step: Step) -> str | None:
    """The line that tells of a step; None for one that only accompanies others."""
    says = KINDS[step.kind].describe
    return says(step) if says else None


def undo(transaction: Transaction, but: Callable[[Entry], bool] = lambda entry: False) -> list[str]:
    """Undo the entries in reverse order, all but those that a later call undoes.

    Returns a sentence for each thing that was left as it is, because others changed it meanwhile, or because whose it
    was is not there any more. Raises Unwritable: for an entry of an unknown kind before anything is undone, else after
    all else was undone.
    """
    refuse_unknown(transaction)

    def undo_one(entry: Entry) -> list[str]:
        do = KINDS[entry.kind].undo
        if do is None:
            return []
        try:
            if not entry.account.is_root:
                # Its ids may be another person's today.
                account.same(entry.account)
        except Unwritable as problem:
            return [str(problem)]
        return do(entry, transaction)

    due = [
        entry
        for entry in transaction.entries
        if KINDS[entry.kind].undo and not entry.undone and not but(entry)
    ]
    return transaction.undone(undo_one, due)


def reversed_steps(
    transaction: Transaction, entries: Iterable[Entry] | None = None
) -> tuple[list[Step], list[str]]:
    """What leads back from a committed transaction, the latest first, and a sentence for each thing that stays. Raises
    Unwritable for an entry of an unknown kind."""
    refuse_unknown(transaction)
    steps: list[Step] = []
    left: list[str] = []
    for entry in reversed(list(transaction.entries if entries is None else entries)):
        lead_back = KINDS[entry.kind].reverse
        found = lead_back(entry, transaction) if lead_back else None
        if isinstance(found, Step):
            steps.append(found)
        elif found:
            left.append(found)
    return steps, left


def refuse_unknown(transaction: Transaction) -> None:
    """Raises Unwritable where one of the entries is of an unknown kind."""
    unknown = sorted({entry.kind for entry in transaction.entries} - set(KINDS))
    if unknown:
        raise Unwritable(
            f"{transaction.folder} holds changes of a kind that this version of bulwark.docker does not know "
            f"({', '.join(unknown)}): undo it with the version that made it"
        )
