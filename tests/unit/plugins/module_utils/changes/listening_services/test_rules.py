# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mistakes in the rules of listening_services are told, and which listeners a rule means."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.errors import Unfit
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.matching import (
    matches,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.rules import (
    denied_units,
    parse,
)

from tests.unit.builders.host import listener, owner, unit

WEB = "ab" * 32
SYSTEMD = owner("systemd", pid=1, unit=None)
RPCBIND_UNITS = {"rpcbind.socket": unit("rpcbind.socket", triggers=["rpcbind.service"])}


def means(rule: dict[str, Any], socket: dict[str, Any], units: dict[str, Any] | None = None) -> bool:
    return matches(parse({"deny": [rule]}).deny[0], socket, {WEB: "web"}, units or {})


def test_what_the_options_say():
    rules = parse(
        {
            "allow": [{"unit": "nginx.service", "port": "8000-8099", "reviewed": "2026-10-01"}],
            "deny": [{"process": "cupsd", "address": "192.0.2.1", "container": None}],
            "rebind": [
                {"unit": "web.socket", "listen": ["127.0.0.1:8080", "[::1]:8080"]},
                {"unit": "systemd-resolved.service", "llmnr": False},
            ],
            "restrict": [{"unit": "web.service", "allow": ["192.0.2.0/24", "link-local"]}],
        }
    )
    assert rules.allow[0].shown == "allow[0] (unit nginx.service, port 8000-8099)"
    assert rules.allow[0].reviewed == date(2026, 10, 1)
    assert rules.deny[0].shown == "deny[0] (process cupsd, address 192.0.2.1)"
    assert rules.rebind[0].listen == ("127.0.0.1:8080", "[::1]:8080")
    assert rules.rebind[1].settings == {"llmnr": False}
    assert rules.restrict[0].allow == ("192.0.2.0/24", "link-local")
    assert (rules.deny_known, rules.allow_ssh) == (True, False)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({}, "deny[0]: name at least one of unit, package, process, protocol, port, address, container"),
        ("rpcbind", "deny[0]: name at least one of"),
        ({"port": None}, "deny[0]: name at least one of"),
        ({"program": "x"}, "deny[0]: unknown key 'program'"),
        ({"unit": "x.service", "reviewed": "2026-01-01"}, "deny[0]: unknown key 'reviewed'"),
        ({"unit": "rpcbind"}, "deny[0].unit: rpcbind has no type and fits no unit; write rpcbind.service"),
        ({"unit": 5}, "deny[0].unit: 5 is no name or pattern"),
        ({"process": ""}, "deny[0].process: '' is no name or pattern"),
        ({"protocol": "icmp"}, "deny[0].protocol: 'icmp' is none of tcp, udp, sctp, raw"),
        ({"port": 0}, "deny[0].port: 0 is no port"),
        ({"port": 65536}, "deny[0].port: 65536 is no port"),
        ({"port": True}, "deny[0].port: True is no port"),
        ({"port": "90-80"}, "deny[0].port: '90-80' is no port (1 to 65535) and no range such as 8000-8099"),
        ({"address": "everywhere"}, "deny[0].address: 'everywhere' is none of wildcard"),
        ({"address": 4}, "deny[0].address: 4 is none of"),
    ],
)
def test_mistakes_in_a_rule(rule, told):
    with pytest.raises(Unfit) as problem:
        parse({"deny": [rule]})
    assert str(problem.value).startswith(told)


@pytest.mark.parametrize("reviewed", ["yesterday", "2026-02-30", "20260101", 2026])
def test_a_review_has_a_date(reviewed):
    with pytest.raises(Unfit, match=r"allow\[0\]\.reviewed: .* is no date such as 2026-01-31"):
        parse({"allow": [{"port": 80, "reviewed": reviewed}]})


