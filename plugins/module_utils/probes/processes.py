# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of the host as /proc shows them, and which container or unit each belongs to."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.probes.errors import Unreadable

Process = dict[str, Any]

_STATUS_LINES = {
    *("Name", "PPid", "Uid", "Gid", "Groups", "NSpid"),
    *("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"),
}
_CONTAINER_ID = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:/|$)")
# systemd's own hierarchy of cgroup v1, and version 2 beside it or alone.
_CGROUP_MOUNTS = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
_USER_MANAGER = re.compile(r"user@[0-9]+\.service$")
_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
# What is read of a command line: programs of accounts may have some megabytes.
_LONGEST_COMMAND = 128 * 1024
# The kernel cuts names after 15 characters: containerd-shim-runc-v2 is one of these.
_SHIM = "containerd-shim"


def walk() -> dict[int, Process]:
    """Every process but kernel threads: {pid: {pid, ppid, name, uid, gid, cgroup, status}}.

    uid and gid are the effective ones, as this process' user namespace sees them; `status` holds the lines of
    /proc/PID/status as text; `cgroup` is the path below the cgroup of the host's own init.
    """
    found = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 (names alone, a thousand of them)
        if name.isdigit():
            process = read(int(name))
            if process is not None:
                found[process["pid"]] = process
    return found


def read(pid: int) -> Process | None:
    """One process as `walk` gives it; None when it is gone, hidden or a kernel thread."""
    try:
        text = text_of(f"/proc/{pid}/status")
        if "\nPPid:\t2\n" in text and _second_is_kthreadd():
            return None
        status = {}
        for line in text.split("\n"):
            name, _colon, value = line.partition(":\t")
            if name in _STATUS_LINES:
                status[name] = value.strip()
        return {
            "pid": pid,
            "ppid": int(status["PPid"]),
            "name": status["Name"],
            "uid": int(status["Uid"].split()[1]),
            "gid": int(status["Gid"].split()[1]),
            "cgroup": _cgroup(pid),
            "status": status,
        }
    except (OSError, KeyError, ValueError, IndexError):
        return None


@cache
def _second_is_kthreadd() -> bool:
    # In a PID namespace of a container the process 2 is one like any other.
    return text_of("/proc/2/comm") == "kthreadd\n" and not argv(2)


def _cgroup(pid: int) -> str:
    path, base = _cgroup_path(pid), _cgroup_base()
    return path[len(base) :] or "/" if base and (path + "/").startswith(base + "/") else path


def _cgroup_path(pid: int) -> str:
    # 12:name=systemd:/system.slice/x.service
    # The kernel ends lines at "\n" alone, and takes no name with one in it; other separators are part of names.
    lines = [line.split(":", 2) for line in text_of(f"/proc/{pid}/cgroup").split("\n")]
    paths = {parts[1]: parts[2] for parts in lines if len(parts) == 3}
    # systemd's own hierarchy of cgroup v1, then v2; without systemd a runtime may use neither.
    for controllers in ("name=systemd", ""):
        if paths.get(controllers, "/") != "/":
            return paths[controllers]
    return max(paths.values(), key=len, default="/")


@cache
def _cgroup_base() -> str:
    """The cgroup of the host's init without init.scope: "" unless the host is itself a container."""
    try:
        return re.sub(r"/init\.scope$", "", _cgroup_path(1)).rstrip("/")
    except OSError:
        return ""


def container_of(cgroup: str) -> str | None:
    """The id of the (outermost) container, of whatever runtime of root's, that has this cgroup.

    An account may give cgroups below its own any name, and belongs to no container by that: only a cgroup that is
    root's tells. The containers of rootless engines are known by their shims.
    """
    match = _CONTAINER_ID.search(cgroup)
    if match and _is_roots(cgroup[: match.end(1)] + cgroup[match.end(1) :].partition("/")[0]):
        return match.group(1)
    return None


@cache
def _is_roots(cgroup: str) -> bool:
    """Whether root alone has made that cgroup; where its directory cannot be seen, by where it is."""
    for root in _CGROUP_MOUNTS:
        try:
            return Path(f"{root}{_cgroup_base()}{cgroup}").stat().st_uid == 0
        except (OSError, ValueError):
            continue
    return not any(part == "user.slice" or _USER_MANAGER.match(part) for part in cgroup.split("/"))


def unit_of(cgroup: str) -> str | None:
    """The service of the host's systemd that has this cgroup; user@UID.service for a user's own."""
    if container_of(cgroup):
        return None
    return next((part for part in cgroup.split("/") if part.endswith(".service")), None)


