# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host as such: end of support, kernel, security modules, the data root's own file system."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.host import host
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.support_dates import (
    SUPPORT_ENDS,
    support_end,
)

from tests.unit.builders.host import DATA_ROOT, ENGINE, engine, file, rootless_engine, said, snapshot
from tests.unit.builders.judging import finding


def of_host(**fields):
    return snapshot({"host": fields})


def day(text):
    return int(datetime.datetime.fromisoformat(f"{text}T12:00:00+00:00").timestamp())


def release(text, today="2026-05-28", **fields):
    os_id, _unused, version = text.partition(" ")
    data = of_host(time=day(today))
    data["host"]["os"] = {"ID": os_id, **({"VERSION_ID": version} if version else {}), **fields}
    return data


@pytest.mark.parametrize(
    ("data", "supported", "not_ending"),
    [
        (release("debian 13"), "pass", "pass"),
        (release("debian 11", "2026-08-31"), "pass", "fail"),
        (release("debian 11", "2026-09-01"), "fail", "pass"),
        (release("debian 12", "2028-01-03"), "pass", "fail"),
        (release("debian 12", "2028-01-02"), "pass", "pass"),
        (release("ubuntu 20.04"), "fail", "pass"),
        (release("rhel 9.4"), "pass", "pass"),
        (release("rocky 8.10"), "pass", "pass"),
        (release("alpine 3.21.3", "2026-11-02"), "fail", "pass"),
        (release("fedora 43", SUPPORT_END="2026-12-02"), "pass", "pass"),
        (release("fedora 43", "2026-12-03", SUPPORT_END="2026-12-02"), "fail", "pass"),
        (release("fedora 43", SUPPORT_END="soon"), "unknown", "unknown"),
        (release("debian"), "unknown", "unknown"),
        (release("plan9 4"), "unknown", "unknown"),
        (release("arch"), "not_applicable", "not_applicable"),
        (release("fedora 42", VARIANT_ID="coreos"), "not_applicable", "not_applicable"),
        (of_host(os=None), "unknown", "unknown"),
        (of_host(os={"error": "/etc/os-release: Permission denied"}), "unknown", "unknown"),
    ],
)
def test_end_of_support(data, supported, not_ending):
    assert finding(host.os_supported, data)["verdict"] == supported
    assert finding(host.os_support_ending, data)["verdict"] == not_ending


def test_bought_support_is_told_by_a_parameter():
    data = release("ubuntu 20.04")
    assert finding(host.os_supported, data, dates={"ubuntu 20.04": "2030-04-02"})["verdict"] == "pass"


def test_the_table_of_dates_holds_dates():
    for versions in SUPPORT_ENDS.values():
        for date in versions.values():
            assert datetime.date.fromisoformat(date).isoformat() == date


@pytest.mark.parametrize(
    ("os_id", "version", "end"),
    [
        ("rhel", "8.10", "2029-05-31"),
        ("ubuntu", "24.04", "2029-05-31"),
        ("alpine", "3.22.1", "2027-05-01"),
        ("sles", "15.5", "2024-12-31"),
        ("amzn", "2", "2026-06-30"),
        ("debian", "99", None),
        ("", "", None),
    ],
)
def test_versions_are_known_by_their_numbers(os_id, version, end):
    assert support_end(os_id, version) == end


@pytest.mark.parametrize(
    ("kernel", "verdict"),
    [
        ("6.12.38+deb13-amd64", "pass"),
        ("4.18.0-553.el8_10.x86_64", "pass"),
        ("4.9.0-19-amd64", "fail"),
        ("3.10.0-1160.el7.x86_64", "fail"),
    ],
)
def test_kernels_are_compared_as_numbers(kernel, verdict):
    assert finding(host.kernel_recent, of_host(kernel={"release": kernel}))["verdict"] == verdict


def lsm(apparmor=None, selinux=None, *arguments, boot=()):
    switches = [{"word": word, "file": "/etc/default/grub"} for word in boot]
    modules = {"apparmor": apparmor, "selinux": selinux, "boot": switches}
    return of_host(lsm=modules, kernel={"arguments": list(arguments)})


ENFORCED = {"enabled": True, "profiles": {"docker-default": "enforce"}}


@pytest.mark.parametrize(
    ("data", "verdict", "shown"),
    [
        (lsm(ENFORCED), "pass", ""),
        (lsm({"enabled": True, "profiles": {}}), "pass", ""),
        (
            lsm({"enabled": True, "profiles": {"docker-default": "complain"}}),
            "fail",
            "docker-default: complain",
        ),
        (lsm({"enabled": True, "profiles": {"error": "securityfs is not mounted"}}), "unknown", "securityfs"),
        (lsm({"enabled": False, "profiles": {}}, None, "apparmor=0"), "fail", "apparmor=0"),
        (lsm(None, {"mode": "enforcing", "configured": "enforcing"}), "pass", ""),
        (
            lsm(None, {"mode": "enforcing", "configured": "permissive"}),
            "fail",
            "permissive after the next boot",
        ),
        (lsm(None, {"mode": "permissive", "configured": "enforcing"}), "fail", "SELinux permissive"),
        (lsm(ENFORCED, {"mode": "disabled", "configured": None}), "pass", ""),
        (lsm(None, {"mode": "disabled", "configured": "enforcing"}, "selinux=0"), "fail", "selinux=0"),
        (lsm(ENFORCED, boot=["apparmor=0"]), "fail", "apparmor=0 at the next boot"),
        (lsm(ENFORCED, boot=["selinux=0"]), "pass", ""),
        (
            lsm(None, {"mode": "enforcing", "configured": "enforcing"}, boot=["selinux=0"]),
            "fail",
            "selinux=0",
        ),
        (lsm(), "fail", "neither is enabled"),
        (lsm({"error": "unreadable"}), "unknown", "unreadable"),
    ],
)
def test_security_modules_now_and_after_boot(data, verdict, shown):
    found = finding(host.lsm_enforcing, data)
    assert found["verdict"] == verdict
    assert shown in said(found)


