# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the files that steer an engine: owner, mode bits, access lists, the directories above."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Control,
    Deviation,
    Item,
    NotApplicable,
    Remedy,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.subids import (
    subordinate_ranges,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.units import unit
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    configured_value,
)

_RWX = {"r": 4, "w": 2, "x": 1}
_TLS_MATERIAL = ("config_directory", "tls_ca_certificate", "tls_server_certificate", "tls_server_key")
_CONTAINERD_SOCKETS = ("/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock")


class Place(NamedTuple):
    """A path and the accounts that may own it: ids, as names can be given twice."""

    path: str
    uids: frozenset[int] = frozenset({0})
    gids: frozenset[int] = frozenset({0})


class Wanted(NamedTuple):
    """Owner and mode that a place should have, and whether its access lists may stay."""

    uid: int
    gid: int
    mode: int
    acl: bool


# Where the files are


def _unit_fragment(name: str) -> Callable[[Case], Iterator[Place]]:
    def select(case: Case) -> Iterator[Place]:
        fragment = unit(case, name).get("fragment")
        if fragment:
            yield from _unmasked([fragment], case)

    return select


def _unmasked(paths: Iterable[str], case: Case) -> Iterator[Place]:
    """Without links to /dev/null, by which systemd takes a unit or a drop-in as masked: that one is everybody's."""
    known = case.host("files")
    return (Place(path) for path in paths if "/dev/null" not in (path, (known.get(path) or {}).get("target")))


def _engine_units(case: Case) -> Iterator[Mapping[str, Any]]:
    for name, found in sorted(case.host("units").items()):
        if name.startswith(("docker", "containerd")) or "docker.service" in found["triggers"]:
            yield found


def _drop_ins(case: Case) -> Iterator[Place]:
    for found in _engine_units(case):
        yield from _unmasked(found["drop_ins"], case)


def _environment_files(case: Case) -> Iterator[Place]:
    for found in _engine_units(case):
        yield from (Place(path.lstrip("-")) for path in found["environment_files"])


def _fixed(path: str) -> Callable[[Case], Iterator[Place]]:
    return lambda case: iter((Place(path),))


def _owned(case: Case, path: str | None) -> Iterator[Place]:
    """The path as root's, or for a rootless engine as root's or the user's."""
    if not path:
        return
    if not case.rootless:
        yield Place(path)
        return
    user = case.engine["user"]
    for account in case.host("accounts", "users"):
        if account["name"] == user:
            yield Place(path, frozenset({0, account["uid"]}), frozenset({0, account["gid"]}))
            return
    raise Unread(f"the account {user} of the rootless engine is unknown")


def _config_file(case: Case) -> Iterator[Place]:
    if case.of_engine("config", "exists"):
        yield from _owned(case, case.of_engine("config", "path"))


def _config_directory(case: Case) -> Iterator[Place]:
    path = case.of_engine("config", "path")
    # With --config-file elsewhere certs.d stays where it was.
    default = "/etc/docker" if not case.rootless else posixpath.dirname(path)
    yield from _owned(case, default)


def _registry_files(keys: bool) -> Callable[[Case], Iterator[Place]]:
    def select(case: Case) -> Iterator[Place]:
        for directory in _config_directory(case):
            certificates = case.host("files", f"{directory.path}/certs.d")
            for path in read(certificates, "children") if certificates else ():
                is_directory = (case.host("files").get(path) or {}).get("type") == "directory"
                if path.endswith(".key") == keys and not is_directory:
                    yield from _owned(case, path)

    return select


def _file_of_setting(name: str) -> Callable[[Case], Iterator[Place]]:
    return lambda case: _owned(case, configured_value(case.engine, name))


def _engine_socket(case: Case) -> Iterator[Place]:
    """The group that may use the socket is docker's or the one the engine was told; root's is stricter."""
    names = {"docker", configured_value(case.engine, "group")}
    gids = {group["gid"] for group in case.host("accounts", "groups") if group["name"] in names}
    for place in _owned(case, case.of_engine("socket")):
        yield place._replace(gids=place.gids | (_mapped_group(place, case) if case.rootless else gids))


def _mapped_group(place: Place, case: Case) -> set[int]:
    """The group docker as the user's namespace maps it, a subordinate id of the user's (20.10, 26.1, 28.5)."""
    fact = case.host("files", place.path)
    if fact is None or fact["gid"] in place.gids:
        return set()
    own = (entry for entry in subordinate_ranges(case, "gid") or () if entry.owner == case.engine["user"])
    return {fact["gid"]} if any(entry.start <= fact["gid"] < entry.end for entry in own) else set()


def _containerd_socket(case: Case) -> Iterator[Place]:
    given = configured_value(case.engine, "containerd")
    if case.rootless:
        # It runs a containerd of its own, beside its socket.
        own = posixpath.dirname(case.of_engine("socket")) + "/docker/containerd/containerd.sock"
        yield from _owned(case, given or own)
        return
    # Without the option dockerd uses the first when it is there, and otherwise runs a containerd of its own.
    yield from map(Place, [given] if given else _CONTAINERD_SOCKETS)


