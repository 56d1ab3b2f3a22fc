# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two orders of daemon_apply: apply what is staged, and undo the last transaction."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Place
from ansible_collections.bulwark.docker.plugins.module_utils.changes import errors
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import checks
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import (
    api_endpoints,
    apply,
    plan,
    stage,
    staging,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import target as targets
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.apply import Refused
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.result import (
    option_changes,
    sentence,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.stage import Stage
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.target import Target
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.verify import Limits
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import accounts, files, kinds
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import (
    Transaction,
    last_committed,
    last_undone,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import (
    StateError,
    Store,
)


class Consents(NamedTuple):
    """What the user allows."""

    container_stop: bool = False
    data_switch: bool = False


def apply_staged(store: Store, user: str | None, limits: Limits, consents: Consents) -> dict[str, Any]:
    """Apply the stage of that engine; {} when there is none and the engine is well.

    The caller holds the lock. Raises Refused, Failed, and Unfit, before which nothing is written.
    """
    target = targets.find(user, limits.timeout)
    staged = stage.load(store, target.name, stage.base_of(targets.content(target)))
    if staged.dropped:
        stage.drop(store, target.name)
        raise StateError(
            f"What was staged for engine {target.name} is dropped: {staged.dropped}; run the play again."
        )
    if not staged and plan.is_down(target):
        staged.restart_for(plan.why_down(target))
    if not staged:
        return {}
    try:
        return _carried_out(store, target, staged, limits, consents)
    except (Refused, errors.Unfit):
        # Refused once, it must not lie there to be applied by a later play.
        stage.drop(store, target.name)
        api_endpoints.discard(staged.proof)
        raise


def roll_back_last(
    store: Store, user: str | None, limits: Limits, consents: Consents, wanted: str | None, dry: bool
) -> dict[str, Any]:
    """Undo the last committed transaction of that engine, as a change of its own; {} when it is undone already."""
    target = targets.find(user, limits.timeout)
    undone = last_undone(store, target.name)
    if undone and wanted in (None, undone):
        return {}
    found = last_committed(store, target.name)
    if found is None:
        if wanted:
            raise StateError(
                f"There is no committed transaction {wanted} of engine {target.name} in {store.root}."
            )
        return {}
    if wanted and wanted != found.id:
        raise StateError(
            f"Transaction {wanted} is not the last committed one of engine {target.name}, which is {found.id}: "
            "undo that one first."
        )
    if found.manifest.get("setup"):
        raise StateError(
            f"Transaction {found.id} set engine {target.name} up: take it away with the role rootless and "
            "rootless_state: absent, which brings the host back to how it was."
        )
    foreign = files.foreign_changes(found)
    if foreign:
        raise StateError(
            f"Transaction {found.id} is not undone, because somebody changed {', '.join(foreign)} since: "
            f"merge by hand with what lies in {found.folder}."
        )
    staged, left = _reversed(found, target)
    staged.consents = {
        "stop_containers": consents.container_stop and consents.data_switch,
        "allow_data_switch": consents.data_switch,
        # What is undone may be live-restore itself; no container is to be lost by that.
        "bridge": True,
    }
    if dry:
        work = apply.job(target, staged)
        return {**tell(work), "refused": apply.refusals(work, consents.container_stop), "undone": found.id}
    done = _carried_out(store, target, staged, limits, consents, undoes=found.id)
    found.closed()
    return {**done, "undone": found.id, "notices": [*done["notices"], *left]}


def _carried_out(
    store: Store, target: Target, staged: Stage, limits: Limits, consents: Consents, undoes: str | None = None
) -> dict[str, Any]:
    work = apply.job(target, staged)
    _check(work)
    refused = apply.refusals(work, consents.container_stop)
    if refused:
        raise Refused(sentence(refused), refused)
    added = sorted(set(work.after) - set(work.before or {}))
    told = tell(work)
    summary = {"added": added, "actions": told["actions"], **({"undoes": undoes} if undoes else {})}
    done = apply.apply(store, work, limits, summary)
    return {**told, "transaction": done.transaction, "notices": done.notices}


def _check(work: apply.Job) -> None:
    """Once more, as time has passed since it was staged: nothing may be written that would not start."""
    found = staging.with_stage(staging.seen(work.target), work.stage)
    allowed = work.stage.consents.get("allow_data_switch", False)
    problems = checks.problems(work.after, found.command, staging.context(found, allowed))
    if problems:
        raise errors.Unfit([each.message for each in problems])
    content = apply.encoded(work.stage) if work.stage.config else found.live.content
    ids_to_come = any(step.kind in (accounts.ACCOUNT, accounts.SUBIDS) for step in work.stage.steps)
    staging.check_with_dockerd(found, content, ids_to_come)


def tell(work: apply.Job) -> dict[str, Any]:
    """What the job does, as a module's result tells."""
    actions = kinds.actions(work.stage.steps)
    actions += option_changes(work.before or {}, work.after)
    actions += [
        f"{'open' if opened else 'close'} {unit}" for unit, opened in sorted(work.stage.sockets.items())
    ]
    service = work.target.service.unit
    if work.plan.live_restore_first:
        actions.append(
            f"reload {service} with live-restore, so that running containers ({len(work.plan.survivors)}) outlive it"
        )
    if work.plan.effect != plan.NONE:
        because = f": {'; '.join(work.stage.reasons)}" if work.stage.reasons else ""
        actions.append(f"{work.plan.effect} {service}{because}")
    return {
        "changed": True,
        "actions": actions,
        "effect": work.plan.effect,
        "costs": plan.costs(work.plan),
    }


def _reversed(found: Transaction, target: Target) -> tuple[Stage, list[str]]:
    """The stage that leads back, and what of the transaction stays."""
    staged = Stage()
    entries = []
    for entry in found.entries:
        if files.is_same_file(entry, Place(target.config_path, target.owner)):
            staged.write_config(target.config_path, targets.content(target), found.image(entry))
        elif entry.kind == "sockets":
            # One that was open before is opened anew, at its former address.
            former = found.notes("engine")[0].data["sockets"]
            staged.sockets.update({unit: unit in former for unit in entry.data["opened"]})
            staged.sockets.update(dict.fromkeys(entry.data["closed"], True))
        elif entry.kind != files.DIRECTORY:
            # Directories stay: others may use them by now.
            entries.append(entry)
    back, left = kinds.reversed_steps(found, entries)
    for step in back:
        staged.put(step, "rollback")
    restarted = bool(found.notes("restart"))
    if staged.steps and restarted:
        staged.restart_for("what is undone took one too")
    elif not staged and restarted:
        # It was a restart alone, which nothing undoes.
        left.append("a restart is not undone")
    return staged, left
