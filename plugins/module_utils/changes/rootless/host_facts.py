# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of rootless_facts.py that are read from the host's files: rootlesskit, id maps, profiles, cgroups."""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from ansible_collections.bulwark.docker.plugins.module_utils.base import limits, reading
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import host
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.mounts import Mount, mount_of

Why = Optional[str]

# The capability that each needs where it is not setuid root (capabilities(7)).
ID_MAPPERS = {"newuidmap": 7, "newgidmap": 6}
# Debian's docker.io lays it where no PATH leads.
_SCRIPTS = tuple(
    f"{folder}/dockerd-rootless.sh"
    for folder in ("usr/local/bin", "usr/bin", "usr/sbin", "usr/share/docker.io/contrib")
)
# In the order of dockerd-rootless.sh.
_KITS = ("docker-rootlesskit", "rootlesskit")
_USER_UNITS = ("etc/systemd/user", "usr/local/lib/systemd/user", "usr/lib/systemd/user", "lib/systemd/user")
# rootlesskit --help: `--net value  network driver [host, pasta(experimental), slirp4netns]`.
_DRIVERS = re.compile(r"--(net|port-driver)\s[^\n\[]{0,200}\[([^\]]{0,200})\]")
_TAKES = re.compile(r"^[ \t]*net=([a-z][a-z0-9-]*)[ \t]*$", re.MULTILINE)
_TEMPLATE_UID = 1000


class Kit(NamedTuple):
    """The network and port drivers that a rootlesskit knows; () where it does not tell."""

    networks: tuple[str, ...]
    port_drivers: tuple[str, ...]


class Cgroup(NamedTuple):
    """version: 1, 2 or None without any. `controllers` has the kernel, `delegated` of them the account's systemd."""

    version: int | None
    controllers: tuple[str, ...]
    delegated: tuple[str, ...]


def programs(names: Sequence[str]) -> dict[str, str | None]:
    """Those that may be run, by name; of the two names of rootlesskit the one that dockerd-rootless.sh takes."""
    found = {name: limits.find(name) for name in names}
    return {**found, "rootlesskit": next((path for path in map(limits.find, _KITS) if path), None)}


def kit(path: str | None, seconds: float) -> Kit:
    """What this rootlesskit tells of itself."""
    if path is None:
        return Kit((), ())
    shown = attempt(limits.run, (path, "--help"), seconds)
    text = "" if is_error(shown) else shown.out
    drivers = {
        option: tuple(name.partition("(")[0].strip() for name in names.split(","))
        for option, names in _DRIVERS.findall(text)
    }
    return Kit(drivers.get("net", ()), drivers.get("port-driver", ()))


def script(root: Path = Path("/")) -> str | None:
    """dockerd-rootless.sh, where it may be run."""
    return next((str(root / path) for path in _SCRIPTS if os.access(root / path, os.X_OK)), None)


def tries(path: str | None) -> tuple[str, ...]:
    """The networks that the script takes by itself, in its order; () without one, or where it cannot be read."""
    text = attempt(reading.text, path) if path else None
    return tuple(dict.fromkeys(_TAKES.findall(text))) if isinstance(text, str) else ()


def id_map(path: str, capability: int, table: Sequence[Mount]) -> Why:
    """Why newuidmap or newgidmap could not write an id map; None when it could."""
    real = os.path.realpath(path)
    seen = Path(real).stat()
    setuid = seen.st_uid == 0 and bool(seen.st_mode & stat.S_ISUID)
    if not (setuid or permits(real, capability)):
        return "it is not setuid root, and has no capability for it; chmod u+s it, or reinstall its package"
    mount = mount_of(real, table)
    if mount and "nosuid" in mount["options"]:
        return f"{mount['target']} is mounted with nosuid; take that out of its mount options"
    return None


def permits(path: str, capability: int) -> bool:
    """Whether its file capabilities (vfs_cap_data) give it that one, effective from its start on."""
    try:
        found = os.getxattr(path, "security.capability")
        magic, permitted = struct.unpack_from("<2I", found)
    except (OSError, struct.error):
        return False
    return bool(magic & 1 and permitted >> capability & 1)


def has_bus(root: Path = Path("/")) -> bool:
    """Whether accounts have a D-Bus of their own, by which their systemd is spoken to."""
    return any((root / folder / "dbus.socket").exists() for folder in _USER_UNITS)


def profile_for(program: str | None, root: Path = Path("/")) -> str | None:
    """The file in /etc/apparmor.d with a profile that is attached to the program; the kernel goes by its real path."""
    folder = root / "etc/apparmor.d"
    if program is None or not folder.is_dir():
        return None
    names = "|".join(re.escape(name) for name in sorted({program, os.path.realpath(program)}))
    attached = re.compile(
        rf"^[ \t]*(?:profile[ \t]+(?:\S+[ \t]+)?)?\"?(?:{names})\"?[ \t][^#\n{{]*{{", re.MULTILINE
    )
    for path in sorted(folder.iterdir()):
        text = attempt(reading.text, path)
        if isinstance(text, str) and attached.search(text):
            return str(path)
    return None


def restricts(sysctls: Mapping[str, str | None], apparmor_enabled: bool) -> bool:
    """Whether the kernel lets only programs with a profile make user namespaces (Ubuntu from 23.10 on)."""
    return apparmor_enabled and sysctls.get("kernel.apparmor_restrict_unprivileged_userns") == "1"


def cgroup(uid: int | None, table: Sequence[Mount], seconds: float, root: Path = Path("/")) -> Cgroup:
    """The controllers of the host, and on version 2 those of the account's systemd, as it runs or would run."""
    found = host.cgroup(table, root)
    if found is None:
        return Cgroup(None, (), ())
    controllers = tuple(found["controllers"])
    if found["version"] == 1:
        return Cgroup(1, controllers, ())
    unit = f"user@{_TEMPLATE_UID if uid is None else uid}.service"
    running = root / f"sys/fs/cgroup/user.slice/user-{uid}.slice/{unit}/cgroup.controllers"
    text = reading.kernel_text(running)
    given = _configured(unit, seconds) if text is None else text.split()
    return Cgroup(2, controllers, tuple(sorted(set(given).intersection(controllers))))


def _configured(unit: str, seconds: float) -> Iterable[str]:
    try:
        shown = limits.run(("systemctl", "show", "--property=DelegateControllers", "--value", unit), seconds)
    except Unreadable:
        return ()
    return shown.out.split()


def family(root: Path = Path("/")) -> str:
    """ "debian" with Ubuntu and what else descends from it, otherwise "other": their packages have other names."""
    known = attempt(host.os_release, root)
    if known is None or is_error(known):
        return "other"
    ids = {known.get("ID", ""), *known.get("ID_LIKE", "").split()}
    return "debian" if ids & {"debian", "ubuntu"} else "other"
