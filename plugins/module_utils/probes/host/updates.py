# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pending security updates, as the package manager knows them without asking the network."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.limits import Ended, find, run

_SECONDS = 120
# `Inst libssl3 [3.0.11-1] (3.0.14-1 Debian-Security:12/stable-security [amd64])`
_APT = re.compile(r"^Inst (\S+) (?:\[[^\]\n]*\] )?\([^)\n]*security", re.IGNORECASE | re.MULTILINE)
# A package as updateinfo names it: name-[epoch:]version-release.architecture
_NEVRA = re.compile(
    r"(?<!\S)(\S+)-[^\s-]+-[^\s-]+\.(?:noarch|x86_64|i[36]86|aarch64|ppc64le|s390x|riscv64)(?!\S)"
)


def updates(manager: str | None) -> dict[str, Any]:
    """{security: [package names], as_of: time of the lists they are taken from | null}

    Raises Unreadable when there are no lists: nothing pending proves nothing then.
    """
    if manager == "dpkg":
        return _apt()
    if manager == "rpm":
        return _dnf()
    raise Unreadable(
        f"pending security updates are not read from {manager or 'a host without a package manager'}"
    )


def _apt(lists: Path = Path("/var/lib/apt/lists")) -> dict[str, Any]:
    if not any(lists.glob("*Packages*")):
        raise Unreadable(f"{lists} holds no package lists; run apt-get update")
    ended = _ended(["apt-get", "-s", "-o", "Debug::NoLocking=true", "dist-upgrade"])
    return {"security": sorted(set(_APT.findall(ended.out))), "as_of": _newest([lists, lists / "partial"])}


def _dnf(caches: Iterable[Path] = (Path("/var/cache/dnf"), Path("/var/cache/libdnf5"))) -> dict[str, Any]:
    program = "dnf" if find("dnf") else "yum"
    ended = _ended([program, "-q", "-C", "updateinfo", "list", "--updates", "--security"])
    held = [path for cache in caches if cache.is_dir() for path in cache.iterdir()]
    return {"security": sorted(set(_NEVRA.findall(ended.out))), "as_of": _newest(held)}


def _ended(argv: list[str]) -> Ended:
    ended = run(argv, _SECONDS)
    if ended.status:
        raise Unreadable(f"{argv[0]}: {ended.err.strip() or f'ended with status {ended.status}'}")
    return ended


def _newest(paths: Iterable[Path]) -> int | None:
    return max((int(path.stat().st_mtime) for path in paths if path.exists()), default=None)
