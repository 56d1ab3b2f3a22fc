# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the host as such: operating system, kernel, security modules, the data root's own mount."""

from __future__ import annotations

import datetime
import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Deviation,
    NotApplicable,
    Remedy,
    on_engine,
    on_host,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.engine_places import data_root
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.support_dates import (
    ROLLING,
    ROLLING_VARIANTS,
    support_end,
)

Snapshot = Mapping[str, Any]
control = scope("host", per_engine=False, over=on_host)
engine_control = scope("host", per_engine=True, over=on_engine)


def _support_ends(case: Case) -> tuple[str, datetime.date, datetime.date]:
    """The system's name, the last day of its support, and the day of the snapshot."""
    release = case.host("host", "os")
    if not release or "ID" not in release:
        raise Unread("the host has no os-release")
    os_id, version = release["ID"], release.get("VERSION_ID", "")
    name = f"{os_id} {version}".strip()
    given = case.parameters["dates"].get(name) or release.get("SUPPORT_END")
    rolling = os_id in ROLLING or release.get("VARIANT_ID") in ROLLING_VARIANTS
    if rolling and not given:
        raise NotApplicable(f"{name} has no releases: it is supported as long as it is updated")
    end = given or support_end(os_id, version)
    if end is None:
        raise Unread(f"the end of support of {name} is not known; name it with the parameter dates")
    try:
        last = datetime.date.fromisoformat(end)
    except ValueError:
        raise Unread(f"the end of support of {name} is no date: {end}") from None
    today = datetime.datetime.fromtimestamp(case.host("host", "time"), datetime.timezone.utc).date()
    return name, last, today


@control(
    "host.os_supported",
    "The operating system still gets security updates",
    "high",
    Remedy(
        "manual", "Upgrade to a supported release. The end of bought support (ESM, ELS) goes into `dates`."
    ),
    requirements=("D04-18",),
    parameters={"dates": {}},
)
def os_supported(_snapshot: Snapshot, case: Case) -> Deviation | None:
    """After the end of support holes stay open: in the kernel, which all containers share, above all."""
    name, last, today = _support_ends(case)
    if today > last:
        return Deviation(f"{name}, supported until {last}", "a supported release", "os-release")
    return None


@control(
    "host.os_support_ending",
    "The operating system's support does not end soon",
    "low",
    Remedy("manual", "Plan the upgrade to the next release."),
    requirements=("D04-18",),
    parameters={"dates": {}, "warn_days": 180},
)
def os_support_ending(_snapshot: Snapshot, case: Case) -> Deviation | None:
    """An upgrade of the host has to be planned before its support ends."""
    name, last, today = _support_ends(case)
    days = (last - today).days
    if 0 <= days < case.parameters["warn_days"]:
        wanted = f"at least {case.parameters['warn_days']} days left"
        return Deviation(f"{name}, {days} days left", wanted, "os-release")
    return None


@control(
    "host.kernel_recent",
    "The kernel is not older than those that distributions maintain",
    "medium",
    Remedy("manual", "Install the distribution's current kernel and reboot."),
    parameters={"minimum": "4.18"},
)
def kernel_recent(_snapshot: Snapshot, case: Case) -> Deviation | None:
    """All containers share the host's kernel. 4.18 (RHEL 8) is the oldest that is still maintained."""
    release, minimum = case.host("host", "kernel", "release"), case.parameters["minimum"]
    if _numbers(release) < _numbers(minimum):
        return Deviation(release, f"{minimum} or newer", "uname")
    return None


def _numbers(version: str) -> list[int]:
    found = re.match(r"[\d.]+", version)
    return [int(part) for part in found[0].split(".") if part] if found else []


@control(
    "host.lsm_enforcing",
    "AppArmor or SELinux is in force, now and after the next boot",
    "high",
    Remedy(
        "manual",
        "Enable it (SELINUX=enforcing in /etc/selinux/config; no apparmor=0 or selinux=0 on the kernel's"
        " command line) and reboot; a rule that is in the way is relaxed alone.",
    ),
    requirements=("D04-26",),
)
def lsm_enforcing(_snapshot: Snapshot, case: Case) -> Deviation | None:
    """It is the layer that stops a process that broke out of its container with root's identity."""
    selinux, apparmor = case.host("host", "lsm", "selinux"), case.host("host", "lsm", "apparmor")
    if selinux and selinux["mode"] == "enforcing":
        if selinux["configured"] not in ("enforcing", None):
            seen = f"SELinux {selinux['configured']} after the next boot"
            return Deviation(seen, "enforcing", "/etc/selinux/config")
        return _switched_off_at_boot(case, ("enforcing=0", "selinux=0"))
    if apparmor and apparmor["enabled"]:
        mode = read(apparmor, "profiles").get("docker-default", "enforce")
        if mode != "enforce":
            return Deviation(f"profile docker-default: {mode}", "enforce", "aa-status")
        return _switched_off_at_boot(case, ("apparmor=0", "security=none"))
    switches = ("apparmor=0", "enforcing=0", "security=none", "selinux=0")
    given = [word for word in case.host("host", "kernel", "arguments") if word in switches]
    seen = f"SELinux {selinux['mode']}" if selinux else "neither is enabled"
    return Deviation(seen, "AppArmor enabled or SELinux enforcing", " ".join(given) or "/sys")


