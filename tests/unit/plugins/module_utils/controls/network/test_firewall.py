# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packet filter of the host: default, containers as sources, published ports, egress."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.network import firewall

from tests.unit.builders.host import (
    ENGINE,
    container,
    engine,
    listener,
    rootless_engine,
    said,
    snapshot,
)
from tests.unit.builders.judging import finding

NATIVE = [{"family": "inet", "table": "f", "chain": "i", "hook": "input", "policy": "accept", "rules": 9}]


def rules(policy="ACCEPT", *lines, user=("-A DOCKER-USER -j RETURN",)):
    return {
        "filter": {
            "INPUT": {"policy": policy, "rules": [f"-A INPUT {line}" for line in lines]},
            "DOCKER-USER": {"policy": None, "rules": list(user)},
        }
    }


def filtered(iptables, ip6tables=None, **changes):
    data = snapshot(changes)
    data["firewall"].update(iptables=iptables, ip6tables=ip6tables, **changes.get("firewall", {}))
    return data


WILDCARD_6 = listener("sshd", 22, family=6, address="::", v6only=True)


@pytest.mark.parametrize(
    ("data", "verdict", "shown"),
    [
        (filtered(rules("DROP")), "pass", ""),
        (filtered(rules("ACCEPT", "-j REJECT --reject-with icmp-port-unreachable")), "pass", ""),
        (filtered(rules("ACCEPT")), "fail", "IPv4: accepted"),
        (filtered(None), "fail", "IPv4: accepted"),
        (filtered(rules("DROP"), rules("ACCEPT"), listeners=[WILDCARD_6]), "fail", "IPv6: accepted"),
        (filtered(rules("ACCEPT"), rules("DROP"), listeners=[WILDCARD_6]), "fail", "IPv4: accepted"),
        (filtered(rules("DROP"), rules("ACCEPT")), "pass", ""),
        (filtered(rules("DROP"), rules("DROP"), listeners=[WILDCARD_6]), "pass", ""),
        (filtered(rules("ACCEPT"), firewall={"nftables": NATIVE}), "unknown", "nftables"),
        (filtered({"error": "iptables-save: Permission denied"}), "unknown", "Permission denied"),
    ],
)
def test_default_of_input(data, verdict, shown):
    found = finding(firewall.firewall_default, data)
    assert found["verdict"] == verdict
    assert shown in said(found)


@pytest.mark.parametrize(
    ("iptables", "listeners", "verdict"),
    [
        (rules("ACCEPT"), [listener("sshd", 22)], "fail"),
        (rules("DROP"), [listener("sshd", 22)], "pass"),
        (rules("ACCEPT", "-i docker0 -j DROP"), [listener("sshd", 22)], "pass"),
        (rules("DROP", "-p tcp -m tcp --dport 22 -j ACCEPT"), [listener("sshd", 22)], "fail"),
        (rules("ACCEPT"), [listener("sshd", 22, address="192.0.2.1", scope="specific")], "fail"),
        (rules("ACCEPT"), [listener("exim4", 25, address="127.0.0.1", scope="loopback")], "pass"),
        (rules("ACCEPT"), [], "pass"),
        (rules("ACCEPT"), {"error": "netlink"}, "unknown"),
    ],
)
def test_containers_as_sources(iptables, listeners, verdict):
    data = filtered(iptables, iptables, listeners=listeners)
    assert finding(firewall.services_from_containers, data)["verdict"] == verdict


def network(name, *subnets, **fields):
    options = {"com.docker.network.bridge.name": "docker0"} if name == "bridge" else {}
    found = {"id": "0a1b2c3d4e5f" + "0" * 52, "name": name, "driver": "bridge", "options": options}
    return {**found, "subnets": list(subnets), **fields}


SSH_6 = listener("sshd", 22, family=6, address="::", v6only=True)
SSH_DUAL = listener("sshd", 22, family=6, address="::", v6only=False)


