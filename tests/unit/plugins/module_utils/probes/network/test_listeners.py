# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listeners of this machine: a socket of this test, its holders, and units and packages that fit."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes as proc
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import holders, listeners

from tests.unit.plugins.module_utils.probes.process_tree import entry

ME = os.getpid()
CONTAINER = "d" * 64
asked: list[list[str]] = []


def packages(paths: Iterable[str]) -> dict[str, str | None]:
    asked.append(list(paths))
    return {path: f"package of {path}" for path in asked[-1]}


def unit(*addresses: str, kind: str = "Stream", active: str = "active") -> dict[str, Any]:
    return {
        "listens": [{"type": kind, "address": address} for address in addresses],
        "active": active,
        "fragment": "/usr/lib/systemd/system/any.socket",
    }


def found(
    one: socket.socket,
    units: Any = None,
    processes: dict[int, Any] | None = None,
    owner: Any = packages,
) -> dict[str, Any]:
    port = one.getsockname()[1]
    everything = listeners.listeners(units or {}, processes or proc.walk(), [], owner)
    (only,) = [each for each in everything if each["port"] == port and each["protocol"] == "tcp"]
    return only


@pytest.fixture
def server() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield one


def test_the_owner(server: socket.socket) -> None:
    asked.clear()
    listener = found(server, processes=entry(ME, "pytest", cgroup="/system.slice/test.service"))
    exe = proc.exe(ME)
    assert listener["owners"] == [
        {
            "pid": ME,
            "name": "pytest",
            "exe": exe,
            "uid": 0,
            "unit": "test.service",
            "package": f"package of {exe}",
            "deleted": False,
            "container": None,
        }
    ]
    assert (listener["unit"], listener["package"]) == ("test.service", f"package of {exe}")
    assert (listener["container"], listener["forwards"], listener["scope"]) == (None, None, "loopback")
    assert "inode" not in listener
    assert asked == [[exe]]


def test_everything_of_this_machine(server: socket.socket) -> None:
    everything = listeners.listeners({}, proc.walk(), [], packages)
    keys = {
        "protocol",
        "family",
        "address",
        "port",
        "v6only",
        "scope",
        "interface",
        "owners",
        "unit",
        "package",
    }
    assert all(set(each) == keys | {"container", "forwards"} for each in everything)
    assert any(each["port"] == server.getsockname()[1] for each in everything)


def test_a_user_service_and_a_session_are_no_units_to_act_on(server: socket.socket) -> None:
    for cgroup in ("/user.slice/user@1000.service/app.slice/x.service", "/user.slice/session-1.scope"):
        assert found(server, processes=entry(ME, "x", cgroup=cgroup))["unit"] is None


def test_a_container_in_the_network_of_the_host(server: socket.socket) -> None:
    listener = found(server, processes=entry(ME, "httpd", cgroup=f"/docker/{CONTAINER}"))
    assert (listener["container"], listener["unit"], listener["package"]) == (CONTAINER, None, None)
    assert listener["owners"][0]["package"] is None


@pytest.mark.parametrize(
    ("units", "name"),
    [
        ({"a.socket": unit("127.0.0.1:{port}"), "b.socket": unit("0.0.0.0:{port}")}, "a.socket"),
        ({"b.socket": unit("/run/x.sock", "[::]:{port}")}, "b.socket"),
        ({"a.socket": unit("127.0.0.1:{port}", active="inactive")}, None),
        ({"a.socket": unit("127.0.0.1:{port}", kind="Datagram")}, None),
        ({"a.socket": unit("0.0.0.0:{port}"), "b.socket": unit("[::]:{port}")}, None),
        ({"a.socket": unit("127.0.0.1:1")}, None),
        ({"error": "systemd does not answer"}, None),
    ],
)
def test_the_socket_unit_of_what_systemd_holds(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch, units: Any, name: str | None
) -> None:
    monkeypatch.setattr(listeners, "_INIT", ME)
    port = str(server.getsockname()[1])
    for each in units.values():
        if isinstance(each, dict):
            for listens in each["listens"]:
                listens["address"] = listens["address"].replace("{port}", port)
    listener = found(server, units, entry(ME, "systemd"))
    assert listener["unit"] == name
    # What init alone holds is not of init's package.
    assert listener["package"] == ("package of /usr/lib/systemd/system/any.socket" if name else None)


def test_packages_that_cannot_be_read(server: socket.socket) -> None:
    def unreadable(paths: Iterable[str]) -> dict[str, str | None]:
        raise OSError(5, "Input/output error", "/var/lib/dpkg")

    listener = found(server, processes=entry(ME, "x"), owner=unreadable)
    assert (listener["owners"][0]["package"], listener["package"]) == (None, None)


def test_without_root_owners_are_unknown(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "may_see_all", lambda: False)
    assert set(found(server, processes=entry(1, "systemd"))["owners"]) == {"error"}
    assert found(server, processes=entry(ME, "x"))["owners"][0]["pid"] == ME


def test_a_socket_that_no_process_holds(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "may_see_all", lambda: True)
    listener = found(server, processes={2**22: entry(2**22, "x")[2**22]})
    assert (listener["owners"], listener["unit"], listener["package"]) == ([], None, None)


def test_whose_open_files_are_too_many_owns_what_nobody_else_holds(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holders, "may_see_all", lambda: True)
    monkeypatch.setattr(holders, "_SECONDS", 0.0)
    owners = found(server, processes=entry(ME, "x", uid=1000))["owners"]
    assert f"1 processes, such as {ME} of uid 1000, have too many" in owners["error"]
    assert found(server, processes=entry(ME, "x"))["owners"][0]["pid"] == ME


def test_those_of_root_first_then_accounts_and_containers_in_turns() -> None:
    processes = {
        **entry(1, "systemd"),
        **entry(2, "sh", cgroup=f"/docker/{CONTAINER}"),
        **entry(3, "sh", uid=1000),
        **entry(4, "sh", uid=1000),
        **entry(5, "sh", cgroup=f"/docker/{CONTAINER}"),
        **entry(6, "sh", uid=1001),
        **entry(7, "sshd"),
    }
    assert listeners._by_whose_word(processes) == ([1, 7], [2, 3, 6, 4, 5])
