# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the namespaces that a container shares with the host."""

from __future__ import annotations

import re

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Control,
    Deviation,
    NotApplicable,
    Remedy,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.containers import (
    Container,
    Outcome,
    control,
    mode_of,
    option,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    security_options,
)


def _shared(
    key: str, control_id: str, title: str, severity: str, cis: str, requirements: tuple[str, ...], why: str
) -> Control:
    def judge(container: Container, case: Case) -> Outcome:
        if key == "NetworkMode" and _own_network(case):
            raise NotApplicable("a rootless engine shares its own network, not the host's")
        if mode_of(container, key, case) != "host":
            return None
        joined = option(container, key) != "host"
        return Deviation("host by another container" if joined else "host", None, f"HostConfig.{key}")

    judge.__doc__ = why
    flag = key[: -len("Mode")].lower()
    remedy = Remedy("recreate", f"Run it without --{'network' if key == 'NetworkMode' else flag} host.")
    return control(control_id, title, severity, remedy, requirements=requirements, cis=(cis,), level=1)(judge)


def _own_network(case: Case) -> bool:
    # rootlesskit makes a network namespace of its own; pid, ipc and uts stay the host's. Since 29.5 it may lie aside,
    # so that dockerd itself, and containers with --network host, are in the host's.
    given = (case.engine["rootlesskit"] or {}).get("argv") or ()
    return case.rootless and not any(
        word == "--net=host" or re.fullmatch("--detach-netns(=true)?", word) for word in given
    )


SHARED = tuple(
    _shared(*row)
    for row in (
        (
            "PidMode",
            "container.host_pid",
            "No container sees the host's processes",
            "high",
            "5.16",
            ("D01-14",),
            "It sees, and as root signals and traces, every process of the host. Refused with userns-remap.",
        ),
        (
            "NetworkMode",
            "container.host_network",
            "No container shares the host's network",
            "high",
            "5.10",
            ("D01-15",),
            "It reaches services on the host's loopback, and listens where no rule for containers applies.",
        ),
        (
            "IpcMode",
            "container.host_ipc",
            "No container shares the host's shared memory",
            "high",
            "5.17",
            (),
            "It can read and write the shared memory and the semaphores of the host's processes.",
        ),
        (
            "UTSMode",
            "container.host_uts",
            "No container shares the host's name",
            "low",
            "5.21",
            (),
            "With the capability for it the container could rename the host.",
        ),
    )
)


@control(
    "container.host_users",
    "No container opts out of user remapping",
    "high",
    Remedy("recreate", "Run it without --userns host; see which mounts and namespaces made it necessary."),
    requirements=("D01-16",),
    cis=("5.31",),
    level=1,
)
def host_users(container: Container, case: Case) -> Outcome:
    """Its root is root of the host where all others are remapped. The process's uid_map counts.

    Where the engine does not remap, --userns host is only waiting for the day it does.
    """
    if case.rootless:
        raise NotApplicable("a rootless engine's host namespace is its own")
    process = read(container, "process")
    if process is not None and "userns" in security_options(case.engine):
        mapped_to_root = any(outside == 0 for _unused, outside, _unused in read(process, "uid_map"))
        return Deviation("host", None, "uid_map") if mapped_to_root else None
    return (
        Deviation("host", None, "HostConfig.UsernsMode")
        if option(container, "UsernsMode") == "host"
        else None
    )
