# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the engine's API listens on TCP now, and the proof that it does so as wanted after a change."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import handshakes
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.target import Target
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.verify import Unwell
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import endpoints
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes, units
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import listeners

ANYONE, VERIFIED, UNKNOWN = "anyone", "verified", "unknown"
CLIENT_FILES = ("cert.pem", "key.pem")


def api(target: Target, known_units: Mapping[str, Any], timeout: float) -> list[dict[str, Any]]:
    """The TCP end points of the engine's API, as the audit finds them: the ENDPOINTs of docs/snapshot.md."""
    # The packages of programs do not matter here.
    found = listeners.listeners(known_units, processes.walk(), [dict(target.engine)], lambda _paths: {})
    return endpoints.endpoints(target.engine, found, known_units, timeout)


def clients(endpoint: Mapping[str, Any]) -> str:
    """Who is let in: ANYONE, VERIFIED (those with a certificate), or UNKNOWN."""
    plain, tls = endpoint["plain"], endpoint["tls"]
    if 200 in (plain["status"], tls["status"]):
        return ANYONE
    if tls["certificate_requested"] and tls["status"] is None:
        return VERIFIED
    return UNKNOWN


def proof(
    addresses: list[str], port: int, ca: str, certificate: str, client: str | None, discard_client: bool
) -> dict[str, Any]:
    """What prove() takes; it is plain data, as a stage keeps it. Without addresses nothing may listen."""
    expected = handshakes.Proof([(address, port) for address in addresses], ca, certificate, client)
    return {**expected.as_dict(), "discard_client": discard_client}


def prove(data: Mapping[str, Any], target: Target, seconds: float) -> list[str]:
    """The engine listens where it should and nowhere else, and only to clients of its CA; returns what could not be
    proved. Raises Unwell."""
    wanted = handshakes.Proof.of(data)
    notices = handshakes.prove(wanted, seconds) if wanted.endpoints else []
    for each in api(target, units.units(()), min(seconds, 5)):
        if (each["address"], each["port"]) not in wanted.endpoints:
            raise Unwell(f"the API still listens on {each['address']} port {each['port']} ({each['source']})")
    return notices


def discard(data: Mapping[str, Any] | None) -> None:
    """Remove the client's files that were made for the proof alone."""
    if not data or not data["discard_client"] or not data["client"]:
        return
    directory = Path(data["client"])
    for name in CLIENT_FILES:
        with contextlib.suppress(FileNotFoundError):
            (directory / name).unlink()
    # Where something else lies in it, it stays.
    with contextlib.suppress(OSError):
        directory.rmdir()
