# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemons of container engines and orchestrators among the processes, and the files they run from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import redact
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import membership
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes as proc

Process = dict[str, Any]

# containerd-shim and docker-proxy are not here: a host has one or more of them for each container.
NAMES = frozenset(
    [
        "buildkitd",
        "containerd",
        "cri-dockerd",
        "crio",
        "dockerd",
        "etcd",
        "hyperkube",
        "k0s",
        "k3s",
        "k3s-server",
        "kube-apiserver",
        "kube-controller",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
        "kubelet",
        "microk8s",
        "nomad",
        "podman",
        "rke2",
        "rootlesskit",
    ]
)
# Mappings that have no file of a package behind them, although the kernel shows them as deleted.
_NO_FILE = ("/dev/", "/memfd:", "/SYSV", "/anon_hugepage", "/[")


def engine_processes(
    processes: Mapping[int, Process], engines: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Every process that runs as, or from, a program of NAMES; `engine` is the one it belongs to.

    Root's come first: an account may give such a name to thousands. Of those for which no time is left argv is a mark.
    """
    engines = list(engines)
    heads = {pid: engine["name"] for engine in engines for pid in pids(engine)}
    members = membership.containers_of(processes, engines)
    found = []
    for pid in sorted(processes, key=lambda pid: (not _is_roots(processes[pid]), pid)):
        process, exe = processes[pid], proc.exe(pid)
        if process["name"] not in NAMES and (exe or "").rpartition("/")[2] not in NAMES:
            continue
        container = members.get(pid)
        found.append(
            {
                "pid": pid,
                "name": process["name"],
                "exe": exe,
                "argv": attempt(_words, pid, 1 if container else None),
                "uid": process["uid"],
                "engine": None if container else _head(processes, pid, heads),
                "unit": proc.unit_of(process["cgroup"]),
                "container": container,
            }
        )
    return sorted(found, key=lambda each: int(each["pid"]))


def _is_roots(process: Process) -> bool:
    return process["uid"] == 0 and proc.container_of(process["cgroup"]) is None


def _words(pid: int, most: int | None) -> list[str]:
    return redact.words(proc.argv(pid)[:most])


def _head(processes: Mapping[int, Process], pid: int, heads: Mapping[int, str]) -> str | None:
    return next((heads[each] for each in lineage(processes, pid) if each in heads), None)


def pids(engine: Mapping[str, Any]) -> list[int]:
    """The processes an engine consists of: dockerd and, when rootless, rootlesskit."""
    heads = (engine["pid"], (engine["rootlesskit"] or {}).get("pid"))
    return [pid for pid in heads if pid]


def lineage(processes: Mapping[int, Process], pid: int) -> Iterator[int]:
    """The process, its parent, and so on."""
    seen: set[int] = set()
    while pid in processes and pid not in seen:
        seen.add(pid)
        yield pid
        pid = processes[pid]["ppid"]


def binary(pid: int) -> dict[str, Any]:
    """The executable of a daemon: path, and the times of the file that lies there now (None: none does)."""
    path = proc.exe(pid)
    if path is None:
        raise Unreadable(f"/proc/{pid}/exe: the process has ended or belongs to another user; run as root")
    try:
        found = Path(path).stat()
    except OSError:
        found = None
    return {
        "path": path,
        "modified": int(found.st_mtime) if found else None,
        "changed": int(found.st_ctime) if found else None,
        "deleted": proc.deleted(pid),
    }


def deleted_files(daemons: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Those of `engine_processes` on the host itself that still map files which were removed or replaced.

    Raises Unreadable without the right to look at one of root's. Those come first; of another's that cannot be looked
    at, or not in time, `paths` is a mark.
    """
    found = []
    for daemon in sorted(daemons, key=lambda each: (each["uid"] != 0, each["pid"])):
        if daemon["container"]:
            continue
        paths = attempt(_deleted, daemon["pid"]) if daemon["uid"] else _deleted(daemon["pid"])
        if paths:
            found.append({key: daemon[key] for key in ("pid", "name", "unit")} | {"paths": paths})
    return sorted(found, key=lambda each: int(each["pid"]))


def _deleted(pid: int) -> list[str]:
    try:
        # Only a line feed ends a line: a path holds any other character as it is.
        with Path(f"/proc/{pid}/maps").open(encoding="utf-8", errors="replace", newline="\n") as lines:
            # address perms offset dev inode path
            paths = {line.rstrip("\n").split(None, 5)[5] for line in lines if line.endswith(" (deleted)\n")}
    except PermissionError as problem:
        raise Unreadable(f"/proc/{pid}/maps: {problem.strerror}; run as root") from problem
    except OSError:
        # The process has ended.
        return []
    return sorted(path[: -len(" (deleted)")] for path in paths if not path.startswith(_NO_FILE))
