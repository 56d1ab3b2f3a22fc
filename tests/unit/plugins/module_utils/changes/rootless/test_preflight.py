# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What forbids a rootless engine, what needs consent, and what is said beside. Numbers are those of the edge cases."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import drivers
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless.facts import Facts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless.host_facts import Cgroup
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless.preflight import (
    ignored_limits,
    notices,
    problems,
    refusals,
)

PROGRAMS = {
    name: f"/usr/bin/{name}"
    for name in ("newuidmap", "newgidmap", "ip", "iptables", "slirp4netns", "fuse-overlayfs")
}
CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids")
ABSENT: dict[str, Any] = {
    "uid": None,
    "gid": None,
    "home": None,
    "groups": (),
    "missing_subids": ("uid", "gid"),
}
START = "net.ipv4.ip_unprivileged_port_start"
NO_OVERLAY: dict[str, Any] = {
    "overlay": "mount: permission denied",
    "devices": {"/dev/net/tun": None, "/dev/fuse": "no fuse"},
}


def host(programs: dict[str, str | None] | None = None, **changes: Any) -> Facts:
    """A host where all is well, but for the changes."""
    well = Facts(
        user="worker",
        uid=1000,
        gid=1000,
        home="/home/worker",
        shell="/bin/bash",
        groups=("worker",),
        subids=(),
        missing_subids=(),
        script="/usr/bin/dockerd-rootless.sh",
        dockerd="/usr/bin/dockerd",
        rootlesskit="/usr/bin/rootlesskit",
        networks=("host", "slirp4netns", "pasta", "vpnkit"),
        port_drivers=("none", "implicit", "builtin", "slirp4netns"),
        tries=("slirp4netns", "vpnkit"),
        programs={"pasta": None, "vpnkit": None, **PROGRAMS, **(programs or {})},
        id_maps={"newuidmap": None, "newgidmap": None},
        dbus=True,
        devices={"/dev/net/tun": None, "/dev/fuse": None},
        home_problem=None,
        data_root="/home/worker/.local/share/docker",
        mount=mount("ext4"),
        sysctls={START: "0"},
        apparmor_restricts=False,
        apparmor_profile=None,
        userns=None,
        iptables=None,
        overlay=None,
        low_ports=False,
        cgroup=Cgroup(2, CONTROLLERS, CONTROLLERS),
        linger=True,
        bus=True,
        family="debian",
    )
    return well._replace(**changes)


def mount(fstype: str, *options: str) -> dict[str, Any]:
    return {"target": "/home", "fstype": fstype, "options": list(options or ("rw",))}


def options(**changes: Any) -> dict[str, Any]:
    return {
        "create_user": False,
        "network": "auto",
        "port_driver": "auto",
        "privileged_ports": "none",
        "iptables": True,
        "delegate": True,
        "packages_follow": False,
        **changes,
    }


def test_nothing_is_said_where_all_is_well() -> None:
    assert (problems(host(), options()), refusals(host(), options()), notices(host(), options())) == (
        [],
        [],
        [],
    )
    assert ignored_limits(host()) == []


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (host(user="root", uid=0), "engine of root"),
        (
            host(home_problem="/home/worker: No such file or directory"),
            "No such file or directory; create it",
        ),
        (host(subids=("/etc/subuid: worker:1:9 overlaps x:1:9; move it.",)), "overlaps"),
        (host(script=None), "install docker-ce-rootless-extras beside docker-ce, or docker.io"),
        (host(script=None, family="other"), "install docker-ce-rootless-extras (role variable"),
        (host(rootlesskit=None), "no rootlesskit that worker may run: install rootlesskit"),
        (host(dockerd=None), "no dockerd"),
        (
            host({"newuidmap": None}),
            "no newuidmap that worker may run: install uidmap (role variable rootless_packages)",
        ),
        (host({"newgidmap": None}, family="other"), "install shadow-utils"),
        (host({"ip": None}), "install iproute2"),
        (host(dbus=False), "no bus for accounts (dbus.socket): install dbus-user-session"),
        (host({"slirp4netns": None}), "install slirp4netns"),
        (host(devices={"/dev/net/tun": "/dev/net/tun: gone; load it", "/dev/fuse": None}), "gone; load it."),
        (host(mount=mount("nfs4")), "/home/worker/.local/share/docker lies on /home (nfs4), where no files"),
        (host(mount=mount("fuse.sshfs")), "(fuse.sshfs)"),
        (host(mount=mount("ext4", "ro")), "read-only"),
        (
            host(mount=mount("ext4", "noexec"), **NO_OVERLAY),
            "no container starts with the storage driver vfs",
        ),
    ],
)
def test_what_forbids_it(facts: Facts, said: str) -> None:
    found = problems(facts, options())
    assert len(found) == 1
    assert said in found[0]


