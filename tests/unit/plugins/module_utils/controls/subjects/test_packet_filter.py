# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packet filter's verdict on a new connection, from rules as iptables-save prints them."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Case
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.packet_filter import (
    ACCEPT,
    DROP,
    Packet,
    drops_anything,
    incoming,
    walk,
)

from tests.unit.builders.host import snapshot

SSH = Packet("tcp", 22)

# The INPUT side of ufw 0.36.2 with `ufw allow 22/tcp` and `ufw limit 80/tcp`.
UFW = {
    "INPUT": {
        "policy": "DROP",
        "rules": [
            "-A INPUT -j ufw-before-logging-input",
            "-A INPUT -j ufw-before-input",
            "-A INPUT -j ufw-user-input",
        ],
    },
    "ufw-before-logging-input": {"policy": None, "rules": []},
    "ufw-before-input": {
        "policy": None,
        "rules": [
            "-A ufw-before-input -i lo -j ACCEPT",
            "-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            "-A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT",
            "-A ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT",
            "-A ufw-before-input -j ufw-not-local",
        ],
    },
    "ufw-not-local": {
        "policy": None,
        "rules": [
            "-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN",
            "-A ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN",
            "-A ufw-not-local -j DROP",
        ],
    },
    "ufw-user-input": {
        "policy": None,
        "rules": [
            '-A ufw-user-input -p tcp -m tcp --dport 22 -m comment --comment "dapp_OpenSSH it\'s" -j ACCEPT',
            "-A ufw-user-input -p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -m recent --set",
            "-A ufw-user-input -p tcp -m tcp --dport 80 -j ufw-user-limit-accept",
        ],
    },
    "ufw-user-limit-accept": {"policy": None, "rules": ["-A ufw-user-limit-accept -j ACCEPT"]},
}


def chain(*rules, policy="ACCEPT"):
    return {"INPUT": {"policy": policy, "rules": [f"-A INPUT {rule}" for rule in rules]}}


@pytest.mark.parametrize(
    ("chains", "packet", "verdict"),
    [
        (chain(), SSH, ACCEPT),
        (chain(policy="DROP"), SSH, DROP),
        (chain("-p tcp -m tcp --dport 22 -j DROP"), SSH, DROP),
        (chain("-p tcp -m tcp --dport 22 -j REJECT --reject-with tcp-reset"), SSH, DROP),
        (chain("-p tcp -m tcp --dport 23 -j DROP"), SSH, ACCEPT),
        (chain("-p udp -m udp --dport 22 -j DROP"), SSH, ACCEPT),
        (chain("-p tcp -m tcp --dport 20:30 -j DROP"), SSH, DROP),
        (chain("-p tcp -m tcp --dport :30 -j DROP"), SSH, DROP),
        (chain("-p tcp -m tcp --dport 23: -j DROP"), SSH, ACCEPT),
        (chain("-p tcp -m multiport --dports 80,443,22 -j DROP"), SSH, DROP),
        (chain("-p tcp -m multiport --dports 80,100:200 -j DROP"), SSH, ACCEPT),
        (chain("-p tcp -m tcp ! --dport 22 -j DROP"), SSH, ACCEPT),
        (chain("-p tcp -m tcp ! --dport 23 -j DROP"), SSH, DROP),
        # Rules for some only neither protect from everybody nor open to everybody.
        (chain("-s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT", "-j DROP"), SSH, DROP),
        (chain("-s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j DROP"), SSH, ACCEPT),
        (chain("-m limit --limit 3/min -j ACCEPT", policy="DROP"), SSH, DROP),
        (chain("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", policy="DROP"), SSH, DROP),
        (chain("-m conntrack --ctstate NEW -p tcp --dport 22 -j ACCEPT", policy="DROP"), SSH, ACCEPT),
        (chain("-i lo -j ACCEPT", policy="DROP"), SSH, DROP),
        (chain("! -i lo -j DROP"), SSH, DROP),
        (chain("-i eth0 -p tcp -m tcp --dport 22 -j DROP"), SSH, DROP),
        (chain("-i docker0 -j DROP"), SSH, ACCEPT),
        (chain("-i docker0 -j DROP"), Packet("tcp", 22, "docker0"), DROP),
        (chain("-i br-+ -j DROP"), Packet("tcp", 22, "br-0a1b2c"), DROP),
        (chain("-i br-+ -j DROP"), Packet("tcp", 22, "docker0"), ACCEPT),
        (chain("! -i docker0 -j ACCEPT", policy="DROP"), Packet("tcp", 22, "docker0"), DROP),
        # A port that no rule names.
        (chain("-p tcp -m tcp --dport 22 -j DROP"), Packet("tcp", None), ACCEPT),
        (chain("-p tcp -m tcp --dport 22 -j ACCEPT", "-j DROP"), Packet("tcp", None), DROP),
        (chain('-j LOG --log-prefix "in: "', "-j nosuch", "-j DROP"), SSH, DROP),
        (chain("-j INPUT", policy="DROP"), SSH, DROP),
        (UFW, SSH, ACCEPT),
        (UFW, Packet("tcp", 80), ACCEPT),
        (UFW, Packet("tcp", 111), DROP),
        (UFW, Packet("udp", 22), DROP),
        ({}, SSH, None),
    ],
)
def test_walk(chains, packet, verdict):
    assert walk(chains, "INPUT", packet) == verdict


