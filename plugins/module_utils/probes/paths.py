# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which paths an audit looks at: derived from the units, engines and clients that were found. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.probes.errors import is_error

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


def paths(snapshot: Mapping[str, Any]) -> list[str]:
    """The absolute paths whose FILE facts the controls need, sorted.

    Of the snapshot it reads `units`, `engines` (with containers, where the engine answered) and `clients`;
    what could not be read there adds nothing.
    """
    found = set(_FIXED)
    found.update(f"{directory}/{name}" for directory in _PROGRAM_DIRECTORIES for name in _PROGRAMS)
    units = _mapping(snapshot.get("units"))
    for name, unit in units.items():
        if name.startswith(("docker", "containerd")) or "docker.service" in (unit.get("triggers") or ()):
            found.update(filter(_is_text, _of_unit(unit)))
    for engine in _list(snapshot.get("engines")):
        found.update(filter(_is_text, _of_engine(engine)))
    for client in _list(snapshot.get("clients")):
        found.update(filter(_is_text, _of_client(client)))
    # ~ and relative paths depend on who reads them.
    wanted = {posixpath.normpath(path) for path in found if path.startswith("/")}
    return sorted(wanted | {other for path in wanted for other in _other_spellings(path)})


def pem_files(snapshot: Mapping[str, Any]) -> list[str]:
    """Those of the paths that may hold certificates and private keys, of engines and of clients, sorted.

    Only those that exist; it reads `files` beside what `paths` reads.
    """
    found = {
        path for client in _list(snapshot.get("clients")) for path in _of_client(client) if _is_text(path)
    }
    for engine in _list(snapshot.get("engines")):
        found.update(filter(_is_text, _named_by_settings(engine, _TLS_SETTINGS)))
    known = _mapping(snapshot.get("files"))
    return sorted(path for path in found if known.get(posixpath.normpath(path)))


def _of_unit(unit: Mapping[str, Any]) -> Iterable[Any]:
    yield unit.get("fragment")
    yield from unit.get("drop_ins") or ()
    for path in unit.get("environment_files") or ():
        yield path.lstrip("-")


def _of_engine(engine: Mapping[str, Any]) -> Iterable[Any]:
    config = _mapping(engine.get("config"))
    yield from (config.get("path"), config.get("target"), engine.get("socket"))
    if engine.get("user") and _is_text(engine.get("socket")):
        # The containerd that a rootless engine runs for itself.
        yield f"{posixpath.dirname(engine['socket'])}/docker/containerd/containerd.sock"
    yield _mapping(engine.get("binary")).get("path")
    yield _mapping(engine.get("user_unit")).get("path")
    yield _mapping(engine.get("info")).get("DockerRootDir")
    if _is_text(config.get("path")):
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


def _is_text(value: Any) -> bool:
    """Not what could not be read, is not there, or is none in somebody's configuration file: no path holds a NUL."""
    return isinstance(value, str) and "\0" not in value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) and not is_error(value) else {}


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()
