# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is let in by a listener, what a stage keeps of the proof, and the client's files that go after it."""

from __future__ import annotations

import json

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import api_endpoints, handshakes

from tests.unit.builders.daemon import endpoint, open_endpoint, silent_endpoint


def with_tls(**changes):
    found = endpoint()
    return {**found, "tls": {**found["tls"], **changes}}


@pytest.mark.parametrize(
    ("found", "clients"),
    [
        (endpoint(), "verified"),
        (open_endpoint(), "anyone"),
        (with_tls(status=200), "anyone"),
        # Asked for, and not demanded: a plugin refuses what was asked.
        (with_tls(status=403), "unknown"),
        (with_tls(certificate_requested=False), "unknown"),
        (silent_endpoint(), "unknown"),
        (silent_endpoint("not asked: a connection would make systemd start docker.service"), "unknown"),
    ],
)
def test_who_is_let_in(found, clients):
    assert api_endpoints.clients(found) == clients


def test_a_proof_is_plain_data():
    data = api_endpoints.proof(["192.0.2.1", "::1"], 2376, "/ca.pem", "/cert.pem", "/srv/proof", True)
    assert json.loads(json.dumps(data)) == data
    expected = handshakes.Proof([("192.0.2.1", 2376), ("::1", 2376)], "/ca.pem", "/cert.pem", "/srv/proof")
    assert handshakes.Proof.of(data) == expected
    assert api_endpoints.proof([], 2376, "/ca.pem", "/cert.pem", None, False)["endpoints"] == []


@pytest.mark.parametrize(
    ("discards", "more", "left"),
    [
        (True, [], None),
        (True, ["ca.pem"], ["ca.pem"]),
        (False, [], ["cert.pem", "key.pem"]),
    ],
)
def test_the_clients_files_afterwards(tmp_path, discards, more, left):
    directory = tmp_path / "proof"
    directory.mkdir()
    for name in ("cert.pem", "key.pem", *more):
        (directory / name).write_text("x")
    data = api_endpoints.proof(["192.0.2.1"], 2376, "/ca.pem", "/cert.pem", str(directory), discards)
    api_endpoints.discard(data)
    # Also where a run before has done so.
    api_endpoints.discard(data)
    found = sorted(path.name for path in directory.iterdir()) if directory.exists() else None
    assert found == left


def test_nothing_to_discard():
    api_endpoints.discard(None)
    api_endpoints.discard(api_endpoints.proof(["192.0.2.1"], 2376, "/ca.pem", "/cert.pem", None, True))