def by_container(processes: Mapping[int, Process], uid: int) -> dict[str, list[Process]]:
    """{container id: its processes} of the engines of that uid, by containerd's shim above them, otherwise by their
    cgroup, which proves something of root's containers alone.

    The shim tells also where a rootless engine has no cgroups (version 1). Any account may call a process like a shim,
    so it counts for the engines of its own uid. A shim that runs in a container belongs, with all below it, to that
    container.
    """
    shims = {
        pid: option(argv(pid), "-id")
        for pid, process in processes.items()
        if process["name"] == _SHIM and process["uid"] == uid and container_of(process["cgroup"]) is None
    }
    owners: dict[int, str | None] = {0: None}
    found: dict[str, list[Process]] = {}
    for pid in processes:
        owner = _owner(pid, processes, shims, owners)
        if owner is None and uid == 0:
            owner = container_of(processes[pid]["cgroup"])
        if owner:
            found.setdefault(owner, []).append(processes[pid])
    return found


def _owner(
    pid: int,
    processes: Mapping[int, Process],
    shims: Mapping[int, str | None],
    owners: dict[int, str | None],
) -> str | None:
    """The id that the outermost shim above `pid` serves; `owners` remembers what is known."""
    path = []
    above = pid
    while above not in owners and above in processes:
        path.append(above)
        above = processes[above]["ppid"]
    owner = owners.get(above) or shims.get(above)
    for each in reversed(path):
        owners[each] = owner
        owner = owner or shims.get(each)
    return owners.get(pid)


def shims(processes: Mapping[int, Process], uid: int | None) -> dict[str, int]:
    """{container id: pid of its shim}: what Docker runs for `uid`, but not inside another container."""
    found = {}
    for pid, process in processes.items():
        if process["name"] == _SHIM and process["uid"] == uid and container_of(process["cgroup"]) is None:
            command = argv(pid)
            container_id = option(command, "-id")
            # With userns-remap it is "moby-100000.100000"; the engine's own plugins have "plugins.moby".
            if container_id and (option(command, "-namespace") or "").startswith("moby"):
                found[container_id] = pid
    return found


def option(command: list[str], name: str) -> str | None:
    """The word after `name` in a command line."""
    return command[command.index(name) + 1] if name in command[:-1] else None


def argv(pid: int) -> list[str]:
    """The command line; [] when the process is gone, hidden or has none."""
    try:
        line = text_of(f"/proc/{pid}/cmdline", _LONGEST_COMMAND)
    except OSError:
        return []
    return line.rstrip("\0").split("\0") if line else []


def exe(pid: int) -> str | None:
    """The path of the executable in the process' own mount namespace; None: gone or not permitted."""
    path = _exe_link(pid)
    return path and path[: -len(" (deleted)")] if path and path.endswith(" (deleted)") else path


def deleted(pid: int) -> bool:
    """Whether the executable was removed or replaced since the start."""
    return (_exe_link(pid) or "").endswith(" (deleted)")


def _exe_link(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115 (for every process)
    except OSError:
        return None


def started(pid: int) -> int | None:
    """When the process started, in seconds since 1970; None when it is gone."""
    ticks = start_ticks(pid)
    return None if ticks is None else _boot_time() + ticks // os.sysconf("SC_CLK_TCK")


def start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since the boot, which no change of the clock moves; None: it is gone."""
    try:
        # The name, in parentheses, may hold spaces and parentheses; the start time is field 22 of proc(5).
        return int(text_of(f"/proc/{pid}/stat").rpartition(")")[2].split()[19])
    except (OSError, IndexError):
        return None


@cache
def _boot_time() -> int:
    return int(re.findall(r"^btime (\d+)$", text_of("/proc/stat"), re.MULTILINE)[0])


def namespaces(pid: int) -> dict[str, str]:
    """{"net": "4026531840", ...}. Unreadable without the right to trace the process."""
    found = {}
    for name in _NAMESPACES:
        try:
            link = os.readlink(f"/proc/{pid}/ns/{name}")  # noqa: PTH115 (a thousand of them)
            found[name] = link[len(name) + 2 : -1]
        except FileNotFoundError:
            # This kernel has no such namespace, or the process has ended.
            continue
        except PermissionError:
            raise Unreadable(f"/proc/{pid}/ns/{name}: no right to trace the process; run as root") from None
    # Every kernel that runs containers has this one. A zombie keeps its user and PID namespaces alone.
    if "net" not in found:
        raise Unreadable(f"/proc/{pid}/ns: the process has ended")
    return found


def id_map(pid: int, kind: str) -> list[list[int]]:
    """[[first id inside, first id outside, count]]; `kind` is "uid" or "gid"."""
    return [[int(word) for word in line.split()] for line in text_of(f"/proc/{pid}/{kind}_map").splitlines()]


def text_of(path: str, most: int = 1 << 24) -> str:
    """A file of /proc, for those who read very many; of one that is longer than `most` bytes about as many."""
    # Bare system calls, and no second read after a short one, take half the time of open().
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = [os.read(handle, 65536)]
        held = len(pieces[0])
        # A file of several records comes a page at a time.
        while len(pieces[-1]) > 2048 and held < most:
            pieces.append(os.read(handle, 65536))
            held += len(pieces[-1])
        return b"".join(pieces).decode("utf-8", "replace")
    finally:
        os.close(handle)
