# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply what is staged for one engine as one transaction: change, reload or restart once, prove, commit; or undo."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import daemon_json, reload
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import (
    api_endpoints,
    loaded_config,
    plan,
    rollback,
    stage,
    verify,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import target as targets
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.stage import Stage
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.target import Target
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.verify import Limits, Unwell
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files, containers
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import accounts, files, kinds, run
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store

ALLOW_CONTAINER_STOP = "daemon_apply_allow_container_stop"
ALLOW_DATA_SWITCH = "daemon_apply_allow_data_switch"


class Refused(Exception):
    """What is staged must not be done as things are; nothing was written. `refused` as in the result of a module."""

    def __init__(self, sentence: str, refused: list[dict[str, Any]]) -> None:
        super().__init__(sentence)
        self.refused = refused


class Job(NamedTuple):
    """A stage with what it means for its engine: `before` and `after` are daemon.json as settings, `content` is its
    text after."""

    target: Target
    stage: Stage
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    content: bytes | None
    plan: plan.Plan


class Done(NamedTuple):
    """A change that was committed."""

    transaction: str | None
    notices: list[str]


def job(target: Target, staged: Stage) -> Job:
    """What applying the stage means now. Raises daemon_json.Unsound where the staged file itself is none."""
    content = targets.content(target)
    try:
        before: Mapping[str, Any] | None = daemon_json.read(target.config_path, content, force=True).settings
    except daemon_json.Unsound:
        before = None
    after = before or {}
    if staged.config:
        content = encoded(staged)
        after = daemon_json.read(target.config_path, content, force=True).settings
    stops, bridge = (staged.consents.get(name, False) for name in ("stop_containers", "bridge"))
    found = plan.plan(target, before, after, staged.reasons, stops, bridge)
    return Job(target, staged, before, after, content, found)


def encoded(staged: Stage) -> bytes | None:
    """The new daemon.json; None: none is staged, or there is to be none."""
    text = staged.config["content"] if staged.config else None
    return None if text is None else text.encode()


def refusals(work: Job, allow_container_stop: bool) -> list[dict[str, Any]]:
    """What keeps the job from being done without consent."""
    refused, consents = [], work.stage.consents
    if work.plan.stopped and not (allow_container_stop or consents.get("stop_containers")):
        sentence = plan.costs(work.plan)[0]["message"]
        refused.append({"message": sentence, "consent": ALLOW_CONTAINER_STOP, "control": None})
    if work.plan.data_switch and not consents.get("allow_data_switch"):
        sentence = (
            "The engine would look at another data root, where images, containers and volumes are not seen."
        )
        refused.append({"message": sentence, "consent": ALLOW_DATA_SWITCH, "control": None})
    return refused


def apply(store: Store, work: Job, limits: Limits, summary: Mapping[str, Any]) -> Done:
    """Do the job. The caller holds the lock and has checked. Raises Failed, after undoing what was done."""
    target = work.target
    about = {"engine": target.name, "effect": work.plan.effect, **summary}
    try:
        transaction, notices = run.carried_out(
            store,
            about,
            lambda transaction: _done(store, transaction, work, limits),
            target.service.journal,
            lambda transaction: rollback.roll_back(transaction, limits),
            f"see journalctl -u {target.service.unit}, ",
        )
    finally:
        api_endpoints.discard(work.stage.proof)
    return Done(transaction, notices)


def _done(store: Store, transaction: Transaction, work: Job, limits: Limits) -> list[str]:
    target = work.target
    rollback.remember(transaction, target)
    # It is the journal's from here on. Left there, a change that failed would be done by a later play.
    stage.drop(store, target.name)
    former = target.service.state().main_pid
    starts = _concerns_new_containers(work) and _started_one(work, limits) is None
    notices = _change(transaction, work, limits)
    notices += _prove(store, transaction, work, limits, former, starts)
    _assert_done(work)
    return notices


def _assert_done(work: Job) -> None:
    """What was wished is so, whatever others have done meanwhile."""
    target = work.target
    if targets.content(target) != work.content:
        raise Unwell(f"{target.config_path} does not hold what was written: another program changes it")
    for step in work.stage.steps:
        if kinds.can_hold(step) and not kinds.holds(step):
            raise Unwell(f"this was done and is not so: {kinds.describe(step)}")


def _change(transaction: Transaction, work: Job, limits: Limits) -> list[str]:
    """Returns what the steps leave as it is."""
    target, found = work.target, work.plan
    service = target.service
    # What may fail without the engine comes before what containers would feel.
    accounts.wait_for_locks(work.stage.steps)
    # Where no client starts the engine now, none is to start it from outside.
    starts_by_socket = found.effect == plan.NONE and any(map(service.is_active, service.sockets))
    if found.effect == plan.NONE:
        _close_alone(transaction, work)
    notices = run.perform(work.stage.steps, transaction)
    stops_them = work.stage.consents.get("stop_containers")
    if found.stopped and (stops_them or not found.data_switch):
        transaction.note("containers_stopped", ids=[each.id for each in found.stopped])
        # Else dockerd does, when it ends.
        if stops_them:
            containers.stop(target.socket, [each.id for each in found.stopped])
    if found.live_restore_first:
        _live_restore(transaction, work, limits)
    if work.stage.config or found.live_restore_first or found.bridge:
        _write(transaction, work, _with_live_restore(work, True) if found.bridge else work.content)
    if found.effect == plan.RELOAD:
        transaction.note("reload")
        service.reload()
    elif found.effect == plan.RESTART:
        _restart(transaction, work, limits)
    elif starts_by_socket:
        _open_alone(work)
    return notices


def _close_alone(transaction: Transaction, work: Job) -> None:
    """The service does not run, and the next client of an open socket would start it, with half of the files too."""
    opened, closed = _sockets(work.stage)
    if opened or closed:
        service = work.target.service
        active = [each for each in (*closed, *opened) if service.is_active(each)]
        transaction.note("sockets", opened=opened, closed=closed, active=active)
        service.close(active)


def _open_alone(work: Job) -> None:
    if work.stage.sockets:
        work.target.service.daemon_reload()
        work.target.service.open(_sockets(work.stage)[0])


def _sockets(staged: Stage) -> tuple[list[str], list[str]]:
    """Those to open, and those to close."""
    opened = sorted(unit for unit, wanted in staged.sockets.items() if wanted)
    return opened, sorted(set(staged.sockets) - set(opened))


def _restart(transaction: Transaction, work: Job, limits: Limits) -> None:
    service = work.target.service
    transaction.note("restart")
    opened, closed = _sockets(work.stage)
    if opened or closed:
        transaction.note("sockets", opened=opened, closed=closed)
        # What the service itself wants opens with its start, in the same order to systemd.
        service.close([*closed, *(unit for unit in opened if unit == stage.TCP_SOCKET)])
    if opened or closed or service.state().needs_reload:
        service.daemon_reload()
    service.restart(limits.timeout, opened)


def _write(transaction: Transaction, work: Job, content: bytes | None) -> None:
    target = work.target
    if content is not None:
        fresh = atomic_files.fresh(target.owner)
        files.write(transaction, target.account, target.config_path, content, fresh)
    else:
        files.remove(transaction, target.account, target.config_path)


def _with_live_restore(work: Job, value: bool) -> bytes:
    """The new daemon.json with live-restore, which it does not have."""
    document = daemon_json.read(work.target.config_path, work.content, force=True)
    wanted = {**work.after, "live-restore": value}
    # It is reloaded when it says that live-restore is off.
    return daemon_json.render(document, wanted if value else reload.acceptable(wanted)) or b""


def _end_of_bridge(transaction: Transaction, work: Job, limits: Limits) -> None:
    """The containers have outlived the restart; a reload that says so switches live-restore off, a missing key would
    not."""
    transaction.note("let_go")
    _write(transaction, work, _with_live_restore(work, False))
    transaction.note("reload")
    work.target.service.reload()
    if not targets.live_restore_becomes(work.target.socket, False, limits.timeout):
        raise Unwell("live-restore could not be switched off by a reload")
    _write(transaction, work, work.content)


def _live_restore(transaction: Transaction, work: Job, limits: Limits) -> None:
    """Containers outlive the restart only if the engine that ends knows of live-restore: a reload tells it."""
    target = work.target
    document = daemon_json.read(target.config_path, targets.content(target), force=True)
    wanted = reload.acceptable({**document.settings, "live-restore": True})
    _write(transaction, work, daemon_json.render(document, wanted) or b"")
    transaction.note("reload")
    target.service.reload()
    if not targets.live_restore_becomes(target.socket, True, limits.timeout):
        raise Unwell(
            "live-restore could not be switched on by a reload, so that the restart would stop containers: "
            f"{len(work.plan.survivors)} run"
        )


def _prove(
    store: Store, transaction: Transaction, work: Job, limits: Limits, former: int, starts: bool
) -> list[str]:
    """The engine is well; returns what the user should know all the same."""
    target, found = work.target, work.plan
    if found.effect == plan.NONE:
        if not target.answers:
            return [f"{target.service.unit} does not run, and was not started."]
        if work.stage.config:
            # Only its text is another: what the engine read at its start is still what the file means.
            _record(store, target)
        return []
    pid = verify.healthy(target.service, target.socket, limits)
    if found.effect == plan.RELOAD and pid != former:
        raise Unwell(f"{target.service.unit} ended when it was reloaded")
    notices = _start_again(transaction, work, limits)
    after = verify.containers(
        target.user,
        found.survivors,
        [] if found.data_switch else found.stopped,
        limits,
    )
    _wait_for_settings(after, work, limits)
    _remap(after, work, limits)
    if work.stage.proof:
        notices += api_endpoints.prove(work.stage.proof, after, limits.timeout)
    if starts:
        _prove_new_containers(work, limits)
    # Not before all is proved: undoing would end the containers.
    if found.bridge:
        _end_of_bridge(transaction, work, limits)
    _record(store, after)
    if found.deferred:
        notices.append(
            f"{', '.join(sorted(found.deferred))} will count from a start without running containers."
        )
    return notices


def _concerns_new_containers(work: Job) -> bool:
    found = work.plan
    return work.target.answers and found.effect != plan.NONE and bool(found.changed & plan.CONTAINER_KEYS)


def _started_one(work: Job, limits: Limits) -> str | None:
    """Why a container does not start, None when it does."""
    tried = attempt(containers.root_of_a_container, work.target.socket, limits.timeout)
    return str(tried["error"]) if is_error(tried) else None


def _prove_new_containers(work: Job, limits: Limits) -> None:
    """Some wrong options show only when a container is to start, which would be at somebody's next deployment."""
    why = _started_one(work, limits)
    if why:
        raise Unwell(f"new containers do not start any more: {why}")


def _start_again(transaction: Transaction, work: Job, limits: Limits) -> list[str]:
    """Containers that the change has stopped, whatever their policy; behind another data root they are not seen."""
    if work.plan.data_switch:
        return []
    ids = [each for note in transaction.notes("containers_stopped") for each in note.data["ids"]]
    return containers.start(work.target.socket, ids, limits.timeout)


def _wait_for_settings(after: Target, work: Job, limits: Limits) -> None:
    """A reload works in the background: the engine gets its time to show what it took."""
    keys = work.plan.changed - work.plan.deferred
    limit = time.monotonic() + limits.timeout
    while True:
        try:
            return verify.settings(after, keys)
        except Unwell:
            if work.plan.effect != plan.RELOAD or time.monotonic() > limit:
                raise
        time.sleep(targets.PAUSE)
        after = targets.find(after.user, limits.timeout)


def _remap(after: Target, work: Job, limits: Limits) -> None:
    """userns-remap can be configured and off without a word: a real container tells."""
    if "userns-remap" not in work.plan.changed:
        return
    wanted = bool(work.after.get("userns-remap"))
    options = after.engine["info"].get("SecurityOptions") or ()
    if wanted != any(option.startswith("name=userns") for option in options):
        raise Unwell(f"/info shows user namespaces {'off' if wanted else 'on'} after the restart")
    root = containers.root_of_a_container(after.socket, limits.timeout)
    if (root != 0) != wanted:
        raise Unwell(f"root of a new container is id {root} of the host (its uid_map)")


def _record(store: Store, after: Target) -> None:
    loaded_config.record(store, after.config_path, after.engine["pid"], targets.content(after))
