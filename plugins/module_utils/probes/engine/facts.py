# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What process, command line and configuration file tell of one engine, whatever started it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import identity, redact
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge import dockerd_flags
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import loaded_config as applied
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.config import config
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import daemons
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes as proc

Process = dict[str, Any]


class Command(NamedTuple):
    """What started an engine, or would: its words, its flags (an error mark where they are not known), the path of its
    configuration file, whether a flag names that, and the digest of what daemon_apply saw it take."""

    pid: int | None
    words: Any
    flags: Any
    path: str
    given: bool
    applied: str | None


def command(pid: int | None, planned: list[str] | None, default_config: str) -> Command:
    """`planned` is the command of its unit, read where nothing runs."""
    words = attempt(_command, pid) if pid else None
    flags: Any = words if is_error(words) else attempt(dockerd_flags.parse, (words or planned or [])[1:])
    given = [] if is_error(flags) else flags.get("config-file", [])
    # dockerd's working directory is / under systemd.
    path = posixpath.join("/", given[-1]) if given else default_config
    ticks = proc.start_ticks(pid) if pid else None
    return Command(pid, words, flags, path, bool(given), applied.digest(path, pid, ticks))


def configuration(asked: Command) -> Any:
    """The `config` of an ENGINE, read with the ids that this process has."""
    if is_error(asked.flags):
        return asked.flags
    return attempt(config, asked.path, asked.given, asked.applied)


def facts(asked: Command, processes: Mapping[int, Process], configuration: Any) -> dict[str, Any]:
    """The part of an ENGINE that needs no API."""
    pid = asked.pid
    return {
        "state": "running" if pid else "stopped",
        "error": None,
        "pid": pid,
        "uid": processes[pid]["uid"] if pid else None,
        "gid": processes[pid]["gid"] if pid else None,
        "argv": asked.words,
        "started": proc.started(pid) if pid else None,
        "binary": attempt(daemons.binary, pid) if pid else None,
        "config": configuration,
        "flags": asked.flags,
    }


def _command(pid: int) -> list[str]:
    words = proc.argv(pid)
    if not words:
        raise Unreadable(f"/proc/{pid}/cmdline: the process has ended")
    return redact.words(words)


def owner_of(engine: Mapping[str, Any], processes: Mapping[int, Process]) -> identity.Owner:
    """Who listens on the engine's socket: the account of a rootless one, or the one that dockerd runs as."""
    if engine["user"] is not None:
        return identity.Owner(engine["uid"], engine["gid"])
    process = processes.get(engine.get("pid") or 0)
    return identity.Owner(process["uid"], process["gid"]) if process else identity.ROOT


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
        if "\0" in rest:
            continue
        if scheme == "unix":
            found.append(_canonical(rest) if rest else default)
        elif scheme == "fd":
            found += [_canonical(path) for path in activated if path.startswith("/")]
    # Without any (TCP alone) clients of the usual path meet nobody, which is to be seen.
    return default if default in found or not found else found[0]


def _canonical(path: str) -> str:
    path = posixpath.normpath(path)
    return path[len("/var") :] if path.startswith("/var/run/") else path
