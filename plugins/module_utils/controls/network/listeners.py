# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the host's own network services: which there are, what they offer, who may reach them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    MANUAL,
    Case,
    Deviation,
    NotApplicable,
    Remedy,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.network.unauthenticated import judges
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.packet_filter import (
    ACCEPT,
    DROP,
    Packet,
    incoming,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.services import (
    Service,
    is_documented,
    require_owner,
    services,
    undeclared,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.units import unit
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.known_services import (
    NONE,
    OPTIONAL,
    known_service,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import families, shown

control = scope("listeners", per_engine=False, over=services)
all_control = scope("listeners", per_engine=False, over=lambda case: services(case, lambda socket: True))


@control(
    "listener.unneeded_service",
    "No service that a container host rarely needs can be reached over the network",
    "high",
    Remedy(
        "live",
        "Stop and disable its units with their sockets, or run it in a container; else `allow` it.",
        "listening_services",
        {"listening_services_action": "disable"},
    ),
    requirements=("D04-01",),
    parameters={"allow": []},
)
def unneeded_service(service: Service, case: Case) -> Deviation | None:
    """Every service on the host is a way in below all containers; the evidence names the reason for each."""
    require_owner(service)
    known = known_service(service.names, service.protocol, service.port)
    left = undeclared(service, case.parameters["allow"])
    if known is None or not left or is_documented(service, case):
        return None
    return Deviation(", ".join(map(shown, left)), "not reachable", f"{known.name}: {known.reason}")


@control(
    "listener.declared",
    "Every service that can be reached over the network was declared",
    "medium",
    Remedy(
        "manual",
        "Bind it to loopback or one address (listening_services_rebind of the role listening_services), stop it"
        " (listening_services_deny), or name it in `allow` (unit, port, address).",
    ),
    requirements=("D04-02", "D04-21"),
    parameters={"allow": []},
)
def declared(service: Service, case: Case) -> Deviation | None:
    """What nobody declared nobody maintains. Secure shell, engines and containers are judged apart."""
    left = undeclared(service, case.parameters["allow"])
    if not left or is_documented(service, case):
        return None
    require_owner(service)
    if known_service(service.names, service.protocol, service.port):
        raise NotApplicable("judged by listener.unneeded_service")
    wanted = (
        "loopback, one address, or declared" if any(s["scope"] == "wildcard" for s in left) else "declared"
    )
    return Deviation(
        ", ".join(map(shown, left)), wanted, ", ".join(service.names) or "held by no process of this host"
    )


@control(
    "listener.authentication",
    "Services that can be reached over the network authenticate their clients",
    "high",
    Remedy("manual", "Set up authentication and TLS, bind it to loopback, or stop it."),
    requirements=("D04-22",),
    parameters={"allow": []},
)
def authentication(service: Service, case: Case) -> Deviation | None:
    """Some services have no authentication; where it is off by default somebody has to confirm it."""
    require_owner(service)
    known = known_service(service.names, service.protocol, service.port)
    if known is None or not undeclared(service, case.parameters["allow"]):
        return None
    if judges(known.name, service, case):
        raise NotApplicable(f"asked without credentials: judged by listener.{known.name}_authentication")
    if known.authentication == NONE:
        return Deviation(f"{known.name} on {service.shown}", "authentication", "it has none")
    if known.authentication == OPTIONAL:
        question = f"Does {known.name} on {service.shown} ask its clients for credentials?"
        return Deviation(None, question, "off by default, not asked by the audit", MANUAL)
    return None


@control(
    "listener.access_restricted",
    "The addresses that may reach a service are restricted",
    "low",
    Remedy(
        "live",
        "Drop-in with IPAddressDeny=any and IPAddressAllow=... (listening_services_restrict of the role"
        " listening_services), or a packet filter that drops by default.",
    ),
    requirements=("D04-23",),
    parameters={"allow": []},
)
def access_restricted(service: Service, case: Case) -> Deviation | None:
    """What has to listen need not listen to everybody."""
    require_owner(service)
    if not undeclared(service, case.parameters["allow"]):
        return None
    if any(unit(case, name).get("ip_address_deny") for name in service.names):
        return None
    versions = sorted({version for socket in service.sockets for version in families(socket)})
    if all(incoming(case, version, Packet(service.protocol, None)) == DROP for version in versions):
        return None
    return Deviation(service.shown, "IPAddressDeny= or a packet filter", service.name)


@control(
    "listener.firewalled",
    "Services that were not declared are covered by the packet filter",
    "medium",
    Remedy("manual", "Drop by default, or drop its port from outside."),
    requirements=("D04-25",),
    parameters={"allow": []},
    # Each such service is a finding of listener.declared already.
    baseline=False,
)
def firewalled(service: Service, case: Case) -> Deviation | None:
    """What can be neither switched off nor hardened must at least not be reachable."""
    left = undeclared(service, case.parameters["allow"])
    if not left or is_documented(service, case):
        return None
    require_owner(service)
    packet = Packet(service.protocol, service.port)
    open_to = [
        f"{shown(socket)} (IPv{version})"
        for socket in left
        for version in families(socket)
        if incoming(case, version, packet) == ACCEPT
    ]
    return Deviation(", ".join(open_to), "dropped", "INPUT") if open_to else None


@all_control(
    "listener.attributed",
    "Every listening socket belongs to a service unit or a container",
    "info",
    Remedy("manual", "Find out who started the process; run it as a unit, or end it."),
    requirements=("D04-19", "D04-40"),
)
def attributed(service: Service, case: Case) -> list[Deviation]:
    """A process outside of units is nobody's: started by hand, by a session or by an intruder.

    Only root sees whose each socket is.
    """
    if not case.host("units"):
        raise NotApplicable("this host does not run systemd")
    found = []
    for owner in _owners(service):
        unit = owner["unit"] or ""
        if owner["pid"] != 1 and not unit.endswith((".service", ".socket")):
            seen = f"{owner['name']}, process {owner['pid']}" + (f" in {unit}" if unit else "")
            found.append(Deviation(seen, "a service unit", service.shown))
    return found


@all_control(
    "listener.deleted_program",
    "No listening process runs a program that was deleted",
    "medium",
    Remedy("manual", "Restart the unit; if no update explains it, look into it as an intrusion."),
    requirements=("D02-04",),
)
def deleted_program(service: Service, case: Case) -> list[Deviation]:
    """It was updated and not restarted, or somebody covers tracks."""
    return [
        Deviation(f"{owner['name']} runs deleted {owner['exe']}", "the installed program", service.shown)
        for owner in _owners(service)
        if owner["deleted"]
    ]


def _owners(service: Service) -> list[Mapping[str, Any]]:
    """The processes that hold the service's sockets, each once."""
    found = {owner["pid"]: owner for socket in service.sockets for owner in read(socket, "owners")}
    return [found[pid] for pid in sorted(found)]
