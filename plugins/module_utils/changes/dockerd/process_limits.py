# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource limits that an engine cannot give its containers more than: those of its own process."""

from __future__ import annotations

import re
from pathlib import Path

_CAP_SYS_RESOURCE = 1 << 24
# user_namespaces(7): the map of the namespace that the host began with.
_ALL_IDS = ["0", "0", "4294967295"]
# proc_pid_limits(5) -> the name of the ulimit, of those whose unit is the same.
_NAMES = {
    "Max core file size": "core",
    "Max cpu time": "cpu",
    "Max data size": "data",
    "Max file locks": "locks",
    "Max file size": "fsize",
    "Max locked memory": "memlock",
    "Max msgqueue size": "msgqueue",
    "Max open files": "nofile",
    "Max pending signals": "sigpending",
    "Max processes": "nproc",
    "Max resident set": "rss",
    "Max stack size": "stack",
}
_LINE = re.compile(r"^(Max(?: [a-z]+)+) {2,}\S+ +(\d+) ", re.MULTILINE)


def of(pid: int, proc: Path = Path("/proc")) -> dict[str, int]:
    """The hard limits of the process by the names of ulimits; {} where it may raise them, or is gone.

    In a user namespace of its own, as a rootless engine's, the capability does not reach that far.
    """
    try:
        status = (proc / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
        mapping = (proc / str(pid) / "uid_map").read_text(encoding="ascii").split()
        limits = (proc / str(pid) / "limits").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    capabilities = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    if capabilities is None:
        return {}
    if int(capabilities.group(1), 16) & _CAP_SYS_RESOURCE and mapping == _ALL_IDS:
        return {}
    return {_NAMES[name]: int(value) for name, value in _LINE.findall(limits) if name in _NAMES}
