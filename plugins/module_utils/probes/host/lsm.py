# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Linux security modules: which are active, AppArmor's profiles, SELinux's mode, and what the next boot does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt
from ansible_collections.bulwark.docker.plugins.module_utils.base.reading import (
    kernel_text,
    significant,
    text,
    word,
)

_SELINUX_MODES = {"0": "permissive", "1": "enforcing"}
# Words of the kernel's command line that switch a module off, or its enforcement.
SWITCHES = ("apparmor=0", "enforcing=0", "security=none", "selinux=0")
_GRUB = re.compile(r"(?:export\s+)?(GRUB_CMDLINE_LINUX(?:_DEFAULT)?)=(.*)")


def lsm(root: Path = Path("/")) -> dict[str, Any]:
    """{active, apparmor, selinux}: see docs/snapshot.md. A kernel without a module has null for it."""
    return {
        "active": attempt(_active, root),
        "apparmor": attempt(_apparmor, root),
        "selinux": attempt(_selinux, root),
        "boot": attempt(_boot, root),
    }


def _active(root: Path) -> list[str] | None:
    names = word(root / "sys/kernel/security/lsm")
    if names is not None:
        return names.split(",")
    if "securityfs" in (kernel_text(root / "proc/filesystems") or "").split():
        raise Unreadable("/sys/kernel/security/lsm is not there: securityfs is not mounted")
    return None


def _apparmor(root: Path) -> dict[str, Any] | None:
    enabled = word(root / "sys/module/apparmor/parameters/enabled")
    if enabled is None:
        return None
    return {"enabled": enabled == "Y", "profiles": attempt(_profiles, root) if enabled == "Y" else {}}


def _profiles(root: Path) -> dict[str, str]:
    """Lines like `docker-default (enforce)`; a name may hold blanks and parentheses."""
    loaded = kernel_text(root / "sys/kernel/security/apparmor/profiles")
    if loaded is None:
        raise Unreadable("/sys/kernel/security/apparmor/profiles is not there: securityfs is not mounted")
    found = {}
    for line in loaded.splitlines():
        name, _unused, mode = line.rpartition(" (")
        found[name] = mode.rstrip(")")
    return dict(sorted(found.items()))


def _selinux(root: Path) -> dict[str, str | None] | None:
    enforce = word(root / "sys/fs/selinux/enforce")
    configuration = text(root / "etc/selinux/config")
    if enforce is None and configuration is None:
        return None
    configured = re.search(r"^[ \t]*SELINUX[ \t]*=[ \t]*(\w+)", configuration or "", re.MULTILINE)
    return {
        "mode": "disabled" if enforce is None else _SELINUX_MODES.get(enforce, enforce),
        "configured": configured[1].lower() if configured else None,
    }


def _boot(root: Path) -> list[dict[str, str]]:
    """The SWITCHES, {word, file}, that the files for the next boot's command line set. Other words are not kept."""
    settings: dict[str, list[dict[str, str]]] = {}
    for path in (root / "etc/default/grub", *sorted((root / "etc/default/grub.d").glob("*.cfg"))):
        for line in significant(text(path) or ""):
            assigned = _GRUB.match(line)
            if assigned:
                name, value = assigned.groups()
                # What is sourced later replaces it, unless it takes it up.
                kept = settings.get(name, []) if f"${name}" in value.replace("{", "") else []
                settings[name] = kept + _words(root, path, value)
    given = [each for name in sorted(settings) for each in settings[name]]
    kernel = root / "etc/kernel/cmdline"
    given += _words(root, kernel, text(kernel) or "")
    # Of several values the last counts.
    last = {each["word"].partition("=")[0]: each for each in given}
    return [last[name] for name in sorted(last) if last[name]["word"] in SWITCHES]


def _words(root: Path, path: Path, value: str) -> list[dict[str, str]]:
    names = {switch.partition("=")[0] for switch in SWITCHES}
    file = f"/{path.relative_to(root)}"
    return [
        {"word": each, "file": file}
        for each in re.sub("[\"']", " ", value).split()
        if each.partition("=")[0] in names
    ]
