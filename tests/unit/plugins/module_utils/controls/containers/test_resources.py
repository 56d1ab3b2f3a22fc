# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of limits, restarts, health and what a container may write."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.containers import resources as controls

from tests.unit.builders.containers import container, default_container, holding, stopped
from tests.unit.builders.judging import finding

NOFILE = {"Name": "nofile", "Hard": 200, "Soft": 100}


def options(**changes):
    return container(host_config=changes)


def restarting(name, count=0):
    return options(RestartPolicy={"Name": name, "MaximumRetryCount": count})


def verdict(control, one, parameters=None, **engine):
    found = finding(control, holding(one, **engine), **(parameters or {}))
    return found["subjects"][0]["actual"] if found["verdict"] == "fail" else found["verdict"]


@pytest.mark.parametrize(
    ("control", "one", "expected"),
    [
        (controls.resource_limits, default_container(), "memory, pids"),
        (controls.resource_limits, options(PidsLimit=None), "pids"),
        (controls.resource_limits, options(PidsLimit=-1), "pids"),
        (controls.resource_limits, options(PidsLimit=0, Memory=0), "memory, pids"),
        (controls.resource_limits, options(MemorySwap=-1), "swap"),
        (controls.resource_limits, container(), "pass"),
        (controls.resource_limits, stopped(), "pass"),
        (controls.cpu_limit, default_container(), "no limit"),
        (controls.cpu_limit, options(NanoCpus=0, CpuQuota=50000), "pass"),
        (controls.cpu_limit, options(NanoCpus=0, CpuQuota=-1), "no limit"),
        (controls.cpu_limit, options(NanoCpus=0, CpuShares=512), "pass"),
        (controls.oom_killer, options(OomKillDisable=True, Memory=0), "disabled, no memory limit"),
        (controls.oom_killer, options(OomKillDisable=True), "pass"),
        (controls.oom_killer, options(OomKillDisable=None, Memory=0), "pass"),
        (controls.ulimits, options(Ulimits=[NOFILE]), "nofile=100:200"),
        (controls.ulimits, options(Ulimits=None), "pass"),
        (controls.cgroup_parent, options(CgroupParent="/machine"), "/machine"),
        (controls.cgroup_parent, container(), "pass"),
        (controls.read_only_root, default_container(), "writable"),
        (controls.read_only_root, container(), "pass"),
        # R33: no retry count at all is no limit of 0.
        (controls.restart_policy, restarting("always"), "always"),
        (controls.restart_policy, restarting("unless-stopped"), "unless-stopped"),
        (controls.restart_policy, restarting("on-failure"), "on-failure, endless"),
        (controls.restart_policy, restarting("on-failure", 6), "on-failure, 6"),
        (controls.restart_policy, restarting("on-failure", 5), "pass"),
        (controls.restart_policy, restarting("no"), "pass"),
        (controls.restart_policy, restarting(""), "pass"),
        (controls.health_check, container(config={"healthcheck": None}), "not set"),
        (controls.health_check, container(config={"healthcheck": "none"}), "NONE"),
        (controls.health_check, container(), "pass"),
    ],
)
def test_verdicts(control, one, expected):
    assert verdict(control, one) == expected


@pytest.mark.parametrize(
    ("control", "one", "parameters", "expected"),
    [
        (controls.resource_limits, default_container(), {"require": ["pids", "disk"]}, "pids"),
        (controls.resource_limits, options(PidsLimit=0), {"require": ["memory"]}, "pass"),
        (controls.cpu_limit, options(NanoCpus=0, CpuShares=512), {"accept_shares": False}, "no limit"),
        (controls.ulimits, options(Ulimits=[NOFILE]), {"allow": ["nofile"]}, "pass"),
        (controls.cgroup_parent, options(CgroupParent="/machine"), {"allow": ["/machine"]}, "pass"),
        (controls.restart_policy, restarting("on-failure", 6), {"most": 10}, "pass"),
    ],
)
def test_parameters(control, one, parameters, expected):
    assert verdict(control, one, parameters) == expected


@pytest.mark.parametrize(
    ("control", "info", "expected"),
    [
        (
            controls.resource_limits,
            {"MemoryLimit": False, "PidsLimit": False},
            "memory (limit ignored), pids (limit ignored)",
        ),
        (controls.resource_limits, {"PidsLimit": False}, "pids (limit ignored)"),
        (controls.cpu_limit, {"CpuCfsQuota": False}, "limit ignored"),
        (controls.cpu_limit, {"error": "does not answer"}, "unknown"),
    ],
)
def test_limits_that_the_kernel_ignores(control, info, expected):
    """A rootless engine on cgroup v1 takes -m 64m and ignores it."""
    assert verdict(control, container(), info=info) == expected


@pytest.mark.parametrize(("kept", "expected"), [(True, "pass"), (False, "limit ignored")])
def test_a_weight_that_the_kernel_ignores_is_no_limit(kept, expected):
    one = options(NanoCpus=0, CpuShares=512)
    assert verdict(controls.cpu_limit, one, info={"CPUShares": kept}) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"config": {"settings": {"default-ulimits": {"nofile": NOFILE}}}}, "pass"),
        ({"flags": {"default-ulimit": ["nofile=100:200"]}}, "pass"),
        ({"flags": {"default-ulimit": ["nofile=100"]}}, "nofile=100:200"),
        ({"config": {"settings": {"default-ulimits": {"nproc": NOFILE}}}}, "nofile=100:200"),
    ],
)
def test_the_engine_s_own_ulimits_are_none_of_the_container(changes, expected):
    """Seen on 20.10 and 26.1: default-ulimits are copied into HostConfig of every container."""
    assert verdict(controls.ulimits, options(Ulimits=[NOFILE]), **changes) == expected


def test_the_engine_s_own_cgroup_parent():
    changes = {"config": {"settings": {"cgroup-parent": "/docker.slice"}}}
    assert verdict(controls.cgroup_parent, options(CgroupParent="/docker.slice"), **changes) == "pass"
