# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the processes of a container really have: identities, capabilities, filters and namespaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes as proc
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.processes import Process

_CAPABILITY_SETS = {
    "cap_bnd": "CapBnd",
    "cap_prm": "CapPrm",
    "cap_eff": "CapEff",
    "cap_inh": "CapInh",
    "cap_amb": "CapAmb",
}


def member(container_id: str, pid: Any, known: Sequence[Process], uid: int | None = 0) -> Process:
    """The process `pid` of a container: one of those `known`, or one that started after they were read.

    `uid` is that of the engine which says so: of an account's engine a shim of that account must be its parent.
    Unreadable when it is gone, or belongs to something else: an audit in another PID namespace than the
    engine's sees other processes under the engine's numbers. So it is where that is no number: root would read the
    file that an account names.
    """
    pid = proc.number(pid)
    for process in known:
        if process["pid"] == pid:
            return process
    late = proc.read(pid)
    if late is None:
        raise Unreadable(f"process {pid} of the container ended during the scan or is hidden")
    parent, by_root = proc.read(late["ppid"]), proc.container_of(late["cgroup"])
    is_below = parent is not None and proc.is_shim(parent, uid)
    served = proc.option(proc.argv(late["ppid"]), "-id") if is_below else None
    if container_id != (by_root if uid == 0 and by_root else served) or (uid and by_root):
        raise Unreadable(f"process {pid} is not the container's: this PID namespace is not the engine's")
    return late


def first(members: Iterable[Process], shim: int) -> Process | None:
    """The first process of a container: below its shim, number 1 in its own PID namespace, or the eldest."""
    below = [process for process in members if process["ppid"] == shim]
    for process in below:
        if process["status"].get("NSpid", "").split()[-1:] == ["1"]:
            return process
    return min(below, key=lambda process: int(process["pid"]), default=None)


def process(first: Process) -> dict[str, Any]:
    """The `process` of a CONTAINER."""
    pid, status = first["pid"], first["status"]
    return {
        "pid": pid,
        "uid": first["uid"],
        "gid": first["gid"],
        "groups": [int(group) for group in status["Groups"].split()],
        **{name: status[line] for name, line in _CAPABILITY_SETS.items()},
        "no_new_privs": _no_new_privs(first),
        "seccomp": int(status.get("Seccomp", 0)),
        "apparmor": _apparmor(pid),
        "uid_map": attempt(proc.id_map, pid, "uid"),
        "gid_map": attempt(proc.id_map, pid, "gid"),
        "namespaces": attempt(proc.namespaces, pid),
    }


def grouped(processes: Iterable[Process]) -> list[dict[str, Any]]:
    """The `processes` of a CONTAINER: those with the same name and rights are one entry."""
    counts = Counter((each["name"], each["uid"], each["gid"], _no_new_privs(each)) for each in processes)
    return [
        {"name": name, "uid": uid, "gid": gid, "no_new_privs": no_new_privs, "count": count}
        for (name, uid, gid, no_new_privs), count in sorted(counts.items())
    ]


def _no_new_privs(process: Process) -> bool:
    return bool(process["status"].get("NoNewPrivs") == "1")


def _apparmor(pid: int) -> str | None:
    """The profile with its mode; None on a kernel without AppArmor."""
    try:
        profile = proc.text_of(f"/proc/{pid}/attr/current")
    except OSError:
        return None
    return profile.strip("\0\n") or None
