# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the snapshot of a host: every probe once, in one pass. docs/snapshot.md describes what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.probes import accounts as account_probe
from ansible_collections.bulwark.docker.plugins.module_utils.probes import (
    audit,
    certificates,
    clients,
    daemons,
    endpoints,
    engine,
    engines,
    files,
    firewall,
    host,
    hosts_access,
    listeners,
    nested_engines,
    packages,
    paths,
    processes,
    services,
    sshd,
    units,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.container_listeners import (
    container_listeners,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.errors import attempt, is_error, then

SCHEMA = 1


def take(timeout: float, updates: bool = False, image_content: bool = False) -> dict[str, Any]:
    """Read the host. `timeout` is in seconds, for each answer of an engine or a listener. Nothing is changed."""
    walked = processes.walk()
    accounts = account_probe.accounts()
    known_units = attempt(units.units, _services(walked))
    found = attempt(engines.find, known_units, walked, accounts)
    known_engines = [] if is_error(found) else found
    engine.ask_all(known_engines, walked, timeout, image_content)
    container_listeners(known_engines)
    nested_engines.nested_engines(known_engines, walked, timeout)
    listening = attempt(listeners.listeners, known_units, walked, known_engines, packages.owners)
    for each in known_engines:
        each["endpoints"] = (
            listening
            if is_error(listening)
            else attempt(endpoints.endpoints, each, listening, known_units, timeout)
        )
    running = attempt(daemons.engine_processes, walked, known_engines)
    snapshot = {
        "schema": SCHEMA,
        "host": host.host(updates),
        "accounts": accounts,
        "units": known_units,
        "engines": found,
        "listeners": listening,
        "audit": attempt(audit.audit),
        "firewall": attempt(firewall.firewall),
        "hosts_access": attempt(hosts_access.hosts_access),
        "sshd": attempt(sshd.sshd),
        "clients": attempt(clients.clients, accounts),
        "services": then(services.services, listening, timeout),
        "engine_processes": running,
        "deleted_files": then(daemons.deleted_files, running),
    }
    snapshot["files"] = attempt(files.files, paths.paths(snapshot))
    pem_files = paths.pem_files(snapshot)
    snapshot["certificates"], snapshot["keys"] = certificates.certificates(
        [*pem_files, *certificates.neighbours(pem_files)]
    )
    return snapshot


def _services(walked: Mapping[int, Mapping[str, Any]]) -> set[str]:
    """The services that run: those that own a listener must be among the units."""
    names = {processes.unit_of(process["cgroup"]) for process in walked.values()}
    return {name for name in names if name}
