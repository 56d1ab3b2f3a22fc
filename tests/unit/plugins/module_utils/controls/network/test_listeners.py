# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services of the host can be reached, which of them are declared, and what covers the others."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.network import listeners
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.known_services import (
    KNOWN_SERVICES,
    known_service,
)

from tests.unit.builders.host import engine, listener, owner, said, snapshot, unit
from tests.unit.builders.judging import finding

LOOPBACK = {"address": "127.0.0.1", "scope": "loopback"}
HIDDEN = {"owners": {"error": "run as root"}, "unit": None, "package": None}
KERNEL: dict[str, Any] = {"owners": [], "unit": None, "package": None}
BY_HAND = {"owners": [owner("python3", unit="session-3.scope")], "unit": None, "package": "python3.13"}


def host_with(*sockets, **changes):
    return snapshot({"listeners": list(sockets), **changes})


def verdict(control, *sockets, **parameters):
    return finding(control, host_with(*sockets), **parameters)["verdict"]


@pytest.mark.parametrize(
    ("socket", "unneeded", "declared"),
    [
        (listener("sshd", 22), "pass", "pass"),
        (listener("dropbear", 22), "pass", "pass"),
        (listener("nginx", 80), "fail", "not_applicable"),
        (listener("nginx", 8081), "fail", "not_applicable"),
        (listener("postgres", 5432, address="192.0.2.1", scope="specific"), "fail", "not_applicable"),
        (listener("postgres", 5432, **LOOPBACK), "pass", "pass"),
        (listener("postgres", 5432, family=6, address="::ffff:127.0.0.1", scope="loopback"), "pass", "pass"),
        (listener("node_exporter", 9100), "pass", "fail"),
        (listener("node_exporter", 9100, address="fe80::1", family=6, scope="link_local"), "pass", "fail"),
        # Judged by other controls.
        (listener("dockerd", 2376, unit="docker-tcp.socket"), "pass", "pass"),
        (
            listener("systemd", 2375, owners=[owner("systemd", pid=1)], unit="api.socket", package=None),
            "pass",
            "pass",
        ),
        (listener("nginx", 80, container="ab" * 32, unit=None), "pass", "pass"),
        (listener("docker-proxy", 8080, unit="docker.service"), "pass", "pass"),
        (listener("rpcbind", 111, unit="rpcbind.socket"), "pass", "pass"),
        (listener("systemd-resolve", 5355, unit="systemd-resolved.service"), "pass", "pass"),
        (listener("dhclient", 68, protocol="udp"), "pass", "pass"),
        (listener("systemd-network", 58, protocol="raw", unit="systemd-networkd.service"), "pass", "pass"),
        (listener("ping", 1, protocol="raw"), "pass", "fail"),
        # The kernel's own: known by the port.
        (listener("", 2049, **KERNEL), "fail", "not_applicable"),
        (listener("", 51820, protocol="udp", **KERNEL), "pass", "fail"),
        # Without root nobody knows whose it is.
        (listener("", 80, **HIDDEN), "unknown", "unknown"),
        (listener("", 9100, **HIDDEN), "unknown", "unknown"),
        (listener("", 80, **{**HIDDEN, **LOOPBACK}), "pass", "pass"),
    ],
)
def test_one_socket(socket, unneeded, declared):
    units = {"api.socket": unit("api.socket", triggers=["docker.service"])}
    data = host_with(socket, units=units)
    assert finding(listeners.unneeded_service, data)["verdict"] == unneeded
    assert finding(listeners.declared, data)["verdict"] == declared


