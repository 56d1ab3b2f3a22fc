# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers as three engines describe them, and as processes of this machine."""

from __future__ import annotations

import copy
import json
import os
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import containers
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.containers import Surroundings
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.socket_reach import SocketReach
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes

from tests.unit.plugins.module_utils.probes.engine_server import VERSIONS, recorded

NOWHERE = Surroundings({}, SocketReach([]), {})


def raw(name: str, version: str = VERSIONS[0]) -> dict[str, Any]:
    """GET /containers/ID/json of a real engine."""
    found = [
        answer
        for path, answer in recorded(version).items()
        if path.startswith("/containers/") and "Name" in answer
    ]
    return next(copy.deepcopy(each) for each in found if each["Name"] == f"/{name}")


def read(answer: dict[str, Any], around: Surroundings = NOWHERE) -> dict[str, Any]:
    return containers.container(answer, around)


@pytest.mark.parametrize("version", VERSIONS)
def test_plain_container(version: str) -> None:
    answer = raw("p1-default", version)
    container = read(answer)
    assert (container["id"], container["name"], container["state"]) == (answer["Id"], "p1-default", "running")
    assert (container["image"], container["image_id"]) == ("busybox:p1", answer["Image"])
    assert container["started"] >= container["created"] > 1_700_000_000
    assert container["config"] == {
        "user": "",
        "working_dir": "",
        "env_names": container["config"]["env_names"],
        "env": {},
        "label_names": ["p1"],
        "labels": {},
        "exposed_ports": [],
        "healthcheck": None,
        "program": "sleep",
    }
    options = container["host_config"]
    assert {"Privileged", "CapAdd", "PidsLimit", "SecurityOpt", "LogConfig", "Init", "Sysctls"} <= set(
        options
    )
    assert (options["Privileged"], options["LogConfig"]["Type"], len(options["MaskedPaths"]) > 9) == (
        False,
        "json-file",
        True,
    )
    assert (container["networks"], container["ports"], container["mounts"]) == (["bridge"], [], [])
    assert (container["health"], container["apparmor"], container["seccomp"]) == (None, "", None)


@pytest.mark.parametrize("version", VERSIONS)
def test_published_ports(version: str) -> None:
    ports = [tuple(port.values()) for port in read(raw("p1-ports", version))["ports"]]
    assert (80, "tcp", "0.0.0.0", 18080) in ports
    assert (81, "udp", "127.0.0.1", 18081) in ports
    assert ports == sorted(ports)


@pytest.mark.parametrize("version", VERSIONS)
def test_ports_and_rights_of_a_container_that_never_ran(version: str) -> None:
    container = read(raw("p1-created", version))
    assert (container["state"], container["started"], container["process"]) == ("created", None, None)
    assert container["processes"] == []
    assert container["ports"] == [
        {"container_port": 80, "protocol": "tcp", "host_address": "127.0.0.1", "host_port": 8099}
    ]
    assert container["host_config"]["Privileged"] is True
    assert container["host_config"]["RestartPolicy"]["Name"] == "always"


