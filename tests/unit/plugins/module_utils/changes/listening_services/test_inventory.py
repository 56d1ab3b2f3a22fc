# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What listens on the host and in its containers, as a module returns it."""

from __future__ import annotations

from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.inventory import (
    inventory,
)

from tests.unit.builders.host import container, listener, owner, unit

WEB, DB = "ab" * 32, "cd" * 32
SYSTEMD = owner("systemd", pid=1, unit=None)
INSIDE = {"protocol": "tcp", "family": 6, "address": "::", "port": 7070}


def test_105_what_systemd_holds_has_its_socket_unit_and_what_it_starts():
    units = {"rpcbind.socket": unit("rpcbind.socket", triggers=["rpcbind.service"])}
    (found,) = inventory([listener("rpcbind", 111, unit="rpcbind.socket", owners=[SYSTEMD])], [], units)
    assert found == {
        "protocol": "tcp",
        "address": "0.0.0.0",
        "port": 111,
        "scope": "wildcard",
        "v6only": None,
        "process": "systemd",
        "pid": 1,
        "unit": "rpcbind.socket",
        "triggers": ["rpcbind.service"],
        "package": "rpcbind",
        "container": None,
        "namespace": "host",
        "owner_known": True,
        "program_deleted": False,
    }


def test_the_service_is_named_where_systemd_holds_its_socket_too():
    (found,) = inventory([listener("rpcbind", 111, owners=[SYSTEMD, owner("rpcbind")])], [])
    assert (found["process"], found["pid"]) == ("rpcbind", 700)


def test_106_a_deleted_program_is_told():
    (found,) = inventory([listener("nginx", 80, owners=[owner("nginx", deleted=True)])], [])
    assert found["program_deleted"] is True


def test_109_v6only_is_told():
    dual = listener("nginx", 80, family=6, address="::", v6only=False)
    assert [each["v6only"] for each in inventory([dual, {**dual, "v6only": True}], [])] == [False, True]


def test_111_what_listens_in_a_container_has_its_id_and_name():
    containers = [
        container("web", id=WEB, listeners=[INSIDE, {**INSIDE, "family": 4, "address": "127.0.0.1"}]),
        container("db", id=DB, listeners=[{**INSIDE, "port": 5432}]),
        container("shared", listeners=None),
        container("unread", listeners={"error": "no right to trace"}),
    ]
    published = listener("docker-proxy", 7070, container=WEB, unit=None)
    found = inventory([published], containers)
    assert [
        (each["namespace"], each["container"]["name"], each["container"]["id"], each["port"], each["scope"])
        for each in found
    ] == [
        ("host", "web", WEB, 7070, "wildcard"),
        ("container", "db", DB, 5432, "wildcard"),
        ("container", "web", WEB, 7070, "wildcard"),
        ("container", "web", WEB, 7070, "loopback"),
    ]


def test_113_without_root_owners_are_unknown():
    (found,) = inventory([listener("", 80, owners={"error": "run as root"}, unit=None, package=None)], [])
    assert (found["owner_known"], found["process"], found["pid"]) == (False, None, None)
