# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients and daemons in Go take of a certificate."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.certificates import (
    ANY,
    OTHER,
    SERVER,
    covers,
    purpose,
    weakness,
)

from tests.unit.builders.daemon import authority, certificate


@pytest.mark.parametrize(
    ("san", "name", "covered"),
    [
        ("DNS:a.example", "A.Example.", True),
        ("DNS:*.example", "a.example", True),
        ("DNS:*.example", "b.a.example", False),
        ("DNS:*.example", "example", False),
        ("DNS:a.*.example", "a.b.example", False),
        ("DNS:localhost", "localhost", True),
        ("DNS:*", "localhost", False),
        ("IP:192.0.2.1", "192.0.2.1", True),
        ("DNS:192.0.2.1", "192.0.2.1", False),
        ("IP:fe80::1", "fe80:0::1%eth0", True),
        ("IP:2001:db8::1", "[2001:db8:0:0::1]", True),
        ("IP:192.0.2.10", "192.0.2.1", False),
        ("email:a.example", "a.example", False),
    ],
)
def test_names_are_compared_as_clients_do(san, name, covered) -> None:
    assert covers([san], name) is covered


@pytest.mark.parametrize(
    ("usages", "found"),
    [
        (None, ANY),
        (["anyExtendedKeyUsage"], ANY),
        (["clientAuth", "serverAuth"], SERVER),
        (["clientAuth"], OTHER),
        ([], OTHER),
    ],
)
def test_purposes(usages, found) -> None:
    assert purpose(usages) == found


@pytest.mark.parametrize(
    ("held", "found"),
    [
        (certificate(), None),
        (certificate(key_type="Ed25519", key_bits=None), None),
        (certificate(key_type="RSA", key_bits=2047), "a RSA key of 2047 bits"),
        (certificate(key_type="DSA", key_bits=2048), "kind DSA"),
        (certificate(signature_algorithm="sha1WithRSAEncryption"), "can be forged"),
        (authority(signature_algorithm="sha1WithRSAEncryption"), None),
    ],
)
def test_weaknesses(held, found) -> None:
    said = weakness(held)
    assert said is None if found is None else found in str(said)
