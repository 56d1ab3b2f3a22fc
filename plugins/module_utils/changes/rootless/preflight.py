# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a rootless engine would work with what facts.py found, and what its user should know. Pure.

`options` are those of the module `rootless`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import drivers
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless.facts import Facts
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.mounts import NETWORK

IPTABLES = "rootless_iptables"
_FIRST_PORT = 1024
# Options of docker run by what limits them on cgroup v2.
_LIMITS = {
    "cpu": ("--cpu-period", "--cpu-quota", "--cpu-shares", "--cpus"),
    "cpuset": ("--cpuset-cpus", "--cpuset-mems"),
    "io": (
        *("--blkio-weight", "--blkio-weight-device", "--device-read-bps", "--device-read-iops"),
        *("--device-write-bps", "--device-write-iops"),
    ),
    "memory": ("--memory", "--memory-reservation", "--memory-swap"),
    "pids": ("--pids-limit",),
}
# Settings that forbid user namespaces: (name, value, one that allows them).
_FORBIDS = (("kernel.unprivileged_userns_clone", "0", "1"), ("user.max_user_namespaces", "0", "28633"))

Options = Mapping[str, Any]


def problems(facts: Facts, options: Options) -> list[str]:
    """What forbids state present: sentences with the cause and the way out; [] when nothing does."""
    found = [*_of_account(facts, options)]
    if not options["packages_follow"]:
        found += _of_programs(facts)
    return [*found, *drivers.problems(facts, options), *_of_kernel(facts), *_of_storage(facts)]


def refusals(facts: Facts, options: Options) -> list[dict[str, Any]]:
    """What needs consent: [{message, consent: role variable, control}]."""
    if not options["iptables"]:
        return []
    why = facts.iptables
    if not facts.programs["iptables"] and not options["packages_follow"]:
        why = f"it is not installed (package {drivers.package('iptables', facts)})"
    if why is None:
        return []
    message = (
        f"iptables does not work for an engine of {facts.user}: {why}. Put that right; with {IPTABLES} false the "
        "engine starts without it, and its containers reach no other network."
    )
    return [{"message": message, "consent": IPTABLES, "control": None}]


def notices(facts: Facts, options: Options) -> list[str]:
    """What a person should know, in sentences."""
    return [
        *_access(facts, options),
        *_unlimited(facts, options["delegate"]),
        *_slow_storage(facts),
    ]


def ignored_limits(facts: Facts, delegate: bool = False) -> list[str]:
    """The options of docker run that would limit nothing; `delegate`: the account is given all controllers."""
    return [option for controller in _lacking(facts, delegate) for option in _LIMITS[controller]]


# --- what forbids it ---


def _of_account(facts: Facts, options: Options) -> Iterator[str]:
    if facts.uid == 0 or facts.user == "root":
        yield "A rootless engine of root is none: give another account (role variable rootless_user)."
    elif facts.uid is None and not options["create_user"]:
        yield (
            f"There is no account {facts.user}: create it, or set create_user (role variable rootless_create_user)."
        )
    if facts.home_problem:
        yield (
            f"The home of {facts.user} is of no use: {facts.home_problem}; create it as the account's own, or give "
            f"another (usermod --home DIRECTORY --move-home {facts.user})."
        )
    yield from facts.subids


def _of_programs(facts: Facts) -> Iterator[str]:
    needed = {
        "dockerd": facts.dockerd,
        "dockerd-rootless.sh": facts.script,
        "rootlesskit": facts.rootlesskit,
        **{name: facts.programs[name] for name in ("newuidmap", "newgidmap", "ip")},
        "dbus.socket": facts.dbus,
    }
    for name, found in needed.items():
        if not found:
            what = (
                "bus for accounts (dbus.socket)"
                if name == "dbus.socket"
                else f"{name} that {facts.user} may run"
            )
            package = drivers.package(name, facts)
            yield f"There is no {what}: install {package} (role variable rootless_packages)."


