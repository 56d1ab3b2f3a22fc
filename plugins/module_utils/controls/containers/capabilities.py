# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the capabilities that containers hold, by their bounding set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase

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
    listed,
    no_new_privileges,
    option,
    shifted,
    users,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.capabilities import (
    ALL,
    BITS,
    CRITICAL,
    DEFAULT,
    EVERY,
    among,
    mask,
    names,
)

_MOST_ADVICE = 4


def bounding_set(container: Container) -> int:
    """What its processes can ever hold: CapBnd while it runs, otherwise what HostConfig will make of it.

    CapEff would mislead: a process of user 1000 has none, and regains the bounding set by one setuid file.
    """
    process = read(container, "process")
    if process is not None:
        return int(process["cap_bnd"], 16)
    if option(container, "Privileged"):
        return ALL
    add, drop = mask(option(container, "CapAdd")), mask(option(container, "CapDrop"))
    if add == ALL:
        return ALL & ~drop
    return add if drop == ALL else DEFAULT & ~drop | add


def _allowed(container: Container, allow: Mapping[str, Iterable[str]]) -> int:
    """The bits that a parameter `allow` (container name pattern to a list of capabilities, or one) grants."""
    name = container["name"] or container["id"]
    granted = 0
    for pattern, words in allow.items():
        if fnmatchcase(name, pattern):
            granted |= mask([words] if isinstance(words, str) else words)
    return granted


def _labelled(container: Container) -> int:
    """The bits that the container's own label asks for."""
    label = (container["config"].get("labels") or {}).get("bulwark.capabilities", "")
    return mask(label.replace(",", " ").split())


def _advice(bits: int) -> str | None:
    found = among(bits)
    return "; ".join(f"{one.name}: {one.advice}" for one in found) if len(found) <= _MOST_ADVICE else None


@control(
    "container.all_capabilities",
    "No container holds all capabilities",
    "critical",
    Remedy("recreate", "Run it without --privileged and --cap-add ALL; add the few capabilities it needs."),
    requirements=("D01-03", "D04-34"),
    cis=("5.4",),
    level=1,
)
def all_capabilities(container: Container, case: Case) -> Outcome:
    """Root with every capability is root of the host; CapAdd spells `all` in any case."""
    bounding = bounding_set(container)
    highest = (2 << case.host("host", "kernel", "last_capability")) - 1
    if bounding & EVERY & highest == EVERY & highest:
        return Deviation("all", None, "CapBnd")
    # A container known only from /proc has no options; its bounding set has spoken.
    if mask(container["host_config"].get("CapAdd")) == ALL:
        return Deviation("all but " + names(highest & ~bounding), None, "HostConfig.CapAdd")
    return None


@control(
    "container.critical_capabilities",
    "No container holds a capability that leads to the host",
    "critical",
    Remedy("recreate", "Drop it; do that work on the host, and give the container the one file or device."),
    requirements=("D01-06",),
    cis=("5.4",),
    level=1,
    parameters={"allow": {}},
)
def critical_capabilities(container: Container, case: Case) -> Outcome:
    """Loading modules, raw I/O, mounting, tracing and opening files by handle reach past the container.

    `allow` maps container names (shell patterns) to capabilities. A label excuses none of these: whoever
    starts the container could set it.
    """
    held = bounding_set(container) & CRITICAL & ~_allowed(container, case.parameters["allow"])
    return Deviation(names(held), None, _advice(held)) if held else None


@control(
    "container.added_capabilities",
    "No container holds more than Docker's default capabilities",
    "high",
    Remedy("recreate", "Remove the --cap-add that it can do without, or allow it for this container."),
    requirements=("D04-32",),
    cis=("5.4",),
    level=1,
    parameters={"allow": {}},
)
def added_capabilities(container: Container, case: Case) -> Outcome:
    """Docker's default is 14 of the kernel's capabilities; each further one was asked for.

    `allow` maps container names (shell patterns) to capabilities; a container's label bulwark.capabilities
    allows its own, but none that leads to the host.
    """
    more = bounding_set(container) & ~DEFAULT & ~_allowed(container, case.parameters["allow"])
    held = more & ~(_labelled(container) & ~CRITICAL)
    if not held:
        return None
    every = EVERY & ~DEFAULT
    return Deviation("all" if held & every == every else _shown(held), None, _advice(held))


@control(
    "container.default_capabilities",
    "Every container drops the default capabilities that it does not need",
    "high",
    Remedy(
        "recreate",
        "Run it with --cap-drop ALL and add back what its start-up needs: "
        + "; ".join(f"{one.name} when {one.needed_when}" for one in among(DEFAULT))
        + ".",
    ),
    requirements=(*(f"CAP-{row:02}" for row in range(1, 15)), "CAP-17", "D04-33", "RT-36", "RT-37"),
    parameters={"allow": {}},
)
def default_capabilities(container: Container, case: Case) -> Outcome:
    """Few services need any of the 14; NET_RAW alone lets a container spoof its neighbours on the bridge.

    `actual` is what to drop; `expected` names what its processes show in use, where root switched user.
    `allow` maps container names (shell patterns) to capabilities; a container's label bulwark.capabilities
    allows its own.
    """
    allow = _allowed(container, case.parameters["allow"]) | _labelled(container)
    held = bounding_set(container) & DEFAULT & ~allow
    if not held:
        return None
    used = names(_in_use(container) & held)
    return Deviation(_shown(held), f"at most {used}" if used else None, "CapBnd")