def _switched_off_at_boot(case: Case, switches: Sequence[str]) -> Deviation | None:
    # Snapshots of older versions do not have it.
    for each in read(case.host("host", "lsm").get("boot") or []):
        if each["word"] in switches:
            return Deviation(f"{each['word']} at the next boot", "in force", each["file"])
    return None


@control(
    "host.cgroup_v2",
    "The host runs cgroup version 2",
    "low",
    Remedy("manual", "Boot with systemd.unified_cgroup_hierarchy=1; what reads cgroup v1 files breaks."),
)
def cgroup_v2(_snapshot: Snapshot, case: Case) -> Deviation | None:
    """On version 1 a rootless engine takes limits and ignores them, and containers see the host's cgroups."""
    cgroup = case.host("host", "cgroup")
    version = cgroup["version"] if cgroup else None
    return None if version == 2 else Deviation(f"version {version}", "version 2", "/proc/self/mountinfo")


_USERNS_LIMITS = (
    ("user.max_user_namespaces", "0"),
    ("kernel.unprivileged_userns_clone", "0"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1"),
)


@control(
    "host.unprivileged_userns",
    "Ordinary users cannot make user namespaces unless a rootless engine needs them",
    "low",
    Remedy("live", "Set one of the sysctls shown. Browsers' sandboxes and rootless engines stop working."),
)
def unprivileged_userns(_snapshot: Snapshot, case: Case) -> Deviation | None:
    """In a namespace of its own a user reaches kernel code that is otherwise root's: a common way to root."""
    if any(engine["user"] is not None for engine in case.host("engines")):
        raise NotApplicable("a rootless engine needs them")
    sysctls = case.host("host", "sysctls")
    if any(read(sysctls, name) == value for name, value in _USERNS_LIMITS):
        return None
    wanted = " or ".join(f"{name}={value}" for name, value in _USERNS_LIMITS)
    return Deviation("allowed for all users", wanted, "/proc/sys")


@control(
    "host.hypervisor",
    "No virtual machines run beside the engine",
    "info",
    Remedy("manual", "Separate contexts by giving the engine a virtual machine of its own."),
    requirements=("D05-02",),
)
def hypervisor(_snapshot: Snapshot, case: Case) -> Deviation | None:
    """Virtualisation separates contexts; here whoever leaves a container has the machines' disks."""
    running = case.host("host", "hypervisor_processes")
    if running and case.host("engines"):
        return Deviation(running, "none", f"host on {case.host('host', 'virtualization') or 'bare metal'}")
    return None


@engine_control(
    "host.data_root_mount",
    "The engine's data root is a file system of its own",
    "low",
    Remedy("manual", "Move the data root to a partition, logical volume or data set of its own (downtime)."),
    cis=("1.1.1",),
    level=1,
)
def data_root_mount(engine: Mapping[str, Any], case: Case) -> Deviation | None:
    """Images, containers and logs otherwise fill the host's root file system.

    A bind mount of the same file system looks like a mount and shares its space: the device tells.
    """
    if case.rootless:
        raise NotApplicable("a rootless engine keeps its data in the user's home")
    root = data_root(engine)
    root = (case.host("files").get(root) or {}).get("target") or root
    table = case.host("host", "mounts")
    own = _mount_of(root, table)
    if own["target"] != root:
        return Deviation(f"{root} is part of {own['target']}", "a mount of its own", "/proc/self/mountinfo")
    if own["device"] == _mount_of(posixpath.dirname(root), table)["device"]:
        wanted = f"another device than {own['device']}"
        return Deviation(f"{root} is a bind mount of the same file system", wanted, own["source"])
    return None


def _mount_of(path: str, table: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The mount a path is on: the longest target, and of equal ones the last, which hides the others."""
    above = [m for m in table if path == m["target"] or path.startswith(m["target"].rstrip("/") + "/")]
    if not above:
        raise Unread(f"the mount table has no mount for {path}")
    return max(enumerate(above), key=lambda entry: (len(entry[1]["target"]), entry[0]))[1]
