# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end points of an engine: who may come in by them, and which sockets and options make them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Item,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    configured_value,
)

Endpoint = Mapping[str, Any]

VERIFIED, TLS_ALONE, ANYONE, PLAIN = "tlsverify", "tls without tlsverify", "tlsverify false", "no TLS"

# The role and the variable that put a listener right; the CA's directory is the user's to choose.
BY_ROLE: tuple[str, Mapping[str, Any]] = ("daemon_tls", {"daemon_tls_pki": "authority"})

# What Go's server says to plain HTTP on a TLS port ("Client sent an HTTP request to an HTTPS server.").
_HTTP_ON_TLS = 400


def endpoints(case: Case) -> Iterator[Item]:
    """The engine's TCP listeners: its own and those that systemd holds for it."""
    for endpoint in case.of_engine("endpoints"):
        name = named(endpoint)
        yield Item("socket", name, name, endpoint)


def named(endpoint: Endpoint) -> str:
    """`0.0.0.0:2376`, `[::]:2376`."""
    address = endpoint["address"]
    return f"[{address}]:{endpoint['port']}" if ":" in address else f"{address}:{endpoint['port']}"


def tcp_sockets(case: Case) -> Iterator[Item]:
    """The socket units that hand a TCP socket to the engine's service."""
    if case.rootless:
        return
    for name, unit in sorted(case.host("units").items()):
        if name.endswith(".socket") and case.engine["unit"] in unit["triggers"] and _tcp_addresses(unit):
            yield Item("unit", name, name, (name, unit))


def _tcp_addresses(unit: Mapping[str, Any]) -> list[str]:
    return [
        listen["address"]
        for listen in unit["listens"]
        if not listen["address"].startswith(("/", "@", "vsock:"))
    ]


def verification(engine: Mapping[str, Any]) -> str:
    """How flags and file of today would have the engine treat TCP clients.

    An explicit `tlsverify: false` switches TLS on and accepts anyone, also beside `tls: true` (20.10, 26.1).
    """
    verify, tls = (configured_value(engine, option) for option in ("tlsverify", "tls"))
    if verify is not None:
        return VERIFIED if verify else ANYONE
    return TLS_ALONE if tls else PLAIN


def tcp_hosts(case: Case) -> Iterator[Item]:
    """The TCP addresses that flags or file name, as written."""
    for host in configured_value(case.engine, "hosts") or ():
        if not re.match("(unix|fd|npipe):", host):
            yield Item("setting", host, host, host)


def speaks_tls(endpoint: Endpoint) -> bool:
    tls = read(endpoint, "tls")
    return bool(tls["handshake"] or tls["certificate"] or read(endpoint, "plain")["status"] == _HTTP_ON_TLS)


def lets_in(endpoint: Endpoint) -> str | None:
    """By what the listener takes a client without a certificate, None where it demands one."""
    plain, tls = read(endpoint, "plain"), read(endpoint, "tls")
    if not speaks_tls(endpoint):
        if plain["status"] is None:
            raise Unread(f"{named(endpoint)}: {tls['error']}")
        return "plain HTTP"
    if tls["status"] is not None or tls["certificate_requested"] is False:
        return "TLS without a client certificate"
    if tls["certificate_requested"] is None:
        raise Unread(f"{named(endpoint)}: {tls['error']}")
    return None
