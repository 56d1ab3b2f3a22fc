# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What process, command line and configuration file tell of one engine, whatever started it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.probes import (
    applied,
    daemons,
    dockerd_flags,
    identity,
    redact,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes import processes as proc
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine_config import config
from ansible_collections.bulwark.docker.plugins.module_utils.probes.errors import (
    Unreadable,
    attempt,
    error,
    is_error,
)

Process = dict[str, Any]


def facts(
    pid: int | None, processes: Mapping[int, Process], planned: list[str] | None, default_config: str
) -> dict[str, Any]:
    """The part of an ENGINE that needs no API; `planned` is its unit's command, read where nothing runs."""
    words = attempt(_command, pid) if pid else None
    flags: Any = words if is_error(words) else dockerd_flags.parse((words or planned or [])[1:])
    given = [] if is_error(flags) else flags.get("config-file", [])
    # dockerd's working directory is / under systemd.
    path = posixpath.join("/", given[-1]) if given else default_config
    configuration: Any = error(flags["error"]) if is_error(flags) else attempt(config, path, bool(given))
    if not is_error(configuration):
        ticks = proc.start_ticks(pid) if pid else None
        configuration["in_force"] = applied.in_force(path, pid, ticks)
    return {
        "state": "running" if pid else "stopped",
        "error": None,
        "pid": pid,
        "uid": processes[pid]["uid"] if pid else None,
        "argv": words,
        "started": proc.started(pid) if pid else None,
        "binary": attempt(daemons.binary, pid) if pid else None,
        "config": configuration,
        "flags": flags,
    }


def _command(pid: int) -> list[str]:
    words = proc.argv(pid)
    if not words:
        raise Unreadable(f"/proc/{pid}/cmdline: the process has ended")
    return redact.words(words)


def owner_of(engine: Mapping[str, Any], processes: Mapping[int, Process]) -> identity.Owner:
    """Who listens on the engine's socket: the account that its dockerd runs as. Raises Unreadable."""
    process = processes.get(engine.get("pid") or 0)
    if process:
        return identity.Owner(process["uid"], process["gid"])
    if engine["user"] is None:
        return identity.ROOT
    raise Unreadable(f"the dockerd of {engine['user']} has ended")


def setting(engine: Mapping[str, Any], flag: str, key: str) -> list[Any]:
    """The values of an option, by flags or else by the file (dockerd refuses both); [] by neither."""
    flags, config_file = engine["flags"], engine["config"]
    if flags.get(flag):
        return list(flags[flag])
    settings = config_file.get("settings") or {}
    value = settings.get(key)
    return value if isinstance(value, list) else [] if value is None else [value]


def socket_path(engine: Mapping[str, Any], activated: Iterable[str], default: str) -> str:
    """The unix socket of the API, the default where it is among several; `activated`: those of systemd."""
    found = []
    for host in setting(engine, "host", "hosts"):
        scheme, _unused, rest = str(host).partition("://")
        if scheme == "unix":
            found.append(_canonical(rest) if rest else default)
        elif scheme == "fd":
            found += [_canonical(path) for path in activated if path.startswith("/")]
    # Without any (TCP alone) clients of the usual path meet nobody, which is to be seen.
    return default if default in found or not found else found[0]


def _canonical(path: str) -> str:
    path = posixpath.normpath(path)
    return path[len("/var") :] if path.startswith("/var/run/") else path