def test_83_an_account_is_made_only_when_asked() -> None:
    [said] = problems(host(**ABSENT), options())
    assert said.startswith(
        "There is no account worker: create it, or set create_user (role variable rootless_create_"
    )
    assert problems(host(**ABSENT), options(create_user=True)) == []


def test_85_newuidmap_without_privilege() -> None:
    maps = {"newuidmap": "it is not setuid root; chmod u+s it", "newgidmap": None}
    assert problems(host(id_maps=maps), options()) == [
        "/usr/bin/newuidmap cannot give worker its subordinate ids: it is not setuid root; chmod u+s it."
    ]


@pytest.mark.parametrize(
    ("sysctls", "said"),
    [
        (
            {"user.max_user_namespaces": "0"},
            "user.max_user_namespaces is 0: set it to 28633 (/etc/sysctl.d).",
        ),
        ({"kernel.unprivileged_userns_clone": "0"}, "kernel.unprivileged_userns_clone is 0: set it to 1"),
        ({}, "unshare failed: Operation not permitted; allow it"),
    ],
)
def test_user_namespaces_are_off(sysctls: dict[str, str], said: str) -> None:
    [found] = problems(host(userns="unshare failed: Operation not permitted", sysctls=sysctls), options())
    assert said in found


def test_packages_that_follow_are_not_missed() -> None:
    bare = host(
        dict.fromkeys((*PROGRAMS, "pasta", "vpnkit")),
        script=None,
        dockerd=None,
        rootlesskit=None,
        networks=(),
        port_drivers=(),
        tries=(),
        id_maps={},
        dbus=False,
    )
    for network in ("auto", "pasta", "gvisor-tap-vsock"):
        wish = options(network=network, packages_follow=True)
        assert problems(bare, wish) == []
        assert refusals(bare, wish) == []


@pytest.mark.parametrize(
    ("facts", "network"),
    [
        (host(), "slirp4netns"),
        (host({"slirp4netns": None, "pasta": "/usr/bin/pasta"}), "pasta"),
        (host({"slirp4netns": None, "pasta": "/usr/bin/pasta"}, networks=("host", "vpnkit")), None),
        (host({"slirp4netns": None, "vpnkit": "/usr/bin/vpnkit"}), "vpnkit"),
        (
            host(
                {"slirp4netns": None},
                networks=("gvisor-tap-vsock",),
                tries=("slirp4netns", "gvisor-tap-vsock"),
            ),
            "gvisor-tap-vsock",
        ),
        (host({"slirp4netns": None}), None),
    ],
)
def test_the_network_that_is_taken(facts: Facts, network: str | None) -> None:
    assert drivers.network(facts, options()) == network


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"network": "pasta"}, "pasta is missing: install passt, or choose another rootless_network"),
        ({"network": "vpnkit"}, "vpnkit is missing"),
        (
            {"network": "gvisor-tap-vsock"},
            "knows no network gvisor-tap-vsock (it has host, slirp4netns, pasta, vpnkit)",
        ),
        ({"port_driver": "implicit"}, "goes with the network pasta alone, and this one would be slirp4netns"),
        ({"port_driver": "gvisor-tap-vsock"}, "goes with the network gvisor-tap-vsock alone"),
        ({"port_driver": "slirp4netns", "privileged_ports": "capability"}, "slirp4netns binds ports itself"),
    ],
)
def test_drivers_that_are_missing_or_do_not_fit(wish: dict[str, str], said: str) -> None:
    [found] = problems(host(), options(**wish))
    assert said in found