@pytest.mark.parametrize("control", [listeners.unneeded_service, listeners.declared, listeners.firewalled])
def test_listeners_unread(control):
    assert finding(control, snapshot({"listeners": {"error": "netlink: denied"}}))["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("entry", "verdict_of_it"),
    [
        ({"unit": "node_exporter.service"}, "pass"),
        ({"unit": "node*"}, "pass"),
        ({"package": "node_exporter"}, "pass"),
        ({"protocol": "tcp", "port": 9100}, "pass"),
        ({"port": "9100"}, "pass"),
        ({"port": 9100, "address": "wildcard"}, "pass"),
        ({"port": 9100, "address": "0.0.0.0"}, "pass"),
        ({"port": 9100, "address": "192.0.2.1"}, "fail"),
        ({"port": 9100, "address": "specific"}, "fail"),
        ({"port": 9101}, "fail"),
        ({"protocol": "udp", "port": 9100}, "fail"),
        ({"program": "node_exporter"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_declarations(entry, verdict_of_it):
    assert verdict(listeners.declared, listener("node_exporter", 9100), allow=[entry]) == verdict_of_it


def test_a_declared_port_needs_no_owner():
    assert verdict(listeners.declared, listener("", 9100, **HIDDEN), allow=[{"port": 9100}]) == "pass"


def test_the_sockets_of_a_service_are_one_subject():
    sockets = [
        listener("nginx", 80),
        listener("nginx", 80, family=6, address="::", v6only=True),
        listener("nginx", 443),
        listener("nginx", 80, **LOOPBACK),
    ]
    found = finding(listeners.unneeded_service, host_with(*sockets))
    assert [(s["name"], s["id"], s["actual"]) for s in found["subjects"]] == [
        ("nginx.service tcp/443", "tcp/443", "tcp 0.0.0.0:443"),
        ("nginx.service tcp/80", "tcp/80", "tcp 0.0.0.0:80, tcp [::]:80"),
    ]


def test_a_declaration_may_leave_one_address_undeclared():
    sockets = [listener("nginx", 80, address="192.0.2.1", scope="specific"), listener("nginx", 80)]
    found = finding(
        listeners.unneeded_service, host_with(*sockets), allow=[{"port": 80, "address": "specific"}]
    )
    assert found["subjects"][0]["actual"] == "tcp 0.0.0.0:80"


@pytest.mark.parametrize(("state", "expected"), [("active", "pass"), ("inactive", "fail")])
def test_the_kernel_s_socket_of_an_overlay(state, expected):
    data = host_with(
        listener("", 4789, protocol="udp", **KERNEL),
        engines=[engine(swarm={"state": state, "manager": False})],
    )
    assert finding(listeners.declared, data)["verdict"] == expected


@pytest.mark.parametrize(
    ("socket", "expected"),
    [
        (listener("sshd", 22), "pass"),
        (listener("memcached", 11211), "fail"),
        (listener("in.tftpd", 69, protocol="udp"), "fail"),
        (listener("redis-server", 6379), "manual"),
        (listener("redis-server", 6379, **LOOPBACK), "pass"),
        (listener("mysqld", 3306), "pass"),
        (listener("", 6379, **HIDDEN), "unknown"),
    ],
)
def test_authentication(socket, expected):
    assert verdict(listeners.authentication, socket) == expected
    assert verdict(listeners.authentication, socket, allow=[{"port": socket["port"]}]) in ("pass", "unknown")


def tables(policy, *rules):
    chain = {"policy": policy, "rules": [f"-A INPUT {rule}" for rule in rules]}
    return {"filter": {"INPUT": chain}}


def firewalled(socket, policy, *rules):
    data = host_with(socket)
    data["firewall"].update(iptables=tables(policy, *rules), ip6tables=tables("ACCEPT"))
    return data


EXPORTER = listener("node_exporter", 9100)
EXPORTER_6 = listener("node_exporter", 9100, family=6, address="::", v6only=True)
EXPORTER_DUAL = listener("node_exporter", 9100, family=6, address="::", v6only=False)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (firewalled(EXPORTER, "DROP"), "pass"),
        (firewalled(EXPORTER, "ACCEPT"), "fail"),
        (firewalled(EXPORTER, "ACCEPT", "-p tcp -m tcp --dport 9100 -j DROP"), "pass"),
        (firewalled(EXPORTER, "DROP", "-p tcp -m tcp --dport 9100 -j ACCEPT"), "fail"),
        # Edge case 109: the IPv6 side is open; a dual stack socket has an IPv4 side as well.
        (firewalled(EXPORTER_6, "DROP"), "fail"),
        (firewalled(EXPORTER_DUAL, "DROP"), "fail"),
        (firewalled(listener("sshd", 22), "ACCEPT"), "pass"),
        (firewalled(listener("", 9100, **HIDDEN), "ACCEPT"), "unknown"),
        (snapshot({"listeners": [EXPORTER], "firewall": {"iptables": {"error": "x"}}}), "unknown"),
    ],
)
def test_the_packet_filter_covers_what_is_not_declared(data, expected):
    assert finding(listeners.firewalled, data)["verdict"] == expected


@pytest.mark.parametrize(
    ("policy", "units", "parameters", "expected"),
    [
        ("DROP", {}, {}, "pass"),
        ("ACCEPT", {}, {}, "fail"),
        ("ACCEPT", {"ssh.service": {"ip_address_deny": ["0.0.0.0/0", "::/0"]}}, {}, "pass"),
        ("ACCEPT", {"ssh.service": {"ip_address_deny": []}}, {}, "fail"),
        ("ACCEPT", {}, {"allow": [{"port": 22}]}, "pass"),
    ],
)
def test_access_is_restricted_by_unit_or_filter(policy, units, parameters, expected):
    data = firewalled(listener("sshd", 22, unit="ssh.service"), policy)
    for name, fields in units.items():
        data["units"][name].update(fields)
    assert finding(listeners.access_restricted, data, **parameters)["verdict"] == expected


@pytest.mark.parametrize(
    ("socket", "actual"),
    [
        (EXPORTER, []),
        (EXPORTER_6, ["tcp [::]:9100 (IPv6)"]),
        (EXPORTER_DUAL, ["tcp [::]:9100 (IPv6)"]),
        ({**EXPORTER_6, "address": "fe80::1", "scope": "link_local"}, ["tcp [fe80::1]:9100 (IPv6)"]),
    ],
)
def test_which_side_of_a_socket_is_open(socket, actual):
    found = finding(listeners.firewalled, firewalled(socket, "DROP"))
    assert [subject["actual"] for subject in found["subjects"]] == actual


def test_access_of_an_unknown_owner_is_unknown():
    assert verdict(listeners.access_restricted, listener("", 22, **HIDDEN)) == "unknown"


@pytest.mark.parametrize(
    ("socket", "expected"),
    [
        (listener("sshd", 22), "pass"),
        (listener("python3", 8000, **BY_HAND), "fail"),
        (listener("python3", 8000, **{**BY_HAND, **LOOPBACK}), "fail"),
        (listener("python3", 8000, owners=[owner("python3", unit=None)]), "fail"),
        (listener("systemd", 22, owners=[owner("systemd", pid=1, unit="init.scope")]), "pass"),
        (listener("python3", 8000, **BY_HAND, container="ab" * 32), "pass"),
        (listener("", 8000, **HIDDEN), "unknown"),
        (listener("", 2049, **KERNEL), "pass"),
    ],
)
def test_processes_outside_of_units(socket, expected):
    """Edge case 107."""
    assert verdict(listeners.attributed, socket) == expected


def test_without_systemd_there_are_no_units():
    data = host_with(listener("python3", 8000, **BY_HAND))
    data["units"] = {}
    assert finding(listeners.attributed, data)["verdict"] == "not_applicable"


def test_deleted_programs():
    """Edge case 106."""
    gone = owner("nginx", deleted=True)
    found = finding(listeners.deleted_program, host_with(listener("nginx", 80, owners=[gone, gone])))
    assert (found["verdict"], len(found["subjects"])) == ("fail", 1)
    assert "/usr/sbin/nginx" in said(found)
    assert verdict(listeners.deleted_program, listener("nginx", 80)) == "pass"
    assert verdict(listeners.deleted_program, listener("", 80, **HIDDEN)) == "unknown"


@pytest.mark.parametrize("service", KNOWN_SERVICES, ids=lambda service: service.name)
def test_every_known_service_is_found_by_its_first_program(service):
    program = service.programs[0].rstrip("*")
    assert known_service([program], "tcp", 1) == service
    assert known_service(["sshd", "ssh.service"], "tcp", 22) is None
