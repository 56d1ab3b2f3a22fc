# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of the module rootless to what it returns: looked at, refused or planned, done."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import text
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import hidden_data
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import target as targets
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.module import EngineModule
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.target import Target
from ansible_collections.bulwark.docker.plugins.module_utils.changes.errors import Unfit
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import account as accounts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import (
    atomic_files,
    containers,
    subids,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT, Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import facts as rootless_facts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import plan, preflight, run
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import record as rootless_record
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless.facts import Facts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import accounts as account_changes
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import diff, steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Step

NETWORKS = ("auto", "slirp4netns", "pasta", "vpnkit", "gvisor-tap-vsock")
PORT_DRIVERS = ("auto", "builtin", "slirp4netns", "implicit", "gvisor-tap-vsock")
STOP_CONTAINERS = "rootless_stop_containers"
_SYSTEM_OFF = "rootless.system_engine_off"
# It becomes part of paths and of a unit.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")

Told = dict[str, Any]


def present(module: EngineModule) -> Told:
    """The account has its engine, and the system's is as wished. Raises Unfit, and Refused and Failed of apply."""
    options, user = module.options, _checked_name(module.options["user"])
    facts = rootless_facts.gather(user, options["timeout"])
    problems = [
        *preflight.problems(facts, options),
        *(_taken(facts) if options["create_user"] else []),
    ]
    if problems:
        raise Unfit([each.rstrip(".") for each in problems])
    system = _engine(None, options["timeout"])
    planned = _planned(facts, options, system)
    ended = system if system and _ends(planned, system.service.unit) else None
    own = _engine(user, options["timeout"]) if planned.restarts else None
    behind = _behind(ended, options["timeout"])
    told: Told = {
        **run.tell(planned),
        "preflight": _preflight(facts, options["delegate"], ended, behind),
        "notices": preflight.notices(facts, options),
        "diff": diff.diff(planned.steps) if facts.uid is not None else [],
        "costs": _costs((ended, own), behind),
    }
    refused = preflight.refusals(facts, options) + _consent(ended, own, options["stop_containers"])
    if refused:
        return module.withheld(told, refused)
    if module.check_mode or not told["changed"]:
        return {**told, **_running(user, options["timeout"])}

    def again() -> plan.Plan:
        if facts.uid is not None:
            return planned
        return _planned(rootless_facts.gather(user, options["timeout"]), options, system)

    done = run.set_up(
        module.store, user, again, facts.uid is not None, options["privileged_ports"], module.limits
    )
    notices = [*told["notices"], *done.notices]
    return {**told, "transaction": done.transaction, "engine": done.engine, "notices": notices}


def absent(module: EngineModule) -> Told:
    """The host is as it was before the engine came. Raises what present() does."""
    options, user = module.options, _checked_name(module.options["user"])
    account = _account(user)
    record = rootless_record.read(module.store, account)
    own, data = None, None
    known = record.steps if record else []
    if account.uid is None:
        # Its part went with it.
        known = [step for step in known if not plan.is_of_account(step)]
    else:
        own = _engine(user, options["timeout"])
        if own and (record is None or record.notices):
            # What leads back from the engine of a former account leads back from nothing of this one's.
            held = {step.about for step in known}
            known = [*known, *(step for step in plan.without_record(account) if step.about not in held)]
        data = _data_root(account, options)
    planned = plan.absent(account, known)
    if not (planned.restarts or plan.ends_engine(account) in planned.steps):
        own = None
    told: Told = {
        **run.tell(planned),
        "diff": diff.diff(planned.steps),
        "costs": _costs((own,), {}),
        "notices": [
            *(record.notices if record else ()),
            *_kept(user, record is not None, bool(known), data, options["remove_data"]),
        ],
    }
    if data and options["remove_data"]:
        told["actions"].append(f"remove {data} with all that the engine has")
        told["changed"] = True
    refused = _consent(None, own, options["stop_containers"])
    if refused:
        return module.withheld(told, refused)
    if module.check_mode or not told["changed"]:
        return told
    if planned.steps or record is not None:
        system = next((step.key for step in planned.steps if _starts_system(step)), None)
        told["transaction"], left = run.take_away(module.store, account, planned, system, module.limits)
        told["notices"] += left
    if data and options["remove_data"]:
        run.remove_data(account, data)
    return told


def _checked_name(user: str) -> str:
    if not _NAME.fullmatch(user):
        raise Unfit([f"user: {user[:100]!r} is no name of an account that can have an engine"])
    return user


def _account(user: str) -> Account:
    """The account, without ids where there is none."""
    try:
        return accounts.of(user)
    except atomic_files.Unwritable:
        return accounts.to_come(user)


def _taken(facts: Facts) -> list[str]:
    """What lies where a new account would have its home may be somebody's."""
    places = [] if facts.uid is not None else account_changes.places_of_login(facts.user)
    return [
        f"{path} is there already, though there is no account {facts.user}: move it away, or create the account by hand"
        for path in places
        if os.path.lexists(path)
    ]


def _planned(facts: Facts, options: dict[str, Any], system: Target | None) -> plan.Plan:
    try:
        return plan.present(facts, options, system)
    except subids.Refused as problem:
        raise Unfit(problem.problems) from problem


def _engine(user: str | None, timeout: float) -> Target | None:
    try:
        return targets.find(user, timeout, asked=targets.DATA)
    except targets.NoTarget:
        return None


def _running(user: str, timeout: float) -> Told:
    found = _engine(user, timeout) if _account(user).uid is not None else None
    return {"engine": run.engine(found)} if found and found.answers else {}


def _ends(planned: plan.Plan, unit: str) -> bool:
    return steps.setting("running", ROOT, unit, False) in planned.steps


def _starts_system(step: Step) -> bool:
    return bool(
        step.kind == "running" and step.value and step.key.endswith(".service") and step.account.is_root
    )


def _behind(ended: Target | None, timeout: float) -> dict[str, Any]:
    """What the engine that ends has, {} where it cannot be asked."""
    if not (ended and ended.answers):
        return {}
    return hidden_data.hidden(ended.engine, containers.disk_usage(ended.socket, timeout))


def _preflight(facts: Facts, delegate: bool, ended: Target | None, behind: dict[str, Any]) -> Told:
    return {
        "cgroup_version": facts.cgroup.version,
        "ignored_limits": preflight.ignored_limits(facts, delegate),
        "system_containers": [each.name for each in ended.containers] if ended else [],
        "stays_behind": behind,
    }


def _costs(engines: Iterable[Target | None], behind: dict[str, Any]) -> list[dict[str, Any]]:
    found = [
        {"kind": "containers_stop", "message": _stopping(engine), "subjects": _names(engine)}
        for engine in engines
        if engine and engine.containers
    ]
    amounts = hidden_data.amounts(behind) if behind else []
    if amounts:
        message = f"The account's engine does not see what the system's has, which stays on disk: {', '.join(amounts)}."
        found.append({"kind": "data_hidden", "message": message, "subjects": behind["volumes"]["names"]})
    return found


def _consent(ended: Target | None, own: Target | None, given: bool) -> list[dict[str, Any]]:
    if given:
        return []
    found = [
        {"message": _stopping(engine), "consent": STOP_CONTAINERS, "control": control}
        for engine, control in ((ended, _SYSTEM_OFF), (own, None))
        if engine and engine.containers
    ]
    if ended and ended.swarm:
        message = "The host would leave its swarm, which loses what runs on it."
        found.append({"message": message, "consent": STOP_CONTAINERS, "control": _SYSTEM_OFF})
    return found


def _stopping(engine: Target) -> str:
    names = _names(engine)
    noun = "container" if len(names) == 1 else "containers"
    orphans = "" if engine.answers else ", which live-restore has left without an engine"
    whose = f"of {engine.user}" if engine.user else "of the system's engine"
    return f"The change stops {len(names)} running {noun} {whose}{orphans}: {text.few(names)}."


def _names(engine: Target) -> list[str]:
    return sorted(each.name for each in engine.containers)


def _data_root(account: Account, options: dict[str, Any]) -> str | None:
    """Where the engine's data lies, None where there is none. Raises Unfit where it is not to be removed."""
    path = rootless_facts.gather(account.name, options["timeout"]).data_root
    if path is None or not Path(path).is_dir():
        return None
    if options["remove_data"] and Path(path).stat().st_uid != account.uid:
        raise Unfit([f"remove_data: {path} does not belong to {account.name}; remove it by hand"])
    return path


def _kept(user: str, recorded: bool, foreign: bool, data: str | None, removed: bool) -> list[str]:
    found = []
    if recorded:
        found.append(f"The account {user} and its subordinate ids stay.")
    elif foreign:
        found.append(
            "The engine was not set up by this module: linger and the system's engine stay as they are."
        )
    if data and not removed:
        found.append(f"{data} stays, with all images, containers and volumes of the engine.")
    return found
