# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""End points of orchestrators: judged by what they answer to a client without credentials."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.network import orchestrators

from tests.unit.builders.host import engine, listener, rootless_engine, said, snapshot
from tests.unit.builders.judging import finding

HIDDEN = {"owners": {"error": "run as root"}, "unit": None, "package": None}
BY_ID = {control.id: control for control in orchestrators.CREDENTIALS}


def answer(scheme, path, status=None, error=None):
    return {"scheme": scheme, "path": path, "status": status, "server": None, "error": error}


def end_point(kind, port, *answers):
    return {"kind": kind, "address": "0.0.0.0", "port": port, "answers": list(answers)}


def judged(control, *end_points, **changes):
    return finding(control, snapshot({"services": list(end_points), **changes}))


REFUSED = answer("https", "/version", error="certificate required")
NOT_PLAIN = answer("http", "/version", 400)
TIMED_OUT = answer("https", "/version", error="timed out")


@pytest.mark.parametrize(
    ("control_id", "point", "expected"),
    [
        ("etcd", end_point("etcd", 2379, answer("http", "/version", 200)), "fail"),
        # Encrypted, and open: etcd without --client-cert-auth.
        ("etcd", end_point("etcd", 2379, NOT_PLAIN, answer("https", "/version", 200)), "fail"),
        ("etcd", end_point("etcd", 2380, NOT_PLAIN, REFUSED), "pass"),
        ("etcd", end_point("etcd", 2379, TIMED_OUT, TIMED_OUT), "unknown"),
        ("etcd", end_point("etcd", 2379, TIMED_OUT, REFUSED), "pass"),
        ("kubelet", end_point("kubelet", 10250, NOT_PLAIN, answer("https", "/pods", 401)), "pass"),
        ("kubelet", end_point("kubelet", 10250, NOT_PLAIN, answer("https", "/pods", 403)), "pass"),
        ("kubelet", end_point("kubelet", 10250, NOT_PLAIN, answer("https", "/pods", 200)), "fail"),
        ("kubelet", end_point("kubelet", 10255, answer("http", "/pods", 200)), "not_applicable"),
        ("api_server", end_point("apiserver", 6443, answer("https", "/api", 403)), "pass"),
        ("api_server", end_point("apiserver", 8080, answer("http", "/api", 200)), "fail"),
        ("dashboard", end_point("dashboard", 8443, answer("https", "/", 200)), "pass"),
        (
            "dashboard",
            end_point(
                "dashboard", 30000, answer("https", "/", 200), answer("https", "/api/v1/namespace", 200)
            ),
            "fail",
        ),
        (
            "dashboard",
            end_point(
                "dashboard", 8443, answer("https", "/", 200), answer("https", "/api/v1/namespace", 401)
            ),
            "pass",
        ),
    ],
)
def test_answers_without_credentials(control_id, point, expected):
    found = judged(BY_ID[f"orchestrator.{control_id}_authentication"], point)
    assert found["verdict"] == expected
    if expected == "fail":
        assert ": 200" in said(found)


@pytest.mark.parametrize("control", BY_ID.values(), ids=BY_ID)
def test_none_and_unread(control):
    assert control.severity == "critical"
    assert judged(control)["verdict"] == "pass"
    assert finding(control, snapshot({"services": {"error": "x"}}))["verdict"] == "unknown"


@pytest.mark.parametrize(("status", "expected"), [(401, "pass"), (403, "fail"), (200, "pass")])
def test_anonymous_clients_of_the_kubelet(status, expected):
    point = end_point("kubelet", 10250, answer("https", "/pods", status))
    assert judged(orchestrators.kubelet_anonymous, point)["verdict"] == expected


