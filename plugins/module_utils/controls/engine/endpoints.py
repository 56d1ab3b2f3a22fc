# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the engine's TCP listeners, judged by what they answered to a client without a certificate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Deviation,
    NotApplicable,
    Remedy,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.endpoints import (
    BY_ROLE,
    TLS_ALONE,
    VERIFIED,
    Endpoint,
    _tcp_addresses,
    endpoints,
    named,
    speaks_tls,
    tcp_hosts,
    tcp_sockets,
    verification,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import WILDCARDS
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.units import is_enabled

control = scope("listeners", per_engine=True, over=endpoints)


@control(
    "listener.docker_api_unauthenticated",
    "No client without a certificate gets an answer from the Docker API",
    "critical",
    Remedy(
        "restart",
        "Remove the TCP listener, or set tlsverify with tlscacert, tlscert and tlskey before it opens. "
        "Without a PKI the role closes it, with daemon_tls_allow_close.",
        *BY_ROLE,
    ),
    requirements=("RT-01", "RT-16", "RT-17", "RT-50"),
    cis=("2.7",),
    level=1,
)
def unauthenticated(endpoint: Endpoint, case: Case) -> list[Deviation]:
    """Who reaches the API is root of the host. What counts is what answers, not what the files say: a socket
    unit without TLS keys opens the API without a word in any log, and no port number tells what speaks there
    (seen on 20.10 and 26.1)."""
    ways = {"plain HTTP": read(endpoint, "plain"), "TLS without a client certificate": read(endpoint, "tls")}
    found = [
        Deviation(f"answers to {way}", "refused", f"status 200, opened by {endpoint['source']}")
        for way, answer in ways.items()
        if answer["status"] == 200
    ]
    if not found and not _answered(endpoint):
        raise Unread(f"{named(endpoint)} speaks neither HTTP nor TLS: {endpoint['plain']['error']}")
    return found


@control(
    "listener.docker_api_client_certificates",
    "Every TCP listener of the Docker API demands a client certificate",
    "critical",
    Remedy(
        "restart",
        "Set tlsverify to true and tlscacert to a CA of your own; tlsverify false accepts anyone.",
        *BY_ROLE,
    ),
    requirements=("RT-10", "RT-16"),
    cis=("2.7",),
    level=1,
)
def client_certificates(endpoint: Endpoint, case: Case) -> Deviation | None:
    """TLS alone encrypts for everyone. An explicit tlsverify false switches TLS on and accepts any client,
    also beside tls true; tls true alone demands certificates since 20.10, not before (seen)."""
    plain, tls = read(endpoint, "plain"), read(endpoint, "tls")
    if 200 in (plain["status"], tls["status"]):
        raise NotApplicable("it answers everyone")
    if not speaks_tls(endpoint):
        if plain["status"] is None:
            raise Unread(f"{named(endpoint)}: {tls['error']}")
        return Deviation("plain HTTP", "TLS with client certificates", f"opened by {endpoint['source']}")
    if tls["status"] is not None:
        return Deviation(
            f"answered {tls['status']}", "refused", f"{tls['version']} without a client certificate"
        )
    if tls["certificate_requested"] is False:
        return Deviation("not requested", "requested", f"{tls['version']} handshake")
    if tls["certificate_requested"] is None:
        raise Unread(f"{named(endpoint)}: {tls['error']}")
    return None


@control(
    "listener.docker_api_address",
    "The Docker API does not listen on all addresses",
    "medium",
    Remedy(
        "restart",
        "Name one address of the host in ListenStream or hosts; a bare port means all, IPv6 too.",
        *BY_ROLE,
    ),
    requirements=("RT-13",),
    parameters={"allow": []},
)
def api_address(endpoint: Endpoint, case: Case) -> Deviation | None:
    """The certificates are then the only guard towards every network the host is ever connected to."""
    if endpoint["address"] not in WILDCARDS or named(endpoint) in case.parameters["allow"]:
        return None
    return Deviation(named(endpoint), "a specific address", f"opened by {endpoint['source']}")


@control(
    "listener.docker_api_port_named",
    "Every TCP address of the engine names its port",
    "low",
    Remedy("restart", "Write the port: tcp://ADDRESS:2376.", *BY_ROLE),
    requirements=("RT-17",),
    over=tcp_hosts,
)
def port_named(host: str, case: Case) -> Deviation | None:
    """tcp:// without a port means 2375, the port known for plain HTTP, even with TLS (seen on 20.10 and
    26.1)."""
    if re.search(r":\d+$", host):
        return None
    return Deviation("2375", "a port", host)


@control(
    "listener.docker_socket_unit_tls",
    "Socket units open the Docker API on TCP only together with TLS",
    "critical",
    Remedy(
        "restart",
        "Set tlsverify, tlscacert, tlscert and tlskey in daemon.json before the socket unit starts.",
        *BY_ROLE,
    ),
    requirements=("RT-11",),
    over=tcp_sockets,
)
def socket_unit_tls(socket: tuple[str, Mapping[str, Any]], case: Case) -> Deviation | None:
    """The engine wraps a socket that systemd hands over in TLS only if its own options say so; otherwise
    it serves plain HTTP there and warns nowhere (seen on 20.10 and 26.1). Judged are units that have not
    answered yet: the next boot or start opens them."""
    unit_name, unit = socket
    if unit["active"] != "active" and not is_enabled(unit):
        raise NotApplicable("the socket unit is off")
    if any(
        _answered(endpoint) for endpoint in case.of_engine("endpoints") if endpoint["source"] == unit_name
    ):
        raise NotApplicable("its listener is judged by what it answered")
    if verification(case.engine) in (VERIFIED, TLS_ALONE):
        return None
    return Deviation(_tcp_addresses(unit), "tlsverify", "neither flags nor file demand client certificates")


def _answered(endpoint: Endpoint) -> bool:
    return read(endpoint, "plain")["status"] is not None or speaks_tls(endpoint)


@control(
    "listener.docker_socket_unit_enabled",
    "A socket unit that serves the Docker API is started at boot",
    "medium",
    Remedy(
        "live",
        "Run systemctl enable for the socket unit, or stop and remove it and restart the engine.",
        *BY_ROLE,
    ),
    requirements=("RT-12",),
    over=tcp_sockets,
)
def socket_unit_enabled(socket: tuple[str, Mapping[str, Any]], case: Case) -> Deviation | None:
    """The usual recipe only starts docker-tcp.socket: after the next boot remote clients find nothing, and
    the listener that was reviewed is not the one that runs."""
    _unused, unit = socket
    if unit["active"] != "active" or is_enabled(unit) or unit["enabled"] == "static":
        return None
    return Deviation(unit["enabled"] or "no state", "enabled", "active now")
