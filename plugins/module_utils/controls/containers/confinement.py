# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of what confines a container beside its capabilities: seccomp, AppArmor and SELinux."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Deviation,
    Item,
    NotApplicable,
    Remedy,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.containers import (
    Container,
    Outcome,
    containers,
    control,
    listed,
    option,
    security_option,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    security_options,
)

# What a profile may do with a call that no rule names; anything else lets it through.
_DENIALS = (
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_TRAP",
)


def _confined_by(module: str, title: str) -> Callable[[Case], list[Item]]:
    """The containers of a host with that security module; where the engine does not use it, the engine."""

    def over(case: Case) -> list[Item]:
        if not _in_force(case, module):
            raise NotApplicable(f"{title} is not in force on this host")
        if case.rootless and module == "apparmor":
            raise NotApplicable("a rootless engine cannot load AppArmor profiles")
        info = case.engine["info"]
        if "SecurityOptions" in info and module not in security_options(case.engine):
            return [Item("engine", case.engine["name"], case.engine["name"], None)]
        return containers(case)

    return over


def _in_force(case: Case, module: str) -> bool:
    state = case.host("host", "lsm", module)
    return state is not None and (
        state.get("enabled", False) or state.get("mode") in ("enforcing", "permissive")
    )


@control(
    "container.apparmor",
    "Every container is confined by an AppArmor profile",
    "high",
    Remedy("recreate", "Run it without --privileged and --security-opt apparmor=unconfined."),
    requirements=("D01-28", "D04-38", "CAP-21"),
    cis=("5.2",),
    level=1,
    over=_confined_by("apparmor", "AppArmor"),
)
def apparmor(container: Container | None, case: Case) -> Outcome:
    """The profile docker-default denies mounts and writes below /proc and /sys, even to root."""
    if container is None:
        return Deviation("not used by the engine", None, "/info SecurityOptions")
    process = read(container, "process")
    if process is not None:
        profile = read(process, "apparmor")
        if profile is None:
            raise Unread("the AppArmor profile of its process was not read")
        evidence = "/proc"
    else:
        seen = "unconfined" if option(container, "Privileged") else read(container, "apparmor")
        profile = security_option(container, "apparmor") or seen or ""
        evidence = "HostConfig"
    if profile.startswith("unconfined") or profile.endswith("(complain)"):
        return Deviation(listed([profile]), None, evidence)
    return None


@control(
    "container.selinux",
    "Every container is confined by an SELinux label",
    "high",
    Remedy("recreate", "Set selinux-enabled in the engine; run it without --privileged and label=disable."),
    requirements=("D01-28", "CAP-21"),
    cis=("5.3",),
    level=2,
    over=_confined_by("selinux", "SELinux"),
)
def selinux(container: Container | None, case: Case) -> Outcome:
    """The label keeps a container from files and processes of the host and of others.

    Docker disables it by itself for --privileged, --pid host and --ipc host (20.10, 26.1).
    """
    if container is None:
        return Deviation("not used by the engine", None, "/info SecurityOptions")
    if option(container, "Privileged") or security_option(container, "label") == "disable":
        return Deviation("label=disable", None, "HostConfig.SecurityOpt")
    return None


@control(
    "container.seccomp",
    "Every container runs with a seccomp filter",
    "high",
    Remedy("recreate", "Run it without --privileged and --security-opt seccomp=unconfined."),
    requirements=("D04-36", "D04-37", "CAP-21"),
    cis=("5.22",),
    level=1,
)
def seccomp(container: Container, case: Case) -> Outcome:
    """The default profile blocks some 44 system calls that exploits like. Seccomp of the process counts."""
    process = read(container, "process")
    if process is not None:
        return None if process["seccomp"] in (1, 2) else Deviation("unconfined", None, "Seccomp: 0")
    given = security_option(container, "seccomp")
    if given is None and option(container, "Privileged"):
        given = "unconfined"
    if given is None and security_options(case.engine).get("seccomp", "unconfined") == "unconfined":
        return Deviation("unconfined", None, "the engine's default")
    return Deviation("unconfined", None, "HostConfig") if given == "unconfined" else None


@control(
    "container.seccomp_profile",
    "An own seccomp profile denies what it does not name",
    "medium",
    Remedy("recreate", "Give the profile the default action SCMP_ACT_ERRNO and run it anew."),
    requirements=("D04-35",),
)
def seccomp_profile(container: Container, case: Case) -> Outcome:
    """A profile that allows everything confines nothing, although the process shows Seccomp: 2."""
    profile = read(container, "seccomp")
    if profile is None:
        raise NotApplicable("no own profile")
    if profile["allows_everything"]:
        return Deviation("allows everything", None, "SecurityOpt")
    action = str(profile["default_action"])
    return None if action in _DENIALS else Deviation(listed([action]), "SCMP_ACT_ERRNO", "SecurityOpt")


@control(
    "container.seccomp_generated",
    "Containers run with the seccomp profiles made for them",
    "medium",
    Remedy(
        "recreate",
        "Run it with --security-opt seccomp=FILE; a changed file reaches no existing container.",
    ),
    requirements=("RT-39", "RT-40"),
    parameters={"profiles": {}},
)
def seccomp_generated(container: Container, case: Case) -> Outcome:
    """A profile from observed system calls is tighter than the default.

    `profiles` maps container names (shell patterns) to the sha256 that the profile must have, written with
    sorted keys and no white space; other containers are not judged.
    """
    name = container["name"] or container["id"]
    wanted = [digest for pattern, digest in case.parameters["profiles"].items() if fnmatchcase(name, pattern)]
    if not wanted:
        raise NotApplicable("no profile is wanted for it")
    profile = read(container, "seccomp")
    actual = profile["sha256"] if profile else None
    return None if actual in wanted else Deviation(actual and actual[:12], str(wanted[0])[:12], "SecurityOpt")
