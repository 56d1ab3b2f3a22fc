# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the packet filter: the host's own services, published ports that pass it by, and egress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Deviation,
    Item,
    NotApplicable,
    Remedy,
    on_engine,
    on_host,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.engine_places import (
    is_off,
    system_engine,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.packet_filter import (
    ACCEPT,
    DROP,
    FAMILIES,
    Packet,
    drops_anything,
    incoming,
    native_chains,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.services import (
    Service,
    services,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import (
    WILDCARDS,
    families,
    is_exposed,
)


def _families(case: Case) -> list[int]:
    """IPv4, and IPv6 where the host listens on more than its loopback address."""
    return sorted({4} | {version for s in case.host("listeners") if is_exposed(s) for version in families(s)})


@scope("host", per_engine=False, over=on_host)(
    "host.firewall_default",
    "The packet filter refuses incoming connections unless a rule accepts them",
    "medium",
    Remedy(
        "live",
        "Accept what is needed (your own session first), then set the policy of INPUT to DROP, or enable ufw"
        " or firewalld.",
    ),
    requirements=("D04-43", "D04-25"),
    # Many hosts rely on the filter of their network instead.
    baseline=False,
)
def firewall_default(_snapshot: Mapping[str, Any], case: Case) -> list[Deviation]:
    """A service that somebody starts by mistake is then not reachable at once."""
    return [
        Deviation(
            f"IPv{family}: accepted", "dropped or rejected", f"{FAMILIES[family][0]} INPUT, nftables input"
        )
        for family in _families(case)
        if incoming(case, family, Packet("tcp", None)) == ACCEPT
    ]


def _reachable_from_containers(case: Case) -> Iterable[Item]:
    if is_off(case, system_engine(case)):
        raise NotApplicable("the system's engine is off")
    return services(case, lambda socket: is_exposed(socket) and socket["protocol"] in ("tcp", "udp"))


def _bridges(case: Case) -> list[tuple[str, int]]:
    """The interfaces of the engine's bridge networks, with the IP versions of their subnets."""
    found = set()
    for network in read(system_engine(case), "networks"):
        if network["driver"] == "bridge":
            given = network["options"].get("com.docker.network.bridge.name")
            for subnet in network["subnets"]:
                found.add((given or f"br-{network['id'][:12]}", 6 if ":" in subnet else 4))
    return sorted(found)


@scope("host", per_engine=False, over=_reachable_from_containers)(
    "host.services_from_containers",
    "Containers cannot reach the host's own services",
    "medium",
    Remedy(
        "live",
        "Drop what comes in from docker0 and br-+ in INPUT, except what containers need (DNS of the host).",
    ),
    requirements=("D03-03",),
    # Distributions leave INPUT open; who closes it has to know what the containers need.
    baseline=False,
)
def services_from_containers(service: Service, case: Case) -> Deviation | None:
    """From a container every service of the host that listens on more than loopback is one hop away, past all
    filters of the network."""
    versions = {version for socket in service.sockets for version in families(socket)}
    reaching = [
        f"{bridge} (IPv{version})"
        for bridge, version in _bridges(case)
        if version in versions
        and incoming(case, version, Packet(service.protocol, service.port, bridge)) == ACCEPT
    ]
    return Deviation(f"{service.shown} from {', '.join(reaching)}", "dropped", "INPUT") if reaching else None


@scope("host", per_engine=True, over=on_engine)(
    "host.docker_user_rules",
    "DOCKER-USER restricts what containers may reach",
    "low",
    Remedy(
        "live",
        "In DOCKER-USER accept established connections and the destinations needed, and drop the rest.",
    ),
    requirements=("D03-04",),
)
def docker_user_rules(_engine: Mapping[str, Any], case: Case) -> Deviation | None:
    """Without rules there a captured container reaches the host's whole network and the internet.

    Docker calls this chain before its own rules and leaves it to the administrator.
    """
    if case.rootless:
        raise NotApplicable("a rootless engine has a network namespace of its own")
    if is_off(case, case.engine):
        raise NotApplicable("the engine is off: what is left of its chains serves nobody")
    tables = case.host("firewall", "iptables")
    if tables is None or "DOCKER-USER" not in tables.get("filter", {}):
        raise NotApplicable("there is no DOCKER-USER chain")
    if drops_anything(tables["filter"], "DOCKER-USER"):
        return None
    return Deviation("no rule that drops", "a rule set for egress", "iptables -S DOCKER-USER")


def _published(case: Case) -> Iterator[Item]:
    """The ports that the engine publishes on all addresses, each once for IPv4 and IPv6."""
    for container in case.of_engine("containers"):
        ports: dict[str, list[int]] = {}
        for port in read(container, "ports"):
            if port["host_address"] in WILDCARDS and port["host_port"]:
                name = f"{port['host_port']}/{port['protocol']}"
                ports.setdefault(name, []).append(6 if port["host_address"] == "::" else 4)
        for name, versions in sorted(ports.items()):
            shown = f"{container['name'] or container['id'][:12]} {name}"
            yield Item("container", container["id"][:12], shown, versions)


@scope("host", per_engine=True, over=_published)(
    "host.published_ports_filtered",
    "Published ports do not pass by the host's packet filter",
    "medium",
    Remedy(
        "live",
        "Drop in DOCKER-USER what may not come from outside (conntrack --ctorigdstport: the published port),"
        " or publish on one address (-p 127.0.0.1:8080:80; the container is recreated).",
    ),
    requirements=("D04-25",),
)
def published_ports_filtered(versions: list[int], case: Case) -> Deviation | None:
    """Docker's rules forward them before INPUT, so ufw, firewalld and a policy of INPUT do not see them: the
    port is open although the firewall seems to close it."""
    if case.rootless:
        raise NotApplicable("a rootless engine's ports are sockets of the user, which INPUT sees")
    closed = [family for family in versions if incoming(case, family, Packet("tcp", None)) == DROP]
    if not closed:
        raise NotApplicable("the host has no filter that published ports could pass by")
    passing = [family for family in closed if not _forwarding_restricted(case, family)]
    if not passing:
        return None
    shown = ", ".join(f"IPv{family}" for family in passing)
    return Deviation(
        f"open to everybody ({shown})", "filtered in DOCKER-USER", "INPUT drops, FORWARD does not"
    )


def _forwarding_restricted(case: Case, family: int) -> bool:
    program, families = FAMILIES[family]
    tables = case.host("firewall", program) or {}
    if drops_anything(tables.get("filter", {}), "DOCKER-USER"):
        return True
    # All base chains at a hook count: one that drops cannot be overruled by Docker's.
    return any(chain["policy"] == "drop" for chain in native_chains(case, families, "forward"))
