# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open ports from outside beside what listens inside."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.docker.plugins.filter.outside_view import outside_view
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import shown

ADDRESS = "192.0.2.7"


def listener(port: int = 80, address: str = "0.0.0.0", **values: Any) -> dict[str, Any]:
    scope = "wildcard" if address in ("0.0.0.0", "::") else "specific"
    return {
        "protocol": "tcp",
        "address": address,
        "port": port,
        "scope": scope,
        "unit": "web.service",
        "container": None,
        "namespace": "host",
        "v6only": False if ":" in address else None,
        **values,
    }


def inside(*listeners: dict[str, Any], decision: str = "report", **values: Any) -> dict[str, Any]:
    seen = [one for one in listeners if one["scope"] != "loopback" and one["namespace"] == "host"]
    return {
        "listeners": list(listeners),
        "decisions": [{"listener": shown(one), "decision": decision} for one in seen],
        "check_mode": False,
        **values,
    }


def scan(
    opened: tuple[int, ...] = (),
    closed: tuple[int, ...] = (),
    filtered: tuple[int, ...] = (),
    address: str = ADDRESS,
) -> dict[str, Any]:
    return {"address": address, "open": [*opened], "closed": [*closed], "filtered": [*filtered]}


def view(scan: dict[str, Any], inside: dict[str, Any]) -> tuple[list[int], list[int], list[int]]:
    """The ports in the three lists."""
    found = outside_view(scan, inside)
    ports = ([entry["port"] for entry in found[name]] for name in ("open_not_allowed", "filtered"))
    return (*ports, found["unexplained"])  # type: ignore[return-value]


@pytest.mark.parametrize(
    "decision", ["report", "stop", "disable", "mask", "rebind", "container", "unattributed"]
)
def test_open_and_not_allowed(decision):
    assert outside_view(scan((80,)), inside(listener(), decision=decision)) == {
        "open_not_allowed": [
            {
                "port": 80,
                "listeners": ["tcp 0.0.0.0:80"],
                "unit": "web.service",
                "container": None,
                "decision": decision,
            }
        ],
        "filtered": [],
        "unexplained": [],
    }


@pytest.mark.parametrize("decision", ["allow", "restrict", "protected"])
def test_open_and_allowed(decision):
    assert view(scan((80,)), inside(listener(), decision=decision)) == ([], [], [])


def test_one_of_two_sockets_that_is_not_allowed_counts():
    found = inside(listener(), listener(address=ADDRESS), decision="allow")
    found["decisions"][1]["decision"] = "report"
    assert view(scan((80,)), found) == ([80], [], [])


def test_a_published_port_is_told_with_its_container():
    published = listener(unit=None, container={"id": "a" * 64, "name": "shop"})
    entry = outside_view(scan((80,)), inside(published, decision="container"))["open_not_allowed"][0]
    assert (entry["unit"], entry["container"]) == (None, "shop")


@pytest.mark.parametrize("seen", ["closed", "filtered"])
def test_listens_and_is_not_let_through(seen):
    found = outside_view({**scan(), seen: [80]}, inside(listener(), decision="allow"))
    assert [(entry["port"], entry["seen"]) for entry in found["filtered"]] == [(80, seen)]


def test_filtered_ports_are_sorted():
    assert view(scan(closed=(90,), filtered=(80,)), inside(listener(90), listener(80))) == ([], [80, 90], [])


def test_what_was_not_scanned_is_not_told():
    assert view(scan(), inside(listener())) == ([], [], [])


@pytest.mark.parametrize("decision", ["stop", "disable", "mask", "rebind"])
def test_what_was_ended_is_not_filtered(decision):
    assert view(scan(closed=(80,)), inside(listener(), decision=decision)) == ([], [], [])
    planned = inside(listener(), decision=decision, check_mode=True)
    assert view(scan(closed=(80,)), planned) == ([], [80], [])


@pytest.mark.parametrize(
    "other",
    [
        {"scope": "loopback", "address": "127.0.0.1"},
        {"protocol": "udp"},
        {"namespace": "container"},
        {"address": "::", "v6only": True},
        {"address": "2001:db8::7"},
    ],
)
def test_what_explains_no_open_port(other):
    assert view(scan((80,)), inside(listener(**other))) == ([], [], [80])
    assert view(scan(closed=(80,)), inside(listener(**other))) == ([], [], [])


@pytest.mark.parametrize("address", ["::", f"::ffff:{ADDRESS}", ADDRESS])
def test_sockets_that_an_ipv4_address_reaches(address):
    found = inside(listener(address=address))
    assert view(scan((80,)), found) == ([80], [], [])
    assert view(scan(closed=(80,)), found) == ([], [80], [])


def test_ipv6():
    found = inside(listener(address="::", v6only=True), listener(81))
    assert view(scan((80, 81), address="2001:db8::7"), found) == ([80], [], [81])


def test_a_socket_of_another_address_is_not_filtered_but_explains():
    """The address from outside may be translated to it."""
    found = inside(listener(address="10.0.0.5"))
    assert view(scan(closed=(80,)), found) == ([], [], [])
    assert view(scan((80,)), found) == ([80], [], [])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((None, inside()), "takes what connect_scan returned"),
        (({"open": [1]}, inside()), "takes what connect_scan returned"),
        ((scan(), {"listeners": []}), "takes what listening_services returned, with listeners, decisions"),
    ],
)
def test_what_is_no_result(given, message):
    with pytest.raises(AnsibleFilterError, match=message):
        outside_view(*given)
