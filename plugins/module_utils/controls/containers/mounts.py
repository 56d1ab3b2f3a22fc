# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of what of the host a container can reach through mounts and devices."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Deviation,
    NotApplicable,
    Remedy,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.containers import (
    Container,
    Outcome,
    allowed,
    control,
    listed,
    option,
    users,
)

# A bind of one of these, or of a directory above it, hands the host over or shows its secrets.
_SENSITIVE = re.compile(
    r"/(?:(?:usr/)?(?:bin|sbin|lib(?:64)?)|lib/modules|boot|etc|home|root|run|usr|var(?:/lib|/run)?)?"
)
# Of these also everything below.
_SENSITIVE_TREE = re.compile(
    r"/(?:boot|etc/(?:cron\.\w+|docker|g?shadow|pam\.d|ssh|sudoers(?:\.d)?|systemd)|(?:usr/)?lib/systemd"
    r"|root/\.ssh|var/lib/containerd|var/spool/cron)(?:/|$)"
)
# In a home: keys, what runs at login or start, what steers the engine and its client.
_TAKE_OVER = (".bashrc", ".config/docker", ".config/systemd", ".docker", ".profile", ".ssh")
_HARMLESS_DEVICES = [
    "/dev/fuse",
    "/dev/net/tun",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
]


def _binds(container: Container, case: Case) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(path of the host, mount): bind mounts, and volumes of the local driver that bind a path themselves."""
    volumes = None
    for mount in read(container, "mounts"):
        if mount["type"] == "bind":
            yield posixpath.normpath(mount["source"]), mount
        elif mount["type"] == "volume":
            if volumes is None:
                volumes = {volume["name"]: volume["options"] or {} for volume in case.of_engine("volumes")}
            options = volumes.get(mount["name"], {})
            if "bind" in str(options.get("o", "")).split(",") and options.get("device"):
                yield posixpath.normpath(options["device"]), mount


def _below(path: str, tree: str) -> bool:
    return path == tree or path.startswith(tree.rstrip("/") + "/")


def _shown(source: str, mount: Mapping[str, Any]) -> str:
    return source if mount["read_write"] else f"{source} (read-only)"


@control(
    "container.engine_socket",
    "No container reaches the socket of an engine",
    "critical",
    Remedy(
        "recreate", "Remove the mount; where a tool needs the API, put a proxy with an allow list before it."
    ),
    requirements=("RT-18",),
    cis=("5.32",),
    level=1,
)
def engine_socket(container: Container, case: Case) -> Outcome:
    """Who can talk to the engine can start a privileged container: root of the host, or with a rootless engine
    its account. A mount of a directory above the socket reaches it too, and read-only hinders nobody from
    connecting. From a rootless engine's containers those sockets count that its account may open.
    """
    reached: dict[str, str] = {}
    for mount in read(container, "mounts"):
        reached.update({path: mount["source"] for path in mount["reaches"] if _may_open(path, case)})
    sources = sorted(set(reached.values()))
    return Deviation(listed(sorted(reached)), None, f"mount of {listed(sources)}") if reached else None


def _may_open(socket: str, case: Case) -> bool:
    """Whether root of the engine's containers may: that of a rootless engine is its account, in no group of the host
    but the primary one (26.1: connecting was refused although the account was in the group docker)."""
    if not case.rootless or socket not in case.host("files"):
        return True
    fact = case.host("files", socket)
    if fact is None:
        return False
    if fact["uid"] == case.engine["uid"] or int(fact["mode"], 8) & 0o002:
        return True
    account = next((one for one in case.host("accounts", "users") if one["uid"] == case.engine["uid"]), None)
    by_group = account is None or fact["gid"] == account["gid"]
    named = f"user:{case.engine['user']}:"
    return bool(by_group and int(fact["mode"], 8) & 0o020) or any(
        entry.startswith(named) and "w" in entry for entry in read(fact, "acl")
    )


@control(
    "container.sensitive_mounts",
    "No container mounts a sensitive directory of the host",
    "high",
    Remedy("recreate", "Mount the one file or subdirectory that it needs, read-only where it only reads."),
    requirements=("RT-28",),
    cis=("5.6",),
    level=1,
    parameters={"allow": []},
)
def sensitive_mounts(container: Container, case: Case) -> Outcome:
    """A bind of / or of a system directory shows the host's secrets; a writable one is root of the host. With a
    rootless engine it is its account that is at stake: its keys, its units, its engine.

    `allow` lists paths of the host (shell patterns). /proc, /sys and /dev have controls of their own.
    """
    trees = [case.of_engine("info", "DockerRootDir"), *_of_account(case)]
    found = sorted(
        _shown(source, mount)
        for source, mount in _binds(container, case)
        if not allowed(source, case.parameters["allow"]) and _sensitive(source, trees)
    )
    return Deviation(listed(found), None, "mounts") if found else None


def _of_account(case: Case) -> Iterator[str]:
    """The directories by which a rootless engine's account is taken over."""
    for account in case.host("accounts", "users") if case.rootless else ():
        if account["name"] == case.engine["user"]:
            yield from (f"/run/user/{account['uid']}/{name}" for name in ("bus", "systemd"))
            yield from (posixpath.join(account["home"], name) for name in _TAKE_OVER)


def _sensitive(source: str, trees: Iterable[str]) -> bool:
    known = _SENSITIVE.fullmatch(source) or _SENSITIVE_TREE.match(source)
    return bool(known) or any(_below(tree, source) or _below(source, tree) for tree in trees)


