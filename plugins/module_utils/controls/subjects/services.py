# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controls of listeners share: the host's sockets by service, and which somebody declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Case, Item
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.units import unit
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import (
    ENGINE_PROGRAMS,
    NETWORK_MANAGERS,
    SSH,
    Listener,
    is_exposed,
    matches,
    names_of,
    shown,
)

# Each has a control of its own.
_JUDGED_APART = ("rpcbind*", "avahi-daemon*", "systemd-*")
_DHCP_CLIENT_PORTS = (68, 546)
_ALLOW_KEYS = ("unit", "package", "protocol", "port", "address")


class Service(NamedTuple):
    """The sockets of one service at one port."""

    name: str
    protocol: str
    port: int
    sockets: tuple[Listener, ...]

    @property
    def names(self) -> list[str]:
        """Unit, package and process names; empty when the owners could not be read."""
        return sorted({name for socket in self.sockets for name in names_of(socket)})

    @property
    def shown(self) -> str:
        """`tcp 0.0.0.0:111, tcp [::]:111`."""
        return ", ".join(shown(socket) for socket in self.sockets)


def services(case: Case, wanted: Callable[[Listener], bool] = is_exposed) -> list[Item]:
    """The host's own services (not those of containers) with the sockets that are wanted, as Items."""
    groups: dict[tuple[str, str, int], list[Listener]] = {}
    for socket in case.host("listeners"):
        if socket["container"] is None and wanted(socket):
            name = (names_of(socket) or ["unknown"])[0]
            groups.setdefault((name, socket["protocol"], socket["port"]), []).append(socket)
    return [
        Item(
            "socket",
            f"{protocol}/{port}",
            f"{name} {protocol}/{port}",
            Service(name, protocol, port, tuple(sockets)),
        )
        for (name, protocol, port), sockets in sorted(groups.items())
    ]


def require_owner(service: Service) -> None:
    """Raises Unread when whose sockets these are could not be read, as happens without root."""
    if not service.names:
        for socket in service.sockets:
            read(socket, "owners")


def is_ssh(service: Service) -> bool:
    """Whether the service is a secure shell server."""
    return matches(service.names, SSH)


def is_documented(service: Service, case: Case) -> bool:
    """Whether other controls judge the service, or every host has it: secure shell, engines, DHCP clients."""
    names = service.names
    if service.protocol == "udp" and service.port in _DHCP_CLIENT_PORTS:
        return True
    if service.protocol == "raw" and matches(names, NETWORK_MANAGERS):
        return True
    return (
        is_ssh(service)
        or matches(names, (*ENGINE_PROGRAMS, *_JUDGED_APART, "docker*.service", "docker*.socket"))
        or any("docker.service" in (unit(case, name).get("triggers") or ()) for name in names)
        or (service.protocol == "udp" and not names and _is_overlay(service, case))
    )


def _is_overlay(service: Service, case: Case) -> bool:
    """The kernel's own VXLAN socket of a swarm."""
    states = [engine.get("swarm") for engine in case.host("engines")]
    return service.port == 4789 and any(state and state.get("state") == "active" for state in states)


def undeclared(service: Service, entries: Sequence[Mapping[str, Any]]) -> list[Listener]:
    """The sockets that no entry of an allow list names.

    An entry has one or more of unit, package (shell patterns), protocol, port and address; the address is a
    class (wildcard, link_local, specific) or an address itself.
    """
    for entry in entries:
        unknown = [key for key in entry if key not in _ALLOW_KEYS]
        if unknown or not entry:
            raise Unread(
                f"an entry of the parameter allow has other keys than {', '.join(_ALLOW_KEYS)}: {unknown}"
            )
    return [socket for socket in service.sockets if not any(_is_allowed(socket, entry) for entry in entries)]


def _is_allowed(socket: Listener, entry: Mapping[str, Any]) -> bool:
    return all(
        fnmatchcase(str(socket[key] or ""), str(wanted))
        if key in ("unit", "package")
        else str(wanted) in (socket["scope"], socket["address"])
        if key == "address"
        else str(socket[key]) == str(wanted)
        for key, wanted in entry.items()
    )
