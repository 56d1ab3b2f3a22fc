# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services are never stopped: the way by which the play came, and what the host does not work without."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.matching import (
    Listener,
    Units,
    owners,
    template_of,
    units_of,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import (
    ENGINE_PROGRAMS,
    NETWORK_MANAGERS,
    SSH,
    matches,
    names_of,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import daemons
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes as proc

RESOLVER = "resolver"
SECURE_SHELL = "secure shell"
TRANSPORT = "transport"
_ENGINE = "engine"
_ENGINE_UNITS = ("docker.service", "docker.socket", "containerd.service", "podman*.service", "podman*.socket")
_INIT = 1


class Guard(NamedTuple):
    """Why something is left alone; `kind` is one of those above, or else the name of a row of _KEPT."""

    kind: str
    reason: str


_BY_TRANSPORT = Guard(TRANSPORT, "the play itself came by it")
_KEPT = (
    (Guard(_ENGINE, "containers need it"), (*ENGINE_PROGRAMS, *_ENGINE_UNITS)),
    (Guard(SECURE_SHELL, "the host is administered by it"), (*SSH, "ssh@*.service", "sshd@*.service")),
    (Guard(RESOLVER, "the host looks names up by it"), ("systemd-resolve*",)),
    (
        Guard("network", "the host has its network by it"),
        (*NETWORK_MANAGERS, "networking.service", "wpa_supplicant*"),
    ),
    (
        Guard("time", "it keeps the clock right, on which certificates depend"),
        ("chrony*", "systemd-timesyncd*", "ntpd", "ntpd.service", "ntp.service", "ntpsec*", "openntpd*"),
    ),
    (
        Guard("system", "the host does not work without it"),
        ("dbus.*", "dbus-broker.*", "systemd-journald*", "systemd-logind*", "systemd-udevd*"),
    ),
)


class Protected(NamedTuple):
    """The processes above the module (but for PID 1), and their units with the sockets of these."""

    pids: frozenset[int] = frozenset()
    units: frozenset[str] = frozenset()


def protected(processes: Mapping[int, Mapping[str, Any]], pid: int) -> Protected:
    """By what the process `pid` came to this host; `processes` as processes.walk() gives them.

    What detached itself from its parents, as asynchronous tasks do, is still of the same session.
    """
    known = {each: dict(process) for each, process in processes.items()}
    own = known[pid]["cgroup"] if pid in known else ""
    is_session = own.rpartition("/")[2].startswith("session-")
    group = [each for each in known if is_session and known[each]["cgroup"] == own]
    pids = {above for each in (pid, *group) for above in daemons.lineage(known, each)} - {_INIT}
    services = {proc.unit_of(known[each]["cgroup"]) or "" for each in pids}
    units = {name for name in services if name and not name.startswith("user@")}
    return Protected(frozenset(pids), frozenset(units | {_socket_of(name) for name in units}))


def _socket_of(service: str) -> str:
    """The socket that has the service's name: of ssh@0-192.0.2.1:22-192.0.2.9:5000.service, which it starts, too."""
    return service.removesuffix(".service").partition("@")[0] + ".socket"


def why_kept(listener: Listener, units: Units, engines: Collection[str], play: Protected) -> Guard | None:
    """Why what holds a LISTENER is not to be stopped; `engines`: their units."""
    involved = units_of(listener, units)
    if play.pids & {owner["pid"] for owner in owners(listener)}:
        return _BY_TRANSPORT
    return _why({*names_of(listener), *involved}, involved, engines, play)


def why_unit_kept(unit: str, units: Units, engines: Collection[str], play: Protected) -> Guard | None:
    """The same of a unit, whether or not it listens."""
    involved = {unit, *(units.get(unit) or {}).get("triggers", ())}
    return _why(involved, involved, engines, play)


def _why(names: set[str], involved: set[str], engines: Collection[str], play: Protected) -> Guard | None:
    if (involved | {template_of(unit) for unit in involved}) & (
        play.units | {template_of(unit) for unit in play.units}
    ):
        return _BY_TRANSPORT
    if involved & set(engines):
        return _KEPT[0][0]
    return next((guard for guard, patterns in _KEPT if matches(names, patterns)), None)
