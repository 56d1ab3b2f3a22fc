# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rootless engines: one per account that runs a dockerd, or is set up to.

What an account may put anywhere is reached with its ids: its files, and the socket on which its engine listens.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline, identity, limits, redact
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import (
    Unreadable,
    attempt,
    error,
    is_error,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import facts
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import daemons
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes as proc
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import holders

Process = dict[str, Any]

UNIT = "docker.service"
# Where a user's systemd finds units that are not the user's own.
_SHARED_UNITS = (
    "/etc/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
    "/lib/systemd/user",
)
# For all homes together, and for the files of one engine; some may lie on a file server that is gone.
_SECONDS = 3
_SECONDS_TO_CONNECT = 1
_MOST_ENGINES = 64
_TOO_MANY = (
    f"only {_MOST_ENGINES} engines of accounts are looked at, those of the accounts that are known first"
)
_HOMELESS = ("", "/", "/nonexistent", "/dev/null")


class Running(NamedTuple):
    """What runs for an account: dockerd, and the rootlesskit above it. Of one that listens and keeps everybody waiting
    the process is not known. `why` it does not run, where there is more to say than that."""

    pid: int | None = None
    kit: int | None = None
    listens: bool = False
    why: str = ""


def find(
    processes: Mapping[int, Process], accounts: Mapping[str, Any], units: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The rootless engines as the snapshot holds them, up to what their API tells, sorted by name.

    `units` are the system's: they tell who is an account's own systemd.
    """
    units = {} if units is None or is_error(units) else units
    users = accounts.get("users")
    known = [] if users is None or is_error(users) else users
    running = _running(processes)
    by_uid = {user["uid"]: user for user in reversed(known)}
    for uid, engine in running.items():
        somebody = {"name": str(uid), "uid": uid, "gid": processes[engine.pid or 0]["gid"], "home": ""}
        by_uid.setdefault(uid, somebody)
    idle = [user for uid, user in by_uid.items() if uid != 0 and uid not in running]
    with_sockets = [user for user in idle if _exists(_socket(user["uid"]))]
    for user in with_sockets:
        running[user["uid"]] = _listener(user, processes, units)
    set_up = [user["uid"] for user in idle if user["home"] not in _HOMELESS]
    running.update((uid, Running()) for uid in _with_units(by_uid, set_up) if uid not in running)
    # Whatever keeps an audit waiting in one home, the engines that are known stay known.
    why = deadline.reason() if deadline.passed() else _TOO_MANY if len(running) > _MOST_ENGINES else None
    others = [unread(error(why))] if why else []
    # An account with subordinate ids can let something run for each of them; of these nobody has an account.
    named = {user["uid"] for user in known}
    looked_at = sorted(running, key=lambda uid: (uid not in named, uid))[:_MOST_ENGINES]
    found = [_contained(by_uid[uid], running[uid], processes) for uid in looked_at]
    return sorted([*found, *others], key=lambda engine: str(engine["name"]))


def unread(mark: Mapping[str, Any]) -> dict[str, Any]:
    """What stands for the engines of accounts where nobody knows which more there are."""
    return {
        **dict.fromkeys(("user_unit", "argv", "binary", "config", "flags", "endpoints"), mark),
        **dict.fromkeys(("unit", "rootlesskit", "started", "pid")),
        **_named({"name": "*", "uid": None, "gid": None}),
        "state": "unreachable",
        "error": mark["error"],
        "socket": "",
    }


def _running(processes: Mapping[int, Process]) -> dict[int, Running]:
    """By uid, the eldest of each user.

    The name alone proves nothing: it counts below a rootlesskit of the same user, outside of containers. Nor does
    another name: below a rootlesskit who listens on a docker.sock is a dockerd.
    """
    found: dict[int, Running] = {}
    kits: dict[int, list[int]] = {}
    for pid in sorted(processes):
        process = processes[pid]
        uid = process["uid"]
        if uid == 0 or uid in found or proc.container_of(process["cgroup"]) is not None:
            continue
        above = [each for each in daemons.lineage(processes, pid) if processes[each]["name"] == "rootlesskit"]
        if above and processes[above[-1]]["uid"] == uid:
            # It runs twice: the inner one is in the namespaces, the outer one holds the host's ports.
            if process["name"] == "dockerd":
                found[uid] = Running(pid, above[-1])
            else:
                kits.setdefault(above[-1], []).append(pid)
    for kit, below in kits.items():
        uid = processes[kit]["uid"]
        listening = None if uid in found else _who_listens(below)
        if listening:
            found[uid] = Running(listening, kit)
    return found


def _who_listens(pids: Sequence[int]) -> int | None:
    """The eldest of these that listens on a docker.sock; they may be in a network of their own."""
    for folder in {proc.namespace_of(pid, "net"): f"/proc/{pid}/net" for pid in pids}.values():
        known = attempt(holders.unix_listeners, folder)
        named = {} if is_error(known) else known
        inodes = {each for path, all_of in named.items() if path.endswith("/docker.sock") for each in all_of}
        by_inode, _unseen = holders.search(inodes, (), pids)
        held = [pid for found in by_inode.values() for pid in found]
        if held:
            return min(held)
    return None


def _listener(user: Mapping[str, Any], processes: Mapping[int, Process], units: Mapping[str, Any]) -> Running:
    """Who listens on the usual socket of an account without a dockerd of that name.

    Nobody connects where its systemd alone listens: that would start the engine.
    """
    owner, usual = identity.Owner(user["uid"], user["gid"]), str(_socket(user["uid"]))
    manager = units.get(f"user@{owner.uid}.service", {}).get("main_pid")
    path = attempt(identity.within, owner, _SECONDS_TO_CONNECT, os.path.realpath, usual)
    if is_error(path):
        # Who keeps the audit from looking is not taken for one that does not run.
        return Running(listens=True)
    try:
        inodes = holders.unix_listeners().get(path, ())
        own = [pid for pid, process in processes.items() if process["uid"] == owner.uid]
        found, _unseen = holders.search(inodes, (), own)
        held = {pid for pids in found.values() for pid in pids}
        if manager and held == {manager}:
            return Running()
        with identity.connect(path, owner, time.monotonic() + _SECONDS_TO_CONNECT) as client:
            peer = identity.peer(client).pid
        # A socket that was handed on is shown as of who made it.
        pid = peer if peer != manager else min(held - {manager}, default=peer)
        return Running(pid if pid in processes else None, listens=True)
    except socket.timeout:
        return Running(listens=True)
    except (OSError, ValueError) as problem:
        return Running(why=f"{usual}: {getattr(problem, 'strerror', None) or problem}")
    except Unreadable as problem:
        return Running(why=str(problem))


def _with_units(users: Mapping[int, Mapping[str, Any]], uids: Iterable[int]) -> list[int]:
    """Those with a unit in their home; not where homes do not answer."""
    homes = [(uid, users[uid]["gid"], users[uid]["home"]) for uid in uids]
    answers = limits.within_each(_SECONDS, _look_for_units, homes)
    return sorted({uid for _unused, seen in answers if not is_error(seen) for uid in seen})


def _look_for_units(homes: Iterable[tuple[int, int, str]]) -> list[int]:
    found = []
    for uid, gid, home in homes:
        with identity.acting_as(identity.Owner(uid, gid)):
            if _exists(Path(home, ".config/systemd/user", UNIT)):
                found.append(uid)
    return found


def _exists(path: Path) -> bool:
    """False too where we may not look: another user's home tells an ordinary user nothing."""
    try:
        path.lstat()
    except (OSError, ValueError):
        return False
    return True


def _contained(user: Mapping[str, Any], running: Running, processes: Mapping[int, Process]) -> dict[str, Any]:
    """What one account does must not cost the engines of the others."""
    engine = attempt(_engine, user, running, processes)
    if not is_error(engine):
        return dict(engine)
    unread = error(f"the engine of {user['name']}: {engine['error']}")
    return {
        **dict.fromkeys(("user_unit", "argv", "binary", "config", "flags"), unread),
        **_named(user),
        **dict.fromkeys(("unit", "rootlesskit", "started")),
        "state": "running" if running.pid or running.listens else "stopped",
        "error": unread["error"],
        "pid": running.pid,
        "socket": str(_socket(user["uid"])),
    }


def _named(user: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": f"rootless:{user['name']}",
        "user": user["name"],
        "uid": user["uid"],
        "gid": user["gid"],
    }


def _engine(user: Mapping[str, Any], running: Running, processes: Mapping[int, Process]) -> dict[str, Any]:
    pid, kit = running.pid, running.kit
    variables = _variables(pid)
    configuration = variables.get("XDG_CONFIG_HOME") or f"{user['home']}/.config"
    runtime = variables.get("XDG_RUNTIME_DIR") or _runtime_folder(user["uid"])
    asked = facts.command(pid, None, f"{configuration}/docker/daemon.json")
    owner = identity.Owner(user["uid"], user["gid"])
    own = attempt(identity.within, owner, _SECONDS, _own_files, asked, configuration)
    config, unit = (own, own) if is_error(own) else own
    engine = {
        "unit": UNIT if is_error(unit) or unit["fragment_exists"] else None,
        "user_unit": unit,
        "rootlesskit": None,
        **facts.facts(asked, processes, config),
        **_named(user),
    }
    if kit:
        engine["rootlesskit"] = {
            "pid": kit,
            "uid": processes[kit]["uid"],
            "argv": redact.words(proc.argv(kit)),
        }
    engine["socket"] = facts.socket_path(engine, (), f"{runtime}/docker.sock")
    if running.listens:
        engine["state"] = "running"
    elif pid is None:
        why = f": {running.why}" if running.why else ""
        engine["error"] = f"No dockerd of {user['name']} runs below a rootlesskit{why}"
    return engine


def _own_files(asked: facts.Command, configuration: str) -> list[Any]:
    """(its configuration, its unit), with the ids of the account."""
    return [facts.configuration(asked), attempt(_user_unit, Path(configuration, "systemd/user"))]


def _variables(pid: int | None) -> dict[str, str]:
    """Where this dockerd looks for its files; nothing else of its environment is kept."""
    try:
        content = Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace") if pid else ""
    except OSError:
        content = ""
    pairs = (variable.partition("=") for variable in content.split("\0"))
    return {name: value for name, _unused, value in pairs if name in ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")}


def _runtime_folder(uid: int) -> str:
    return f"/run/user/{uid}"


def _socket(uid: int) -> Path:
    return Path(_runtime_folder(uid), "docker.sock")


def _user_unit(folder: Path) -> dict[str, Any]:
    """The unit file that the user's systemd would take, and whether some target wants it."""
    try:
        wants = [each for each in folder.iterdir() if each.name.endswith(".wants")]
    except FileNotFoundError:
        wants = []
    except OSError as problem:
        raise Unreadable(f"{folder}: {problem.strerror}; run as root") from problem
    wants += Path(_SHARED_UNITS[0]).glob("*.wants")
    paths = [folder / UNIT, *(Path(shared, UNIT) for shared in _SHARED_UNITS)]
    path = next((each for each in paths if each.exists()), None)
    return {
        "path": str(path or paths[0]),
        "enabled": any(_exists(each / UNIT) for each in wants),
        "fragment_exists": path is not None,
    }