def _shown(held: int) -> str:
    return "all 14" if held == DEFAULT else listed(one.name for one in among(held))


def _in_use(container: Container) -> int:
    """A root process beside others: it switches user and group, and stops workers that are not its own."""
    uids = {user[1] for user in users(container) or ()}
    roots = (
        {start for inside, start, _unused in read(container, "process", "uid_map") if inside == 0}
        if uids
        else set()
    )
    return mask(("KILL", "SETGID", "SETUID")) if uids & roots and uids - roots else 0


# Says the same of a container that drops nothing as default_capabilities does.
@control(
    "container.capability_allow_list",
    "Every container drops all capabilities and adds those it needs",
    "medium",
    Remedy("recreate", "Run it with --cap-drop ALL and one --cap-add for each capability it needs."),
    requirements=("CAP-15",),
    baseline=False,
)
def capability_allow_list(container: Container, case: Case) -> Outcome:
    """An allow list stays right when a later engine widens its default set."""
    dropped = mask(option(container, "CapDrop"))
    return None if dropped == ALL else Deviation(names(dropped) or "none", "ALL", "HostConfig.CapDrop")


def _without(bits: int) -> Callable[[Container, Case], Outcome]:
    def judge(container: Container, case: Case) -> Outcome:
        held = bounding_set(container) & bits
        return Deviation(_shown(held), None, "CapBnd") if held else None

    return judge


def _level(control_id: str, title: str, bits: int, row: str, why: str) -> Control:
    judge = _without(bits)
    judge.__doc__ = why
    remedy = Remedy("recreate", "Run it with --cap-drop for each of these.")
    return control(control_id, title, "low", remedy, requirements=(row,))(judge)


LEVELS = (
    _level(
        "container.rarely_needed_capabilities",
        "No container holds SETFCAP, AUDIT_WRITE or MKNOD",
        mask(("SETFCAP", "AUDIT_WRITE", "MKNOD")),
        "CAP-19",
        "The first three to drop: hardly a service sets file capabilities, audits or makes devices.",
    ),
    _level(
        "container.minimal_capabilities",
        "No container holds more than AUDIT_WRITE, KILL and NET_BIND_SERVICE",
        ALL & ~mask(("AUDIT_WRITE", "KILL", "NET_BIND_SERVICE")),
        "CAP-16",
        "The default set of the OCI runtime tools, as a strict measure.",
    ),
)


# Says of a default container what no_new_privileges and default_capabilities say.
@control(
    "container.setuid_capabilities",
    "No container can change its user: no SETUID and SETGID, or no new privileges",
    "medium",
    Remedy("recreate", "Run it with --security-opt no-new-privileges, or drop SETUID and SETGID."),
    requirements=("D04-31",),
    baseline=False,
)
def setuid_capabilities(container: Container, case: Case) -> Outcome:
    """Either shuts the usual way up: a setuid file that switches to root."""
    held = bounding_set(container) & mask(("SETUID", "SETGID"))
    return Deviation(names(held), None, "CapBnd") if held and not no_new_privileges(container, case) else None


@control(
    "container.mixed_confinement",
    "A container is confined by capabilities or by an own seccomp profile, not by both",
    "info",
    Remedy("recreate", "Test the profile with the capabilities: it must allow the calls that they are for."),
    requirements=("D04-39",),
)
def mixed_confinement(container: Container, case: Case) -> Outcome:
    """A profile that blocks the calls of a granted capability makes failures that are hard to explain."""
    given = [name for name in ("CapAdd", "CapDrop") if option(container, name)]
    if given and read(container, "seccomp") is not None:
        return Deviation(f"own profile and {' and '.join(given)}", None, "HostConfig")
    return None


@control(
    "container.ping_group_range",
    "A container with mapped users does not depend on NET_RAW for ping",
    "info",
    Remedy("recreate", "Run it with --sysctl net.ipv4.ping_group_range='0 65535' and drop NET_RAW."),
    requirements=("RT-38",),
)
def ping_group_range(container: Container, case: Case) -> Outcome:
    """Since 20.10 Docker sets it in private network namespaces, but not in remapped or rootless containers.

    There NET_RAW is kept only for the sake of ping, unless the sysctl is given.
    """
    if option(container, "NetworkMode") == "host":
        raise NotApplicable("the host's own setting counts")
    if not shifted(container, case) or not bounding_set(container) & BITS["NET_RAW"]:
        return None
    if "net.ipv4.ping_group_range" in (read(container, "host_config").get("Sysctls") or {}):
        return None
    return Deviation("not set", None, "HostConfig.Sysctls")
