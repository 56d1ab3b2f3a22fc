# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the ports that containers publish and listen on, and of the bridge they share."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Deviation,
    NotApplicable,
    Remedy,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.containers import (
    Container,
    Outcome,
    control,
    listed,
    option,
    users,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import WILDCARDS
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    HOST_BINDING,
    configured_value,
)

# Above it a UDP socket is mostly the client's end of a question, such as a resolver's.
_EPHEMERAL = 32768


class Port(NamedTuple):
    """A published port; `number` is None where Docker chooses it at start, `target` is `80/tcp`."""

    address: str
    number: int | None
    target: str


def published(container: Container, case: Case) -> list[Port]:
    """The ports in force while it runs, otherwise those that its start will publish."""
    return [
        Port(
            one["host_address"] or _default_address(container, case),
            one["host_port"],
            f"{one['container_port']}/{one['protocol']}",
        )
        for one in read(container, "ports")
    ]


def _default_address(container: Container, case: Case) -> str:
    """What a start will fill in: the engine's option `ip`, which Docker keeps with the network."""
    mode = option(container, "NetworkMode")
    name = "bridge" if mode == "default" else mode
    for network in case.of_engine("networks"):
        if name in (network["name"], network["id"]):
            return str((network["options"] or {}).get(HOST_BINDING, "0.0.0.0"))
    return "0.0.0.0"


def _not_allowed(container: Container, case: Case) -> list[Port]:
    allow = {str(number) for number in case.parameters["allow"]}
    return [port for port in published(container, case) if str(port.number) not in allow]


def _numbers(ports: Iterable[Port]) -> str:
    shown = {(port.number or 0, port.target.partition("/")[2]) for port in ports}
    return listed(f"{number or 'any'}/{protocol}" for number, protocol in sorted(shown))


@control(
    "container.published_addresses",
    "Published ports are bound to a specific address",
    "medium",
    Remedy("recreate", "Publish as -p ADDRESS:PORT:PORT, 127.0.0.1 behind a proxy; or set ip in the engine."),
    requirements=("RT-44",),
    cis=("5.14",),
    level=1,
    parameters={"allow": []},
)
def published_addresses(container: Container, case: Case) -> Outcome:
    """By default a published port is open on all interfaces, past the firewall rules for the host's services.

    `allow` lists the port numbers of the host that may be open to all.
    """
    ports = [one for one in _not_allowed(container, case) if one.address in WILDCARDS]
    return Deviation(_numbers(ports), None, "all interfaces") if ports else None


@control(
    "container.published_low_ports",
    "No container publishes a port of the host below 1024",
    "low",
    Remedy("recreate", "Publish a port from 1024 on and let the host's proxy or firewall forward to it."),
    cis=("5.8",),
    level=1,
    parameters={"allow": []},
)
def published_low_ports(container: Container, case: Case) -> Outcome:
    """Clients trust that a service on such a port was started by root of the host.

    `allow` lists the port numbers of the host that may be used.
    """
    ports = [one for one in _not_allowed(container, case) if one.number and one.number < 1024]
    return Deviation(_numbers(ports), None, "ports") if ports else None


@control(
    "container.published_ports",
    "Containers publish the ports that are meant to be published",
    "low",
    Remedy("recreate", "Run it without -P and without the -p that nobody uses."),
    requirements=("D01-11",),
    cis=("5.9",),
    level=1,
    parameters={"allow": []},
)
def published_ports(container: Container, case: Case) -> Outcome:
    """With -P the image decides what is open.

    `allow` lists the port numbers of the host that may be published; while it is empty, only -P is judged.
    """
    if option(container, "PublishAllPorts"):
        return Deviation("all that the image exposes", None, "HostConfig.PublishAllPorts")
    ports = _not_allowed(container, case) if case.parameters["allow"] else []
    return Deviation(_numbers(ports), None, "ports") if ports else None