@pytest.mark.parametrize(
    "wish",
    [
        {"network": "slirp4netns", "port_driver": "slirp4netns"},
        {"network": "pasta", "port_driver": "implicit"},
        {"network": "pasta", "port_driver": "builtin", "privileged_ports": "capability"},
        {"network": "pasta", "privileged_ports": "sysctl"},
        {"port_driver": "builtin", "privileged_ports": "capability"},
    ],
)
def test_drivers_that_fit(wish: dict[str, str]) -> None:
    assert problems(host({"pasta": "/usr/bin/pasta"}), options(**wish)) == []


def test_a_port_driver_that_rootlesskit_does_not_know() -> None:
    facts = host({"pasta": "/usr/bin/pasta"}, port_drivers=("none", "builtin"))
    [said] = problems(facts, options(network="pasta", port_driver="implicit"))
    assert "/usr/bin/rootlesskit knows no port driver implicit (it has none, builtin)" in said


def test_a_network_without_nat_is_no_silent_choice() -> None:
    broken = host(iptables="no nat")
    [refused] = refusals(broken, options())
    assert refused["consent"] == "rootless_iptables"
    assert refused["message"].startswith("iptables does not work for an engine of worker: no nat.")
    [refused] = refusals(host({"iptables": None}), options())
    assert "it is not installed (package iptables)" in refused["message"]
    assert refusals(broken, options(iptables=False)) == []
    assert notices(broken, options(iptables=False)) == [
        "With --iptables=false there is no NAT: containers reach no other network."
    ]


def test_90_an_account_in_the_group_docker() -> None:
    facts = host(groups=("docker", "worker"))
    assert problems(facts, options()) == []
    [said] = notices(facts, options())
    assert "worker is in the group docker" in said
    assert "gpasswd --delete worker docker" in said


def test_93_ports_below_1024() -> None:
    facts = host(sysctls={START: "1024"})
    assert "Ports below 1024 cannot be published" in notices(facts, options())[0]
    assert notices(facts, options(privileged_ports="sysctl")) == []
    assert notices(facts._replace(low_ports=True), options()) == []


@pytest.mark.parametrize(("version", "what"), [(1, "cgroup v1"), (None, "a host without cgroups")])
def test_94_limits_are_ignored_without_cgroup_v2(version: int | None, what: str) -> None:
    facts = host(cgroup=Cgroup(version, CONTROLLERS, ()))
    [said] = notices(facts, options())
    assert said.startswith(f"On {what} ")
    assert "limits such as --memory and --cpus are accepted and ignored" in said
    assert {"--memory", "--cpus", "--pids-limit", "--cpuset-cpus"} <= set(
        ignored_limits(facts, delegate=True)
    )


def test_94_controllers_that_the_account_is_not_given() -> None:
    facts = host(cgroup=Cgroup(2, ("cpu", "cpuset", "memory", "pids"), ("memory", "pids")))
    assert notices(facts, options()) == [
        "This host has no cgroup controllers io: limits by them are ignored."
    ]
    kept = notices(facts, options(delegate=False))
    assert "worker is not given the cgroup controllers cpu, cpuset, and limits by them are ignored" in kept[0]
    assert "--cpus" in ignored_limits(facts)
    assert "--cpus" not in ignored_limits(facts, delegate=True)
    assert "--memory" not in ignored_limits(facts)


def test_95_apparmor_lets_only_profiles_make_namespaces() -> None:
    facts = host(apparmor_restricts=True)
    assert problems(facts, options()) == []
    [said] = notices(facts, options())
    assert "/usr/bin/rootlesskit" in said
    assert notices(facts._replace(apparmor_profile="/etc/apparmor.d/rootlesskit"), options()) == []


def test_layers_that_are_copied() -> None:
    assert "storage driver vfs" in notices(host(**NO_OVERLAY), options())[0]
    assert notices(host(overlay="mount: permission denied"), options()) == []


def test_volumes_on_a_file_system_without_execution() -> None:
    facts = host(mount=mount("ext4", "noexec"))
    assert problems(facts, options()) == []
    assert "no program in a volume does" in notices(facts, options())[0]
