# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of the host as /proc shows them, and which container or unit each belongs to."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable

Process = dict[str, Any]

_STATUS_LINES = {
    *("Name", "PPid", "Uid", "Gid", "Groups", "NSpid"),
    *("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"),
}
_CONTAINER_ID = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:/|$)")
_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
# The kernel cuts names after 15 characters: containerd-shim-runc-v2 is one of these.
_SHIM = "containerd-shim"
# Where systemd mounts its hierarchy of cgroup v1, that of v2 beside it, and v2 alone (systemd.directives(7)).
_CGROUPS = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
_LONGEST_COMMAND = 64 * 1024
_OF_AN_ACCOUNT = re.compile(r"/user(?:@\d+\.service|\.slice)(?:/|$)")


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


def number(value: Any) -> int:
    """The number of a process that others have told, which becomes part of a path. Raises Unreadable."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise Unreadable(f"{str(value)[:80]!r} is told as the number of a process, and is none")


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
                # An account may give its program a name that ends with a blank.
                status[name] = value if name == "Name" else value.strip()
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
    # Names hold any character but a line feed and a slash, for who may make cgroups chooses them.
    lines = (line.split(":", 2) for line in text_of(f"/proc/{pid}/cgroup").split("\n"))
    paths = {line[1]: line[2] for line in lines if len(line) == 3}
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
    """The id of the (outermost) container, of whatever runtime, that by root's word has this cgroup.

    A name proves something where root alone can make cgroups: every directory above it is root's. systemd gives
    user@UID.service to its account, in its own hierarchy of version 1 as in version 2, and a service with Delegate=
    to its User=; below those any process may have any name. What is below a container's own cgroup counts as it.
    """
    match = _CONTAINER_ID.search(cgroup)
    return match.group(1) if match and _is_roots(cgroup[: match.start(1)].rpartition("/")[0]) else None


@cache
def _is_roots(directory: str) -> bool:
    """Whether root alone can make a cgroup in that one."""
    for base in dict.fromkeys((_cgroup_base(), "")):
        answers = [_only_root_writes(f"{root}{base}", directory) for root in _CGROUPS]
        if any(answer is not None for answer in answers):
            return False not in answers
    # The hierarchy cannot be seen from here.
    return not _OF_AN_ACCOUNT.search(directory)


def _only_root_writes(root: str, directory: str) -> bool | None:
    """None where there is no such cgroup below that root."""
    only, path = True, root
    for name in directory.split("/"):
        path = f"{path}/{name}" if name else path
        try:
            seen = os.stat(path)  # noqa: PTH116
        except (OSError, ValueError):
            return None
        only = only and seen.st_uid == 0 and not seen.st_mode & 0o022
    return only


def unit_of(cgroup: str) -> str | None:
    """The service of the host's systemd that has this cgroup; user@UID.service for a user's own."""
    if container_of(cgroup):
        return None
    return next((part for part in cgroup.split("/") if part.endswith(".service")), None)


def shims(processes: Mapping[int, Process], uid: int | None) -> dict[str, int]:
    """{container id: pid of its shim}: what Docker runs for `uid`, but not inside another container."""
    found = {}
    for pid, process in processes.items():
        if is_shim(process, uid):
            command = argv(pid)
            container_id = option(command, "-id")
            # With userns-remap it is "moby-100000.100000"; the engine's own plugins have "plugins.moby".
            if container_id and (option(command, "-namespace") or "").startswith("moby"):
                found[container_id] = pid
    return found


def is_shim(process: Process, uid: int | None) -> bool:
    """Whether it looks like a shim of containerd that runs for `uid`, outside of every container.

    Its real uid counts too: a program like su runs with root's rights for an account, under the name of a link to it.
    """
    return (
        process["name"] == _SHIM
        and process["uid"] == uid
        and process["status"].get("Uid", str(uid)).split()[0] == str(uid)
        and container_of(process["cgroup"]) is None
    )


def option(command: list[str], name: str) -> str | None:
    """The word after `name` in a command line."""
    return command[command.index(name) + 1] if name in command[:-1] else None


def argv(pid: int) -> list[str]:
    """The command line; [] when the process is gone, hidden or has none. Of a line beyond 64 kB, which an account may
    make as long as megabytes, the word that is cut is left out, and what follows."""
    try:
        handle = os.open(f"/proc/{pid}/cmdline", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        line = os.read(handle, _LONGEST_COMMAND)
    except OSError:
        return []
    finally:
        os.close(handle)
    words = line.decode("utf-8", "replace").rstrip("\0").split("\0") if line else []
    return words[:-1] if len(line) == _LONGEST_COMMAND else words


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


def namespace_of(pid: int, kind: str) -> str | None:
    """The number of one namespace; None when the process is gone, or may not be traced."""
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")[len(kind) + 2 : -1]  # noqa: PTH115
    except OSError:
        return None


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
    """[[first id inside, first id outside, count]]; `kind` is "uid" or "gid". Raises OSError, and Unreadable."""
    lines = text_of(f"/proc/{number(pid)}/{kind}_map").split("\n")
    return [[int(word) for word in line.split()] for line in lines if line]


def text_of(path: str) -> str:
    """A file of /proc, for those who read very many."""
    # Bare system calls, and no second read after a short one, take half the time of open().
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = [os.read(handle, 65536)]
        # A file of several records comes a page at a time.
        while len(pieces[-1]) > 2048:
            pieces.append(os.read(handle, 65536))
        return b"".join(pieces).decode("utf-8", "replace")
    finally:
        os.close(handle)