# How they are judged


def _judge(place: Place, case: Case) -> Iterator[Deviation]:
    fact = case.host("files", place.path)
    if fact is None:
        raise NotApplicable(f"there is no {place.path}")
    allowed = _octal(case.parameters["mode"])
    mode = _octal(fact["mode"])
    if fact["uid"] not in place.uids or fact["gid"] not in place.gids:
        wanted = "root:root" if place.uids == {0} and place.gids == {0} else _wanted_owner(place, case)
        yield Deviation(f"owner {fact['owner']}:{fact['group']}", f"owner {wanted}", place.path)
    if mode & 0o777 & ~allowed:
        foreign = (
            f", a file of {fact['owner']} that {case.engine['user']} names"
            if _is_foreign(fact, place)
            else ""
        )
        yield Deviation(f"mode {mode:04o}", f"mode {allowed:04o} or stricter", f"{place.path}{foreign}")
    for entry in read(fact, "acl"):
        if _too_wide(entry, allowed, fact["type"] == "directory"):
            yield Deviation(f"access list entry {entry}", f"no access beyond mode {allowed:04o}", place.path)
    for parent in weak_parents(place, case):
        yield Deviation(
            f"{parent['path']} has mode {parent['mode']}, owner {parent['uid']}:{parent['gid']}",
            "directories above that only the owner can write",
            place.path,
        )


def wanted(place: Place, case: Case) -> Wanted | None:
    """What the judge would have nothing to say about, None when nothing is there. Bits are only taken away.

    An account decides which paths its engine's files have: only what is its own is to be changed for it, and nothing
    for an engine that does not run.
    """
    fact = case.host("files", place.path)
    if fact is None:
        return None
    if _is_named_by_account(place) and (_is_foreign(fact, place) or case.engine["state"] == "stopped"):
        return None
    allowed, mode, directory = (
        _octal(case.parameters["mode"]),
        _octal(fact["mode"]),
        fact["type"] == "directory",
    )
    lists = read(fact, "acl")
    acl = not any(_too_wide(entry, allowed, directory) for entry in lists)
    uid = fact["uid"] if fact["uid"] in place.uids else 0
    gid = fact["gid"] if fact["gid"] in place.gids else 0
    bits = mode & (allowed | 0o7000)
    for entry in lists:
        if not acl and entry.startswith("group::"):
            # Without the list these bits are the group's, not the mask.
            bits &= ~0o070 | _granted(entry) << 3
    if not directory and (uid, gid) != (fact["uid"], fact["gid"]):
        # What somebody else made must not run with the rights of its new owner.
        bits &= 0o1777
    return Wanted(uid, gid, bits, acl)


def _is_named_by_account(place: Place) -> bool:
    return place.uids != {0}


def _is_foreign(fact: Mapping[str, Any], place: Place) -> bool:
    """Whether an account names what somebody else owns, root for one."""
    return _is_named_by_account(place) and fact["uid"] not in place.uids - {0}


def weak_parents(place: Place, case: Case) -> list[Mapping[str, Any]]:
    """The directories above in which somebody else can replace what is below."""
    return [
        parent for parent in case.host("files", place.path, "parents") if _writable_by_others(parent, place)
    ]


def _octal(text: str) -> int:
    try:
        return int(text, 8)
    except ValueError:
        raise Unread(f"the parameter mode is no octal number: {text}") from None


def _wanted_owner(place: Place, case: Case) -> str:
    accounts = case.host("accounts")
    users = [user["name"] for user in accounts["users"] if user["uid"] in place.uids]
    groups = [group["name"] for group in accounts["groups"] if group["gid"] in place.gids]
    return f"{' or '.join(users)}:{' or '.join(groups)}"


def _too_wide(entry: str, allowed: int, directory: bool) -> bool:
    """Whether `user:alice:rw-` grants what the allowed mode does not grant to everybody.

    `group::rw-` is the owning group's own entry, where the mode shows the mask of the list instead.
    """
    if entry.startswith("default:"):
        return False
    bits = allowed >> 3 if entry.startswith("group::") else allowed
    return bool(_granted(entry) & ~bits & (7 if directory else 6))


def _granted(entry: str) -> int:
    return sum(_RWX.get(letter, 0) for letter in entry.rpartition(":")[2][:3])


def _writable_by_others(parent: Mapping[str, Any], place: Place) -> bool:
    """Whether somebody else can replace what is below: not where the sticky bit keeps foreign files."""
    mode = _octal(parent["mode"])
    if parent["uid"] not in place.uids:
        return True
    foreign = (entry for entry in parent["acl"] if not entry.startswith(("default:", "group::")))
    listed = any(_granted(entry) & 2 for entry in foreign)
    by_group = mode & 0o020 and parent["gid"] not in place.gids
    return bool(mode & 0o002 or by_group or listed) and not mode & 0o1000


