# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of swarm mode: whether it is used, its managers, its ports, its networks, its secrets and
certificates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    MANUAL,
    Case,
    Deviation,
    Item,
    NotApplicable,
    Remedy,
    on_engine,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.containers import secret_names
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.endpoints import named
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.packet_filter import (
    DROP,
    Packet,
    incoming,
)

Swarm = Mapping[str, Any]
_DAY = 86400
# port: protocols; 2377 management, 7946 gossip, 4789 VXLAN (the default data path port)
_PORTS = {2377: ("tcp",), 7946: ("tcp", "udp"), 4789: ("udp",)}


def _in_swarm(case: Case) -> Swarm:
    swarm: Swarm = case.of_engine("swarm")
    if swarm["state"] in ("", "inactive"):
        raise NotApplicable("swarm mode is off")
    return swarm


def on_member(case: Case) -> Iterable[Item]:
    """The engine, when it is part of a swarm."""
    _in_swarm(case)
    return on_engine(case)


def on_manager(case: Case) -> Iterable[Item]:
    """The swarm as its manager knows it."""
    swarm = _in_swarm(case)
    if swarm["state"] == "locked":
        raise Unread("the manager is locked")
    if not swarm["manager"]:
        raise NotApplicable("this node is no manager")
    return (Item("swarm", case.engine["name"], case.engine["name"], swarm),)


control = scope("swarm", per_engine=True, over=on_manager)


@control(
    "swarm.in_use",
    "Swarm mode is off unless services use it",
    "low",
    Remedy("live", "Run docker swarm leave --force on the last manager; set wanted if the swarm is to stay."),
    requirements=("RT-48",),
    cis=("5.1",),
    level=1,
    over=on_engine,
    parameters={"wanted": False},
)
def in_use(engine: Mapping[str, Any], case: Case) -> Deviation | None:
    """An unused swarm opens ports on all addresses and hands out join tokens for nothing. The state is
    recorded here."""
    swarm = read(engine, "swarm")
    if swarm["state"] in ("", "inactive") or case.parameters["wanted"] or not swarm["manager"]:
        return None
    if read(swarm, "services"):
        return None
    return Deviation(f"{swarm['state']}, no services", "inactive", "/info Swarm")


@control(
    "swarm.managers",
    "The swarm has enough managers to lose one, and no more than it needs",
    "medium",
    Remedy(
        "live",
        "Promote or demote nodes until 3, 5 or 7 are managers (docker node promote, docker node demote).",
    ),
    cis=("7.1",),
    level=1,
    parameters={"counts": [3, 5, 7]},
)
def managers(swarm: Swarm, case: Case) -> Deviation | None:
    """Managers decide by majority and hold all secrets: one cannot be lost, an even number guards no more
    than one less, many are many ways in. Every manager counts, not only the leader."""
    count, reachable = read(swarm, "managers"), 0
    for node in read(swarm, "nodes"):
        reachable += node["role"] == "manager" and node["reachability"] == "reachable"
    if count not in case.parameters["counts"]:
        return Deviation(count, case.parameters["counts"], "/nodes")
    if reachable < count:
        return Deviation(f"{reachable} of {count} reachable", "all reachable", "/nodes")
    return None


def _listeners(case: Case) -> Iterator[Item]:
    _in_swarm(case)
    for listener in case.host("listeners"):
        port, protocol = listener["port"], listener["protocol"]
        if (
            protocol in _PORTS.get(port, ())
            and listener["scope"] != "loopback"
            and listener["container"] is None
        ):
            name = f"{named(listener)}/{protocol}"
            yield Item("socket", name, name, listener)


@control(
    "swarm.listen_address",
    "The swarm's management port is open on one address only",
    "medium",
    Remedy(
        "manual", "Make the swarm anew with docker swarm init --listen-addr ADDRESS:2377, or filter the port."
    ),
    cis=("7.2",),
    level=1,
    over=_listeners,
)
def listen_address(listener: Mapping[str, Any], case: Case) -> Deviation | None:
    """By default 2377 is open on every address, also on the side of the internet."""
    if listener["port"] != 2377 or listener["scope"] != "wildcard":
        return None
    return Deviation(named(listener), "a specific address", "socket")


@control(
    "swarm.ports_protected",
    "The swarm's ports are reachable from the cluster alone",
    "high",
    Remedy("live", "Filter 2377/tcp, 7946/tcp, 7946/udp and 4789/udp to the other nodes' addresses."),
    requirements=("D04-08",),
    over=_listeners,
)
def ports_protected(listener: Mapping[str, Any], case: Case) -> Deviation | None:
    """7946 and 4789 know no peers at the socket: VXLAN packets from anywhere enter the overlay network.
    2377 asks for a node certificate per call. Judged by the packet filter of the host."""
    if listener["port"] == 2377:
        return _plain_management(case)
    if incoming(case, listener["family"], Packet(listener["protocol"], listener["port"])) == DROP:
        return None
    return Deviation("open to all", "filtered to the nodes", "packet filter of INPUT")


