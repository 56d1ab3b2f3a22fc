# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installed packages and the owners of files, from the package manager's own database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt
from ansible_collections.bulwark.docker.plugins.module_utils.base.limits import run
from ansible_collections.bulwark.docker.plugins.module_utils.base.reading import text

_LIMIT = 64 * 1024 * 1024
_SECONDS = 30
# Directories that are links into /usr where /usr is merged; packages still name them either way.
_MERGED = ("/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/")

Installed = dict[str, str]
Owners = dict[str, str]


class Manager(NamedTuple):
    """A package manager: where its database lies, and how it is read."""

    name: str
    databases: tuple[str, ...]
    installed: Callable[[Path], Installed]
    owners: Callable[[Path, Iterable[str]], Owners]


def packages(root: Path = Path("/")) -> dict[str, Any]:
    """{manager: name | null, installed: {name: version} | error, changed: time of the last change | null}"""
    manager, database = _manager(root)
    if manager is None:
        return {"manager": None, "installed": {}, "changed": None}
    newest = [database, *database.iterdir()] if database.is_dir() else [database]
    return {
        "manager": manager.name,
        "installed": attempt(manager.installed, database),
        "changed": max(int(path.stat().st_mtime) for path in newest),
    }


def owners(paths: Iterable[str], root: Path = Path("/")) -> dict[str, str | None]:
    """Which package each file belongs to, None when none does; Unreadable when the database does not tell."""
    manager, database = _manager(root)
    spellings = {spelling: path for path in paths for spelling in _spellings(path)}
    found = manager.owners(database, spellings) if manager and spellings else {}
    result: dict[str, str | None] = dict.fromkeys(spellings.values())
    result.update((spellings[spelling], package) for spelling, package in found.items())
    return result


def _spellings(path: str) -> list[str]:
    if path.startswith(_MERGED):
        return [path, f"/usr{path}"]
    return [path, path[4:]] if path.startswith("/usr/") and path[4:].startswith(_MERGED) else [path]


def _manager(root: Path) -> tuple[Manager | None, Path]:
    """The first manager whose database is not empty: rpm may be installed as a tool on Debian."""
    for manager in _MANAGERS:
        for name in manager.databases:
            database = root / name
            held = (
                any(database.iterdir())
                if database.is_dir()
                else database.exists() and database.stat().st_size
            )
            if held:
                return manager, database
    return None, root


def _dpkg_installed(database: Path) -> Installed:
    found = {}
    for stanza in f"\n{text(database, _LIMIT)}".split("\n\n"):
        if _field(stanza, "Status").endswith(" installed"):
            found[_field(stanza, "Package")] = _field(stanza, "Version")
    return found


def _field(stanza: str, name: str) -> str:
    return f"\n{stanza}".partition(f"\n{name}: ")[2].partition("\n")[0]


def _dpkg_owners(database: Path, paths: Iterable[str]) -> Owners:
    """By the lists of files of every package: `dpkg -S` reads the same and takes twice as long."""
    wanted = {path.encode() for path in paths}
    found = {}
    for listing in (database.parent / "info").glob("*.list"):
        for path in wanted.intersection(listing.read_bytes().split(b"\n")):
            found[path.decode()] = listing.name[:-5].partition(":")[0]
    return found


def _rpm_installed(database: Path) -> Installed:
    lines = _rpm("-qa", "--qf", "%{NAME} %{VERSION}-%{RELEASE}\n")
    return dict(sorted((line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines))


def _rpm_owners(database: Path, paths: Iterable[str]) -> Owners:
    """One query for all, which answers with all files of the packages that own any of them."""
    wanted = set(paths)
    lines = (
        line.split("\t", 1) for line in _rpm("-qf", "--qf", "[%{=NAME}\t%{FILENAMES}\n]", *sorted(wanted))
    )
    return {line[1]: line[0] for line in lines if len(line) == 2 and line[1] in wanted}


def _rpm(*words: str) -> list[str]:
    ended = run(["rpm", *words], _SECONDS)
    if not ended.out:
        raise Unreadable(f"rpm {words[0]}: {ended.err.strip() or f'ended with status {ended.status}'}")
    return ended.out.splitlines()


def _apk(database: Path) -> Iterator[tuple[str, str]]:
    """The lines of the database as letter and value: P name, V version, F directory, R file in it."""
    for line in (text(database, _LIMIT) or "").splitlines():
        letter, _unused, value = line.partition(":")
        yield letter, value


def _apk_installed(database: Path) -> Installed:
    found, name = {}, ""
    for letter, value in _apk(database):
        if letter == "P":
            name = value
        elif letter == "V":
            found[name] = value
    return found


def _apk_owners(database: Path, paths: Iterable[str]) -> Owners:
    wanted, found, name, directory = set(paths), {}, "", ""
    for letter, value in _apk(database):
        if letter == "P":
            name = value
        elif letter == "F":
            directory = f"/{value}"
        elif letter == "R" and f"{directory}/{value}" in wanted:
            found[f"{directory}/{value}"] = name
    return found


def _pacman_installed(database: Path) -> Installed:
    """Directories are named name-version-release; a name may hold hyphens."""
    names = (path.name.rsplit("-", 2) for path in database.iterdir() if path.is_dir())
    return {name[0]: "-".join(name[1:]) for name in names}


def _pacman_owners(database: Path, paths: Iterable[str]) -> Owners:
    wanted = {path[1:] for path in paths}
    found = {}
    for listing in database.glob("*/files"):
        for path in wanted.intersection((text(listing, _LIMIT) or "").split("\n")):
            found[f"/{path}"] = listing.parent.name.rsplit("-", 2)[0]
    return found


_MANAGERS = (
    Manager("dpkg", ("var/lib/dpkg/status",), _dpkg_installed, _dpkg_owners),
    Manager("rpm", ("var/lib/rpm", "usr/lib/sysimage/rpm"), _rpm_installed, _rpm_owners),
    Manager("apk", ("lib/apk/db/installed", "usr/lib/apk/db/installed"), _apk_installed, _apk_owners),
    Manager("pacman", ("var/lib/pacman/local",), _pacman_installed, _pacman_owners),
)
