# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets of the host that are a container's: published ports by every way they are held, host networks."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import published, sockets

from tests.unit.plugins.module_utils.probes.process_tree import entry, running

WEB, DNS, HOST = "1" * 64, "2" * 64, "3" * 64
DOCKERD, KIT, HELPER, ELSE = 2_000_100, 2_000_200, 2_000_201, 2_000_300
PROCESSES = {
    **entry(1, "systemd", ppid=0),
    **entry(DOCKERD, "dockerd", cgroup="/system.slice/docker.service"),
    **entry(KIT, "rootlesskit", uid=1000),
    **entry(HELPER, "slirp4netns", ppid=KIT, uid=1000),
    **entry(ELSE, "nginx"),
    **entry(2_000_400, "httpd"),
}


def port(
    container_port: int, host_port: int | None, address: str = "0.0.0.0", protocol: str = "tcp"
) -> dict[str, Any]:
    return {
        "container_port": container_port,
        "host_port": host_port,
        "host_address": address,
        "protocol": protocol,
    }


def of(listener: dict[str, Any], pids: list[int], processes: dict[int, Any] = PROCESSES) -> Any:
    return published.Published(ENGINES, processes, {2_000_400: HOST}).of(listener, pids)


def container(identity: str, *ports: dict[str, Any], state: str = "running") -> dict[str, Any]:
    return {"id": identity, "state": state, "ports": list(ports)}


ENGINES: list[dict[str, Any]] = [
    {
        "name": "system",
        "pid": DOCKERD,
        "rootlesskit": None,
        "containers": [
            container(DNS, port(53, 53, "", "udp"), port(80, 8080, "192.0.2.1"), port(443, None)),
            container(WEB, port(80, 8080, "127.0.0.1"), port(81, 8081), port(81, 8081, "::")),
            container("4" * 64, port(9, 8082), state="exited"),
            {"id": "5" * 64, "state": "running", "ports": {"error": "gone"}},
        ],
    },
    {
        "name": "rootless:a",
        "pid": None,
        "rootlesskit": {"pid": KIT},
        "containers": [container(DNS, port(80, 8080))],
    },
    {"name": "stopped", "pid": None, "rootlesskit": None, "containers": {"error": "does not run"}},
]


@pytest.mark.parametrize(
    ("pids", "protocol", "address", "host_port", "found"),
    [
        ([DOCKERD], "tcp", "127.0.0.1", 8080, (WEB, 80)),
        ([DOCKERD], "tcp", "192.0.2.1", 8080, (DNS, 80)),
        ([DOCKERD], "tcp", "0.0.0.0", 8081, (WEB, 81)),
        ([DOCKERD], "tcp", "::", 8081, (WEB, 81)),
        ([DOCKERD], "udp", "0.0.0.0", 53, (DNS, 53)),
        # An address that none names: the first of that port.
        ([DOCKERD], "tcp", "192.0.2.99", 8080, (DNS, 80)),
        # The API's own, also when systemd listens for it.
        ([DOCKERD], "tcp", "0.0.0.0", 2375, None),
        ([1, DOCKERD], "tcp", "::", 2376, None),
        ([DOCKERD], "tcp", "0.0.0.0", 8082, None),
        ([KIT], "tcp", "0.0.0.0", 8080, (DNS, 80)),
        ([HELPER], "tcp", "0.0.0.0", 8080, (DNS, 80)),
        ([KIT], "tcp", "0.0.0.0", 2376, None),
        ([ELSE], "tcp", "0.0.0.0", 8081, None),
        ([], "udp", "0.0.0.0", 4789, None),
    ],
)
def test_of(pids: list[int], protocol: str, address: str, host_port: int, found: Any) -> None:
    listener = {"protocol": protocol, "address": address, "port": host_port}
    expected = (found[0], {"container_port": found[1], "address": None}) if found else (None, None)
    assert of(listener, pids) == expected


def test_host_network() -> None:
    listener = {"protocol": "tcp", "address": "0.0.0.0", "port": 80}
    assert of(listener, [2_000_400]) == (HOST, None)


@pytest.mark.parametrize(("host_port", "identity"), [(8081, WEB), (8099, None)])
def test_docker_proxy_tells_where_it_forwards_to(host_port: int, identity: str | None) -> None:
    words = ("-proto", "tcp", "-host-ip", "0.0.0.0", "-host-port", str(host_port))
    target = ("-container-ip", "172.17.0.2", "-container-port", "81")
    listener = {"protocol": "tcp", "address": "0.0.0.0", "port": host_port}
    with running("/usr/bin/docker-proxy", *words, *target) as pid:
        processes = {**PROCESSES, **entry(pid, "docker-proxy", ppid=DOCKERD)}
        found = of(listener, [pid], processes)
    assert found == (identity, {"container_port": 81, "address": "172.17.0.2"})


def of_account(container: dict[str, Any], **changes: Any) -> Any:
    engine = {"name": "rootless:a", "user": "a", "pid": None, "rootlesskit": {"pid": KIT}, **changes}
    listener = {"protocol": "tcp", "address": "0.0.0.0", "port": 9991}
    engines = [{**ENGINES[0], "user": None}, {**engine, "containers": [container]}]
    return published.Published(engines, PROCESSES, {}).of(listener, [KIT])[0]


def test_the_engine_of_an_account_speaks_for_its_own_containers_alone() -> None:
    """S13: it listed a container of root's, or one that does not run, and its listener counted as that container's."""
    apart = {"pid": 2_000_500, "namespaces": {"net": "1"}}
    own = {**container("6" * 64, port(80, 9991)), "process": apart}
    assert of_account(own) == "6" * 64
    assert of_account({**own, "id": WEB}) is None
    assert of_account({**own, "process": None}) is None
    assert of_account({**own, "process": {"error": "process 7 is not the container's"}}) is None
    here = {"pid": 2_000_500, "namespaces": {"net": sockets.namespace()}}
    assert of_account({**own, "process": here}) is None
    # Whoever listens on the account's socket is no rootlesskit.
    assert of_account(own, pid=KIT, rootlesskit=None) is None