@pytest.mark.parametrize(
    ("cgroup", "verdict"),
    [
        ({"version": 2, "controllers": []}, "pass"),
        ({"version": 1, "controllers": []}, "fail"),
        (None, "fail"),
        ({"error": "no mounts"}, "unknown"),
    ],
)
def test_cgroup_version(cgroup, verdict):
    assert finding(host.cgroup_v2, of_host(cgroup=cgroup))["verdict"] == verdict


@pytest.mark.parametrize(
    ("sysctls", "verdict"),
    [
        ({}, "pass"),
        ({"user.max_user_namespaces": "127000"}, "fail"),
        ({"user.max_user_namespaces": "127000", "kernel.unprivileged_userns_clone": "0"}, "pass"),
        (
            {"user.max_user_namespaces": "127000", "kernel.apparmor_restrict_unprivileged_userns": "1"},
            "pass",
        ),
        ({"user.max_user_namespaces": {"error": "unreadable"}}, "unknown"),
    ],
)
def test_user_namespaces_of_ordinary_users(sysctls, verdict):
    assert finding(host.unprivileged_userns, of_host(sysctls=sysctls))["verdict"] == verdict


def test_a_rootless_engine_needs_user_namespaces():
    found = finding(host.unprivileged_userns, snapshot({"engines": [rootless_engine()]}))
    assert found["verdict"] == "not_applicable"


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (of_host(hypervisor_processes=["qemu-system-x86_64"]), "fail"),
        (of_host(hypervisor_processes=[]), "pass"),
        (snapshot({"host": {"hypervisor_processes": ["libvirtd"]}, "engines": []}), "pass"),
        (of_host(hypervisor_processes={"error": "unreadable"}), "unknown"),
    ],
)
def test_virtual_machines_beside_the_engine(data, verdict):
    assert finding(host.hypervisor, data)["verdict"] == verdict


def mount(target, device, source="/dev/sdb1", root="/"):
    return {
        "target": target,
        "source": source,
        "fstype": "ext4",
        "options": [],
        "device": device,
        "root": root,
    }


@pytest.mark.parametrize(
    ("mounts", "verdict", "shown"),
    [
        ([mount("/", "8:1"), mount(DATA_ROOT, "8:17")], "pass", ""),
        ([mount("/", "8:1")], "fail", "is part of /"),
        ([mount("/", "8:1"), mount("/var", "8:17")], "fail", "is part of /var"),
        ([mount("/", "8:1"), mount("/var/lib/docker-old", "8:17")], "fail", "is part of /"),
        # R43: a bind mount of the same disk.
        (
            [mount("/", "8:1"), mount(DATA_ROOT, "8:1", root="/srv/docker")],
            "fail",
            "bind mount of the same file system",
        ),
        # A later mount hides the earlier one at the same place.
        (
            [mount("/", "8:1"), mount(DATA_ROOT, "8:17"), mount(DATA_ROOT, "8:1", root="/x")],
            "fail",
            "bind mount",
        ),
        ([mount("/", "8:1"), mount(DATA_ROOT, "8:1", root="/x"), mount(DATA_ROOT, "8:17")], "pass", ""),
        ([], "unknown", "no mount for"),
        ({"error": "/proc/self/mountinfo: Permission denied"}, "unknown", "Permission denied"),
    ],
)
def test_the_data_root_s_own_file_system(mounts, verdict, shown):
    found = finding(host.data_root_mount, of_host(mounts=mounts))
    assert found["verdict"] == verdict
    assert shown in said(found)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"engines": [engine(info={"DockerRootDir": f"{DATA_ROOT}/100000.100000"})]}, "pass"),
        ({"engines": [engine(info={"DockerRootDir": "/srv/docker"})]}, "fail"),
        # A stopped engine: what it is told to use.
        ({"engines": [engine(info={"error": "stopped"})]}, "pass"),
        ({"engines": [engine(info={"error": "stopped"}, flags={"data-root": ["/srv/docker"]})]}, "fail"),
        (
            {
                "engines": [engine(info={"DockerRootDir": "/docker"})],
                "files": {"/docker": file("0710", target=DATA_ROOT)},
            },
            "pass",
        ),
        ({"engines": [rootless_engine()]}, "not_applicable"),
        ({"engines": []}, "not_applicable"),
        ({"engines": [{**ENGINE, "info": {"error": "x"}, "flags": {"error": "argv unreadable"}}]}, "unknown"),
    ],
)
def test_where_the_data_root_is(changes, verdict):
    assert finding(host.data_root_mount, snapshot(changes))["verdict"] == verdict