def _control_of(row: tuple[Any, ...]) -> Control:
    control_id, what, severity, mode, cis, level, per_engine, select, why = row

    def over(case: Case) -> Iterable[Item]:
        places = {place.path: place for place in select(case)}
        if not places:
            raise NotApplicable("there is no such file on this host")
        return [Item("file", path, path, place) for path, place in places.items()]

    def judge(place: Place, case: Case) -> Iterable[Deviation]:
        return list(_judge(place, case))

    judge.__doc__ = why
    control: Control = scope("files", per_engine=per_engine, over=over)(
        f"file.{control_id}",
        f"{what} has its proper owner, and mode {mode} or stricter",
        severity,
        Remedy(
            "live",
            f"chown it to the owner shown, chmod it to {mode} or stricter, remove its access list"
            " (setfacl -b) and write permission for others on the directories above.",
            "daemon_config",
            {"daemon_config_file_permissions": True},
        ),
        requirements=("RT-08",) if control_id in _TLS_MATERIAL else (),
        cis=cis,
        level=level,
        parameters={"mode": mode},
    )(judge)
    return control


_ROOT_RUNS_IT = "systemd runs as root what this file says, so whoever can write it is root."
_CERTIFICATE = "Whoever can replace it decides whom the engine and its clients trust; it holds no secret."
_KEY = "Whoever can read the key can pose as its owner; dockerd does not check its mode (20.10, 26.1)."
_SOCKET = (
    "Whoever can connect to it is root on the host: uid 65534 without a group ran `docker ps` through a"
    " socket of mode 0606. Owner root:root and mode 0600 are stricter than what CIS asks for, and pass."
)

# id, what, severity, mode at most, CIS 1.6.0, level, judged per engine, which files, why
_TABLE: tuple[tuple[Any, ...], ...] = (
    ("docker_service_unit", "The unit file of docker.service", "high", "0644", ("3.1", "3.2"), 1, False,
     _unit_fragment("docker.service"), _ROOT_RUNS_IT),
    ("docker_socket_unit", "The unit file of docker.socket", "high", "0644", ("3.3", "3.4"), 1, False,
     _unit_fragment("docker.socket"),
     "The unit says who may connect to the engine (SocketMode, SocketGroup) and where it listens."),
    ("containerd_service_unit", "The unit file of containerd.service", "high", "0644", (), None, False,
     _unit_fragment("containerd.service"), _ROOT_RUNS_IT),
    ("unit_drop_ins", "Every drop-in of the engine's units", "high", "0644", (), None, False, _drop_ins,
     "A drop-in overrides the unit, its ExecStart as well; whoever can write it is root."),
    ("unit_environment_files", "Every environment file of the engine's units", "high", "0644", (), None,
     False, _environment_files,
     "Their variables become options of dockerd, and PATH and LD_PRELOAD of a process of root."),
    ("config_directory", "The configuration directory of the engine", "high", "0755", ("3.5", "3.6"), 1, True,
     _config_directory,
     "Who can write the directory can replace daemon.json, keys and certificates whatever their own modes."),
    ("registry_certificates", "Every certificate for a registry", "medium", "0444", ("3.7", "3.8"), 1, True,
     _registry_files(keys=False), _CERTIFICATE),
    ("registry_keys", "Every client key for a registry", "high", "0600", ("3.7", "3.8"), 1, True,
     _registry_files(keys=True), _KEY),
    ("tls_ca_certificate", "The CA certificate of the engine", "high", "0444", ("3.9", "3.10"), 1, True,
     _file_of_setting("tlscacert"), _CERTIFICATE),
    ("tls_server_certificate", "The server certificate of the engine", "medium", "0444", ("3.11", "3.12"), 1,
     True, _file_of_setting("tlscert"), _CERTIFICATE),
    ("tls_server_key", "The server key of the engine", "high", "0400", ("3.13", "3.14"), 1, True,
     _file_of_setting("tlskey"), _KEY),
    ("engine_socket", "The engine's socket", "critical", "0660", ("3.15", "3.16"), 1, True,
     _engine_socket, _SOCKET),
    ("engine_configuration", "The configuration file of the engine", "high", "0644", ("3.17", "3.18"), 2,
     True, _config_file, "It opens listeners and names programs (runtimes) that dockerd runs as root."),
    ("default_docker", "/etc/default/docker", "high", "0644", ("3.19", "3.20"), 2, False,
     _fixed("/etc/default/docker"), "On Debian its DOCKER_OPTS become options of dockerd."),
    ("sysconfig_docker", "/etc/sysconfig/docker", "high", "0644", ("3.22", "3.21"), 2, False,
     _fixed("/etc/sysconfig/docker"), "On the RHEL family its OPTIONS become options of dockerd."),
    ("containerd_socket", "The socket of containerd", "critical", "0660", ("3.23", "3.24"), 1, True,
     _containerd_socket, _SOCKET),
)  # fmt: skip

FILES = tuple(map(_control_of, _TABLE))
