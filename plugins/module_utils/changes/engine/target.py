# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine that is changed, as it is now: found by the probes of the audit, so that both see the same."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import identity, reading
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import (
    ExplainedError,
    Unreadable,
    is_error,
)
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Owner, Place
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT, Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.systemd import Service
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.engine_versions import numbers
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.units import is_enabled
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import engine, engines
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.api import EngineApi
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import accounts as account_probe
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes, units

PAUSE = 0.2
# Three tries, after which systemd gives up by the vendors' units, take about eight seconds.
PATIENCE = 15.0
# For a file of an account's, which may hold up whoever opens it.
_SECONDS = 10
# What a question needs to be asked of an engine: about its containers, its settings, and what it has that another data
# root would hide. Images are never looked into.
CONTAINERS = engine.Asked(("info", "containers"))
SETTINGS = engine.Asked((*CONTAINERS.parts, "networks", "plugins"))
DATA = engine.Asked((*SETTINGS.parts, "images", "volumes", "data_roots"), engine.LISTED)
# Each byte is a character: what a child answers is JSON.
_BYTES = "latin-1"


class NoTarget(ExplainedError):
    """There is no such engine, or it cannot be looked at; one sentence with the way out."""


class Container(NamedTuple):
    """A container that runs."""

    id: str
    name: str
    pid: int | None
    restart: str


class Target(NamedTuple):
    """One engine: ENGINE of docs/snapshot.md, its unit, the accounts of the host, and the service that runs it."""

    name: str
    engine: Mapping[str, Any]
    unit: Mapping[str, Any]
    accounts: Mapping[str, Any]
    service: Service
    account: Account

    @property
    def config_path(self) -> str:
        """The daemon.json that this engine reads."""
        return str(self.engine["config"]["path"])

    @property
    def owner(self) -> Owner:
        """The ids with which its files, its socket and its programs are used."""
        return self.account.owner

    @property
    def user(self) -> str | None:
        """The name of the account of a rootless engine, None for the system's."""
        return None if self.account.is_root else self.account.name

    @property
    def socket(self) -> Place:
        """Where its API listens."""
        return Place(str(self.engine["socket"]), self.owner)

    @property
    def answers(self) -> bool:
        """Whether its API could be asked."""
        return bool(self.engine["state"] == "running" and not is_error(self.engine["info"]))

    @property
    def containers(self) -> list[Container]:
        """Those that run; of an engine that does not answer, what /proc shows."""
        known = self.engine["containers"]
        return [_container(each) for each in ([] if is_error(known) else known) if _runs(each)]

    @property
    def live_restore(self) -> bool:
        """Whether running containers would outlive the engine's end now."""
        return bool(self.answers and self.engine["info"].get("LiveRestoreEnabled"))

    @property
    def swarm(self) -> bool:
        """Whether the engine is a node of a swarm."""
        state = self.engine["info"].get("Swarm", {}).get("LocalNodeState") if self.answers else ""
        return state not in ("", None, "inactive")


def find(
    user: str | None, timeout: float, patience: float = PATIENCE, asked: engine.Asked = SETTINGS
) -> Target:
    """The system's engine, or the rootless one of `user`. `timeout` is in seconds, for each answer. Raises NoTarget.

    An engine that is just starting gets `patience` seconds to run or to fail; what still tries then is down.
    """
    limit = time.monotonic() + patience
    while True:
        seen = _look(user)
        if not seen.in_motion or time.monotonic() > limit:
            break
        time.sleep(PAUSE)
    chosen = seen.chosen
    if is_error(chosen["config"]):
        raise NoTarget(
            f"The configuration of engine {chosen['name']} cannot be read: {chosen['config']['error']}."
        )
    if seen.in_motion and patience:
        chosen.update(state="stopped", pid=None, error=f"{chosen['unit']} starts again and again")
    chosen.update(engine.ask(chosen, seen.walked, timeout, asked, seen.sockets))
    return _target(chosen["name"], chosen, seen.units, seen.accounts, user, timeout)


class _Seen(NamedTuple):
    """One look at the host, before the engine is asked anything."""

    chosen: dict[str, Any]
    walked: Mapping[int, processes.Process]
    units: Mapping[str, Any]
    accounts: Mapping[str, Any]
    sockets: list[str]

    @property
    def in_motion(self) -> bool:
        """Whether systemd is at a try to start it, in which its process may end at any time."""
        unit = {} if self.chosen["user"] else self.units.get(self.chosen["unit"] or "", {})
        return bool(unit.get("active") == "activating" or is_error(self.chosen["config"]))


