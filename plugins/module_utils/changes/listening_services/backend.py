# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module listening_services does: looks, decides, stops or rebinds, looks again, or undoes that."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.apply import Refused
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.module import EngineModule
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.result import sentence
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.verify import Unwell
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import (
    decisions as listener_decisions,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import (
    inventory,
    plan,
    steps,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import (
    protected as listener_protection,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import (
    rules as listener_rules,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import diff, files, kinds, run
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import (
    Transaction,
    last_committed,
    last_undone,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import (
    StateError,
    Store,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import shown
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import engine, engines
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import accounts as account_probe
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import packages, processes, units
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import listeners
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network.container_listeners import (
    container_listeners,
)

ACTIONS = ("report", "stop", "disable", "mask", "rollback")
# The name that its transactions have in the journal, where those of engines have an engine's.
SUBJECT = "listening_services"
# Seconds until everything is looked at for the last time.
_SETTLE = 0.5

Told = dict[str, Any]
# Whose processes listen, and which ports are published.
_ASKED = engine.Asked(("info", "containers"))


class Seen(NamedTuple):
    """The parts of a snapshot that tell what listens; `walked` are the processes."""

    snapshot: dict[str, Any]
    walked: Mapping[int, Mapping[str, Any]]

    @property
    def containers(self) -> list[Mapping[str, Any]]:
        """Those of all engines, by the names that rules know."""
        return inventory.containers_of(self.snapshot["engines"])


def changes(options: Mapping[str, Any]) -> bool:
    """Whether these options may change the host, which takes root and the lock."""
    return bool(options["action"] != "report" or options["rebind"] or options["restrict"])


def look(timeout: float) -> Seen:
    """The host as it is. Raises Unreadable where its sockets cannot be listed at all."""
    walked = processes.walk()
    services = {name for process in walked.values() if (name := processes.unit_of(process["cgroup"]))}
    known_units = attempt(units.units, services)
    found = attempt(engines.find, known_units, walked, account_probe.accounts())
    known_engines = [] if is_error(found) else found
    engine.ask_all(known_engines, walked, timeout, _ASKED)
    container_listeners(known_engines)
    snapshot = {
        "units": {} if is_error(known_units) else known_units,
        "engines": known_engines,
        "listeners": listeners.listeners(known_units, walked, known_engines, packages.owners),
    }
    return Seen(snapshot, walked)


def carried_out(module: EngineModule) -> Told:
    """What the module returns. Raises Unfit, Refused, StateError, and Failed of apply."""
    options = module.options
    if options["action"] == "rollback":
        return roll_back(module.store, module.check_mode)
    rules = listener_rules.parse(options)
    seen = look(options["timeout"])
    protected = listener_protection.protected(seen.walked, os.getpid())
    decisions = listener_decisions.decide(seen.snapshot, rules, options["action"], protected, date.today())
    named = listener_decisions.refused(decisions, rules, seen.snapshot, protected, options["action"])
    if named:
        raise Refused(sentence(named), named)
    told: Told = {
        "listeners": inventory.inventory(seen.snapshot["listeners"], seen.containers, seen.snapshot["units"]),
        "decisions": listener_decisions.told(decisions),
        "left_alone": listener_decisions.left_alone(decisions),
    }
    planned, refused, notices = plan.planned(decisions, rules, options["action"])
    due = [step for change in planned for step in change.steps]
    actions = kinds.actions(due)
    told.update(changed=bool(actions), actions=actions, refused=refused, notices=notices, diff=diff.diff(due))
    if actions and not module.check_mode:
        told["transaction"], left = _done(module.store, planned, options["timeout"])
        told["notices"] = [*notices, *left]
    return told


def roll_back(store: Store, dry: bool) -> Told:
    """The last committed change undone, as a change of its own; {} when it is undone already, or there is none."""
    found = None if last_undone(store, SUBJECT) else last_committed(store, SUBJECT)
    if found is None:
        return {}
    foreign = files.foreign_changes(found)
    if foreign:
        raise StateError(
            f"Transaction {found.id} is not undone, because somebody changed {', '.join(foreign)} since: "
            f"merge by hand with what lies in {found.folder}."
        )
    back, left = kinds.reversed_steps(found)
    told: Told = {"changed": True, "actions": kinds.actions(back), "undone": found.id, "notices": left}
    told["diff"] = diff.diff(back)
    if not dry:
        about = {"engine": SUBJECT, "undoes": found.id}
        told["transaction"], more = run.carried_out(
            store, about, lambda transaction: run.perform(back, transaction)
        )
        told["notices"] = [*left, *more]
        found.closed()
    return told


def _done(store: Store, planned: Sequence[plan.Change], timeout: float) -> tuple[str | None, list[str]]:
    def work(transaction: Transaction) -> list[str]:
        notices = []
        for change in planned:
            notices += run.perform(change.steps, transaction)
            _look_again([change], timeout)
        # Who starts one again needs a moment for it.
        time.sleep(_SETTLE)
        _look_again(planned, timeout)
        return notices

    return run.carried_out(store, {"engine": SUBJECT}, work)


def _look_again(changed: Sequence[plan.Change], timeout: float) -> None:
    """Raises Unwell where a unit is not as it was told to be."""
    running = [key for change in changed for key in steps.still_running(change.steps)]
    if running:
        raise Unwell(
            f"{', '.join(running)}: not all run, or are off, as they were told; see journalctl -u of each"
        )
    if not any(change.off or change.addresses for change in changed):
        return
    found = [each for each in look(timeout).snapshot["listeners"] if each["container"] is None]
    for change in changed:
        left = [each for each in found if _is_of(each, change.off)]
        if left:
            raise Unwell(f"{change.unit} is stopped and {', '.join(map(shown, left))} still listens")
        if change.addresses:
            _at_addresses(change, found)


def _at_addresses(change: plan.Change, found: Iterable[Mapping[str, Any]]) -> None:
    own = [each for each in found if each["unit"] == change.unit]
    wanted = {each.rpartition(":")[0].strip("[]") for each in change.addresses}
    if not own:
        raise Unwell(
            f"{change.unit} does not listen at all after it was bound to {', '.join(change.addresses)}"
        )
    elsewhere = [shown(each) for each in own if each["address"] not in wanted]
    if elsewhere:
        raise Unwell(f"{change.unit} still listens at {', '.join(elsewhere)}")


def _is_of(listener: Mapping[str, Any], units: Sequence[str]) -> bool:
    owners = listener["owners"] if isinstance(listener["owners"], list) else []
    return listener["unit"] in units or any(owner["unit"] in units for owner in owners)
