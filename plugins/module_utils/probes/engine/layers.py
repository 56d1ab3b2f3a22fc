# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image brings along, read from the layers of the storage driver: tools, special files, packages."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable

_PROGRAMS = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin")
# What helps an intruder: shells, interpreters, transfer programs, package managers, compilers.
_TOOLS = {
    "apk", "apt", "apt-get", "ash", "bash", "busybox", "cc", "curl", "dash", "dnf", "dpkg", "ftp", "g++",
    "gcc", "gdb", "git", "make", "microdnf", "nc", "ncat", "netcat", "nmap", "npm", "perl", "pip", "pip3",
    "python3", "rpm", "scp", "sh", "socat", "ssh", "strace", "sudo", "tcpdump", "telnet", "tftp", "wget",
    "yum", "zsh", "zypper",
}  # fmt: skip
# (directory, database, how a line begins that every installed package has)
_DATABASES = (
    ("var/lib/dpkg", "status", b"Status: install ok installed"),
    ("lib/apk/db", "installed", b"P:"),
    ("usr/lib/apk/db", "installed", b"P:"),
)
# Where images without dpkg itself keep one file per package, some with a second one of checksums.
_PACKAGE_FILES = "var/lib/dpkg/status.d"
_DATABASE_LIMIT = 16 * 1024 * 1024
# No link is followed: an image may hold one that leads out of it.
_PLACE = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Only looked at: an image may hold a device, and opening some has effects (a watchdog starts).
_FILE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_A_DIRECTORY = (errno.ENOTDIR, errno.ELOOP)
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")
# fuse-overlayfs marks a removed file so; the kernel's overlay with a device 0:0 of the same name.
_REMOVED = ".wh."


class Entry(NamedTuple):
    """One name in a directory: a file, or the mark that the layers below no longer show theirs."""

    removed: bool = False
    setuid: bool = False
    capabilities: bool = False


class Layer(NamedTuple):
    """What one layer holds of the places that are looked at, and the places whose lower layers it covers."""

    entries: Mapping[str, Mapping[str, Entry]]
    covered: frozenset[str]
    # {database: count, None: removed}
    packages: Mapping[str, int | None]


Cache = dict[str, Layer]


def content(driver: Any, cache: Cache) -> dict[str, Any]:
    """{tools, setuid, file_capabilities, packages} of the usual directories of programs.

    `driver` is GraphDriver of the image; layers that `cache` holds are not read again. packages is None where
    there is no database of dpkg or apk.
    """
    data = (driver or {}).get("Data") or {}
    if not data.get("UpperDir"):
        name = (driver or {}).get("Name") or "of this engine"
        raise Unreadable(f"the image store {name} does not tell where the layers of an image are")
    seen: dict[str, dict[str, Entry]] = {}
    packages: dict[str, int | None] = {}
    covered: set[str] = set()
    for path in filter(None, [data["UpperDir"], *data.get("LowerDir", "").split(":")]):
        if path not in cache:
            cache[path] = _layer(path)
        layer = cache[path]
        for place in layer.entries.keys() - covered:
            seen[place] = {**layer.entries[place], **seen.get(place, {})}
        packages = {**layer.packages, **packages}
        covered |= layer.covered
    return _summed_up(seen, packages)


def _summed_up(seen: Mapping[str, Mapping[str, Entry]], packages: Mapping[str, int | None]) -> dict[str, Any]:
    parts = [name for name, entry in seen.get(_PACKAGE_FILES, {}).items() if not entry.removed]
    counts = [count for count in packages.values() if count is not None]
    if parts:
        counts.append(sum(not name.endswith(".md5sums") for name in parts))
    files = {
        f"/{place}/{name}": entry
        for place in _PROGRAMS
        for name, entry in seen.get(place, {}).items()
        if not entry.removed
    }
    return {
        "tools": sorted(_TOOLS.intersection(path.rpartition("/")[2] for path in files)),
        "setuid": sorted(path for path, entry in files.items() if entry.setuid),
        "file_capabilities": sorted(path for path, entry in files.items() if entry.capabilities),
        "packages": sum(counts) if counts else None,
    }


def _layer(path: str) -> Layer:
    try:
        top = os.open(path, _PLACE)
    except OSError as problem:
        raise Unreadable(f"{path}: {problem.strerror}: run the audit as root") from problem
    entries: dict[str, dict[str, Entry]] = {}
    covered: set[str] = set()
    packages: dict[str, int | None] = {}
    try:
        for place in (*_PROGRAMS, _PACKAGE_FILES):
            handle = _open_below(top, place, covered)
            if handle is not None:
                entries[place] = _entries(handle)
        for place, name, line in _DATABASES:
            handle = _open_below(top, place, covered)
            if handle is not None:
                packages.update(_packages(handle, name, line, f"{place}/{name}"))
    finally:
        os.close(top)
    return Layer(entries, frozenset(covered), packages)


def _open_below(top: int, place: str, covered: set[str]) -> int | None:
    """A handle of the directory, None where this layer has none; notes in `covered` what hides lower ones."""
    handle = os.dup(top)
    for part in place.split("/"):
        try:
            below = os.open(part, _PLACE, dir_fd=handle)
        except OSError as problem:
            if problem.errno in _NOT_A_DIRECTORY:
                covered.add(place)
            return None
        finally:
            os.close(handle)
        handle = below
        if any(_attribute(handle, name) == b"y" for name in _OPAQUE):
            covered.add(place)
    return handle


def _entries(handle: int) -> dict[str, Entry]:
    """{name: Entry} of a directory, whose handle is closed."""
    found = {}
    try:
        with os.scandir(handle) as listed:
            for each in listed:
                facts = each.stat(follow_symlinks=False)
                if each.name.startswith(_REMOVED):
                    found[each.name[len(_REMOVED) :]] = Entry(removed=True)
                elif stat.S_ISREG(facts.st_mode):
                    path = f"/proc/self/fd/{handle}/{each.name}"
                    capabilities = _attribute(path, "security.capability") is not None
                    setuid = bool(facts.st_mode & (stat.S_ISUID | stat.S_ISGID))
                    found[each.name] = Entry(setuid=setuid, capabilities=capabilities)
                else:
                    found[each.name] = Entry(removed=stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0)
    finally:
        os.close(handle)
    return found


def _packages(place: int, name: str, line: bytes, database: str) -> dict[str, int | None]:
    """{database: number of packages}, {} where this layer has none; the handle of the directory is closed."""
    try:
        handle = os.open(name, _FILE, dir_fd=place)
    except OSError as problem:
        return {} if problem.errno == errno.ENOENT else {database: None}
    finally:
        os.close(place)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return {database: None}
        with Path(f"/proc/self/fd/{handle}").open("rb") as stream:
            data = stream.read(_DATABASE_LIMIT)
    finally:
        os.close(handle)
    return {database: data.count(b"\n" + line) + data.startswith(line)}


def _attribute(file: str | int, name: str) -> bytes | None:
    try:
        return os.getxattr(file, name, follow_symlinks=isinstance(file, int))
    except OSError:
        return None