def _look(user: str | None) -> _Seen:
    walked, accounts = processes.walk(), account_probe.accounts()
    known_units = units.units(())
    try:
        found = engines.find(known_units, walked, accounts)
    except Unreadable as problem:
        raise NoTarget(str(problem)) from problem
    name = f"rootless:{user}" if user else "system"
    chosen = next((each for each in found if each["name"] == name), None)
    if chosen is None:
        raise NoTarget(
            f"There is no rootless engine of {user} on this host: set one up first."
            if user
            else "There is no Docker engine on this host: install one first."
        )
    return _Seen(chosen, walked, known_units, accounts, [each["socket"] for each in found])


def _target(
    name: str,
    chosen: dict[str, Any],
    known_units: Mapping[str, Any],
    accounts: Mapping[str, Any],
    user: str | None,
    timeout: float,
) -> Target:
    if not chosen["unit"]:
        raise NoTarget(
            f"Engine {name} was not started by systemd (process {chosen['pid']}): "
            "run it as a unit, then what is changed can be applied and undone."
        )
    if user is None:
        unit = known_units[chosen["unit"]]
        # One that an administrator has closed is not ours to open.
        sockets = [
            each
            for each in unit["triggered_by"]
            if each.endswith(".socket") and _is_open(known_units.get(each, {}))
        ]
        return Target(name, chosen, unit, accounts, Service(chosen["unit"], sockets, ROOT), ROOT)
    known = next((each for each in accounts["users"] if each["name"] == user), None)
    if known is None:
        raise NoTarget(f"There is no account {user} on this host.")
    account = Account(user, known["uid"], known["gid"])
    service = Service(chosen["unit"], (), account)
    try:
        unit = identity.within(account.owner, timeout, _user_unit, chosen)
    except Unreadable as problem:
        raise NoTarget(f"The unit of engine {name} cannot be read: {problem}.") from problem
    return Target(name, chosen, unit, accounts, service, account)


def _is_open(socket: Mapping[str, Any]) -> bool:
    return socket.get("active") == "active" or is_enabled(socket)


def _user_unit(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What command_line.read() needs of a unit that the system's systemd does not know."""
    path = Path(chosen["user_unit"]["path"])
    drop_ins = sorted(map(str, Path(f"{path}.d").glob("*.conf")))
    return {
        "fragment": str(path),
        "drop_ins": drop_ins,
        "environment_files": [],
        "load": "loaded",
        "load_error": None,
    }


def version(target: Target) -> str | None:
    """The running engine's version, None when it does not tell."""
    known = target.engine["version"]
    return None if is_error(known) else str(known.get("Version"))


def major(text: str | None) -> int | None:
    """The major number of a version."""
    found = numbers(text or "")
    return found[0] if found else None


def content(target: Target) -> bytes | None:
    """What its configuration file holds, None without a file. Raises Unreadable."""
    held = identity.within(target.owner, _SECONDS, _held, target.config_path)
    return None if held is None else bytes(held, _BYTES)


def _held(path: str) -> str | None:
    content = reading.content(path)
    return None if content is None else str(content, _BYTES)


def answers_within(engine: Place, seconds: float) -> bool:
    """Whether the engine answers its API within that time."""
    limit = time.monotonic() + seconds
    while True:
        api = EngineApi(engine.path, max(0.5, min(3.0, seconds)), engine.owner)
        try:
            api.get("/version")
            return True
        except Unreadable:
            if time.monotonic() > limit:
                return False
        finally:
            api.close()
        time.sleep(PAUSE)


def live_restore_becomes(engine: Place, wanted: bool, seconds: float) -> bool:
    """Whether the engine says within that time that live-restore is as wanted: a reload works in the background."""
    limit = time.monotonic() + seconds
    while True:
        api = EngineApi(engine.path, 3.0, engine.owner)
        try:
            info = api.get("/info")
            if isinstance(info, dict) and bool(info.get("LiveRestoreEnabled")) == wanted:
                return True
        except Unreadable:
            pass
        finally:
            api.close()
        if time.monotonic() > limit:
            return False
        time.sleep(PAUSE)


def _runs(container: Mapping[str, Any]) -> bool:
    process = container["process"]
    return container["state"] in ("running", "paused", "restarting") and process is not None


def _container(container: Mapping[str, Any]) -> Container:
    # Of another shape it is as one that is not told: an engine that answers so can still be taken away.
    policy = container["host_config"].get("RestartPolicy")
    name = policy.get("Name") if isinstance(policy, Mapping) else None
    pid = None if is_error(container["process"]) else container["process"]["pid"]
    shown = container["name"] or str(container["id"])[:12]
    return Container(str(container["id"]), shown, pid, name if isinstance(name, str) else "")
