# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rootless engine comes or goes, as one transaction: done, proved and recorded, or undone.

The record (record.py) outlasts the transactions: it leads back to the host as it was before, however long ago
that was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import identity, limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Place
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import target as targets
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import verify
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.verify import Limits, Unwell
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import account as accounts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files, containers
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.systemd import Service
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import files, record
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import plan as rootless_plan
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import accounts as account_changes
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import kinds, run, steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Step
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    security_options,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.api import EngineApi
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes

_REMOVAL_SECONDS = 600
_STATE_DIR = "ROOTLESSKIT_STATE_DIR="
Plan = rootless_plan.Plan


class SetUp(NamedTuple):
    """An engine that was set up and proved."""

    transaction: str | None
    engine: dict[str, Any]
    notices: list[str]


def set_up(
    store: Store, user: str, plan: Callable[[], Plan], has_account: bool, ports: str, within: Limits
) -> SetUp:
    """Do what `plan` tells, once the account is there.

    The caller holds the lock and has checked. Raises Failed, after undoing what was done.
    """

    def work(transaction: Transaction) -> tuple[dict[str, Any], list[str]]:
        notices = [] if has_account else run.perform([steps.login(user)], transaction)
        planned, account = plan(), accounts.of(user)
        account_changes.wait_for_locks(planned.setup)
        notices += run.perform(planned.setup, transaction)
        shown = prove(account, within)
        if ports != "none":
            prove_ports(account, within.timeout)
        notices += run.perform(planned.handover, transaction)
        _prove_off(planned.handover)
        former = record.read(store, account) or record.Record([], [])
        known = rootless_plan.recorded(former.steps, transaction, account)
        record.write(store, account, known, transaction)
        return shown, [*notices, *former.notices]

    done, (shown, notices) = _as_transaction(store, user, work)
    return SetUp(done, shown, notices)


def take_away(
    store: Store, account: Account, planned: Plan, system: str | None, within: Limits
) -> tuple[str | None, list[str]]:
    """Do what the plan of rootless_plan.absent() tells; `system` is the unit that is to run again, if it is to.

    Returns the transaction and what it leaves as it is, a sentence each. Raises Failed, after undoing what was done.
    """

    def work(transaction: Transaction) -> list[str]:
        notices = run.perform(planned.handover, transaction)
        if system:
            target = targets.find(None, within.timeout)
            verify.healthy(target.service, target.socket, within)
        record.remove(store, account, transaction)
        return notices

    return _as_transaction(store, account.name, work)


def prove(account: Account, within: Limits) -> dict[str, Any]:
    """The engine is well, and it is the account's: rootlesskit above dockerd, and root of a container is the account.

    Returns what engine() does. Raises Unwell.
    """
    user, service = account.name, Service(files.UNIT, (), account)
    verify.healthy(service, Place(files.socket(account.owner.uid), account.owner), within)
    target = targets.find(user, within.timeout)
    found = engine(target)
    if "rootless" not in security_options(target.engine):
        raise Unwell(f"the engine of {user} does not say that it is rootless (/info SecurityOptions)")
    owners = {"dockerd": target.engine["uid"], "rootlesskit": (target.engine["rootlesskit"] or {}).get("uid")}
    for name, uid in owners.items():
        if uid != account.uid:
            raise Unwell(f"{name} of the engine of {user} belongs to uid {uid}, not to {account.uid}")
    root = containers.root_of_a_container(target.socket, within.timeout)
    if root != account.uid:
        raise Unwell(f"root of a new container is id {root} of the host, not {user} ({account.uid})")
    return found


def engine(target: targets.Target) -> dict[str, Any]:
    """What a module tells of the engine."""
    found = target.engine
    pid = found["pid"]
    mapping = processes.id_map(pid, "uid") if pid else []
    info = found["info"] if target.answers else {}
    return {
        "user": target.user,
        "uid": target.owner.uid,
        "socket": found["socket"],
        "version": targets.version(target),
        "pid": pid,
        "rootlesskit_pid": (found["rootlesskit"] or {}).get("pid"),
        "uid_map": mapping,
        "container_root": next((outside for inside, outside, _count in mapping if inside == 0), None),
        "cgroup_driver": info.get("CgroupDriver"),
    }


def prove_ports(account: Account, timeout: float) -> None:
    """rootlesskit takes a port below 1024 of the host, and gives it back. Raises Unwell."""
    api = EngineApi(_kit_socket(account.name, timeout), timeout, account.owner)
    why: Exception | None = None
    try:
        # One of the host's own may be taken.
        for port in range(1023, 1013, -1):
            spec = {"proto": "tcp", "parentIP": "127.0.0.1", "parentPort": port, "childPort": port}
            try:
                taken = api.post("/v1/ports", spec, good=(201,))
                api.delete(f"/v1/ports/{taken['id']}")
                return
            except Unreadable as problem:
                why = problem
    finally:
        api.close()
    raise Unwell(f"the engine of {account.name} cannot publish a port below 1024: {why}")


def _kit_socket(user: str, timeout: float) -> str:
    """The API of rootlesskit, which tells its children where it is: with 20.10 that is a folder of a random name."""
    pid = targets.find(user, timeout).engine["pid"]
    variables = Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace").split("\0")
    folder = next((each.partition("=")[2] for each in variables if each.startswith(_STATE_DIR)), None)
    if folder is None:
        raise Unwell(f"the engine of {user} does not tell where its rootlesskit can be asked")
    return f"{folder}/api.sock"


def _prove_off(done: Sequence[Step]) -> None:
    """A client may have come between the service's end and that of its socket."""
    for step in done:
        if step.kind == "running" and not step.value and not kinds.holds(step):
            raise Unwell(f"{step.key} runs again though it was stopped: another unit starts it")


def remove_data(account: Account, path: str) -> None:
    """The data root goes. Its files bear subordinate ids, so it takes rootlesskit. Raises Unreadable."""
    kit = next(filter(None, map(limits.find, ("docker-rootlesskit", "rootlesskit"))), None)
    if kit is None:
        raise Unreadable("rootlesskit is not installed, without which nothing there can be removed")
    runtime = {"XDG_RUNTIME_DIR": f"/run/user/{account.uid}"}
    done = identity.run(account.owner, [kit, "rm", "-rf", "--", path], _REMOVAL_SECONDS, runtime)
    if done.status != 0 or Path(path).exists():
        raise Unreadable(f"{path} could not be removed: {done.err.strip()[-300:]}")


def _as_transaction(store: Store, user: str, work: Callable[[Transaction], Any]) -> tuple[str | None, Any]:
    about = {"engine": f"rootless:{user}", "setup": True}
    return run.carried_out(store, about, work, lambda began: _journal(user, began))


def _journal(user: str, began: float) -> list[str]:
    try:
        return Service(files.UNIT, (), accounts.of(user)).journal(began)
    except atomic_files.Unwritable as problem:
        return [str(problem)]


def tell(planned: Plan) -> dict[str, Any]:
    """What the plan does, as a module's result tells."""
    actions = kinds.actions(planned.steps)
    return {"changed": bool(actions), "actions": actions, "effect": "restart" if planned.restarts else "none"}