@control(
    "container.system_paths",
    "No container has the host's /proc or /sys",
    "high",
    Remedy("recreate", "Run it without --privileged, systempaths=unconfined and mounts of /proc or /sys."),
    requirements=("D01-05",),
    cis=("5.6",),
    level=1,
    parameters={"allow": []},
)
def system_paths(container: Container, case: Case) -> Outcome:
    """Writing there loads modules, sets core_pattern, reboots. SecurityOpt hides systempaths=unconfined.

    `allow` lists paths of the host (shell patterns).
    """
    found = sorted(
        _shown(source, mount)
        for source, mount in _binds(container, case)
        if (_below(source, "/proc") or _below(source, "/sys"))
        and not allowed(source, case.parameters["allow"])
    )
    # 20.10 and 26.1 write the list out for every container, [] or null when it is unconfined or privileged.
    if not option(container, "MaskedPaths"):
        found.insert(0, "unmasked")
    return Deviation(listed(found), None, "mounts, MaskedPaths") if found else None


@control(
    "container.devices",
    "No container has devices of the host",
    "high",
    Remedy(
        "recreate", "Run it without --privileged, --device and --device-cgroup-rule, or allow the one device."
    ),
    requirements=("D01-04",),
    cis=("5.6", "5.18"),
    level=1,
    parameters={"allow": _HARMLESS_DEVICES},
)
def devices(container: Container, case: Case) -> Outcome:
    """A disk as a device is the host's files without any permission check.

    `allow` lists devices (shell patterns); rules for block devices (`b`) or for all (`a`) are never allowed.
    """
    if option(container, "Privileged"):
        return Deviation("all", None, "HostConfig.Privileged")
    given = [device["PathOnHost"] for device in option(container, "Devices") or ()]
    given += [source for source, _unused in _binds(container, case) if _below(source, "/dev")]
    found = sorted(path for path in set(given) if not allowed(path, case.parameters["allow"]))
    found += [f"rule {rule}" for rule in option(container, "DeviceCgroupRules") or () if rule[:1] in "ab"]
    return Deviation(listed(found), None, "Devices, mounts, DeviceCgroupRules") if found else None


@control(
    "container.mount_propagation",
    "No mount of a container propagates back to the host",
    "medium",
    Remedy("recreate", "Mount it with the propagation private or slave."),
    cis=("5.20",),
    level=1,
)
def mount_propagation(container: Container, case: Case) -> Outcome:
    """What the container mounts on a shared mount appears on the host and in other containers."""
    shared = [
        mount["destination"]
        for mount in read(container, "mounts")
        if "shared" in (mount["propagation"] or "")
    ]
    return Deviation(listed(sorted(shared)), None, "mounts") if shared else None


@control(
    "container.writable_certificates",
    "Certificates and keys are mounted into containers read-only",
    "medium",
    Remedy("recreate", "Add :ro to the mount."),
    requirements=("RT-21",),
)
def writable_certificates(container: Container, case: Case) -> Outcome:
    """Who can write certificates decides whom others trust. An engine in the container may make its own."""
    names = {name for name, _unused, _unused in users(container) or ()}
    writable = [
        mount["destination"]
        for mount in read(container, "mounts")
        if mount["read_write"]
        and (_below(mount["destination"], "/certs") or _is_certificate(mount) or _holds_key(mount, case))
    ]
    if not writable:
        return None
    if "dockerd" in names:
        raise NotApplicable("it makes the certificates")
    return Deviation(listed(sorted(writable)), None, "mounts")


def _is_certificate(mount: Mapping[str, Any]) -> bool:
    return (mount["source"] or "").endswith((".pem", ".key", ".crt")) or mount["destination"].endswith(
        (".pem", ".key")
    )


def _holds_key(mount: Mapping[str, Any], case: Case) -> bool:
    """Whether the source is the directory of a key of an engine or a client of this host."""
    if mount["type"] != "bind":
        return False
    source = posixpath.normpath(mount["source"])
    return any(key and posixpath.dirname(path) == source for path, key in case.host("keys").items())


# A preparation for userns-remap, not a fault of the host as it is.
@control(
    "container.remapped_mounts",
    "What containers mount stays readable with user remapping",
    "medium",
    Remedy("manual", "Give the files to the mapped user, or grant it access with an ACL, before remapping."),
    requirements=("RT-27",),
    baseline=False,
)
def remapped_mounts(container: Container, case: Case) -> Outcome:
    """With userns-remap root of a container is nobody to a root-owned file that is not open to all.

    Only paths whose owner and mode could be read are judged.
    """
    if case.rootless:
        raise NotApplicable("a rootless engine's containers run as its user")
    process = read(container, "process")
    ranges = read(process, "uid_map") if process else []
    closed = []
    for mount in read(container, "mounts"):
        facts = mount["source_facts"]
        if mount["type"] != "bind" or facts is None or _open_to_all(int(facts["mode"], 8)):
            continue
        if not any(first and first <= facts["uid"] < first + count for _unused, first, count in ranges):
            closed.append(mount["source"])
    return Deviation(listed(sorted(closed)), None, "owner and mode") if closed else None


def _open_to_all(mode: int) -> bool:
    # Who may enter a directory or run a file: the owner's bit tells whether that matters here.
    needed = 4 | mode >> 6 & 1
    return mode & needed == needed
