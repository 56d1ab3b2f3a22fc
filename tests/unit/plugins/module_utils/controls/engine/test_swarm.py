# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Swarm mode: managers, ports, overlay networks, secrets and certificates."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.engine import swarm
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Control

from tests.unit.builders.daemon import DAY, NOW, bridge, engine, listener, said, snapshot, stopped_engine
from tests.unit.builders.judging import changed, finding

CONTROLS = [value for value in vars(swarm).values() if isinstance(value, Control)]


def node(number, **changes):
    known = {"id": f"n{number}", "name": f"node{number}", "role": "manager", "address": f"192.0.2.{number}"}
    return {**known, "leader": number == 1, "reachability": "reachable", "availability": "active", **changes}


def service(**changes):
    base = {"id": "s1", "name": "web", "image": "web:1", "user": "1000", "mounts": [], "secrets": 1}
    return {
        **base,
        "capabilities_added": [],
        "capabilities_dropped": ["ALL"],
        "env_names": ["DB_PASSWORD_FILE"],
        **changes,
    }


def overlay(**options):
    return {
        **bridge(),
        "id": "0e" * 32,
        "name": "shop",
        "driver": "overlay",
        "scope": "swarm",
        "options": options,
    }


MANAGER = {
    "state": "active",
    "manager": True,
    "error": None,
    "autolock": True,
    "certificate_validity": 90 * DAY,
    "managers": 3,
    "nodes": [node(1), node(2), node(3), node(4, role="worker", reachability=None)],
    "services": [service()],
    "secrets": 1,
    "configs": 0,
    "ca_rotated": NOW - 100 * DAY,
}
WORKER = {"state": "active", "manager": False, "error": None}


def cluster(**changes):
    return changed(engine(networks=[bridge(), overlay(encrypted="")]), {"swarm": {**MANAGER, **changes}})


def on(running, *ports, **changes):
    listening = [listener(port=port, protocol=protocol, address=address, scope=scope, unit="docker.service")
                 for port, protocol, address, scope in ports]  # fmt: skip
    return snapshot(running, **{"listeners": listening, **changes})


def judged(control, host, verdict, text="", **parameters):
    found = finding(control, host, **parameters)
    assert found["verdict"] == verdict
    assert text in said(found)


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_a_sound_manager_passes_but_for_what_nobody_can_see(control):
    manual = control.id in ("swarm.unlock_key_rotated", "swarm.management_separated")
    judged(control, snapshot(cluster()), "manual" if manual else "pass")


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_an_engine_outside_of_swarm_is_not_judged(control):
    judged(control, snapshot(), "pass" if control.id == "swarm.in_use" else "not_applicable")


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_nothing_is_known_of_a_stopped_engine(control):
    judged(control, snapshot(stopped_engine()), "unknown", "docker.service is inactive")


@pytest.mark.parametrize(
    ("running", "verdict"),
    [
        (cluster(services=[]), "fail"),
        (cluster(services={"error": "timed out"}), "unknown"),
        (changed(engine(), {"swarm": WORKER}), "pass"),
    ],
)
def test_a_swarm_without_services_is_not_in_use(running, verdict):
    judged(swarm.in_use, snapshot(running), verdict)


def test_an_empty_swarm_can_be_wanted():
    judged(swarm.in_use, snapshot(cluster(services=[])), "pass", wanted=True)


@pytest.mark.parametrize(
    ("changes", "verdict", "text"),
    [
        # R38: one manager is one, whoever leads.
        ({"managers": 1, "nodes": [node(1)]}, "fail", "1, expected 3, 5, 7"),
        ({"managers": 2, "nodes": [node(1), node(2)]}, "fail", "2, expected"),
        ({"managers": 9}, "fail", "9, expected"),
        ({"nodes": [node(1), node(2), node(3, reachability="unreachable")]}, "fail", "2 of 3 reachable"),
        ({"nodes": {"error": "timed out"}, "managers": {"error": "timed out"}}, "unknown", "timed out"),
    ],
)
def test_the_swarm_can_lose_a_manager(changes, verdict, text):
    judged(swarm.managers, snapshot(cluster(**changes)), verdict, text)


def test_one_manager_can_be_enough():
    judged(swarm.managers, snapshot(cluster(managers=1, nodes=[node(1)])), "pass", counts=[1])


MANAGERS_ONLY = [control for control in CONTROLS if control.over is swarm.on_manager]


@pytest.mark.parametrize("control", MANAGERS_ONLY, ids=lambda control: control.id)
def test_a_worker_does_not_know_the_cluster(control):
    judged(control, snapshot(changed(engine(), {"swarm": WORKER})), "not_applicable", "no manager")


