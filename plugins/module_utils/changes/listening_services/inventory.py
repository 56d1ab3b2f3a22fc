# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that listens on a host and in the network namespaces of its containers, as a module returns it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.matching import (
    Units,
    owners,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import (
    container_listeners,
    sockets,
)

Container = Mapping[str, Any]

_NOBODY = {"name": None, "pid": None, "deleted": False}


def inventory(
    listeners: Iterable[Mapping[str, Any]], containers: Iterable[Container], units: Units | None = None
) -> list[dict[str, Any]]:
    """The return value `listeners`: the host's LISTENERs, then those in CONTAINERs' own namespaces, sorted each.

    What a container listens at whose namespace could not be read is not among them.
    """
    known = list(containers)
    names = {each["id"]: each["name"] for each in known}
    found = [_of_host(each, names, units or {}) for each in listeners]
    for container in sorted(known, key=lambda each: (each["name"] or "", each["id"])):
        inside = container["listeners"]
        if inside and not is_error(inside):
            found += [_of_container(each, container) for each in inside]
    return found


def containers_of(engines: Iterable[Mapping[str, Any]]) -> list[Container]:
    """Those of all engines. The name of one of an account's begins with the account, as in `worker/web`: a rule for the
    container `web` is about root's, whatever an account calls its own."""
    return [
        each
        if engine.get("user") is None or not each["name"]
        else {**each, "name": f"{engine['user']}/{each['name']}"}
        for engine in engines
        for each in container_listeners.known(engine)
    ]


def _of_host(listener: Mapping[str, Any], names: Mapping[str, Any], units: Units) -> dict[str, Any]:
    held = [] if is_error(listener["owners"]) else listener["owners"]
    holder = next(iter([*owners(listener), *held]), _NOBODY)
    unit = units.get(listener["unit"]) or {}
    container = listener["container"]
    return {
        **_address(listener),
        "scope": listener["scope"],
        "v6only": listener["v6only"],
        "process": holder["name"],
        "pid": holder["pid"],
        "unit": listener["unit"],
        "triggers": sorted({*unit.get("triggers", ()), *unit.get("triggered_by", ())}),
        "package": listener["package"],
        "container": {"id": container, "name": names.get(container)} if container else None,
        "namespace": "host",
        "owner_known": bool(held),
        "program_deleted": any(owner["deleted"] for owner in owners(listener)),
    }


def _of_container(listener: Mapping[str, Any], container: Container) -> dict[str, Any]:
    return {
        **_address(listener),
        "scope": sockets.scope(ipaddress.ip_address(listener["address"]).packed, None),
        "v6only": None,
        "process": None,
        "pid": None,
        "unit": None,
        "triggers": [],
        "package": None,
        "container": {"id": container["id"], "name": container["name"]},
        "namespace": "container",
        "owner_known": False,
        "program_deleted": False,
    }


def _address(listener: Mapping[str, Any]) -> dict[str, Any]:
    return {key: listener[key] for key in ("protocol", "address", "port")}
