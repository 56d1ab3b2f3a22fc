# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of mounts and devices: sockets by what a mount reaches, paths by what they are or hold."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.containers import mounts as controls

from tests.unit.builders.containers import bind, container, holding, host_with, rootless_engine, stopped
from tests.unit.builders.judging import finding

SOCKET = "/run/docker.sock"
ROOT_ONLY = {"uid": 0, "gid": 0, "mode": "0600"}


def mounting(*mounts, **changes):
    return container(mounts=list(mounts), **changes)


def volume(name="data", **changes):
    source = f"/var/lib/docker/volumes/{name}/_data"
    return bind(source, type="volume", name=name, propagation="", **changes)


def verdict(control, one, parameters=None, **engine):
    found = finding(control, holding(one, **engine), **(parameters or {}))
    return found["subjects"][0]["actual"] if found["verdict"] == "fail" else found["verdict"]


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ([], "pass"),
        ([bind("/srv/data")], "pass"),
        # Edge case 121: read-only.
        ([bind(SOCKET, reaches=[SOCKET], read_write=False)], SOCKET),
        # Edge case 122: a directory above it.
        (
            [bind("/run", reaches=["/run/containerd/containerd.sock", SOCKET])],
            "/run/containerd/containerd.sock, /run/docker.sock",
        ),
        ([bind("/", reaches=[SOCKET])], SOCKET),
        ([volume("hidden", reaches=[SOCKET])], SOCKET),
    ],
)
def test_engine_sockets(mounts, expected):
    assert verdict(controls.engine_socket, mounting(*mounts)) == expected
    assert verdict(controls.engine_socket, stopped(mounts=mounts)) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"uid": 1000, "gid": 1000}, SOCKET),
        ({"uid": 0, "gid": 995}, "pass"),
        ({"uid": 0, "gid": 1000}, SOCKET),
        ({"uid": 0, "gid": 995, "mode": "0666"}, SOCKET),
        ({"uid": 0, "gid": 995, "acl": ["user:worker:rw-"]}, SOCKET),
        ({"uid": 0, "gid": 995, "acl": ["user:bob:rw-"]}, "pass"),
        ({"error": "no permission"}, "unknown"),
        # It is gone.
        (None, "pass"),
    ],
)
def test_a_rootless_engines_containers_reach_what_its_account_may_open(fields, expected):
    fact = fields if fields is None or "error" in fields else {"mode": "0660", "acl": [], **fields}
    one = mounting(bind(SOCKET, reaches=[SOCKET]))
    host = host_with(rootless_engine(one, user="worker"), files={SOCKET: fact})
    found = finding(controls.engine_socket, host)
    assert expected in (found["verdict"], *(subject["actual"] for subject in found["subjects"]))
    assert found["severity"] == "high"
    unseen = finding(controls.engine_socket, host_with(rootless_engine(one, user="worker"), files={}))
    assert unseen["verdict"] == "fail"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/home/worker/.ssh", "/home/worker/.ssh"),
        ("/home/worker/.config", "/home/worker/.config"),
        ("/run/user/1000", "/run/user/1000"),
        ("/home/worker/site", "pass"),
        ("/home/bob/.ssh", "pass"),
    ],
)
def test_directories_that_are_a_rootless_engines_account(source, expected):
    host = host_with(rootless_engine(mounting(bind(source)), user="worker"))
    found = finding(controls.sensitive_mounts, host)
    assert expected in (found["verdict"], *(subject["actual"] for subject in found["subjects"]))
    assert verdict(controls.sensitive_mounts, mounting(bind(source))) == "pass"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/", "/"),
        ("/etc", "/etc"),
        ("/etc/", "/etc"),
        ("/etc/shadow", "/etc/shadow"),
        ("/etc/ssh/keys", "/etc/ssh/keys"),
        ("/etc/docker/certs.d", "/etc/docker/certs.d"),
        ("/etc/cron.d", "/etc/cron.d"),
        ("/root", "/root"),
        ("/home", "/home"),
        ("/boot/grub", "/boot/grub"),
        ("/usr/lib", "/usr/lib"),
        ("/lib/modules", "/lib/modules"),
        ("/var", "/var"),
        ("/var/lib/docker", "/var/lib/docker"),
        ("/var/lib/docker/containers", "/var/lib/docker/containers"),
        ("/etc/localtime", "pass"),
        ("/etc/dockerish", "pass"),
        ("/home/alice/site", "pass"),
        ("/srv", "pass"),
        ("/var/lib/docker-backup", "pass"),
        ("/usr/share/zoneinfo", "pass"),
    ],
)
def test_sensitive_directories(source, expected):
    assert verdict(controls.sensitive_mounts, mounting(bind(source))) == expected


def test_a_read_only_mount_of_a_secret_still_shows_it():
    one = mounting(bind("/etc", read_write=False))
    assert verdict(controls.sensitive_mounts, one) == "/etc (read-only)"


def test_the_data_root_is_where_the_engine_has_it():
    elsewhere = {"DockerRootDir": "/srv/docker"}
    for source in ("/srv", "/srv/docker", "/srv/docker/volumes"):
        assert verdict(controls.sensitive_mounts, mounting(bind(source)), info=elsewhere) == source
    assert verdict(controls.sensitive_mounts, mounting(bind("/srv/data")), info=elsewhere) == "pass"