def test_ephemeral_and_missing_host_ports() -> None:
    answer = raw("p1-created")
    answer["HostConfig"]["PortBindings"] = {"80/tcp": [{"HostIp": "", "HostPort": ""}], "81/sctp": None}
    assert read(answer)["ports"] == [
        {"container_port": 80, "protocol": "tcp", "host_address": "", "host_port": None}
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_inlined_seccomp_profile(version: str) -> None:
    container = read(raw("p1-seccomp", version))
    assert container["host_config"]["SecurityOpt"] == ["seccomp=json"]
    assert container["seccomp"]["allows_everything"] is True


@pytest.mark.parametrize("version", VERSIONS)
def test_no_secret_passes(version: str) -> None:
    answer = raw("vanilla", version)
    answer["Config"]["Cmd"] = ["sh", "-c", "echo hunter2"]
    answer["Args"] = ["-c", "echo hunter2"]
    answer["HostConfig"]["LogConfig"] = {"Type": "splunk", "Config": {"splunk-token": "hunter2"}}
    assert "hunter2" in json.dumps(answer)
    container = read(answer)
    assert "hunter2" not in json.dumps(container)
    assert {"SECRET_TOKEN", "DOCKER_HOST"} <= set(container["config"]["env_names"])
    assert container["config"]["env"] == {"DOCKER_HOST": "tcp://h:2375"}
    assert container["config"]["label_names"] == ["api", "env", "p1"]
    assert container["config"]["labels"] == {"env": "prod"}
    assert container["host_config"]["LogConfig"]["Config"] == {"splunk-token": "(redacted)"}


@pytest.mark.parametrize("version", VERSIONS)
def test_mounts(version: str) -> None:
    around = NOWHERE._replace(sockets=SocketReach(["/run/docker.sock"]), volume_sources={"p1-bound": "/run"})
    mounts = {mount["destination"]: mount for mount in read(raw("p1-volume", version), around)["mounts"]}
    assert (mounts["/b"]["type"], mounts["/b"]["name"]) == ("volume", "p1-bound")
    assert "/run/docker.sock" in mounts["/b"]["reaches"]
    assert mounts["/v"]["reaches"] == []
    host = read(raw("p1-created", version), around)["mounts"][0]
    assert (host["source"], host["read_write"], host["source_facts"]["uid"]) == ("/", True, 0)
    assert "/run/docker.sock" in host["reaches"]


@pytest.mark.parametrize(
    ("test", "expected"),
    [(None, None), ([], None), (["NONE"], "none"), (["CMD", "x"], "set"), (["CMD-SHELL", "x"], "set")],
)
def test_health_check(test: list[str] | None, expected: str | None) -> None:
    answer = raw("p1-default")
    answer["Config"]["Healthcheck"] = {"Test": test}
    answer["State"]["Health"] = {"Status": "unhealthy", "Log": [{"Output": "hunter2"}]}
    container = read(answer)
    assert (container["config"]["healthcheck"], container["health"]) == (expected, "unhealthy")
    assert "hunter2" not in json.dumps(container)


def test_running_container_with_its_processes() -> None:
    answer = raw("p1-default")
    own = processes.read(os.getpid())
    assert own is not None
    answer["State"]["Pid"] = os.getpid()
    other = {**own, "pid": 1, "name": "httpd"}
    container = read(answer, NOWHERE._replace(processes={answer["Id"]: [other, own]}))
    assert container["process"]["pid"] == os.getpid()
    assert {each["name"] for each in container["processes"]} == {"httpd", own["name"]}


def test_process_of_something_else_is_not_taken_for_the_container() -> None:
    answer = raw("p1-default")
    answer["State"]["Pid"] = os.getpid()
    container = read(answer)
    assert "PID namespace is not the engine's" in container["process"]["error"]
    assert container["processes"] == container["process"]


def test_container_that_ended_during_the_scan() -> None:
    answer = raw("p1-default")
    # Beyond the largest number that the kernel gives.
    answer["State"]["Pid"] = 1 << 23
    assert "ended during the scan" in read(answer)["process"]["error"]


def test_orphan() -> None:
    own = processes.read(os.getpid())
    assert own is not None
    orphan = containers.orphan("a" * 64, own, NOWHERE._replace(processes={"a" * 64: [own]}), "mute")
    assert (orphan["id"], orphan["name"], orphan["state"]) == ("a" * 64, None, "running")
    assert orphan["process"]["cap_bnd"] == own["status"]["CapBnd"]
    assert orphan["processes"][0]["count"] == 1
    assert orphan["config"] == orphan["host_config"] == orphan["mounts"] == {"error": "mute"}
    assert set(orphan) == set(read(raw("p1-default")))


def test_details_that_cannot_be_had() -> None:
    unread = containers.unread({"Id": "a" * 64, "Names": ["/ee"], "State": "exited"}, NOWHERE, "boom")
    assert (unread["name"], unread["state"], unread["processes"]) == ("ee", "exited", [])
    assert unread["process"] == unread["host_config"] == {"error": "boom"}
    assert set(unread) == set(read(raw("p1-default")))
