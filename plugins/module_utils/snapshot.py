# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the snapshot of a host: every probe once, in one pass. docs/snapshot.md describes what comes out."""

from __future__ import annotations

from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.probes import (
    audit,
    certificates,
    clients,
    endpoints,
    engine,
    engines,
    files,
    firewall,
    host,
    hosts_access,
    listeners,
    packages,
    paths,
    processes,
    services,
    sshd,
    units,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes import accounts as account_probe
from ansible_collections.bulwark.docker.plugins.module_utils.probes.errors import attempt, is_error

SCHEMA = 1


def take(timeout: float, updates: bool = False, image_content: bool = False) -> dict[str, Any]:
    """Read the host. `timeout` is in seconds, for each answer of an engine or a listener. Nothing is changed."""
    accounts = account_probe.accounts()
    walk = processes.walk()
    unit_states = attempt(units.units)
    found = attempt(engines.find, unit_states, walk, accounts)
    known_engines = [] if is_error(found) else found
    for known in known_engines:
        known.update(engine.ask(known, walk, timeout, image_content))
    listening = attempt(listeners.listeners, unit_states, walk, known_engines, packages.owners)
    listeners.container_listeners(known_engines)
    for known in known_engines:
        known["endpoints"] = attempt(endpoints.endpoints, known, listening, unit_states, timeout)
    snapshot = {
        "schema": SCHEMA,
        "host": host.host(updates),
        "accounts": accounts,
        "units": unit_states,
        "engines": found,
        "listeners": listening,
        "audit": attempt(audit.audit),
        "firewall": attempt(firewall.firewall),
        "hosts_access": attempt(hosts_access.hosts_access),
        "sshd": attempt(sshd.sshd),
        "clients": attempt(clients.clients, accounts),
        "services": attempt(services.services, listening, timeout),
        "engine_processes": attempt(engines.engine_processes, walk, known_engines),
        "deleted_files": attempt(engines.deleted_files, walk, known_engines),
    }
    snapshot["files"] = attempt(files.files, paths.paths(snapshot))
    certificate_facts = attempt(certificates.certificates, paths.certificate_paths(snapshot))
    if is_error(certificate_facts):
        snapshot["certificates"] = snapshot["keys"] = certificate_facts
    else:
        snapshot["certificates"], snapshot["keys"] = certificate_facts
    return snapshot