def test_anonymous_clients_unread():
    assert (
        judged(orchestrators.kubelet_anonymous, end_point("kubelet", 10250, TIMED_OUT))["verdict"]
        == "unknown"
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "pass"),
        ({"services": [end_point("kubelet", 10250, NOT_PLAIN)]}, "pass"),
        ({"services": [end_point("kubelet", 10255, answer("http", "/pods", 200))]}, "fail"),
        ({"listeners": [listener("kubelet", 10255)]}, "fail"),
        ({"listeners": [listener("other", 10255)]}, "pass"),
        ({"listeners": [listener("", 10255, **HIDDEN)]}, "unknown"),
        ({"listeners": {"error": "netlink"}}, "unknown"),
    ],
)
def test_the_read_only_port(changes, expected):
    assert finding(orchestrators.kubelet_read_only_port, snapshot(changes))["verdict"] == expected


OPEN = {"filter": {"INPUT": {"policy": "ACCEPT", "rules": []}}}
CLOSED = {"filter": {"INPUT": {"policy": "DROP", "rules": []}}}
API = end_point("apiserver", 6443, answer("https", "/api", 403))


@pytest.mark.parametrize(
    ("sockets", "tables", "parameters", "expected"),
    [
        ([listener("kube-apiserver", 6443)], OPEN, {}, "fail"),
        ([listener("kube-apiserver", 6443)], CLOSED, {}, "pass"),
        ([listener("kube-apiserver", 6443)], OPEN, {"allow_ports": [6443]}, "pass"),
        ([listener("kube-apiserver", 6443, address="192.0.2.1", scope="specific")], OPEN, {}, "pass"),
        ([listener("cockpit", 9090, unit="cockpit.socket")], OPEN, {}, "fail"),
        ([listener("nginx", 80)], OPEN, {}, "pass"),
        ([listener("", 9090, **HIDDEN)], OPEN, {}, "unknown"),
        ([listener("", 80, **HIDDEN)], OPEN, {}, "pass"),
        ([listener("kube-apiserver", 6443)], {"error": "x"}, {}, "unknown"),
        ({"error": "netlink"}, OPEN, {}, "unknown"),
    ],
)
def test_management_interfaces(sockets, tables, parameters, expected):
    data = snapshot({"services": [API], "listeners": sockets})
    data["firewall"]["iptables"] = tables
    assert finding(orchestrators.management_reachable, data, **parameters)["verdict"] == expected


def service(**fields):
    sound = {"user": "1000:1000", "capabilities_dropped": ["ALL"], "capabilities_added": [], "mounts": []}
    return {"id": "s1", "name": "web", "image": "web:1", **sound, **fields}


def mounts(source):
    return [{"type": "bind", "source": source, "target": "/x", "read_only": True}]


@pytest.mark.parametrize(
    ("fields", "actual"),
    [
        ({}, []),
        ({"user": None}, ["the image's user"]),
        ({"user": "root:www"}, ["root:www"]),
        ({"capabilities_dropped": []}, ["no capability dropped"]),
        ({"mounts": mounts("/var/run/docker.sock")}, ["mounts /var/run/docker.sock"]),
        ({"mounts": mounts("/run")}, ["mounts /run"]),
        ({"mounts": mounts("/srv/www")}, []),
    ],
)
def test_services_of_a_swarm(fields, actual):
    swarm = {"state": "active", "manager": True, "error": None, "services": [service(**fields)]}
    found = finding(orchestrators.service_privileges, snapshot({"engines": [engine(swarm=swarm)]}))
    assert [subject["actual"] for subject in found["subjects"]] == actual
    assert found["verdict"] == ("fail" if actual else "pass")


@pytest.mark.parametrize(
    ("engines", "expected"),
    [
        ([engine()], "not_applicable"),
        ([rootless_engine()], "not_applicable"),
        ([engine(swarm={"error": "no answer"})], "unknown"),
        ([engine(swarm={"manager": True, "services": {"error": "no quorum"}})], "unknown"),
    ],
)
def test_services_where_there_is_no_manager(engines, expected):
    assert finding(orchestrators.service_privileges, snapshot({"engines": engines}))["verdict"] == expected