def nft(**fields):
    found = {
        "family": "inet",
        "table": "filter",
        "chain": "input",
        "hook": "input",
        "policy": "accept",
        "rules": 0,
    }
    return [{**found, **fields}]


@pytest.mark.parametrize(
    ("firewall", "packet", "verdict"),
    [
        ({"nftables": []}, SSH, ACCEPT),
        ({"nftables": None, "iptables": None}, SSH, ACCEPT),
        ({"nftables": nft(policy="drop")}, Packet("tcp", None), DROP),
        ({"nftables": nft(family="ip", policy="drop", chain="in")}, Packet("tcp", None), DROP),
        ({"nftables": nft(family="ip6", policy="drop")}, Packet("tcp", None), ACCEPT),
        ({"nftables": nft(hook="forward", policy="drop")}, Packet("tcp", None), ACCEPT),
        ({"nftables": nft(family="ip", chain="INPUT", policy="accept", rules=9)}, SSH, ACCEPT),
        # Chains that only bear iptables' names.
        (
            {"iptables": None, "nftables": nft(family="ip", chain="INPUT", policy="drop")},
            Packet("tcp", None),
            DROP,
        ),
        ({"nftables": nft(policy="drop", rules=9)}, SSH, None),
        ({"nftables": nft(rules=9)}, SSH, None),
        ({"nftables": nft(rules=9)}, Packet("tcp", None), None),
        ({"iptables": {"filter": chain(policy="DROP")}, "nftables": nft(rules=9)}, SSH, DROP),
        ({"iptables": {"error": "iptables-save: Permission denied"}}, SSH, None),
        ({"nftables": {"error": "nft: Operation not permitted"}}, SSH, None),
    ],
)
def test_incoming(firewall, packet, verdict):
    data = snapshot()
    data["firewall"] = {"iptables": {"filter": chain()}, "ip6tables": None, "nftables": [], **firewall}
    if verdict is None:
        with pytest.raises(Unread):
            incoming(Case(data), 4, packet)
    else:
        assert incoming(Case(data), 4, packet) == verdict


@pytest.mark.parametrize(
    ("rules", "dropped"),
    [
        ([], False),
        (["-A DOCKER-USER -j RETURN"], False),
        (["-A DOCKER-USER -i eth0 -j DROP"], True),
        (["-A DOCKER-USER -j mine"], True),
        (["-A DOCKER-USER -j DOCKER-USER"], False),
    ],
)
def test_chains_that_drop_something(rules, dropped):
    chains = {
        "DOCKER-USER": {"policy": None, "rules": rules},
        "mine": {"policy": None, "rules": ["-A mine -p tcp -j REJECT"]},
    }
    assert drops_anything(chains, "DOCKER-USER") is dropped
