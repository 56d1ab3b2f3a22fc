# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets, as a snapshot tells of them (LISTENER of docs/snapshot.md), and whose they may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

Listener = Mapping[str, Any]

# The addresses by which a socket or a published port is open on all interfaces.
WILDCARDS = ("", "*", "0.0.0.0", "::")

ENGINE_PROGRAMS = (
    "dockerd",
    "docker-proxy",
    "containerd",
    "rootlesskit",
    "slirp4netns",
    "pasta*",
    "podman",
    "conmon",
)

SSH = ("sshd", "sshd-*", "sshd.service", "ssh.service", "ssh.socket", "sshd.socket", "dropbear*")

NETWORK_MANAGERS = ("systemd-networkd*", "NetworkManager*", "dhcpcd*", "dhclient*")


def shown(socket: Listener) -> str:
    """`tcp [::]:22`; a raw socket's port is the number of its IP protocol."""
    address = f"[{socket['address']}]" if ":" in socket["address"] else socket["address"]
    return f"{socket['protocol']} {address}:{socket['port']}"


def families(socket: Listener) -> tuple[int, ...]:
    """The IP versions by which a socket is reached: `[::]` takes IPv4 as well unless told otherwise."""
    if socket["family"] == 6 and socket["address"] == "::" and not socket["v6only"]:
        return (4, 6)
    return (socket["family"],)


def is_exposed(socket: Listener) -> bool:
    """Whether something else than the host itself can reach it."""
    return bool(socket["scope"] != "loopback")


def matches(names: Iterable[str], patterns: Sequence[str]) -> bool:
    """Whether one of the names fits one of the shell patterns."""
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def names_of(listener: Mapping[str, Any]) -> list[str]:
    """Unit, package and process names of a LISTENER; empty when its owners could not be read."""
    owners = listener["owners"] if isinstance(listener["owners"], list) else []
    # systemd holds the sockets of all socket units.
    processes = [owner["name"] for owner in owners if owner["pid"] != 1]
    return [name for name in (listener["unit"], listener["package"], *processes) if name]
