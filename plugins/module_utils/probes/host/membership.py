# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes belong to which container, and whose word for that is enough.

Root's word is: a shim of containerd that runs for root alone is above the process, or the cgroup of the process is
one that only root could have made (processes.container_of). That holds for nested cgroups, for services in a container
that have a mount namespace of their own, and for --network, --pid or --userns=host.

An account can make any process look like a shim, and give it any cgroup below its own. So what is above or around a
process of an account is believed only for an engine of that account, only for ids that this engine lists, and only
for a process that shares a namespace with the container's first process, one that the shim itself is not in. Without
the right to read the namespaces it is not believed. Root's word comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import process_facts
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes as proc

Process = dict[str, Any]
Engine = Mapping[str, Any]

_KINDS = ("mnt", "pid", "net")


def uid_of(engine: Engine) -> int | None:
    """Whose word counts about the containers of this engine; None for an account that is not known."""
    return engine["uid"] if engine["user"] is not None else 0


def by_container(processes: Mapping[int, Process], uid: int | None = 0) -> dict[str, list[Process]]:
    """{container id: its processes}, by the word of root, or by that of the account `uid` for its own engine."""
    by_root = _below_shims(processes, 0)
    found: dict[str, list[Process]] = {}
    if uid == 0:
        for pid, process in processes.items():
            owner = by_root[pid][0] or proc.container_of(process["cgroup"])
            if owner:
                found.setdefault(owner, []).append(process)
    elif uid is not None:
        below = _below_shims(processes, uid)
        outside = {
            pid: process
            for pid, process in processes.items()
            if below[pid][0] and not by_root[pid][0] and not proc.container_of(process["cgroup"])
        }
        groups: dict[tuple[str, int], list[Process]] = {}
        for pid, process in outside.items():
            served, shim = below[pid]
            groups.setdefault((str(served), shim), []).append(process)
        for (container_id, shim), members in groups.items():
            found.setdefault(container_id, []).extend(_in_its_namespaces(members, shim))
    return {container: members for container, members in found.items() if members}


def containers_of(
    processes: Mapping[int, Process], engines: Iterable[Engine], network: str | None = None
) -> dict[int, str]:
    """{pid: container id} of all processes that belong to a container.

    With the number of a network namespace an account's word counts for containers in that one alone: a process that
    is not where the container is listens for the account, whatever else the two share.
    """
    found, engines = {}, list(engines)
    of_root = ids_of_root(engines)
    for engine in engines:
        listed = _listed(engine) if engine["user"] is not None else {}
        for container, members in by_container(processes, uid_of(engine)).items() if listed else ():
            if (
                container in listed
                and container not in of_root
                and (network is None or _is_in(listed[container], network))
            ):
                found.update({process["pid"]: container for process in members})
    for pid, process in processes.items():
        by_root = proc.container_of(process["cgroup"])
        if by_root:
            found[pid] = by_root
    return found


def ids_of_root(engines: Iterable[Engine]) -> set[str]:
    """The containers of root's engines: an account's may list these ids, and none of them is its own."""
    return {container for engine in engines if engine.get("user") is None for container in _listed(engine)}


def _is_in(container: Mapping[str, Any], network: str) -> bool:
    process = container.get("process")
    namespaces = process.get("namespaces") if isinstance(process, Mapping) else None
    return isinstance(namespaces, Mapping) and namespaces.get("net") == network


def _listed(engine: Engine) -> dict[str, Mapping[str, Any]]:
    containers = engine.get("containers")
    known = containers if isinstance(containers, list) else []
    return {container["id"]: container for container in known}


def _below_shims(processes: Mapping[int, Process], uid: int) -> dict[int, tuple[str | None, int]]:
    """{pid: (id that the outermost shim of `uid` above it serves, pid of that shim)}; (None, 0) below none."""
    shims = {
        pid: (proc.option(proc.argv(pid), "-id"), pid)
        for pid, process in processes.items()
        if proc.is_shim(process, uid)
    }
    nobody: tuple[str | None, int] = (None, 0)
    owners = {0: nobody}
    for pid in processes:
        path = []
        above = pid
        while above not in owners and above in processes:
            # Numbers are given again: two that are read at different times may each be above the other.
            owners[above] = nobody
            path.append(above)
            above = processes[above]["ppid"]
        owner = owners.get(above, nobody)
        owner = owner if owner[0] else shims.get(above, nobody)
        for each in reversed(path):
            owners[each] = owner
            owner = owner if owner[0] else shims.get(each, nobody)
    return owners


def _in_its_namespaces(members: list[Process], shim: int) -> list[Process]:
    first = process_facts.first(members, shim)
    try:
        around = proc.namespaces(shim)
        own = proc.namespaces(first["pid"]) if first else {}
    except (Unreadable, OSError):
        return []
    apart = {kind: own[kind] for kind in _KINDS if kind in own and own[kind] != around.get(kind)}
    return [each for each in members if _shares(each["pid"], apart)]


def _shares(pid: int, apart: Mapping[str, str]) -> bool:
    try:
        found = proc.namespaces(pid)
    except (Unreadable, OSError):
        return False
    return any(found.get(kind) == number for kind, number in apart.items())
