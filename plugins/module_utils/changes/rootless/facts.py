# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host offers to the rootless engine of an account. Gathered once as root; nothing is changed."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import foreign_json, limits, reading
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import subids
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import host_facts, trials
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless.host_facts import Cgroup, Why
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless.trials import Person, acting_as
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.subids import FILES as SUBID_FILES
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import accounts, host, lsm, mounts

PROGRAMS = (
    *("dockerd", "newuidmap", "newgidmap", "ip", "iptables"),
    *("slirp4netns", "pasta", "vpnkit", "fuse-overlayfs"),
)
DEVICES = ("/dev/net/tun", "/dev/fuse")
NET_BIND_SERVICE = 10
# With whose rights things are tried for an account that is to come.
_NOBODY = Person(65534, 65534)
# Where useradd makes homes.
_HOMES = "/home"


class Facts(NamedTuple):
    """uid, gid, home, shell: None where there is no such account. `groups` are names, the primary one's among them.
    A Why is a sentence without its full stop, None where all is well.

    subids          what is unsafe about its subordinate ids, sentences; `missing_subids`: the kinds it has none of
    script          dockerd-rootless.sh; `tries` are the networks that it takes by itself, in its order
    networks, port_drivers  that rootlesskit knows; () where it does not tell
    programs        {name: path | None}; as dockerd, script and rootlesskit those that the account may run
    id_maps         {newuidmap | newgidmap: why it could not write an id map}, of those there are
    dbus            whether accounts have a bus of their own
    devices         {path: why the account cannot use it}
    home_problem    why its home is of no use, None too for an account that is to come
    data_root       where its engine keeps all; `mount` is the one of it (probes/host/mounts.py)
    userns          why it can make no user namespace; `iptables` why its engine could set up no NAT. Both were tried.
                    None where AppArmor restricts: rootlesskit has a profile there, which the trial has not
    overlay         why it can mount no overlay without fuse-overlayfs, tried like those
    low_ports       whether rootlesskit has the capability to bind ports below 1024
    apparmor_profile  the file of a profile for this rootlesskit
    linger, bus     whether its systemd stays without a session, and can be spoken to now
    family          "debian" or "other", for the names of packages
    """

    user: str
    uid: int | None
    gid: int | None
    home: str | None
    shell: str | None
    groups: tuple[str, ...]
    subids: tuple[str, ...]
    missing_subids: tuple[str, ...]
    script: str | None
    dockerd: str | None
    rootlesskit: str | None
    networks: tuple[str, ...]
    port_drivers: tuple[str, ...]
    tries: tuple[str, ...]
    programs: Mapping[str, str | None]
    id_maps: Mapping[str, Why]
    dbus: bool
    devices: Mapping[str, Why]
    home_problem: Why
    data_root: str
    mount: Mapping[str, Any] | None
    sysctls: Mapping[str, str | None]
    apparmor_restricts: bool
    apparmor_profile: str | None
    userns: Why
    iptables: Why
    overlay: Why
    low_ports: bool
    cgroup: Cgroup
    linger: bool
    bus: bool
    family: str


