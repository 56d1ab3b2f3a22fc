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
    deadline,
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
    known,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.errors import attempt, is_error, then

SCHEMA = 1
# Seconds for all of a snapshot.
DEADLINE = 120.0
_ACCOUNTS = ("users", "groups", "login_defs", "subids", "linger")


def take(
    timeout: float, updates: bool = False, image_content: bool = False, within: float = DEADLINE
) -> dict[str, Any]:
    """Read the host. Nothing is changed.

    `timeout` is in seconds, for each answer of an engine or a listener, `within` for all together. Each section is
    contained by itself: one that cannot be read is an error mark, and costs what depends on it alone.
    """
    with deadline.within(within):
        return _taken(timeout, updates, image_content)


def _taken(timeout: float, updates: bool, image_content: bool) -> dict[str, Any]:
    walked = attempt(processes.walk)
    accounts = attempt(account_probe.accounts)
    if is_error(accounts):
        accounts = dict.fromkeys(_ACCOUNTS, accounts)
    known_units = attempt(lambda: units.units(_services({} if is_error(walked) else walked)))
    found = then(lambda seen: engines.find(known_units, seen, accounts), walked)
    known_engines = [] if is_error(found) else found
    _ask(known_engines, walked, timeout, image_content)
    listening = then(
        lambda seen: listeners.listeners(known_units, seen, known_engines, packages.owners), walked
    )
    for each in known_engines:
        each["endpoints"] = (
            listening
            if is_error(listening)
            else attempt(endpoints.endpoints, each, listening, known_units, timeout)
        )
    running = then(daemons.engine_processes, walked, known_engines)
    snapshot = {
        "schema": SCHEMA,
        "host": attempt(host.host, updates),
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
    snapshot["files"] = then(files.files, attempt(paths.paths, snapshot))
    snapshot["certificates"], snapshot["keys"] = _pem_files(snapshot)
    return snapshot


def _ask(known_engines: list[dict[str, Any]], walked: Any, timeout: float, image_content: bool) -> None:
    """What their APIs tell of the engines, and what /proc tells of their containers."""
    if not known_engines:
        return
    mark = attempt(engine.ask_all, known_engines, walked, timeout, image_content)
    for one in known_engines if is_error(mark) else ():
        for part in engine.PARTS:
            one.setdefault(part, mark)
    for key, read in (
        ("listeners", lambda: container_listeners(known_engines)),
        ("endpoints", lambda: nested_engines.nested_engines(known_engines, walked, timeout)),
    ):
        mark = attempt(read)
        for container in (each for one in known_engines for each in known(one)) if is_error(mark) else ():
            container.setdefault(key, mark)


def _pem_files(snapshot: Mapping[str, Any]) -> tuple[Any, Any]:
    pem_files = attempt(paths.pem_files, snapshot)
    beside = then(certificates.neighbours, pem_files)
    if is_error(beside):
        # What lies beside may be the key of a CA: without it nobody can say that there is none.
        found = then(lambda known: certificates.certificates(known)[0], pem_files)
        return found, beside
    found = attempt(certificates.certificates, [*pem_files, *beside])
    return (found, found) if is_error(found) else (found[0], found[1])


def _services(walked: Mapping[int, Mapping[str, Any]]) -> set[str]:
    """The services that run: those that own a listener must be among the units."""
    names = {processes.unit_of(process["cgroup"]) for process in walked.values()}
    return {name for name in names if name}
