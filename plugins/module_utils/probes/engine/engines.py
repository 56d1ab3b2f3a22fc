# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker engines of a host: found by unit or socket, never by the name of a process."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import identity, limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import rootless
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.facts import (
    command,
    configuration,
    facts,
    socket_path,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import daemons
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.units import is_dockerd
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import holders

Process = dict[str, Any]
Unit = Mapping[str, Any]

UNIT = "docker.service"
SOCKET = "/run/docker.sock"
CONFIG = "/etc/docker/daemon.json"
_SOCKET_PATHS = (SOCKET, f"/var{SOCKET}")
_NO_UNIT: Unit = {"load": "not-found", "main_pid": None}
_INIT = 1


def find(units: Unit, processes: Mapping[int, Process], accounts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The engines of the host without what their API tells, the system's first; [] on a host without Docker.

    `state` is "running" where there is a process, otherwise "stopped": nobody may then connect to its socket,
    for where systemd listens that would start it. A second engine of the system is named `system:<unit>`.
    """
    known = {} if is_error(units) else units
    return [*of_system(known, processes), *rootless.find(processes, accounts, known)]


def of_system(units: Unit, processes: Mapping[int, Process]) -> list[dict[str, Any]]:
    """Those of root alone."""
    return list(_system({} if is_error(units) else units, processes))


def _system(units: Mapping[str, Unit], processes: Mapping[int, Process]) -> Iterator[dict[str, Any]]:
    unit = units.get(UNIT, _NO_UNIT)
    main = _main(unit, processes)
    pid = main or _holder(units, processes)
    others = {
        name: _main(units[name], processes)
        for name in units
        if name != UNIT and is_dockerd(units[name]["exec_start"])
    }
    owner = next((name for name, main in others.items() if main and main == pid), UNIT)
    if pid or _installed(unit):
        runs_it = owner != UNIT or (unit["load"] != "not-found" and pid == main)
        yield _engine("system", pid, processes, owner if runs_it else None, units)
    for name, other in others.items():
        # Any program may be called dockerd and be started by some unit; an engine listens.
        if name != owner and (other is None or _listens(other)):
            yield _engine(f"system:{name.rpartition('.')[0]}", other, processes, name, units)


def _main(unit: Unit, processes: Mapping[int, Process]) -> int | None:
    """The dockerd of a unit: its main process, or the dockerd below it where that is a wrapper."""
    main = unit["main_pid"]
    if main not in processes or processes[main]["name"] == "dockerd":
        return main if main in processes else None
    below = (pid for pid in sorted(processes) if processes[pid]["name"] == "dockerd")
    return next((pid for pid in below if main in daemons.lineage(processes, pid)), main)


def _holder(units: Mapping[str, Unit], processes: Mapping[int, Process]) -> int | None:
    """Who listens on the usual socket where docker.service does not run: a dockerd of root, started otherwise."""
    known = holders.unix_listeners()
    roots = {pid for pid, process in processes.items() if process["uid"] == 0 and pid != _INIT}
    paths = [path for path in _SOCKET_PATHS if path in known]
    if not paths:
        return None
    inodes = {inode for path in paths for inode in known[path]}
    peer = None if any(_activates(unit) for unit in units.values()) else _peer(paths[0])
    if peer not in roots:
        peer = None
    if not holders.may_see_all():
        return peer
    # Who listened first may have handed the socket on.
    if peer and any(holders.holders(inodes, [peer]).values()):
        return peer
    found = holders.holders(inodes, roots)
    return next((pid for pids in found.values() for pid in pids), None)


def _activates(unit: Unit) -> bool:
    """Whether a connection to the usual socket would make systemd start the unit's service."""
    return unit["sub"] == "listening" and any(each["address"] in _SOCKET_PATHS for each in unit["listens"])


def _peer(path: str) -> int | None:
    """The process that listens on a unix socket, as the kernel tells those who connect; None: refused."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        # A full backlog blocks the connection; the limit holds for that too.
        client.settimeout(1)
        try:
            client.connect(path)
            return identity.peer(client).pid
        except OSError:
            return None


def _listens(pid: int) -> bool:
    inodes = {inode for each in holders.unix_listeners().values() for inode in each}
    return any(holders.holders(inodes, [pid]).values())


def _installed(unit: Unit) -> bool:
    """Whether there is an engine to start: its unit, or where that is masked or missing the program."""
    return unit["load"] not in ("not-found", "masked") or limits.find("dockerd") is not None


def _engine(
    name: str, pid: int | None, processes: Mapping[int, Process], unit: str | None, units: Mapping[str, Unit]
) -> dict[str, Any]:
    own = units.get(unit or "", {})
    asked = command(pid, own.get("exec_start"), CONFIG)
    engine = {
        "name": name,
        "user": None,
        "unit": unit,
        "user_unit": None,
        "rootlesskit": None,
        **facts(asked, processes, configuration(asked)),
    }
    activated = [
        each["address"]
        for other in own.get("triggered_by", ())
        for each in units.get(other, {}).get("listens", ())
    ]
    engine["socket"] = socket_path(engine, activated, SOCKET)
    if pid is None:
        engine["error"] = _why(unit, own) if own else "dockerd is installed and does not run"
    return engine


def _why(name: str | None, unit: Unit) -> str:
    result = f" ({unit['result']})" if unit["result"] not in (None, "success") else ""
    return unit["load_error"] or f"{name} is {unit['active']}{result}"
