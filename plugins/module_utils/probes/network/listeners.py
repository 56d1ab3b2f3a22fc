# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sockets that listen on this host: who holds each, and its unit or container, and package."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt, error, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import membership
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes as proc
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import (
    holders,
    http_client,
    published,
    sockets,
)

Process = dict[str, Any]
Engine = Mapping[str, Any]
Owner = dict[str, Any]
PackageOwner = Callable[[Iterable[str]], Mapping[str, Optional[str]]]

_INIT = 1
_TYPES = {"tcp": "Stream", "udp": "Datagram", "sctp": "SequentialPacket"}
_HIDDEN = "the open files of other users' processes cannot be read; run as root"
_TOO_MANY = (
    "held by none of the open files that were read: {count} processes, such as {pid} of uid {uid}, have too many of "
    "them; end these, or lower LimitNOFILE of that account"
)


def listeners(
    units: Mapping[str, Any],
    processes: Mapping[int, Process],
    engines: Sequence[Engine],
    package_owner: PackageOwner,
) -> list[dict[str, Any]]:
    """The LISTENERs of the snapshot, sorted; `package_owner` tells the packages of files, all in one call.

    A socket without owners is the kernel's own (NFS, WireGuard, VXLAN) or held outside of this PID namespace.
    """
    known = {} if is_error(units) else units
    found = sockets.listening()
    roots, others = _by_whose_word(processes)
    held, unseen = holders.search({each["inode"] for each in found}, roots, others)
    members = membership.containers_of(processes, engines, sockets.namespace())
    ports = published.Published(engines, processes, members)
    owners: dict[int, Owner] = {}
    nobody = [] if holders.may_see_all() else error(_HIDDEN)
    if unseen:
        first = processes[unseen[0]]
        nobody = error(_TOO_MANY.format(count=len(unseen), pid=first["pid"], uid=first["uid"]))
    for listener in found:
        pids = [pid for pid in held[listener.pop("inode")] if pid in processes]
        for pid in pids:
            if pid not in owners:
                owners[pid] = _owner(processes[pid], members.get(pid))
        container, forwards = ports.of(listener, pids)
        listener["owners"] = [owners[pid] for pid in pids] or nobody
        listener["unit"] = None if container else _unit(listener, pids, known, owners)
        listener["container"] = container
        listener["forwards"] = forwards
    _packages(found, owners.values(), known, package_owner)
    return found


def _by_whose_word(processes: Mapping[int, Process]) -> tuple[list[int], list[int]]:
    """(the pids that run for root on the host, all others: the first of each account and container, then the second
    ones, and so on)."""
    whose = {
        pid: proc.container_of(process["cgroup"]) or process["uid"] for pid, process in processes.items()
    }
    others = [pid for pid, owner in sorted(whose.items()) if owner != 0]
    turns = http_client.in_turns([whose[pid] for pid in others])
    return [pid for pid, owner in whose.items() if owner == 0], [others[place] for place in turns]


def _owner(process: Process, container: str | None) -> Owner:
    pid = process["pid"]
    return {
        "pid": pid,
        "name": process["name"],
        "exe": proc.exe(pid),
        "uid": process["uid"],
        "unit": proc.unit_of(process["cgroup"]),
        "package": None,
        "deleted": proc.deleted(pid),
        "container": container,
    }


def _unit(
    listener: Mapping[str, Any], pids: Sequence[int], units: Mapping[str, Any], owners: Mapping[int, Owner]
) -> str | None:
    """The socket unit where systemd listens, for to stop the service alone stops nothing; or the service."""
    if _INIT in pids or not pids:
        unit = _socket_unit(listener, units)
        if unit:
            return unit
    units_of_owners = (owners[pid]["unit"] or "" for pid in pids)
    # user@UID.service is everything its user runs, not one service.
    return next((unit for unit in units_of_owners if unit and not unit.startswith("user@")), None)


def _socket_unit(listener: Mapping[str, Any], units: Mapping[str, Any]) -> str | None:
    """The active socket unit that is set to listen on this address, or else the only one on this port."""
    wanted = _TYPES.get(listener["protocol"])
    on_port = []
    for name, unit in units.items():
        for each in unit["listens"]:
            host, _unused, port = each["address"].rpartition(":")
            if each["type"] == wanted and port == str(listener["port"]) and unit["active"] == "active":
                if host.strip("[]").partition("%")[0] == listener["address"]:
                    return str(name)
                on_port.append(name)
    return on_port[0] if len(set(on_port)) == 1 else None


def _packages(
    found: Sequence[dict[str, Any]],
    owners: Iterable[Owner],
    units: Mapping[str, Any],
    package_owner: PackageOwner,
) -> None:
    """Fill in `package`; what systemd alone holds belongs to the package of the unit's file."""
    on_host = [owner for owner in owners if owner["exe"] and not owner["container"]]
    fragments = {name: units[name]["fragment"] for name in (each["unit"] for each in found) if name in units}
    files = {owner["exe"] for owner in on_host} | {path for path in fragments.values() if path}
    names = attempt(package_owner, sorted(files)) if files else {}
    # Why they cannot be read stands beside the host's packages.
    tell = {} if is_error(names) else names
    for owner in on_host:
        owner["package"] = tell.get(owner["exe"])
    for listener in found:
        held = [] if is_error(listener["owners"]) else listener["owners"]
        programs = [owner["package"] for owner in held if owner["pid"] != _INIT and owner["package"]]
        fallback = tell.get(fragments.get(listener["unit"]))
        listener["package"] = None if listener["container"] else (programs or [fallback])[0]
