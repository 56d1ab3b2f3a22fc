# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which paths an audit looks at: from units, engines and clients, never from what could not be read."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import ROOT, Owner
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.rootless import unread
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.files import files
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.paths import paths, pem_files

UNITS = {
    "docker.service": {
        "fragment": "/usr/lib/systemd/system/docker.service",
        "drop_ins": ["/etc/systemd/system/docker.service.d/a.conf"],
        "environment_files": ["-/etc/default/docker-site"],
        "triggers": [],
    },
    "api.socket": {
        "fragment": "/etc/systemd/system/api.socket",
        "drop_ins": [],
        "environment_files": [],
        "triggers": ["docker.service"],
    },
    "cups.socket": {
        "fragment": "/usr/lib/systemd/system/cups.socket",
        "drop_ins": [],
        "environment_files": [],
        "triggers": ["cups.service"],
    },
}
ENGINE = {
    "socket": "/run/docker.sock",
    "binary": {"path": "/opt/bin/dockerd", "modified": 1, "deleted": False},
    "user_unit": None,
    "config": {
        "path": "/srv/docker/daemon.json",
        "target": "/srv/real.json",
        "settings": {"tlskey": "/srv/key.pem"},
    },
    "flags": {"tlscacert": ["/srv/ca.pem"], "containerd": ["/srv/containerd.sock"]},
    "info": {"DockerRootDir": "/srv/data"},
    "containers": [
        {
            "mounts": [
                {"type": "bind", "source": "/srv/www"},
                {"type": "volume", "source": "/srv/data/volumes/x"},
            ]
        },
        {"mounts": {"error": "no answer"}},
    ],
}
CLIENT = {
    "user": "alice",
    "home": "/home/alice",
    "contexts": [
        {"name": "far", "certificate": "/home/alice/tls/cert.pem"},
        {"name": "near", "certificate": None},
    ],
}


def of(**parts):
    return [place.path for place in paths({"units": {}, "engines": [], "clients": [], **parts})]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (
            {},
            [
                "/etc/docker/daemon.json",
                "/run/docker.sock",
                "/usr/sbin/dockerd",
                "/sbin/dockerd",
                "/bin/runc",
            ],
        ),
        (
            {"units": UNITS},
            [
                "/usr/lib/systemd/system/docker.service",
                "/lib/systemd/system/docker.service",
                "/etc/systemd/system/docker.service.d/a.conf",
                "/etc/default/docker-site",
                "/etc/systemd/system/api.socket",
            ],
        ),
        (
            {"engines": [ENGINE]},
            [
                "/run/docker.sock",
                "/var/run/docker.sock",
                "/opt/bin/dockerd",
                "/srv/docker",
                "/srv/docker/certs.d",
                "/srv/docker/daemon.json",
                "/srv/real.json",
                "/srv/ca.pem",
                "/srv/key.pem",
                "/srv/containerd.sock",
                "/srv/data",
                "/srv/www",
            ],
        ),
        (
            {"engines": [{"user": "alice", "uid": 1000, "gid": 5, "socket": "/run/user/1000/docker.sock"}]},
            ["/run/user/1000/docker.sock", "/run/user/1000/docker/containerd/containerd.sock"],
        ),
        (
            {"clients": [CLIENT]},
            ["/home/alice/.docker/key.pem", "/home/alice/tls/ca.pem", "/home/alice/tls/key.pem"],
        ),
    ],
)
def test_paths_come_from_what_was_found(parts, expected):
    found = of(**parts)
    assert set(expected) - set(found) == set()
    assert found == sorted(set(found))


@pytest.mark.parametrize("path", ["/usr/lib/systemd/system/cups.socket", "/srv/data/volumes/x"])
def test_what_no_control_judges_is_not_looked_at(path):
    assert path not in of(units=UNITS, engines=[ENGINE])


UNREAD = {"error": "unreadable"}