def test_a_volume_that_binds_a_path_is_a_bind():
    options = {"type": "none", "o": "rw,bind", "device": "/etc"}
    binding = [{"name": "data", "driver": "local", "mountpoint": "", "options": options}]
    ordinary = [{"name": "data", "driver": "local", "mountpoint": "", "options": {}}]
    assert verdict(controls.sensitive_mounts, mounting(volume()), volumes=binding) == "/etc"
    assert verdict(controls.sensitive_mounts, mounting(volume()), volumes=ordinary) == "pass"
    assert verdict(controls.sensitive_mounts, mounting(volume()), volumes={"error": "gone"}) == "unknown"


def test_paths_that_are_allowed():
    allow = {"allow": ["/var/lib/docker/*"]}
    one = mounting(bind("/var/lib/docker/containers"))
    assert verdict(controls.sensitive_mounts, one, allow) == "pass"
    assert (
        verdict(controls.system_paths, mounting(bind("/sys/fs/cgroup")), {"allow": ["/sys/fs/cgroup"]})
        == "pass"
    )


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (container(), "pass"),
        # Edge case 119: systempaths=unconfined leaves no trace in SecurityOpt.
        (container(host_config={"SecurityOpt": [], "MaskedPaths": []}), "unmasked"),
        (container(host_config={"Privileged": True, "MaskedPaths": None}), "unmasked"),
        (mounting(bind("/proc", "/host/proc")), "/proc"),
        (mounting(bind("/sys/kernel", read_write=False)), "/sys/kernel (read-only)"),
        (mounting(bind("/system")), "pass"),
    ],
)
def test_proc_and_sys(one, expected):
    assert verdict(controls.system_paths, one) == expected


def device(path):
    return {"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rwm"}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (container(), "pass"),
        (container(host_config={"Devices": [device("/dev/sda"), device("/dev/fuse")]}), "/dev/sda"),
        (container(host_config={"Devices": [device("/dev/net/tun")]}), "pass"),
        (container(host_config={"Privileged": True}), "all"),
        (container(host_config={"DeviceCgroupRules": ["b 8:* rwm", "c 1:3 r"]}), "rule b 8:* rwm"),
        (container(host_config={"DeviceCgroupRules": ["a *:* rwm"]}), "rule a *:* rwm"),
        (mounting(bind("/dev")), "/dev"),
        (mounting(bind("/dev/mapper/vg")), "/dev/mapper/vg"),
        (mounting(bind("/dev/urandom")), "pass"),
        (stopped(host_config={"Devices": [device("/dev/sda")]}), "/dev/sda"),
    ],
)
def test_devices(one, expected):
    assert verdict(controls.devices, one) == expected


@pytest.mark.parametrize(
    ("propagation", "expected"),
    [("rshared", "/data"), ("shared", "/data"), ("rslave", "pass"), ("rprivate", "pass"), ("", "pass")],
)
def test_propagation(propagation, expected):
    assert verdict(controls.mount_propagation, mounting(bind("/srv", propagation=propagation))) == expected


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (mounting(volume(destination="/certs/client")), "/certs/client"),
        (mounting(volume(destination="/certs/client", read_write=False)), "pass"),
        (mounting(bind("/srv/key.pem", "/key")), "/key"),
        (mounting(bind("/srv/x", "/app/server.key")), "/app/server.key"),
        (mounting(bind("/srv/x", "/certsy")), "pass"),
        (
            mounting(
                volume(destination="/certs/client"),
                processes=[{"name": "dockerd", "uid": 0, "gid": 0, "no_new_privs": False, "count": 1}],
            ),
            "not_applicable",
        ),
    ],
)
def test_rt21_certificates(one, expected):
    assert verdict(controls.writable_certificates, one) == expected


KEYS = {"/root/client/key.pem": {"public_key": "aa", "encrypted": False}, "/srv/gone/key.pem": None}


@pytest.mark.parametrize(
    ("source", "read_write", "expected"),
    [
        ("/root/client", True, "/data"),
        ("/root/client/", True, "/data"),
        ("/root/client", False, "pass"),
        ("/srv/gone", True, "pass"),
    ],
)
def test_rt21_directories_of_keys_that_the_host_uses(source, read_write, expected):
    one = mounting(bind(source, read_write=read_write))
    found = finding(controls.writable_certificates, {**holding(one), "keys": KEYS})
    assert [subject["actual"] for subject in found["subjects"]] == ([] if expected == "pass" else [expected])


@pytest.mark.parametrize(
    ("facts", "uid_map", "expected"),
    [
        ({"mode": "0755"}, [[0, 0, 4294967295]], "pass"),
        ({"mode": "0644"}, [[0, 0, 4294967295]], "pass"),
        ({"mode": "0600"}, [[0, 0, 4294967295]], "/srv/secret"),
        ({"mode": "0754"}, [[0, 0, 4294967295]], "/srv/secret"),
        ({"mode": "0600", "uid": 100005}, [[0, 100000, 65536]], "pass"),
        ({"mode": "0600", "uid": 165536}, [[0, 100000, 65536]], "/srv/secret"),
    ],
)
def test_what_remapping_would_hide(facts, uid_map, expected):
    mount = bind("/srv/secret", source_facts={**ROOT_ONLY, **facts})
    assert verdict(controls.remapped_mounts, mounting(mount, process={"uid_map": uid_map})) == expected


def test_what_remapping_would_hide_of_other_containers():
    hidden = bind("/srv/secret", source_facts=ROOT_ONLY)
    assert verdict(controls.remapped_mounts, stopped(mounts=[hidden])) == "/srv/secret"
    assert verdict(controls.remapped_mounts, mounting(bind("/gone", source_facts=None))) == "pass"
    rootless = host_with(rootless_engine(mounting(hidden)))
    assert finding(controls.remapped_mounts, rootless)["verdict"] == "not_applicable"
