# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account may really do, tried with its ids in a child process or in namespaces that end with the trial.

What is returned is why it may not: a sentence without its full stop, None where it may.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ansible_collections.bulwark.docker.plugins.module_utils.base import limits, reading
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable

Why = Optional[str]

_LONGEST = 300
_USERNS = ("unshare", "--user", "--map-root-user")
# One rule of each kind that dockerd sets, in a network of its own. The lock file of iptables-legacy lies in /run, which
# dockerd-rootless.sh covers too.
_NAT = """
mount -t tmpfs tmpfs /run
iptables -t nat -N BULWARK
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j BULWARK
iptables -t nat -A POSTROUTING -s 192.0.2.0/24 ! -o lo -j MASQUERADE
iptables -t nat -A BULWARK -p tcp --dport 80 -j DNAT --to-destination 192.0.2.1:80
iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
"""
# Layers alone need no file system that takes the attributes of an upper directory.
_OVERLAY = """
mount -t tmpfs tmpfs /tmp
mkdir /tmp/one /tmp/other /tmp/both
mount -t overlay overlay -o lowerdir=/tmp/one:/tmp/other /tmp/both
"""


class Person(NamedTuple):
    """The ids to act with; `groups` are the supplementary ones."""

    uid: int
    gid: int
    groups: Sequence[int] = ()


def acting_as(person: Person, seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function(*arguments)` returns (JSON data), run with these ids alone in a child. Raises Unreadable."""
    return limits.within(seconds, _changed, person, function, arguments)


def _changed(person: Person, function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    if os.geteuid() == 0 != person.uid:
        os.setgroups(person.groups)
        os.setgid(person.gid)
        os.setuid(person.uid)
    os.chdir("/")
    return function(*arguments)


def user_namespace(person: Person, seconds: float) -> Why:
    """Whether it can make a user namespace."""
    return _tried(person, seconds, (*_USERNS, "true"))


def nat(person: Person, seconds: float) -> Why:
    """Whether iptables works for an engine of this account."""
    return _tried(person, seconds, (*_USERNS, "--net", "--mount", "sh", "-ec", _NAT))


def overlay(person: Person, seconds: float) -> Why:
    """Whether the kernel mounts an overlay for it (those before 5.11 do not, but for some of distributions)."""
    return _tried(person, seconds, (*_USERNS, "--mount", "sh", "-ec", _OVERLAY))


def _tried(person: Person, seconds: float, words: Sequence[str]) -> Why:
    try:
        status, out, err = acting_as(person, seconds + 1, limits.run, words, seconds)
    except Unreadable as problem:
        return f"it could not be tried: {problem}"
    if status == 0:
        return None
    told = " ".join((err.strip() or out.strip() or f"status {status}").split())
    return told if len(told) <= _LONGEST else f"{told[: _LONGEST - 3]}..."


def device(person: Person, seconds: float, path: str) -> Why:
    """Whether it may open the device for reading and writing; nothing is opened, as that could load a module."""
    name = Path(path).name
    try:
        seen = Path(path).stat()
    except OSError as problem:
        return f"{path}: {problem.strerror}; load the module {name} (modprobe {name}, /etc/modules-load.d)"
    if not stat.S_ISCHR(seen.st_mode):
        return f"{path} is no character device; remove it and load the module {name}"
    if not acting_as(person, seconds, os.access, path, os.R_OK | os.W_OK):
        return (
            f"{path} (mode {stat.S_IMODE(seen.st_mode):04o}, owner {seen.st_uid}:{seen.st_gid}) cannot be read and "
            "written; give it mode 0666, as udev does"
        )
    if name not in (reading.kernel_text("/proc/misc") or "").split() and not _loadable(name, seconds):
        return f"this kernel has no module {name}"
    return None


def _loadable(module: str, seconds: float) -> bool:
    try:
        return limits.run(("modprobe", "--dry-run", "--quiet", module), seconds).status == 0
    except Unreadable:
        return False


def home(person: Person, seconds: float, path: str) -> Why:
    """Whether it can lay files into its home."""
    try:
        return str(acting_as(person, seconds, _of_home, path) or "") or None
    except Unreadable as problem:
        return f"{path} cannot be looked at: {problem}"


def _of_home(path: str) -> Why:
    try:
        seen = Path(path).stat()
    except OSError as problem:
        return f"{path}: {problem.strerror}"
    if not stat.S_ISDIR(seen.st_mode):
        return f"{path} is no directory"
    if seen.st_uid != os.getuid():
        return f"{path} belongs to the uid {seen.st_uid}"
    return None if os.access(path, os.R_OK | os.W_OK | os.X_OK) else f"{path} cannot be written"
