# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which paths an audit looks at: derived from the units, engines and clients that were found. Pure."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import ROOT, Owner, Place

# Looked at on every host; what is not there becomes null.
_FIXED = (
    "/etc/containerd/config.toml",
    "/etc/default/docker",
    "/etc/docker",
    "/etc/docker/certs.d",
    "/etc/docker/daemon.json",
    "/etc/subgid",
    "/etc/subuid",
    "/etc/sysconfig/docker",
    "/run/containerd",
    "/run/containerd/containerd.sock",
    "/run/docker.sock",
    "/run/docker/containerd/containerd.sock",
    "/var/lib/docker",
)
_PROGRAMS = (
    "containerd",
    "containerd-shim",
    "containerd-shim-runc-v1",
    "containerd-shim-runc-v2",
    "dockerd",
    "runc",
)
_PROGRAM_DIRECTORIES = ("/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin", "/usr/local/sbin")
# Both spellings of one directory: audit rules may name either.
_SPELLINGS = (
    ("/run/", "/var/run/"),
    ("/var/run/", "/run/"),
    ("/usr/lib/", "/lib/"),
    ("/lib/", "/usr/lib/"),
    ("/usr/bin/", "/bin/"),
    ("/usr/sbin/", "/sbin/"),
)
_TLS_SETTINGS = ("tlscacert", "tlscert", "tlskey")
_SETTINGS_THAT_NAME_FILES = (*_TLS_SETTINGS, "seccomp-profile", "data-root", "containerd")


def paths(snapshot: Mapping[str, Any]) -> list[Place]:
    """The absolute paths whose FILE facts the controls need, each with whose word it is that they matter, sorted.

    Of the snapshot it reads `accounts`, `units`, `engines` (with containers, where the engine answered) and `clients`;
    what could not be read there adds nothing. A path that two name is there twice.
    """
    found = {Place(path, ROOT) for path in _FIXED}
    found.update(
        Place(f"{directory}/{name}", ROOT) for directory in _PROGRAM_DIRECTORIES for name in _PROGRAMS
    )
    units = _mapping(snapshot.get("units"))
    for name, unit in units.items():
        if name.startswith(("docker", "containerd")) or "docker.service" in (unit.get("triggers") or ()):
            found.update(_places(_of_unit(unit), ROOT))
    for engine in _engines(snapshot):
        found.update(_places(_contained(_of_engine(engine)), _owner_of_engine(engine)))
    groups = _groups(snapshot)
    for client in _list(snapshot.get("clients")):
        found.update(_places(_contained(_of_client(client)), _owner_of_client(client, groups)))
    return sorted(
        found | {Place(other, each.owner) for each in found for other in _other_spellings(each.path)}
    )


def pem_files(snapshot: Mapping[str, Any]) -> list[Place]:
    """Those of the paths that may hold certificates and private keys, of engines and of clients, sorted.

    Only those that exist; it reads `files` beside what `paths` reads.
    """
    found: set[Place] = set()
    groups = _groups(snapshot)
    for client in _list(snapshot.get("clients")):
        found.update(_places(_contained(_of_client(client)), _owner_of_client(client, groups)))
    for engine in _engines(snapshot):
        found.update(_places(_named_by_settings(engine, _TLS_SETTINGS), _owner_of_engine(engine)))
    known = _mapping(snapshot.get("files"))
    return sorted(place for place in found if known.get(place.path))


def _contained(named: Iterable[Any]) -> list[Any]:
    """What one engine or client tells in another shape must not cost the paths of the others."""
    found = attempt(list, named)
    return [] if is_error(found) else found


def _places(named: Iterable[Any], owner: Owner) -> Iterator[Place]:
    """~ and relative paths depend on who reads them; what somebody's configuration names may be no path at all."""
    for path in named:
        if isinstance(path, str) and path.startswith("/") and _can_be_opened(path):
            yield Place(posixpath.normpath(path), owner)


def _can_be_opened(path: str) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeError:
        return False


def _engines(snapshot: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Without those of accounts that nobody knows: what stands for them names no path, and has no owner."""
    for engine in _list(snapshot.get("engines")):
        if engine.get("user") is None or engine.get("uid") is not None:
            yield engine


def _owner_of_engine(engine: Mapping[str, Any]) -> Owner:
    """Of an account's engine the account: it decides what is named there, and where that leads."""
    return ROOT if engine.get("user") is None else Owner(engine["uid"], engine["gid"])


def _owner_of_client(client: Mapping[str, Any], groups: Mapping[int, int]) -> Owner:
    uid = client.get("uid")
    return ROOT if not uid else Owner(uid, groups.get(uid, uid))


def _groups(snapshot: Mapping[str, Any]) -> dict[int, int]:
    """{uid: gid}"""
    users = _list(_mapping(snapshot.get("accounts")).get("users"))
    return {user["uid"]: user["gid"] for user in users}


def _of_unit(unit: Mapping[str, Any]) -> Iterable[Any]:
    yield unit.get("fragment")
    yield from unit.get("drop_ins") or ()
    for path in unit.get("environment_files") or ():
        yield path.lstrip("-")


def _of_engine(engine: Mapping[str, Any]) -> Iterable[Any]:
    config = _mapping(engine.get("config"))
    yield from (config.get("path"), config.get("target"), engine.get("socket"))
    if engine.get("user") and str(engine.get("socket")).startswith("/"):
        # The containerd that a rootless engine runs for itself.
        yield f"{posixpath.dirname(engine['socket'])}/docker/containerd/containerd.sock"
    yield _mapping(engine.get("binary")).get("path")
    yield _mapping(engine.get("user_unit")).get("path")
    yield _mapping(engine.get("info")).get("DockerRootDir")
    if isinstance(config.get("path"), str):
        directory = posixpath.dirname(config["path"])
        yield from (directory, f"{directory}/certs.d")
    yield from _named_by_settings(engine, _SETTINGS_THAT_NAME_FILES)
    for container in _list(engine.get("containers")):
        for mount in _list(container.get("mounts")):
            if mount.get("type") == "bind":
                yield mount.get("source")


def _named_by_settings(engine: Mapping[str, Any], names: Iterable[str]) -> Iterable[Any]:
    settings = _mapping(_mapping(engine.get("config")).get("settings"))
    flags = _mapping(engine.get("flags"))
    for name in names:
        yield from _list(flags.get(name))
        yield settings.get(name)


def _of_client(client: Mapping[str, Any]) -> Iterable[Any]:
    folders = {f"{client['home']}/.docker"} if client.get("home") else set()
    certificates = [context.get("certificate") for context in _list(client.get("contexts"))]
    folders.update(posixpath.dirname(path) for path in certificates if path)
    for folder in folders:
        yield from (f"{folder}/{name}.pem" for name in ("ca", "cert", "key"))


def _other_spellings(path: str) -> Iterable[str]:
    for prefix, other in _SPELLINGS:
        if path.startswith(prefix):
            yield other + path[len(prefix) :]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) and not is_error(value) else {}


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()
