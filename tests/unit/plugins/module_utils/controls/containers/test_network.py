# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of ports, listening sockets and bridges of containers."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.containers import network as controls

from tests.unit.builders.containers import (
    container,
    default_container,
    holding,
    host_with,
    network,
    rootless_engine,
    stopped,
)
from tests.unit.builders.judging import finding

BOUND = {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}


def port(number, address="0.0.0.0", target=8080, protocol="tcp"):
    return {"container_port": target, "protocol": protocol, "host_address": address, "host_port": number}


def publishing(*ports, **changes):
    return container(ports=list(ports), **changes)


def socket(number, address="0.0.0.0", protocol="tcp"):
    return {"protocol": protocol, "family": 4, "address": address, "port": number}


def listening(*sockets, **changes):
    return container(listeners=list(sockets), **changes)


def process(name):
    return {"name": name, "uid": 20000, "gid": 20000, "no_new_privs": True, "count": 1}


def verdict(control, *containers, parameters=None, **engine):
    found = finding(control, holding(*containers, **engine), **(parameters or {}))
    return found["subjects"][0]["actual"] if found["verdict"] == "fail" else found["verdict"]


@pytest.mark.parametrize(
    ("control", "one", "expected"),
    [
        (controls.published_addresses, publishing(port(8080), port(8080, "::")), "8080/tcp"),
        (controls.published_addresses, publishing(port(53, "::", 53, "udp")), "53/udp"),
        (controls.published_addresses, publishing(port(8080, "127.0.0.1")), "pass"),
        (controls.published_addresses, publishing(port(8080, "192.0.2.7")), "pass"),
        (controls.published_addresses, stopped(ports=[port(8080, "")]), "8080/tcp"),
        (controls.published_addresses, stopped(ports=[port(None, "")]), "any/tcp"),
        (controls.published_low_ports, publishing(port(80, "127.0.0.1")), "80/tcp"),
        (controls.published_low_ports, publishing(port(1024)), "pass"),
        (
            controls.published_ports,
            container(host_config={"PublishAllPorts": True}),
            "all that the image exposes",
        ),
        (controls.published_ports, publishing(port(8080)), "pass"),
        (controls.low_ports, container(config={"exposed_ports": ["80/tcp", "8080/tcp"]}), "80/tcp"),
        (controls.low_ports, publishing(port(8080, target=443)), "443/tcp"),
        (controls.low_ports, publishing(port(80)), "pass"),
        (controls.undeclared_listeners, listening(socket(7070)), "7070/tcp"),
        (controls.undeclared_listeners, listening(socket(7070, "::")), "7070/tcp"),
        (controls.undeclared_listeners, listening(socket(7070, "127.0.0.1")), "pass"),
        (controls.undeclared_listeners, listening(socket(7070, "::1")), "pass"),
        (controls.undeclared_listeners, listening(socket(45000, protocol="udp")), "pass"),
        (controls.undeclared_listeners, listening(socket(514, protocol="udp")), "514/udp"),
        (
            controls.undeclared_listeners,
            listening(socket(7070), config={"exposed_ports": ["7070/tcp"]}),
            "pass",
        ),
        (controls.undeclared_listeners, listening(socket(8080), ports=[port(80)]), "pass"),
        (controls.undeclared_listeners, container(listeners=None), "not_applicable"),
        (controls.undeclared_listeners, container(listeners={"error": "no permission"}), "unknown"),
        (controls.undeclared_listeners, stopped(), "not_applicable"),
        (controls.default_bridge, default_container(), "bridge"),
        (controls.default_bridge, container(), "pass"),
        (controls.ssh_server, container(processes=[process("sshd-session"), process("app")]), "sshd-session"),
        (controls.ssh_server, container(processes=[process("dropbear")]), "dropbear"),
        (controls.ssh_server, container(), "pass"),
        (controls.ssh_server, stopped(config={"program": "/usr/sbin/sshd"}), "sshd"),
        (controls.ssh_server, stopped(), "pass"),
    ],
)
def test_verdicts(control, one, expected):
    assert verdict(control, one) == expected


@pytest.mark.parametrize(
    ("control", "allow", "expected"),
    [
        (controls.published_addresses, [80], "443/tcp"),
        (controls.published_addresses, [80, "443"], "pass"),
        (controls.published_low_ports, [443], "80/tcp"),
        (controls.published_ports, [80], "443/tcp"),
        (controls.published_ports, [80, 443], "pass"),
    ],
)
def test_ports_that_are_allowed(control, allow, expected):
    assert verdict(control, publishing(port(80), port(443)), parameters={"allow": allow}) == expected


@pytest.mark.parametrize(
    ("mode", "networks", "expected"),
    [
        ("bridge", [network("bridge", options=BOUND)], "pass"),
        ("default", [network("bridge", options=BOUND)], "pass"),
        ("shop", [network("bridge", options=BOUND), network("shop")], "8080/tcp"),
        ("shop", [network("bridge"), network("shop", options=BOUND)], "pass"),
        ("gone", [], "8080/tcp"),
    ],
)
def test_the_address_that_a_start_will_choose(mode, networks, expected):
    """The engine's option `ip` shows in its default bridge, 20.10 calls that network `default`."""
    resting = stopped(ports=[port(8080, "")], host_config={"NetworkMode": mode})
    assert verdict(controls.published_addresses, resting, networks=networks) == expected


def test_sockets_of_a_shared_network_belong_to_its_owner():
    owner = container(id="a" * 64, name="owner", listeners=[socket(7070), socket(9090)])
    guest = container(
        id="b" * 64,
        name="guest",
        host_config={"NetworkMode": f"container:{'a' * 64}"},
        listeners=[socket(7070), socket(9090)],
        config={"exposed_ports": ["9090/tcp"]},
    )
    found = finding(controls.undeclared_listeners, holding(owner, guest))
    assert [(subject["name"], subject["actual"]) for subject in found["subjects"]] == [("owner", "7070/tcp")]


def test_what_a_rootless_engine_opens_in_its_own_network_is_not_its_guests():
    guest = listening(socket(2375), socket(7000), socket(8080), host_config={"NetworkMode": "host"})
    neighbour = publishing(port(8080))
    flags = {"host": ["unix:///run/user/1000/docker.sock", "tcp://0.0.0.0"]}
    found = finding(controls.undeclared_listeners, host_with(rootless_engine(guest, neighbour, flags=flags)))
    assert [subject["actual"] for subject in found["subjects"]] == ["7000/tcp"]