@pytest.mark.parametrize(
    ("option", "entry", "told"),
    [
        ("rebind", "x.socket", "a mapping with unit, listen, llmnr, mdns is expected"),
        ("rebind", {"listen": ["127.0.0.1:1"]}, r"rebind\[0\]\.unit: None is no service or socket unit"),
        ("rebind", {"unit": "*.socket", "listen": ["127.0.0.1:1"]}, "patterns are not taken here"),
        ("rebind", {"unit": "x.service", "listen": ["127.0.0.1:1"]}, "its own configuration says"),
        ("rebind", {"unit": "x.socket"}, "a socket unit takes listen alone"),
        ("rebind", {"unit": "x.socket", "listen": []}, "name an address, or deny the unit"),
        ("rebind", {"unit": "x.socket", "listen": "127.0.0.1:1"}, "a list of texts is expected"),
        ("rebind", {"unit": "x.socket", "listen": ["8080"]}, "'8080' is no address with a port"),
        ("rebind", {"unit": "x.socket", "listen": ["::1:8080"]}, "is no address with a port"),
        ("rebind", {"unit": "x.socket", "listen": ["[127.0.0.1]:80"]}, "is no address with a port"),
        ("rebind", {"unit": "x.socket", "listen": ["127.0.0.1:0"]}, "is no address with a port"),
        ("rebind", {"unit": "x.socket", "listen": ["127.0.0.1:80"], "mdns": False}, "takes listen alone"),
        ("rebind", {"unit": "systemd-resolved.service"}, "takes llmnr and mdns"),
        ("rebind", {"unit": "systemd-resolved.service", "llmnr": "no"}, "'no' is neither true nor false"),
        ("restrict", {"unit": "x.timer", "allow": []}, "is no service or socket unit"),
        ("restrict", {"unit": "x.service", "allow": ["192.0.2.1/24"]}, "192.0.2.1/24 has host bits set"),
        ("restrict", {"unit": "x.service", "allow": ["any"]}, "an address, a network or one of localhost"),
        ("restrict", {"unit": "x.service", "from": []}, "unknown key 'from'"),
    ],
)
def test_mistakes_in_rebind_and_restrict(option, entry, told):
    with pytest.raises(Unfit, match=told):
        parse({option: [entry]})


def test_all_mistakes_are_told_at_once():
    with pytest.raises(Unfit) as problem:
        parse({"allow": [{"port": 0}], "deny": [{"port": 80}, {"unit": "x"}], "rebind": [{"unit": "y"}]})
    assert all(where in str(problem.value) for where in ("allow[0].port", "deny[1].unit", "rebind[0].unit"))


def test_a_unit_is_rebound_once():
    entry = {"unit": "x.socket", "listen": ["127.0.0.1:80"]}
    with pytest.raises(Unfit, match=r"rebind: x\.socket is named more than once"):
        parse({"rebind": [entry, entry]})


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"unit": "nginx.service"}, True),
        ({"unit": "ngin?.*"}, True),
        ({"unit": "nginx.socket"}, False),
        ({"package": "nginx*"}, True),
        ({"process": "nginx"}, True),
        ({"process": "nginx", "port": 81}, False),
        ({"protocol": "tcp", "port": 80}, True),
        ({"port": "80"}, True),
        ({"port": "79-81"}, True),
        ({"port": "81-90"}, False),
        # 110
        ({"protocol": "udp"}, False),
        ({"address": "wildcard"}, True),
        ({"address": "0.0.0.0"}, True),
        ({"address": "loopback"}, False),
        ({"address": "192.0.2.1"}, False),
        ({"container": "*"}, False),
    ],
)
def test_a_rule_means_a_listener(rule, expected):
    assert means(rule, listener("nginx", 80)) is expected


def test_110_a_udp_listener_is_meant_by_its_protocol():
    socket = listener("avahi-daemon", 5353, protocol="udp")
    assert means({"protocol": "udp", "port": 5353}, socket)
    assert not means({"protocol": "tcp", "port": 5353}, socket)


def test_109_an_address_means_a_socket_of_that_address_alone():
    """Dual stack or not, [::] is another socket than 0.0.0.0; by class all three are the same."""
    dual = listener("nginx", 80, family=6, address="::", v6only=False)
    for socket in (dual, {**dual, "v6only": True}):
        assert means({"address": "::"}, socket)
        assert means({"address": "wildcard"}, socket)
        assert not means({"address": "0.0.0.0"}, socket)