@pytest.mark.parametrize(
    "parts",
    [
        {"units": UNREAD, "engines": UNREAD, "clients": UNREAD},
        {"engines": [dict.fromkeys(ENGINE, UNREAD)]},
        {"engines": [dict.fromkeys(ENGINE)]},
        {
            "engines": [
                {"config": {"path": None, "settings": UNREAD}, "flags": {"tlskey": ["~/key.pem", "key.pem"]}}
            ]
        },
        {
            "engines": [
                {"config": {"path": "/etc/docker/daemon.json", "settings": {"tlskey": 7, "data-root": []}}}
            ]
        },
        {"clients": [{"user": "x", "home": None, "contexts": UNREAD}]},
    ],
)
def test_what_could_not_be_read_adds_nothing(parts):
    assert set(of(**parts)) == set(of())


@pytest.mark.parametrize("path", ["/a\0b/c.pem", "/a\ud800/c.pem", "relative", "", "/\0"])
def test_what_is_no_path_is_dropped_where_it_is_named(path):
    """S9: such a path raises ValueError from every call of os."""
    config = {"path": path, "target": path, "settings": {"tlskey": path, "tlscacert": "/srv/ca.pem"}}
    mounts = {"mounts": [{"type": "bind", "source": path}]}
    engine = {"config": config, "flags": {"tlscert": [path]}, "socket": path, "containers": [mounts]}
    added = set(of(engines=[engine])) - set(of())
    assert {each for each in added if "c.pem" in each or "\0" in each} == set()
    assert "/srv/ca.pem" in added


def test_each_path_has_the_owner_who_names_it():
    """S15: what an account names is looked at with its ids, root's own paths with root's."""
    users = [{"name": "alice", "uid": 1000, "gid": 100}]
    engine = {**ENGINE, "user": "alice", "uid": 1000, "gid": 100}
    client = {**CLIENT, "uid": 1000}
    found = paths({"accounts": {"users": users}, "units": UNITS, "engines": [engine], "clients": [client]})
    owners: dict[str, set[Owner]] = {}
    for path, owner in found:
        owners.setdefault(path, set()).add(owner)
    assert owners["/srv/key.pem"] == owners["/home/alice/.docker/key.pem"] == {Owner(1000, 100)}
    assert owners["/etc/docker/daemon.json"] == {ROOT}
    assert owners["/run/docker.sock"] == {ROOT, Owner(1000, 100)}


def test_an_engine_of_another_shape_costs_its_own_paths():
    odd = {**ENGINE, "containers": [{"mounts": [7]}]}
    assert "/srv/key.pem" in of(engines=[odd, ENGINE])


def test_engines_that_nobody_knows_cost_no_path_of_others():
    """`user` is then "*", and whose it is not known: `files` was an error as a whole."""
    unknown = unread({"error": "the homes of accounts do not answer"})
    snapshot = {"engines": [ENGINE, unknown], "files": {"/srv/key.pem": {"type": "file"}}}
    assert paths(snapshot) == paths({"engines": [ENGINE]})
    assert files(paths(snapshot))["/etc/subuid"] == files(["/etc/subuid"])["/etc/subuid"]
    assert [place.path for place in pem_files(snapshot)] == ["/srv/key.pem"]


@pytest.mark.parametrize("socket", ["", "own.sock", "../own.sock"])
def test_a_socket_that_is_no_path_leads_to_no_containerd(socket):
    engine = {"user": "alice", "uid": 1000, "gid": 1000, "socket": socket}
    assert paths({"engines": [engine]}) == paths({})


def test_a_client_of_another_shape_costs_its_own_paths():
    odd = {"user": "bob", "uid": 1001, "home": "/home/bob", "contexts": [{"certificate": 7}]}
    assert paths({"clients": [odd, CLIENT]}) == paths({"clients": [CLIENT]})
    assert pem_files({"clients": [odd]}) == []


def test_pem_files_are_those_that_exist():
    parts = {"units": {}, "engines": [ENGINE], "clients": [CLIENT]}
    there = {
        "/srv/key.pem": {"type": "file"},
        "/home/alice/tls/ca.pem": {"type": "file"},
        "/srv/ca.pem": None,
    }
    found = [place.path for place in pem_files({**parts, "files": there})]
    assert found == ["/home/alice/tls/ca.pem", "/srv/key.pem"]
    assert pem_files({**parts, "files": UNREAD}) == []
