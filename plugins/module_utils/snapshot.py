# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the snapshot of a host: every probe once, in one pass. docs/snapshot.md describes what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt, error, is_error, then
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import (
    endpoints,
    engine,
    engines,
    nested,
    rootless,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import accounts as account_probe
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import (
    auditd,
    clients,
    daemons,
    files,
    firewall,
    host,
    hosts_access,
    packages,
    paths,
    pem_files,
    processes,
    sshd,
    units,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import listeners, services
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network.container_listeners import (
    container_listeners,
)

SCHEMA = 1
_SECTIONS = (
    *("accounts", "units", "engines", "listeners", "files", "certificates", "keys", "audit", "firewall"),
    *("hosts_access", "sshd", "clients", "services", "engine_processes", "deleted_files"),
)
_OF_ENGINE = (*engine.PARTS, "endpoints")
_OF_HOST = (
    *(
        "uptime",
        "os",
        "kernel",
        "container",
        "virtualization",
        "hypervisor_processes",
        "lsm",
        "cgroup",
        "sysctls",
    ),
    *("mounts", "packages", "updates", "packages_changed", "reboot", "default_target"),
)
# What root alone decides about, and nothing else is needed for.
_ALONE = (
    ("audit", auditd.audit),
    ("firewall", firewall.firewall),
    ("hosts_access", hosts_access.hosts_access),
    ("sshd", sshd.sshd),
)
# Of the audit's time, for each part that accounts, containers or listeners can make last.
_SHARE = 0.1

Processes = Mapping[int, dict[str, Any]]


def take(
    timeout: float, updates: bool = False, image_content: bool = False, into: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Read the host. `timeout` is in seconds, for each answer of an engine or a listener. Nothing is changed.

    Each part is read by itself: one that cannot be read, or for which there is no time before the audit's deadline, is
    an error and costs no other. `into` is the dictionary to fill, part by part, for who may have to go on without the
    rest: see `whole`.
    """
    snapshot = {} if into is None else into
    snapshot["schema"] = SCHEMA
    walked = attempt(processes.walk)
    snapshot["accounts"] = account_probe.accounts()
    snapshot["units"] = attempt(units.units, set() if is_error(walked) else _services(walked))
    snapshot["host"] = host.host(updates)
    snapshot["engines"] = then(_of_system, walked, snapshot["units"])
    if not is_error(snapshot["engines"]):
        snapshot["engines"] += _rootless(walked, snapshot["accounts"], snapshot["units"])
    known = [] if is_error(snapshot["engines"]) else snapshot["engines"]
    asked = engine.Asked(images=engine.CONTENT) if image_content else engine.EVERYTHING
    engine.ask_all(known, {} if is_error(walked) else walked, timeout, asked)
    # After the engines: a file server that is gone, where one of these files lies, may cost all that comes after it.
    for name, read in _ALONE:
        snapshot[name] = attempt(read)
    with deadline.share(_SHARE, "the listeners and who holds them"):
        snapshot["listeners"] = then(_listeners, walked, snapshot["units"], known)
    _ask_endpoints([each for each in known if each["user"] is None], snapshot, timeout)
    with deadline.share(_SHARE, "the end points of accounts"):
        _ask_endpoints([each for each in known if each["user"] is not None], snapshot, timeout)
    with deadline.share(_SHARE, "the processes by the names of engines"):
        snapshot["engine_processes"] = then(daemons.engine_processes, walked, known)
    with deadline.share(_SHARE, "the processes by the names of engines"):
        snapshot["deleted_files"] = then(daemons.deleted_files, snapshot["engine_processes"])
    with deadline.share(_SHARE, "the networks of containers"):
        container_listeners(known)
    with deadline.share(_SHARE, "the engines in containers"):
        attempt(nested.nested_engines, known, walked, timeout)
    with deadline.share(_SHARE, "the homes of accounts"):
        snapshot["clients"] = attempt(clients.clients, snapshot["accounts"])
    with deadline.share(2 * _SHARE, "the listening services"):
        snapshot["services"] = then(services.services, snapshot["listeners"], timeout)
    snapshot["files"] = then(files.files, attempt(paths.paths, snapshot))
    pems = attempt(paths.pem_files, snapshot)
    snapshot.update(dict.fromkeys(("certificates", "keys"), pems) if is_error(pems) else pem_files.read(pems))
    return whole(snapshot)


def whole(snapshot: dict[str, Any]) -> dict[str, Any]:
    """The snapshot with an error in the place of all that was not read, of engines and containers too."""
    unread = error(deadline.reason() if deadline.passed() else "it was not read")
    if "host" not in snapshot:
        snapshot["host"] = {**dict.fromkeys(_OF_HOST, unread), **host.itself()}
    snapshot.update({name: unread for name in _SECTIONS if name not in snapshot})
    known = [] if is_error(snapshot["engines"]) else snapshot["engines"]
    for each in known:
        each.update({name: unread for name in _OF_ENGINE if name not in each})
        for container in [] if is_error(each["containers"]) else each["containers"]:
            container.setdefault("endpoints", unread)
    return snapshot


def _rootless(walked: Processes, accounts: Mapping[str, Any], known_units: Any) -> list[dict[str, Any]]:
    with deadline.share(_SHARE, "the engines of accounts"):
        found = attempt(rootless.find, walked, accounts, known_units)
    return [rootless.unread(found)] if is_error(found) else list(found)


def _listeners(walked: Processes, known_units: Any, known: Sequence[Mapping[str, Any]]) -> Any:
    return listeners.listeners(known_units, walked, known, packages.owners)


def _of_system(walked: Processes, known_units: Any) -> Any:
    return engines.of_system(known_units, walked)


def _ask_endpoints(known: Sequence[dict[str, Any]], snapshot: Mapping[str, Any], timeout: float) -> None:
    for each in known:
        answers = then(_endpoints, snapshot["listeners"], each, snapshot["units"], timeout)
        each.setdefault("endpoints", answers)


def _endpoints(listening: Sequence[Any], each: Mapping[str, Any], known_units: Any, timeout: float) -> Any:
    return endpoints.endpoints(each, listening, known_units, timeout)


def _services(walked: Processes) -> set[str]:
    """The services that run: those that own a listener must be among the units."""
    names = {processes.unit_of(process["cgroup"]) for process in walked.values()}
    return {name for name in names if name}