def gather(user: str, timeout: float) -> Facts:
    """All of it; `timeout` is how many seconds whatever is asked or tried may take. Raises Unreadable where the source
    of accounts does not answer."""
    account = limits.within(timeout, _account, user)
    uid, gid, home, shell, groups = account or (None, None, None, None, [])
    person = Person(account[0], account[1], groups) if account else _NOBODY
    known = _accounts(user, uid, gid)
    table = mounts.mounts()
    settings = {name: None if is_error(value) else value for name, value in host.sysctls().items()}
    programs = acting_as(person, timeout, host_facts.programs, PROGRAMS)
    script = acting_as(person, timeout, host_facts.script)
    kit_path = programs.pop("rootlesskit")
    kit = host_facts.kit(kit_path, timeout)
    restricted = host_facts.restricts(settings, _apparmor_enabled())
    userns = None if restricted else trials.user_namespace(person, timeout)
    namespaces = not (restricted or userns)
    data_root = _data_root(home, person, timeout)
    return Facts(
        user,
        uid,
        gid,
        home,
        shell,
        groups=_names(groups, known),
        subids=_unsafe(user, known),
        missing_subids=_missing(user, known),
        script=script,
        dockerd=programs.pop("dockerd"),
        rootlesskit=kit_path,
        networks=kit.networks,
        port_drivers=kit.port_drivers,
        tries=host_facts.tries(script),
        programs=programs,
        id_maps={
            name: host_facts.id_map(path, capability, table)
            for name, capability in host_facts.ID_MAPPERS.items()
            if (path := programs[name])
        },
        dbus=host_facts.has_bus(),
        devices={path: trials.device(person, timeout, path) for path in DEVICES},
        home_problem=None if home is None else trials.home(person, timeout, home),
        data_root=data_root,
        mount=mounts.mount_of(data_root, table),
        sysctls=settings,
        apparmor_restricts=restricted,
        apparmor_profile=host_facts.profile_for(kit_path),
        userns=userns,
        iptables=trials.nat(person, timeout) if namespaces and programs["iptables"] else None,
        overlay=trials.overlay(person, timeout) if namespaces else None,
        low_ports=kit_path is not None and host_facts.permits(kit_path, NET_BIND_SERVICE),
        cgroup=host_facts.cgroup(uid, table, timeout),
        linger=user in (() if is_error(known["linger"]) else known["linger"]),
        bus=uid is not None and Path(f"/run/user/{uid}/bus").exists(),
        family=host_facts.family(),
    )


def _account(user: str) -> list[Any] | None:
    """[uid, gid, home, shell, gids of all groups]"""
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        return None
    groups = os.getgrouplist(user, found.pw_gid)
    return [found.pw_uid, found.pw_gid, found.pw_dir, found.pw_shell, groups]


def _accounts(user: str, uid: int | None, gid: int | None) -> dict[str, Any]:
    """All accounts; a directory service may know the user and still list nobody."""
    known = accounts.accounts([user])
    users = known["users"]
    if uid is not None and not is_error(users) and all(each["name"] != user for each in users):
        known["users"] = [*users, {"name": user, "uid": uid, "gid": gid}]
    return known


def _names(groups: list[int], known: Mapping[str, Any]) -> tuple[str, ...]:
    names = {} if is_error(known["groups"]) else {each["gid"]: each["name"] for each in known["groups"]}
    return tuple(sorted(names.get(gid, str(gid)) for gid in groups))


def _unsafe(user: str, known: Mapping[str, Any]) -> tuple[str, ...]:
    """What is to be put right by hand; what is merely missing from the files is allocated."""
    texts = {kind: attempt(reading.text, path) for kind, path in SUBID_FILES.items()}
    found = subids.judge(
        user, known, {kind: None if is_error(text) else text for kind, text in texts.items()}
    )
    absent = {f"{path} has no entry of {user}." for path in SUBID_FILES.values()}
    return tuple(sentence for sentence in found if sentence not in absent)


def _missing(user: str, known: Mapping[str, Any]) -> tuple[str, ...]:
    # What cannot be read is among what is unsafe.
    found = attempt(subids.missing, user, known)
    return () if is_error(found) else tuple(found)


def _apparmor_enabled() -> bool:
    found = lsm.lsm()["apparmor"]
    return bool(found and found.get("enabled"))


def _data_root(home: str | None, person: Person, seconds: float) -> str:
    """As the engine takes it, and what of it there is without symbolic links."""
    if home is None:
        return os.path.realpath(_HOMES)
    found = attempt(acting_as, person, seconds, _configured_root, home)
    return home if is_error(found) else str(found)


def _configured_root(home: str) -> str:
    path = Path(home, ".config/docker/daemon.json")
    known = attempt(foreign_json.loads, attempt(reading.content, path) or b"{}", str(path))
    told = known.get("data-root") if isinstance(known, dict) else None
    return os.path.realpath(told if isinstance(told, str) and told else f"{home}/.local/share/docker")
