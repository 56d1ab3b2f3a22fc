# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of what a container may use up, of how it restarts and of what it may change of itself."""

from __future__ import annotations

from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Case, Deviation, Remedy
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.containers import (
    Container,
    Outcome,
    control,
    listed,
    option,
    unchecked,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import effective

# Resource: what of HostConfig limits it, and what of /info says that the kernel keeps to it.
_LIMITS = {"memory": ("Memory", "MemoryLimit"), "pids": ("PidsLimit", "PidsLimit")}


@control(
    "container.resource_limits",
    "Memory and number of processes of every container are limited",
    "medium",
    Remedy(
        "live", "docker update --memory 512m --memory-swap 512m --pids-limit 200 NAME, with figures that fit."
    ),
    requirements=("D07-01", "D07-05"),
    cis=("5.11", "5.29"),
    level=1,
    parameters={"require": ["memory", "pids"]},
)
def resource_limits(container: Container, case: Case) -> Outcome:
    """One container that eats all memory or forks without end takes the host and all others down.

    `actual` is what has no limit. Rootless engines on cgroup v1 accept limits and ignore them; /info tells.
    `require` may leave one of the two out.
    """
    open_ended = []
    for resource, (key, support) in _LIMITS.items():
        if resource not in case.parameters["require"]:
            continue
        if (option(container, key) or 0) <= 0:
            open_ended.append(resource)
        elif not case.of_engine("info").get(support, True):
            open_ended.append(f"{resource} (limit ignored)")
    if "memory" in case.parameters["require"] and option(container, "MemorySwap") == -1:
        open_ended.append("swap")
    return Deviation(", ".join(open_ended), None, None) if open_ended else None


@control(
    "container.cpu_limit",
    "The CPU time of every container is limited",
    "low",
    Remedy("live", "docker update --cpus 1 NAME, with a figure that fits."),
    requirements=("D07-02",),
    cis=("5.12",),
    level=1,
    parameters={"accept_shares": True},
)
def cpu_limit(container: Container, case: Case) -> Outcome:
    """A busy container slows all others down.

    With `accept_shares` a weight (--cpu-shares) is enough: it holds back when others want the CPU.
    """
    if option(container, "NanoCpus") or (option(container, "CpuQuota") or 0) > 0:
        support = "CpuCfsQuota"
    elif case.parameters["accept_shares"] and option(container, "CpuShares"):
        support = "CPUShares"
    else:
        return Deviation("no limit", None, None)
    kept = case.of_engine("info").get(support, True)
    return None if kept else Deviation("limit ignored", None, f"/info {support}")


@control(
    "container.oom_killer",
    "The OOM killer is disabled only for containers with a memory limit",
    "medium",
    Remedy("recreate", "Run it without --oom-kill-disable, or set a memory limit with docker update."),
    requirements=("D07-03",),
)
def oom_killer(container: Container, case: Case) -> Outcome:
    """Without a limit the kernel must kill the host's own processes instead."""
    if option(container, "OomKillDisable") and not option(container, "Memory"):
        return Deviation("disabled, no memory limit", None, "HostConfig.OomKillDisable")
    return None


@control(
    "container.ulimits",
    "Containers keep the engine's ulimits",
    "info",
    Remedy("recreate", "Run it without --ulimit, or allow the one that it needs."),
    cis=("5.19",),
    level=1,
    parameters={"allow": []},
)
def ulimits(container: Container, case: Case) -> Outcome:
    """An own ulimit undoes what the engine's default-ulimits were chosen for.

    `allow` lists names of ulimits. The engine copies its defaults into each container (20.10, 26.1); they are
    not counted.
    """
    own = {f"{one['Name']}={one['Soft']}:{one['Hard']}" for one in option(container, "Ulimits") or ()}
    if own:
        own -= _engine_ulimits(case)
    own = {one for one in own if one.partition("=")[0] not in case.parameters["allow"]}
    return Deviation(listed(sorted(own)), None, "HostConfig.Ulimits") if own else None


def _engine_ulimits(case: Case) -> set[str]:
    """As name=soft:hard; the flag spells `nofile=1024:2048` or `nofile=1024`, the file an object."""
    found = set()
    for name, one in effective(case.engine, "default-ulimits").value.items():
        if isinstance(one, dict):
            found.add(f"{name}={one.get('Soft')}:{one.get('Hard')}")
        else:
            soft, _unused, hard = one.partition(":")
            found.add(f"{name}={soft}:{hard or soft}")
    return found


@control(
    "container.cgroup_parent",
    "Containers are in the engine's control group",
    "low",
    Remedy("recreate", "Run it without --cgroup-parent."),
    cis=("5.25",),
    level=1,
    parameters={"allow": []},
)
def cgroup_parent(container: Container, case: Case) -> Outcome:
    """In another group other limits hold, or none. `allow` lists groups that are meant."""
    parent = option(container, "CgroupParent")
    if (
        not parent
        or parent in case.parameters["allow"]
        or parent == effective(case.engine, "cgroup-parent").value
    ):
        return None
    return Deviation(listed([parent]), None, "HostConfig.CgroupParent")


@control(
    "container.read_only_root",
    "The root file system of every container is read-only",
    "low",
    Remedy("recreate", "Run it with --read-only, and --tmpfs or a volume for what it writes."),
    requirements=("D09-01", "CAP-22"),
    cis=("5.13",),
    level=1,
)
def read_only_root(container: Container, case: Case) -> Outcome:
    """An intruder cannot install tools or change programs, and nobody installs packages at run time."""
    return None if option(container, "ReadonlyRootfs") else Deviation("writable", None, None)


@control(
    "container.restart_policy",
    "Containers restart a limited number of times",
    "low",
    Remedy("live", "docker update --restart on-failure:5 NAME."),
    cis=("5.15",),
    level=1,
    parameters={"most": 5},
)
def restart_policy(container: Container, case: Case) -> Outcome:
    """Endless restarts hide faults and attacks and eat CPU; `always` and `unless-stopped` are endless."""
    policy = option(container, "RestartPolicy") or {}
    name, count = policy.get("Name") or "no", policy.get("MaximumRetryCount") or 0
    if name == "no" or (name == "on-failure" and 0 < count <= case.parameters["most"]):
        return None
    shown = f"{name}, {count or 'endless'}" if name == "on-failure" else name
    return Deviation(shown, f"on-failure:{case.parameters['most']}", "HostConfig.RestartPolicy")


@control(
    "container.health_check",
    "The health of every container is checked",
    "low",
    Remedy("recreate", "Run it with --health-cmd, or give the image a HEALTHCHECK."),
    cis=("5.27",),
    level=1,
)
def health_check(container: Container, case: Case) -> Outcome:
    """Without one nobody sees that a container no longer answers. NONE switches the image's own off."""
    return unchecked(container)