def _plain_management(case: Case) -> Deviation | None:
    for service in case.host("services"):
        for answer in read(service, "answers") if service["kind"] == "swarm" else ():
            if answer["scheme"] == "http" and answer["status"] not in (None, 400):
                return Deviation(
                    f"HTTP {answer['status']} without TLS", "TLS of the swarm's CA", answer["path"]
                )
    return None


def _overlays(case: Case) -> Iterator[Item]:
    _in_swarm(case)
    for network in case.of_engine("networks"):
        if network["driver"] == "overlay":
            yield Item("network", network["id"][:12], network["name"], network)


@control(
    "swarm.overlay_encrypted",
    "Overlay networks are encrypted",
    "medium",
    Remedy(
        "recreate",
        "Create the network anew with --opt encrypted, the ingress network too, and move its services.",
    ),
    requirements=("D04-08",),
    cis=("7.3",),
    level=1,
    over=_overlays,
)
def overlay_encrypted(network: Mapping[str, Any], case: Case) -> Deviation | None:
    """Only the management traffic is encrypted by itself; what services say to each other crosses the wire
    as it is."""
    given = (read(network, "options") or {}).get("encrypted")
    if given is not None and str(given).lower() not in ("false", "0"):
        return None
    return Deviation("clear text", "encrypted", "options of the network")


def _services(case: Case) -> Iterator[Item]:
    for swarm in on_manager(case):
        for service in read(swarm.value, "services"):
            yield Item("service", service["id"], service["name"], service)


@control(
    "swarm.secrets",
    "Services get secrets as secrets, not in their environment",
    "medium",
    Remedy("recreate", "Create them with docker secret create and give the service the file (NAME_FILE)."),
    cis=("7.4",),
    level=1,
    over=_services,
    parameters={"allow": []},
)
def secrets(service: Mapping[str, Any], case: Case) -> Deviation | None:
    """The environment of a service is readable by everybody who may inspect it, and stands in the raft
    log."""
    names = secret_names(service["env_names"], case.parameters["allow"])
    return Deviation(names, "docker secret", "names of environment variables") if names else None


@control(
    "swarm.autolock",
    "Managers are locked until their key is given",
    "medium",
    Remedy("live", "Run docker swarm update --autolock=true and keep the key apart from the hosts."),
    cis=("7.5",),
    level=1,
    # A manager that was restarted then waits for a person with the key.
    baseline=False,
)
def autolock(swarm: Swarm, case: Case) -> Deviation | None:
    """Without it the keys of the raft log and of TLS lie on disk beside what they encrypt."""
    return (
        None if read(swarm, "autolock") else Deviation(False, True, "/info Swarm.Cluster: AutoLockManagers")
    )


@control(
    "swarm.certificate_validity",
    "Node certificates are renewed within the time wanted",
    "low",
    Remedy("live", "Run docker swarm update --cert-expiry with a shorter time, for example 720h."),
    cis=("7.7",),
    level=1,
    parameters={"most_days": 90},
)
def certificate_validity(swarm: Swarm, case: Case) -> Deviation | None:
    """A stolen node certificate is good until it ends; the default is 90 days, renewal costs nothing."""
    days = read(swarm, "certificate_validity") / _DAY
    if days <= case.parameters["most_days"]:
        return None
    return Deviation(
        f"{days:.0f} days", f"at most {case.parameters['most_days']} days", "/info Swarm.Cluster: CAConfig"
    )


@control(
    "swarm.ca_rotated",
    "The CA of the swarm is rotated within the time wanted",
    "low",
    Remedy("live", "Run docker swarm ca --rotate."),
    cis=("7.8",),
    level=1,
    parameters={"most_days": 365},
)
def ca_rotated(swarm: Swarm, case: Case) -> Deviation | None:
    """The CA's key is on every manager there ever was; the certificate itself is good for 20 years."""
    rotated = read(swarm, "ca_rotated")
    if rotated is None:
        raise Unread("when the CA of the swarm was made is not known")
    days = (case.host("host", "time") - rotated) / _DAY
    if days <= case.parameters["most_days"]:
        return None
    return Deviation(
        f"{days:.0f} days old", f"at most {case.parameters['most_days']} days", "/info Swarm.Cluster: TLSInfo"
    )


@control(
    "swarm.unlock_key_rotated",
    "The key that unlocks managers is changed at times",
    "low",
    Remedy("live", "Run docker swarm unlock-key --rotate, keep the new key, attest the date."),
    cis=("7.6",),
    level=1,
)
def unlock_key_rotated(swarm: Swarm, case: Case) -> Deviation:
    """No interface tells when the key was made; people who left may know it."""
    if not read(swarm, "autolock"):
        raise NotApplicable("managers are not locked")
    return Deviation(None, "attested", "no interface tells it", MANUAL)


@control(
    "swarm.management_separated",
    "Management and data traffic of the swarm use separate networks",
    "low",
    Remedy(
        "manual", "Join nodes with --advertise-addr and --data-path-addr on different interfaces, attest it."
    ),
    cis=("7.9",),
    level=1,
    over=on_member,
)
def management_separated(engine: Mapping[str, Any], case: Case) -> Deviation:
    """Whoever floods or taps the data network then does not touch the managers. The data path address of a
    node is not shown by the API."""
    return Deviation(None, "attested", "no interface tells it", MANUAL)