@pytest.mark.parametrize("control", MANAGERS_ONLY, ids=lambda control: control.id)
def test_a_locked_manager_tells_nothing(control):
    judged(
        control, snapshot(changed(engine(), {"swarm": {**WORKER, "state": "locked"}})), "unknown", "locked"
    )


@pytest.mark.parametrize(
    ("port", "verdict"),
    [
        ((2377, "tcp", "192.0.2.10", "specific"), "pass"),
        ((2377, "tcp", "::", "wildcard"), "fail"),
        ((2376, "tcp", "::", "wildcard"), "pass"),
    ],
)
def test_the_management_port_is_open_on_one_address(port, verdict):
    judged(swarm.listen_address, on(cluster(), port), verdict)


def rules(*lines, policy="ACCEPT"):
    return {"firewall": {"iptables": {"filter": {"INPUT": {"policy": policy, "rules": list(lines)}}}}}


VXLAN, GOSSIP = (4789, "udp", "0.0.0.0", "wildcard"), (7946, "tcp", "192.0.2.10", "specific")


@pytest.mark.parametrize(
    ("port", "changes", "verdict", "text"),
    [
        (VXLAN, {}, "fail", "0.0.0.0:4789/udp"),
        (GOSSIP, {}, "fail", "192.0.2.10:7946/tcp"),
        (VXLAN, rules(policy="DROP"), "pass", ""),
        (VXLAN, rules("-A INPUT -p udp -m udp --dport 4789 -j DROP"), "pass", ""),
        (VXLAN, rules("-A INPUT -p tcp -m tcp --dport 4789 -j DROP"), "fail", ""),
        (VXLAN, {"firewall": {"iptables": {"error": "not root"}}}, "unknown", "not root"),
        ((7946, "tcp", "127.0.0.1", "loopback"), {}, "pass", ""),
        ((2377, "tcp", "::", "wildcard"), {}, "pass", ""),
    ],
)
def test_ports_without_peers_are_filtered(port, changes, verdict, text):
    judged(swarm.ports_protected, on(cluster(), port, **changes), verdict, text)


@pytest.mark.parametrize(("status", "verdict"), [(415, "fail"), (200, "fail"), (400, "pass"), (None, "pass")])
def test_management_without_tls_is_found(status, verdict):
    answer = {"scheme": "http", "path": "/", "status": status, "server": None, "error": None}
    known = {"kind": "swarm", "address": "::", "port": 2377, "answers": [answer]}
    host = on(cluster(), (2377, "tcp", "192.0.2.10", "specific"), services=[known])
    judged(swarm.ports_protected, host, verdict)


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ({"encrypted": ""}, "pass"),
        ({"encrypted": "true"}, "pass"),
        ({"encrypted": "false"}, "fail"),
        ({}, "fail"),
    ],
)
def test_overlay_networks_are_encrypted(options, verdict):
    judged(swarm.overlay_encrypted, snapshot({**cluster(), "networks": [overlay(**options)]}), verdict)


@pytest.mark.parametrize(
    ("names", "verdict"),
    [
        (["DB_PASSWORD"], "fail"),
        (["api_key"], "fail"),
        (["GITHUB_TOKEN", "PATH"], "fail"),
        (["DB_PASSWORD_FILE"], "pass"),
        (["PATH", "PASSENGER_PORT", "KEYBOARD"], "pass"),
    ],
)
def test_services_get_secrets_as_files(names, verdict):
    judged(swarm.secrets, snapshot(cluster(services=[service(env_names=names)])), verdict)


def test_a_name_without_a_secret_can_be_allowed():
    host = snapshot(cluster(services=[service(env_names=["TOKEN_LIST"])]))
    judged(swarm.secrets, host, "fail", "TOKEN_LIST")
    judged(swarm.secrets, host, "pass", allow=["TOKEN_*"])


@pytest.mark.parametrize(
    ("control", "changes", "verdict", "text"),
    [
        (swarm.autolock, {"autolock": False}, "fail", ""),
        (swarm.certificate_validity, {"certificate_validity": 91 * DAY}, "fail", "91 days"),
        (swarm.ca_rotated, {"ca_rotated": NOW - 400 * DAY}, "fail", "400 days old"),
        (swarm.ca_rotated, {"ca_rotated": {"error": "no openssl"}}, "unknown", "no openssl"),
        (swarm.ca_rotated, {"ca_rotated": None}, "unknown", "not known"),
        (swarm.unlock_key_rotated, {"autolock": False}, "not_applicable", ""),
    ],
)
def test_keys_and_certificates_are_renewed(control, changes, verdict, text):
    judged(control, snapshot(cluster(**changes)), verdict, text)


def test_the_time_wanted_can_be_another():
    judged(swarm.certificate_validity, snapshot(cluster()), "fail", most_days=30)
    judged(swarm.ca_rotated, snapshot(cluster()), "fail", most_days=30)
