# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of capabilities: by the bounding set of what runs, by the options of what does not."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.containers import (
    capabilities as controls,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.capabilities import (
    DEFAULT,
    mask,
    names,
)

from tests.unit.builders.containers import (
    container,
    default_container,
    holding,
    host_with,
    rootless_engine,
    stopped,
)
from tests.unit.builders.judging import finding

EVERYTHING = "000001ffffffffff"
# 20.10.24 with --cap-add ALL --cap-drop CAP_SYS_RESOURCE on a kernel with 41 capabilities.
EVERYTHING_OF_20_10 = "0000003fffffffff"


def running(bounding="0000000000000000", **changes):
    return container(process={"cap_bnd": bounding}, **changes)


def with_options(add=None, drop=None, **changes):
    return stopped(host_config={"CapAdd": add, "CapDrop": drop, **changes})


def actual(control, one, **parameters):
    found = finding(control, holding(one), **parameters)
    return found["subjects"][0]["actual"] if found["verdict"] == "fail" else found["verdict"]


MINIMAL, RARE = controls.LEVELS[1], controls.LEVELS[0]


@pytest.mark.parametrize(
    ("control", "one", "expected"),
    [
        (controls.all_capabilities, running(EVERYTHING), "all"),
        (controls.all_capabilities, running(EVERYTHING_OF_20_10), "all"),
        (
            controls.all_capabilities,
            running("000001fffeffffff", host_config={"CapAdd": ["all"], "CapDrop": ["CAP_SYS_RESOURCE"]}),
            "all but SYS_RESOURCE",
        ),
        (controls.all_capabilities, with_options(add=["All"]), "all"),
        (controls.all_capabilities, with_options(Privileged=True), "all"),
        (controls.all_capabilities, running("0000000000200000"), "pass"),
        (controls.all_capabilities, with_options(drop=["all"]), "pass"),
        (controls.critical_capabilities, running(f"{DEFAULT | mask(['SYS_ADMIN']):016x}"), "SYS_ADMIN"),
        (
            controls.critical_capabilities,
            with_options(add=["CAP_SYS_MODULE", "sys_ptrace"]),
            "SYS_MODULE, SYS_PTRACE",
        ),
        (controls.critical_capabilities, running("00000000a80425fb"), "pass"),
        (controls.added_capabilities, running("00000000a80435fb"), "NET_ADMIN"),
        (controls.added_capabilities, with_options(add=["net_admin", "SYS_TIME"]), "NET_ADMIN, SYS_TIME"),
        (controls.added_capabilities, running(EVERYTHING), "all"),
        (controls.added_capabilities, running("00000000a80425fb"), "pass"),
        (controls.default_capabilities, running("00000000a80425fb"), "all 14"),
        (controls.default_capabilities, running("0000000000002400"), "NET_BIND_SERVICE, NET_RAW"),
        (controls.default_capabilities, with_options(drop=None), "all 14"),
        (controls.default_capabilities, with_options(drop=["all"], add=["CAP_SETUID"]), "SETUID"),
        (controls.default_capabilities, with_options(drop=["all"]), "pass"),
        (controls.default_capabilities, running(), "pass"),
        (controls.capability_allow_list, with_options(drop=["cap_chown", "MKNOD"]), "CHOWN, MKNOD"),
        (controls.capability_allow_list, with_options(), "none"),
        (controls.capability_allow_list, with_options(drop=["all"], add=["CHOWN"]), "pass"),
        (RARE, running(f"{mask(['MKNOD', 'CHOWN']):016x}"), "MKNOD"),
        (RARE, running(f"{mask(['CHOWN']):016x}"), "pass"),
        (MINIMAL, running(f"{mask(['KILL', 'CHOWN']):016x}"), "CHOWN"),
        (MINIMAL, running(f"{mask(['KILL', 'AUDIT_WRITE']):016x}"), "pass"),
        (controls.setuid_capabilities, default_container(), "SETGID, SETUID"),
        (controls.setuid_capabilities, default_container(process={"no_new_privs": True}), "pass"),
        (controls.setuid_capabilities, running(), "pass"),
        (
            controls.mixed_confinement,
            container(
                seccomp={"default_action": "SCMP_ACT_ERRNO", "allows_everything": False, "sha256": "00"}
            ),
            "own profile and CapDrop",
        ),
        (controls.mixed_confinement, container(), "pass"),
    ],
)
def test_verdicts(control, one, expected):
    assert actual(control, one) == expected


def test_a_user_without_effective_capabilities_still_has_its_bounding_set():
    """Edge case 118: --user 1000 has CapEff 0, and one setuid file gives it all of CapBnd."""
    assert actual(controls.default_capabilities, running("00000000a80425fb")) == "all 14"


