# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would keep dockerd from starting, or break it without a word, and `dockerd --validate` does not tell.

Measured on 20.10.24 and 26.1.5, other versions read from moby's sources. In doubt nothing is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import identity
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import (
    check_containers,
    check_endpoints,
    check_plugins,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.command_line import CommandLine
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.problems import (
    DEFAULT_DATA_ROOT,
    Case,
    Context,
    Found,
    Problem,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.daemon_options import (
    FLAGS,
    why_refused,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.data_roots import without_mapping

__all__ = ["Context", "Problem", "host_problems", "problems"]

_TIME_LIMIT = 20
# The sub-directory of the data root under userns-remap.
# dockerd joins runtimes, and compares a flag whose key bears another name by that name only.
_NO_CONFLICT = {"runtimes", *FLAGS.values()}


def problems(settings: Mapping[str, Any], command: CommandLine, context: Context) -> list[Problem]:
    """Why dockerd should not be started with the settings as its whole configuration file; [] when it may.

    The settings name files, and whose engine it is chooses them. Raises Unreadable where they do not answer in time.
    """
    case = Case(settings, command, context)
    return [Problem(*each) for each in identity.within(context.owner, _TIME_LIMIT, _problems, case)]


def _problems(case: Case) -> list[Problem]:
    return [problem for check in _CHECKS for problem in check(case)]


def host_problems(
    unit: Mapping[str, Any], command: CommandLine | None = None, name: str = "docker.service"
) -> list[str]:
    """Why systemd could not start the unit, whatever the configuration file says.

    `unit` is one of `units.units()`; with its command, the files of the mistake are named too.
    """
    found = []
    if command and len(command.starts) > 1:
        found.append(
            f"{name} has {len(command.starts)} ExecStart= settings ({', '.join(command.starts)}), and systemd "
            "refuses to start it; put an empty ExecStart= line before the one in the drop-in, or remove that "
            "drop-in"
        )
    elif unit.get("load") in _BAD_LOADS:
        error = f": {unit['load_error'].rstrip('.')}" if unit.get("load_error") else ""
        files = f" (drop-ins: {', '.join(unit['drop_ins'])})" if unit.get("drop_ins") else ""
        found.append(f"{name} {_BAD_LOADS[unit['load']].format(error=error + files, name=name)}")
    return found + [
        f"{name} wants the environment file {path}, which is not there, and does not start without it; create "
        "the file, or make it optional by a minus before its path in EnvironmentFile="
        for path in (command.missing if command else ())
    ]


_BAD_LOADS = {
    "bad-setting": "has settings that systemd refuses{error}; correct or remove the file that `systemd-analyze "
    "verify {name}` names",
    "error": "cannot be loaded by systemd{error}; correct or remove the file that `systemd-analyze verify "
    "{name}` names",
    "not-found": "does not exist{error}; install the engine's package, or name the engine's own unit",
    "masked": "is masked, so that nothing can start it{error}; unmask it (systemctl unmask {name}) if the "
    "engine shall run",
}


def _conflicts(case: Case) -> Found:
    """Any key that is also a flag, with the same value too (moby's findConfigurationConflicts)."""
    for key in _keys(case.settings):
        flag = FLAGS.get(key, key)
        if key in _NO_CONFLICT or flag not in case.command.flags:
            continue
        places, ways = [], []
        for source in case.command.sources(flag):
            places.append(str(source))
            if source.variable:
                ways.append(f"remove --{flag} from {source.variable} in {source.defined_in}")
            else:
                ways.append(
                    f"override the command of {source.file} by a drop-in with an empty ExecStart= line and the "
                    f"command without --{flag}"
                )
        yield Problem(
            key,
            f"{key} is set in {case.path} and by the flag --{flag} ({', '.join(places)}), and dockerd refuses "
            f"to start with both, even if they agree; remove {key} from the file, or {' and '.join(ways)}",
        )


def _keys(settings: Mapping[str, Any]) -> list[str]:
    """dockerd looks for the flags of `proxies` in the object."""
    inner = settings.get("proxies")
    return [*settings, *(inner if isinstance(inner, Mapping) else ())]


def _live_restore(case: Case) -> Found:
    if case.settings.get("live-restore") is True and case.context.swarm:
        yield Problem(
            "live-restore",
            "live-restore and swarm mode exclude each other: a reload takes it, and the next start fails; "
            f"remove live-restore from {case.path}, or set it to false, while this node is in a swarm",
        )


def _network(case: Case) -> Found:
    """What dockerd's verifyDaemonSettings refuses."""
    if case.in_file("icc", "iptables") and case.value("icc") is False and case.value("iptables") is False:
        yield Problem(
            "icc" if case.in_file("icc") else "iptables",
            "icc false needs iptables, and dockerd does not start with both false; remove one of them from "
            f"{case.path} (or from the flags)",
        )
    for address in ("bip", "bip6"):
        if case.in_file("bridge", address) and case.value("bridge") and case.value(address):
            yield Problem(
                address if case.in_file(address) else "bridge",
                f"bridge and {address} exclude each other, and dockerd does not start; keep the one that names "
                "the bridge you want",
            )
    wants = case.settings.get("ip6tables") is True
    if wants and case.context.before(27) and case.value("experimental") is not True:
        yield Problem(
            "ip6tables",
            f"engine {case.context.major} takes ip6tables only together with experimental, and does not start "
            "otherwise; remove ip6tables, or set experimental to true",
        )


def _data_root(case: Case) -> Found:
    now, context = case.context.data_root, case.context
    wanted = case.value("data-root", None if context.rootless else DEFAULT_DATA_ROOT)
    if context.allow_data_switch or not now or not isinstance(wanted, str) or not wanted:
        return
    if _real(context, without_mapping(now)) != _real(context, wanted):
        yield Problem(
            "data-root",
            f"the engine's data lies in {now}, and with data-root {wanted} it would start without any of its "
            "images, containers and volumes, and orphan running containers; keep data-root, or move the data "
            "while the engine is stopped and allow the switch",
        )


def _real(context: Context, path: str) -> str:
    return os.path.realpath(context.place(path))


def _remap(case: Case) -> Found:
    if not case.value("userns-remap") or not case.in_file("userns-remap", "features"):
        return
    if case.context.rootless and case.in_file("userns-remap"):
        yield Problem(
            "userns-remap",
            "a rootless engine is in a user namespace already and ends at once with userns-remap; remove it from "
            f"{case.path}",
        )
    features = case.settings.get("features")
    snapshotter = isinstance(features, Mapping) and features.get("containerd-snapshotter") is True
    if snapshotter and case.context.since(29):
        yield Problem(
            "features",
            "features.containerd-snapshotter and userns-remap exclude each other, and dockerd does not start; "
            f"remove containerd-snapshotter from features in {case.path}, or userns-remap",
        )


def _refused_keys(case: Case) -> Found:
    """Later engines say so themselves, by --validate."""
    for key in case.settings if case.context.before(23) else ():
        why = why_refused(key, case.context.major)
        if why:
            yield Problem(
                key, f"{key} in {case.path} {why}; dockerd does not start with it, remove it from the file"
            )


_CHECKS: tuple[Callable[[Case], Found], ...] = (
    _refused_keys,
    _conflicts,
    check_endpoints.hosts,
    check_endpoints.open_api,
    check_endpoints.tls,
    _live_restore,
    check_containers.seccomp,
    check_plugins.authorization,
    check_containers.ulimits,
    check_containers.logging,
    check_containers.runtimes,
    _network,
    _data_root,
    _remap,
)