@pytest.mark.parametrize("written", ["::ffff:192.0.2.1", "::FFFF:c000:201"])
def test_an_address_is_the_same_however_written(written):
    socket = listener("nginx", 80, family=6, address="::ffff:192.0.2.1", scope="specific")
    assert means({"address": written}, socket)


def test_105_a_socket_of_systemd_is_meant_by_what_it_starts():
    socket = listener("rpcbind", 111, unit="rpcbind.socket", owners=[SYSTEMD])
    assert means({"unit": "rpcbind.socket"}, socket)
    assert means({"unit": "rpcbind.service"}, socket, RPCBIND_UNITS)
    assert not means({"process": "systemd"}, socket)


def test_115_an_instance_is_meant_by_its_template():
    socket = listener("echo", 7, unit="echo@1.service", owners=[owner("echo", unit="echo@1.service")])
    assert means({"unit": "echo@.service"}, socket)
    assert means({"unit": "echo@1.service"}, socket)
    assert not means({"unit": "echo@2.service"}, socket)


def test_a_process_is_meant_by_its_program_too():
    holder = owner("elasticsearch-s", exe="/usr/bin/elasticsearch-server")
    assert means({"process": "elasticsearch-server"}, listener("elastic", 9200, owners=[holder]))


@pytest.mark.parametrize("pattern", ["web", "w*", WEB, WEB[:12], WEB[:5] + "*"])
def test_a_container_is_meant_by_name_or_id(pattern):
    assert means({"container": pattern}, listener("docker-proxy", 80, container=WEB, unit=None))


def test_the_unit_of_an_engine_does_not_mean_its_containers():
    proxy = owner("docker-proxy", unit="docker.service")
    socket = listener("docker-proxy", 80, container=WEB, unit=None, owners=[proxy])
    assert not means({"unit": "docker.service"}, socket)


@pytest.mark.parametrize(
    "rule",
    [{"unit": "*"}, {"process": "*"}, {"package": "*"}, {"container": "*"}],
    ids=lambda rule: next(iter(rule)),
)
def test_113_nobody_is_meant_where_owners_are_unknown(rule):
    socket = listener("", 80, owners={"error": "run as root"}, unit=None, package=None)
    assert not means(rule, socket)
    assert means({"port": 80}, socket)


def test_units_that_are_off_though_they_do_not_listen():
    deny = [
        {"unit": "cups.socket"},
        {"unit": "x*.service"},
        {"unit": "y.service", "port": 1},
        {"unit": "z@.service"},
    ]
    assert denied_units(parse({"deny": deny, "deny_known": False})) == ["cups.socket"]


AVAHI, RPCBIND = (["avahi-daemon.service", "avahi-daemon.socket"], ["rpcbind.service", "rpcbind.socket"])


@pytest.mark.parametrize(
    ("allow", "left"),
    [
        ([], AVAHI + RPCBIND),
        ([{"unit": "rpcbind.*"}], AVAHI),
        ([{"port": 111, "address": "192.0.2.1"}], AVAHI),
        ([{"package": "avahi-daemon"}], RPCBIND),
        ([{"process": "rpcbind"}, {"process": "avahi-daemon"}], []),
        ([{"address": "link_local"}], []),
        ([{"unit": "nginx.service"}, {"container": "*"}], AVAHI + RPCBIND),
    ],
)
def test_rpcbind_and_avahi_are_off_unless_a_rule_may_allow_them(allow, left):
    assert denied_units(parse({"allow": allow})) == left


def test_what_is_bound_elsewhere_is_not_off():
    entry = {"unit": "rpcbind.socket", "listen": ["127.0.0.1:111"]}
    assert denied_units(parse({"rebind": [entry]})) == AVAHI
    with pytest.raises(Unfit, match=r"rebind\[0\] \(rpcbind\.socket\): deny names the unit, too"):
        parse({"rebind": [entry], "deny": [{"unit": "rpcbind.socket"}]})