@pytest.mark.parametrize(
    ("control", "bounding", "allow", "label", "expected"),
    [
        (controls.default_capabilities, ["CHOWN", "SETUID"], {"sound": ["cap_chown"]}, "", "SETUID"),
        (controls.default_capabilities, ["CHOWN", "SETUID"], {"so*": ["CHOWN"], "*": ["SETUID"]}, "", "pass"),
        (controls.default_capabilities, ["CHOWN"], {"other": ["CHOWN"]}, "", "CHOWN"),
        (controls.default_capabilities, ["CHOWN"], {"sound": "CHOWN"}, "", "pass"),
        (controls.default_capabilities, ["CHOWN"], {"sound": None}, "", "CHOWN"),
        (controls.default_capabilities, ["CHOWN", "SETUID"], {}, "chown, CAP_SETUID", "pass"),
        (controls.added_capabilities, ["NET_ADMIN"], {"sound": ["NET_ADMIN"]}, "", "pass"),
        (controls.added_capabilities, ["NET_ADMIN"], {}, "NET_ADMIN", "pass"),
        (controls.added_capabilities, ["SYS_ADMIN"], {}, "SYS_ADMIN", "SYS_ADMIN"),
        (controls.critical_capabilities, ["SYS_ADMIN"], {}, "SYS_ADMIN", "SYS_ADMIN"),
        (controls.critical_capabilities, ["SYS_ADMIN"], {"sound": ["SYS_ADMIN"]}, "", "pass"),
    ],
)
def test_what_is_allowed(control, bounding, allow, label, expected):
    one = running(
        f"{mask(bounding):016x}", config={"labels": {"bulwark.capabilities": label} if label else {}}
    )
    assert actual(control, one, allow=allow) == expected


def test_what_root_beside_other_users_needs_is_named():
    """A master as root with workers of another user, as nginx runs."""
    workers = default_container(
        processes=[
            {"name": "nginx", "uid": 0, "gid": 0, "no_new_privs": False, "count": 1},
            {"name": "nginx", "uid": 101, "gid": 101, "no_new_privs": False, "count": 4},
        ]
    )
    (subject,) = finding(controls.default_capabilities, holding(workers))["subjects"]
    assert subject["expected"] == "at most KILL, SETGID, SETUID"
    (subject,) = finding(controls.default_capabilities, holding(default_container()))["subjects"]
    assert subject["expected"] is None


def test_advice_is_given_for_what_was_added():
    (subject,) = finding(controls.critical_capabilities, holding(running(f"{mask(['SYS_MODULE']):x}")))[
        "subjects"
    ]
    assert subject["evidence"] == "SYS_MODULE: owns the kernel: load modules on the host"
    assert "SETUID when it starts as root and switches user" in controls.default_capabilities.remedy.text


def test_all_is_what_the_kernel_has():
    old = holding(running("0000003fffffffff"))
    old["host"]["kernel"]["last_capability"] = 37
    assert finding(controls.all_capabilities, old)["verdict"] == "fail"
    old["engines"][0]["containers"][0]["process"]["cap_bnd"] = "0000001fffffffff"
    assert finding(controls.all_capabilities, old)["verdict"] == "pass"


@pytest.mark.parametrize(
    ("options", "bounding"),
    [
        ({}, DEFAULT),
        ({"CapAdd": ["SYS_TIME"], "CapDrop": ["CHOWN"]}, (DEFAULT | mask(["SYS_TIME"])) & ~mask(["CHOWN"])),
        ({"CapAdd": ["CHOWN"], "CapDrop": ["CHOWN"]}, DEFAULT),
        ({"CapAdd": ["CHOWN"], "CapDrop": ["all"]}, mask(["CHOWN"])),
        ({"CapAdd": ["all"], "CapDrop": ["CHOWN"]}, mask(["all"]) & ~1),
        ({"Privileged": True, "CapDrop": ["all"]}, mask(["all"])),
    ],
)
def test_what_docker_will_make_of_options(options, bounding):
    resting = stopped(host_config={"CapAdd": None, "CapDrop": None, **options})
    assert names(controls.bounding_set(resting)) == names(bounding)


@pytest.mark.parametrize(
    ("engine_of", "changes", "expected"),
    [
        (rootless_engine, {"process": {"uid_map": [[0, 1000, 1]], "cap_bnd": "2000"}}, "fail"),
        (rootless_engine, {"process": {"uid_map": [[0, 1000, 1]], "cap_bnd": "0"}}, "pass"),
        (
            rootless_engine,
            {
                "process": {"uid_map": [[0, 1000, 1]], "cap_bnd": "2000"},
                "host_config": {"Sysctls": {"net.ipv4.ping_group_range": "0 1000"}},
            },
            "pass",
        ),
        (rootless_engine, {"process": None, "host_config": {"CapDrop": None}}, "fail"),
        (None, {"process": {"cap_bnd": "2000"}}, "pass"),
        (None, {"host_config": {"NetworkMode": "host"}}, "not_applicable"),
    ],
)
def test_ping_without_net_raw(engine_of, changes, expected):
    one = container(**changes)
    snapshot = host_with(engine_of(one)) if engine_of else holding(one)
    assert finding(controls.ping_group_range, snapshot)["verdict"] == expected