def _of_kernel(facts: Facts) -> Iterator[str]:
    for name, why in facts.id_maps.items():
        if why:
            yield f"{facts.programs[name]} cannot give {facts.user} its subordinate ids: {why}."
    if facts.userns:
        causes = [
            f"{name} is {value}: set it to {allowed} (/etc/sysctl.d)"
            for name, value, allowed in _FORBIDS
            if facts.sysctls.get(name) == value
        ]
        yield (
            f"{facts.user} can make no user namespace: "
            + ("; ".join(causes) or f"{facts.userns}; allow it, also in what this host is a container of")
            + "."
        )
    tun = facts.devices["/dev/net/tun"]
    if tun:
        yield f"The network of a rootless engine needs a tap device: {tun}."


def _of_storage(facts: Facts) -> Iterator[str]:
    mount = facts.mount
    if mount is None:
        return
    where = f"{facts.data_root} lies on {mount['target']} ({mount['fstype']})"
    elsewhere = "set data-root to a directory on a local disk (role variable rootless_daemon_options)"
    if mount["fstype"] in NETWORK:
        yield f"{where}, where no files of subordinate ids can lie: {elsewhere}."
    elif "ro" in mount["options"]:
        yield f"{where}, which is read-only: {elsewhere}."
    elif "noexec" in mount["options"] and _only_vfs(facts):
        yield f"{where}, which is mounted with noexec: no container starts with the storage driver vfs; {elsewhere}."


def _only_vfs(facts: Facts) -> bool:
    fuse = facts.programs["fuse-overlayfs"] and not facts.devices["/dev/fuse"]
    return bool(facts.overlay and not fuse)


# --- what a person should know ---


def _access(facts: Facts, options: Options) -> Iterator[str]:
    if "docker" in facts.groups:
        yield (
            f"{facts.user} is in the group docker, which is root of this host while the system's engine runs: take the "
            f"account out of it (gpasswd --delete {facts.user} docker)."
        )
    if facts.apparmor_restricts and facts.rootlesskit and facts.apparmor_profile is None:
        yield (
            "AppArmor lets only programs with a profile make user namespaces here: one for "
            f"{facts.rootlesskit} is laid in /etc/apparmor.d and loaded."
        )
    start = facts.sysctls.get("net.ipv4.ip_unprivileged_port_start") or str(_FIRST_PORT)
    if options["privileged_ports"] == "none" and int(start) > 1 and not facts.low_ports:
        yield (
            f"Ports below {start} cannot be published: set rootless_privileged_ports to sysctl or capability where "
            "that is wanted."
        )
    if not options["iptables"]:
        yield "With --iptables=false there is no NAT: containers reach no other network."


def _unlimited(facts: Facts, delegate: bool) -> Iterator[str]:
    version = facts.cgroup.version
    if version != 2:
        what = "cgroup v1" if version == 1 else "a host without cgroups"
        yield (
            f"On {what} a rootless engine limits nothing: limits such as --memory and --cpus are accepted and ignored; "
            "boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1) for them."
        )
        return
    lacking = _lacking(facts, delegate)
    absent = [name for name in lacking if name not in facts.cgroup.controllers]
    withheld = [name for name in lacking if name in facts.cgroup.controllers]
    if withheld:
        yield (
            f"{facts.user} is not given the cgroup controllers {', '.join(withheld)}, and limits by them are ignored: "
            "set rootless_delegate to true."
        )
    if absent:
        yield f"This host has no cgroup controllers {', '.join(absent)}: limits by them are ignored."


def _lacking(facts: Facts, delegate: bool) -> list[str]:
    if facts.cgroup.version != 2:
        return list(_LIMITS)
    given = facts.cgroup.controllers if delegate else facts.cgroup.delegated
    return [controller for controller in _LIMITS if controller not in given]


def _slow_storage(facts: Facts) -> Iterator[str]:
    mount = facts.mount
    if _only_vfs(facts):
        fuse = facts.devices["/dev/fuse"] or "fuse-overlayfs is not installed"
        yield (
            f"The engine will take the storage driver vfs, which copies every layer: this kernel mounts no overlay for "
            f"accounts ({facts.overlay}), and {fuse}."
        )
    elif mount is not None and "noexec" in mount["options"]:
        yield (
            f"{mount['target']} is mounted with noexec: containers run with the storage driver overlay2 or "
            "fuse-overlayfs, but no program in a volume does."
        )