@pytest.mark.parametrize(
    ("networks", "sockets", "actual"),
    [
        (
            [network("app", "172.18.0.0/16")],
            [listener("sshd", 22)],
            "tcp 0.0.0.0:22 from br-0a1b2c3d4e5f (IPv4)",
        ),
        ([network("bridge", "172.17.0.0/16")], [listener("sshd", 22)], None),
        ([network("mesh", "10.0.0.0/24", driver="overlay")], [listener("sshd", 22)], None),
        # IPv6 leads there only from a network that has it; a dual stack socket is reached by both.
        ([network("app", "172.18.0.0/16")], [SSH_6], None),
        ([network("app", "172.18.0.0/16")], [SSH_DUAL], "tcp [::]:22 from br-0a1b2c3d4e5f (IPv4)"),
        ([network("app", "fd00::/64")], [SSH_6], "tcp [::]:22 from br-0a1b2c3d4e5f (IPv6)"),
    ],
)
def test_every_bridge_of_the_engine_counts(networks, sockets, actual):
    tables = rules("ACCEPT", "-i docker0 -j DROP")
    data = filtered(tables, tables, engines=[engine(networks=networks)], listeners=sockets)
    found = finding(firewall.services_from_containers, data)
    assert [subject["actual"] for subject in found["subjects"]] == ([actual] if actual else [])


@pytest.mark.parametrize(
    ("engines", "verdict"),
    [
        ([], "not_applicable"),
        ([rootless_engine()], "not_applicable"),
        ([engine(networks={"error": "x"})], "unknown"),
    ],
)
def test_containers_as_sources_need_the_engine(engines, verdict):
    found = finding(firewall.services_from_containers, snapshot({"engines": engines}))
    assert found["verdict"] == verdict


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (snapshot(), "pass"),
        (filtered(rules()), "fail"),
        (filtered(rules(user=())), "fail"),
        (filtered(rules(user=("-A DOCKER-USER -o eth0 -j DROP",))), "pass"),
        (filtered({"filter": {}}), "not_applicable"),
        (filtered(None), "not_applicable"),
        (snapshot({"engines": [rootless_engine()]}), "not_applicable"),
        (filtered({"error": "iptables-save: Permission denied"}), "unknown"),
    ],
)
def test_egress(data, verdict):
    assert finding(firewall.docker_user_rules, data)["verdict"] == verdict


def published(address="0.0.0.0", port=8080, **fields):
    ports = [{"container_port": 80, "protocol": "tcp", "host_address": address, "host_port": port, **fields}]
    return {"engines": [{**ENGINE, "containers": [container("web", ports=ports)]}]}


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (filtered(rules("DROP"), **published()), "fail"),
        (filtered(rules("DROP"), rules("DROP"), **published("::")), "fail"),
        (filtered(rules("DROP"), rules("ACCEPT"), **published("::")), "not_applicable"),
        (filtered(rules("DROP"), **published("127.0.0.1")), "pass"),
        (filtered(rules("DROP"), **published(port=None)), "pass"),
        (filtered(rules("DROP", user=("-A DOCKER-USER -i eth0 -j DROP",)), **published()), "pass"),
        (filtered(rules("ACCEPT"), **published()), "not_applicable"),
        (filtered(None, **published()), "not_applicable"),
        (filtered({"error": "x"}, **published()), "unknown"),
        (filtered(rules("DROP"), engines=[engine(containers={"error": "x"})]), "unknown"),
        (filtered(rules("DROP"), engines=[]), "not_applicable"),
    ],
)
def test_published_ports_and_input(data, verdict):
    assert finding(firewall.published_ports_filtered, data)["verdict"] == verdict


def test_a_port_of_both_families_is_one_subject():
    ports = [
        {"container_port": 80, "protocol": "tcp", "host_address": address, "host_port": 8080}
        for address in ("0.0.0.0", "::")
    ]
    engines = [{**ENGINE, "containers": [container("web", ports=ports)]}]
    found = finding(
        firewall.published_ports_filtered, filtered(rules("DROP"), rules("DROP"), engines=engines)
    )
    assert [subject["name"] for subject in found["subjects"]] == ["web 8080/tcp"]
    assert "IPv4, IPv6" in said(found)


def test_a_native_chain_that_drops_forwarding_covers_published_ports():
    chains = [
        {"family": "inet", "table": "f", "chain": "fw", "hook": "forward", "policy": "drop", "rules": 3}
    ]
    data = filtered(rules("DROP"), firewall={"nftables": chains}, **published())
    assert finding(firewall.published_ports_filtered, data)["verdict"] == "pass"