@control(
    "container.low_ports",
    "Services in containers listen on ports from 1024 on",
    "info",
    Remedy(
        "recreate", "Configure a high port and map it, for example -p 80:8080; it then needs no privilege."
    ),
    requirements=("D01-10",),
)
def low_ports(container: Container, case: Case) -> Outcome:
    """A service on a low port was made to start as root; since 20.10 anyone may bind one on a bridge."""
    targets = set(read(container, "config", "exposed_ports") or ())
    targets.update(port.target for port in published(container, case))
    low = sorted(target for target in targets if int(target.partition("/")[0]) < 1024)
    return Deviation(listed(low), None, "exposed or published") if low else None


@control(
    "container.undeclared_listeners",
    "Containers listen on no port that they do not declare",
    "medium",
    Remedy(
        "recreate",
        "Bind it to 127.0.0.1 or switch it off; declare what is meant with EXPOSE.",
    ),
    requirements=("D04-13", "D04-41", "D04-42"),
)
def undeclared_listeners(container: Container, case: Case) -> Outcome:
    """Neighbours on the network reach every socket of a container; the host's own list shows none of them."""
    if read(container, "process") is None or option(container, "NetworkMode").startswith("container:"):
        raise NotApplicable("does not run, or listens in another container's network")
    sockets = read(container, "listeners")
    if sockets is None:
        raise NotApplicable("listens in the host's network")
    listening = {
        f"{one['port']}/{one['protocol']}"
        for one in sockets
        if not _local(one["address"]) and (one["protocol"] != "udp" or one["port"] < _EPHEMERAL)
    }
    if listening:
        listening -= _declared(container, case)
    return Deviation(listed(sorted(listening)), None, "sockets of its network") if listening else None


def _local(address: str) -> bool:
    return address.startswith(("127.", "::ffff:127.")) or address == "::1"


def _declared(container: Container, case: Case) -> set[str]:
    """What it and the containers that joined its network expose or publish; in a rootless engine's own network
    also what that engine itself opens there: for its API and for published ports."""
    guests = [
        other
        for other in case.of_engine("containers")
        if other is container or option(other, "NetworkMode") == f"container:{container['id']}"
    ]
    declared = {port.target for guest in guests for port in published(guest, case)}
    if option(container, "NetworkMode") == "host":
        declared.update(
            f"{port.number}/{port.target.partition('/')[2]}"
            for other in case.of_engine("containers")
            for port in published(other, case)
        )
        declared.update(f"{number}/tcp" for number in _api_ports(case))
    return declared.union(*(read(guest, "config", "exposed_ports") or () for guest in guests))


def _api_ports(case: Case) -> list[str]:
    hosts = configured_value(case.engine, "hosts") or ()
    ports = {host: re.search(r":(\d+)/?$", host) for host in hosts if host.startswith("tcp:")}
    # What Docker takes where a TCP address names no port.
    return [port[1] if port else "2375" for port in ports.values()]


# It is what docker run does, and daemon.icc tells whether the containers on it reach each other.
@control(
    "container.default_bridge",
    "No container is on the default bridge",
    "medium",
    Remedy("recreate", "Create a network for each application and run the container with --network NAME."),
    requirements=("D03-02",),
    cis=("5.30",),
    level=2,
    baseline=False,
)
def default_bridge(container: Container, case: Case) -> Outcome:
    """There containers of all applications are neighbours, and may talk and spoof."""
    return Deviation("bridge", None, "networks") if "bridge" in read(container, "networks") else None


@control(
    "container.ssh_server",
    "No container runs an SSH server",
    "medium",
    Remedy("recreate", "Take it out of the image; docker exec opens a shell, and is logged by the engine."),
    cis=("5.7",),
    level=1,
)
def ssh_server(container: Container, case: Case) -> Outcome:
    """A second way in, with accounts and keys that nobody on the host manages."""
    running = users(container)
    if running is None:
        programs = {posixpath.basename(read(container, "config", "program") or "")}
    else:
        programs = {name for name, _unused, _unused in running}
    found = sorted(name for name in programs if name.startswith("sshd") or name == "dropbear")
    return Deviation(listed(found), None, "processes") if found else None
