# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rootless engine comes or goes, as one transaction: done, proved and recorded, or undone.

The record lies in the state directory beside the transactions and outlasts them: it leads back to the host of before,
however long ago that was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes import (
    atomic,
    carry_out,
    engine_control,
    host_change,
    host_settings,
    rootless_files,
    rootless_plan,
    steps,
    verify,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes import target as targets
from ansible_collections.bulwark.docker.plugins.module_utils.changes.store import Store, read_json
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.verify import Limits, Unwell
from ansible_collections.bulwark.docker.plugins.module_utils.controls.effective import security_options
from ansible_collections.bulwark.docker.plugins.module_utils.probes import limits, processes
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine_api import EngineApi
from ansible_collections.bulwark.docker.plugins.module_utils.probes.errors import Unreadable

SCHEMA = 1
_REMOVAL_SECONDS = 600
_STATE_DIR = "ROOTLESSKIT_STATE_DIR="
Step = dict[str, Any]
Plan = rootless_plan.Plan


def record(store: Store, user: str) -> list[Step] | None:
    """What leads back from the engine of that account; None where it was not set up here."""
    known = read_json(Path(_record_path(store, user)))
    return None if known is None else list(known["steps"])


def set_up(
    store: Store, user: str, plan: Callable[[], Plan], has_account: bool, ports: str, within: Limits
) -> tuple[str, dict[str, Any]]:
    """Do what `plan` tells, once the account is there; returns the transaction and the engine as it was proved.

    The caller holds the lock and has checked. Raises apply.Failed, after undoing what was done.
    """

    def work(transaction: Transaction) -> dict[str, Any]:
        if not has_account:
            steps.perform(steps.login(user), transaction)
        planned = plan()
        steps.wait_for_locks(planned.setup)
        host_change.perform(planned.setup, transaction)
        shown = prove(user, within)
        if ports != "none":
            prove_ports(user, within.timeout)
        host_change.perform(planned.handover, transaction)
        _prove_off(planned.handover)
        _keep(store, user, rootless_plan.recorded(record(store, user) or [], transaction, user), transaction)
        return shown

    return _as_transaction(store, user, work)


def take_away(store: Store, user: str, planned: Plan, system: str | None, within: Limits) -> str:
    """Do what the plan of rootless_plan.absent() tells; `system` is the unit that is to run again, if it is to."""

    def work(transaction: Transaction) -> None:
        host_change.perform(planned.handover, transaction)
        if system:
            target = targets.find(None, within.timeout)
            verify.healthy(target.service, target.engine["socket"], within)
        transaction.remove_file(_record_path(store, user))

    return _as_transaction(store, user, work)[0]


def prove(user: str, within: Limits) -> dict[str, Any]:
    """The engine is well, and it is the account's: rootlesskit above dockerd, and root of a container is the account.

    Returns what engine() does. Raises Unwell.
    """
    service = host_settings.service_of(rootless_plan.unit_key(user))
    account = host_settings.user_of(user)
    verify.healthy(service, rootless_files.socket(account.uid), within)
    target = targets.find(user, within.timeout)
    found = engine(target)
    if "rootless" not in security_options(target.engine):
        raise Unwell(f"the engine of {user} does not say that it is rootless (/info SecurityOptions)")
    owners = {"dockerd": target.engine["uid"], "rootlesskit": (target.engine["rootlesskit"] or {}).get("uid")}
    for name, uid in owners.items():
        if uid != account.uid:
            raise Unwell(f"{name} of the engine of {user} belongs to uid {uid}, not to {account.uid}")
    root = engine_control.root_of_a_container(target.engine["socket"], within.timeout)
    if root != account.uid:
        raise Unwell(f"root of a new container is id {root} of the host, not {user} ({account.uid})")
    return found


def engine(target: targets.Target) -> dict[str, Any]:
    """What a module tells of the engine."""
    found, user = target.engine, target.user
    pid = found["pid"]
    mapping = processes.id_map(pid, "uid") if pid else []
    info = found["info"] if target.answers else {}
    return {
        "user": user.name if user else None,
        "uid": user.uid if user else 0,
        "socket": found["socket"],
        "version": targets.version(target),
        "pid": pid,
        "rootlesskit_pid": (found["rootlesskit"] or {}).get("pid"),
        "uid_map": mapping,
        "container_root": next((outside for inside, outside, _count in mapping if inside == 0), None),
        "cgroup_driver": info.get("CgroupDriver"),
    }


def prove_ports(user: str, timeout: float) -> None:
    """rootlesskit takes a port below 1024 of the host, and gives it back. Raises Unwell."""
    api = EngineApi(_kit_socket(user, timeout), timeout)
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
    raise Unwell(f"the engine of {user} cannot publish a port below 1024: {why}")


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
        if step["step"] == "running" and not step["value"] and not steps.holds(step):
            raise Unwell(f"{step['key']} runs again though it was stopped: another unit starts it")


def remove_data(user: str, path: str) -> None:
    """The data root goes. Its files bear subordinate ids, so it takes rootlesskit. Raises Unreadable."""
    account = host_settings.user_of(user)
    kit = next(filter(None, map(limits.find, ("docker-rootlesskit", "rootlesskit"))), None)
    if kit is None:
        raise Unreadable("rootlesskit is not installed, without which nothing there can be removed")
    command = ["runuser", "-u", user, "--", "env", f"XDG_RUNTIME_DIR=/run/user/{account.uid}"]
    done = limits.run([*command, kit, "rm", "-rf", "--", path], _REMOVAL_SECONDS)
    if done.status != 0 or Path(path).exists():
        raise Unreadable(f"{path} could not be removed: {done.err.strip()[-300:]}")


def _keep(store: Store, user: str, known: Sequence[Step], transaction: Transaction) -> None:
    content = json.dumps({"schema": SCHEMA, "user": user, "steps": known}, indent=1).encode()
    private = atomic.fresh()._replace(mode=0o600)
    transaction.write_file(_record_path(store, user), content, private)


def _record_path(store: Store, user: str) -> str:
    return str(store.root / "rootless" / f"{user}.json")


def _as_transaction(store: Store, user: str, work: Callable[[Transaction], Any]) -> tuple[str, Any]:
    about = {"engine": f"rootless:{user}", "setup": True}
    return host_change.carried_out(store, about, work, lambda began: _journal(user, began))


def _journal(user: str, began: float) -> list[str]:
    try:
        return host_settings.service_of(rootless_plan.unit_key(user)).journal(began)
    except atomic.Unwritable as problem:
        return [str(problem)]


def tell(planned: Plan) -> dict[str, Any]:
    """What the plan does, as a module's result tells."""
    actions = carry_out.actions(planned.steps)
    return {"changed": bool(actions), "actions": actions, "effect": "restart" if planned.restarts else "none"}
