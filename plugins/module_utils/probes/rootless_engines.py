# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rootless engines: one per account that runs a dockerd below rootlesskit, or is set up to."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.probes import daemons, identity, limits, redact
from ansible_collections.bulwark.docker.plugins.module_utils.probes import processes as proc
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine_facts import facts, socket_path
from ansible_collections.bulwark.docker.plugins.module_utils.probes.errors import (
    Unreadable,
    attempt,
    is_error,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.identity import Owner, acting_as

Process = dict[str, Any]

UNIT = "docker.service"
# Where a user's systemd finds units that are not the user's own.
_SHARED_UNITS = (
    "/etc/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
    "/lib/systemd/user",
)
# For all homes together; some may lie on a file server that is gone.
_SECONDS = 10
_CONNECT_SECONDS = 1
_HOMELESS = ("", "/", "/nonexistent", "/dev/null")


def find(processes: Mapping[int, Process], accounts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rootless engines as the snapshot holds them, up to what their API tells, sorted by name."""
    users = accounts.get("users")
    known = [] if users is None or is_error(users) else users
    running = _running(processes)
    by_uid = {user["uid"]: user for user in reversed(known)}
    found = [
        _engine(
            by_uid.get(uid, {"name": str(uid), "uid": uid, "gid": processes[pid]["gid"], "home": ""}),
            pid,
            kit,
            processes,
        )
        for uid, (pid, kit) in running.items()
    ]
    idle = [user for uid, user in by_uid.items() if uid != 0 and uid not in running]
    for uid, pid in _renamed(idle, processes).items():
        kits = [each for each in daemons.lineage(processes, pid) if processes[each]["name"] == "rootlesskit"]
        found.append(_engine(by_uid[uid], pid, kits[-1] if kits else None, processes))
        idle.remove(by_uid[uid])
    found += [_engine(by_uid[uid], None, None, processes) for uid in _set_up(idle)]
    return sorted(found, key=lambda engine: str(engine["name"]))


def _running(processes: Mapping[int, Process]) -> dict[int, tuple[int, int]]:
    """{uid: (pid of dockerd, pid of its rootlesskit)}, the eldest of each user.

    The name alone proves nothing: it counts below a rootlesskit of the same user, outside of containers.
    """
    found: dict[int, tuple[int, int]] = {}
    for pid in sorted(processes):
        process = processes[pid]
        if process["name"] != "dockerd" or process["uid"] == 0 or process["uid"] in found:
            continue
        kits = [each for each in daemons.lineage(processes, pid) if processes[each]["name"] == "rootlesskit"]
        if (
            kits
            and proc.container_of(process["cgroup"]) is None
            and processes[kits[-1]]["uid"] == process["uid"]
        ):
            # It runs twice: the inner one is in the namespaces, the outer one holds the host's ports.
            found[process["uid"]] = pid, kits[-1]
    return found


def _renamed(users: Sequence[Mapping[str, Any]], processes: Mapping[int, Process]) -> dict[int, int]:
    """{uid: pid} of those of whom a process listens on the engine's socket, whatever its program is called."""
    found = {}
    for user in users:
        path = f"{_runtime_folder(user['uid'])}/docker.sock"
        if not _exists(Path(path)):
            continue
        pid = attempt(_listener, path, Owner(user["uid"], user["gid"]))
        # The account's systemd listens for an engine that is yet to be started.
        if isinstance(pid, int) and pid in processes and processes[pid]["name"] != "systemd":
            found[user["uid"]] = pid
    return found


def _listener(path: str, owner: Owner) -> int:
    with identity.connect(path, owner, time.monotonic() + _CONNECT_SECONDS) as client:
        return identity.peer(client).pid


def _set_up(users: Sequence[Mapping[str, Any]]) -> list[int]:
    """The uids of those with a socket, or with a unit in their home; not where homes do not answer."""
    sockets = {user["uid"] for user in users if _exists(Path(_runtime_folder(user["uid"]), "docker.sock"))}
    homes = [(user["uid"], user["home"]) for user in users if user["home"] not in _HOMELESS]
    units = attempt(limits.within, _SECONDS, _with_units, homes) if homes else []
    return sorted(sockets.union([] if is_error(units) else units))


def _with_units(homes: Iterable[tuple[int, str]]) -> list[int]:
    return [uid for uid, home in homes if _exists(Path(home, ".config/systemd/user", UNIT))]


def _exists(path: Path) -> bool:
    """False too where we may not look: another user's home tells an ordinary user nothing."""
    try:
        path.lstat()
    except OSError:
        return False
    return True


def _engine(
    user: Mapping[str, Any], pid: int | None, kit: int | None, processes: Mapping[int, Process]
) -> dict[str, Any]:
    variables, owner = _variables(pid), Owner(user["uid"], user["gid"])
    configuration = variables.get("XDG_CONFIG_HOME") or f"{user['home']}/.config"
    runtime = variables.get("XDG_RUNTIME_DIR") or _runtime_folder(user["uid"])
    with acting_as(owner):
        unit = attempt(_user_unit, Path(configuration, "systemd/user"))
    engine = {
        "name": f"rootless:{user['name']}",
        "user": user["name"],
        "owner": list(owner),
        "unit": UNIT if is_error(unit) or unit["fragment_exists"] else None,
        "user_unit": unit,
        "rootlesskit": None,
        **facts(pid, processes, None, f"{configuration}/docker/daemon.json", owner),
    }
    if kit:
        engine["rootlesskit"] = {
            "pid": kit,
            "uid": processes[kit]["uid"],
            "argv": redact.words(proc.argv(kit)),
        }
    engine["socket"] = socket_path(engine, (), f"{runtime}/docker.sock")
    if pid is None:
        engine["error"] = f"No dockerd of {user['name']} runs below a rootlesskit"
    return engine


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
