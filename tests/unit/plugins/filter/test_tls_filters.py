# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of a certificate, and the days that it has left."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.filter.certificate_days_left import certificate_days_left
from ansible_collections.bulwark.docker.plugins.filter.subject_alt_names import subject_alt_names

NAMES = {
    "Dock1.Example": ["DNS:dock1.example"],
    "dock1.example.": ["DNS:dock1.example"],
    "dns:dock1": ["DNS:dock1"],
    "*.example": ["DNS:*.example"],
    "docker_hosts-1": ["DNS:docker_hosts-1"],
    "192.0.2.7": ["IP:192.0.2.7"],
    "[2001:DB8:0::7]": ["IP:2001:db8::7"],
    "fe80::1%eth0": ["IP:fe80::1"],
    "IP:192.0.2.7": ["IP:192.0.2.7"],
    "192.0.2.7.": ["IP:192.0.2.7"],
    "::ffff:192.0.2.7": ["IP:192.0.2.7"],
    "IP:::FFFF:c000:207%eth0": ["IP:192.0.2.7"],
    "64:ff9b::192.0.2.7": ["IP:64:ff9b::c000:207"],
    "::ffff:127.0.0.1": [],
    "::ffff:0.0.0.0": [],
    "192.000.002.007": [],
    "localhost": [],
    "dock1.localdomain": [],
    "127.0.0.1": [],
    "::1": [],
    "0.0.0.0": [],
    "a web server": [],
    "": [],
}


@pytest.mark.parametrize("name", NAMES)
def test_name(name: str) -> None:
    assert subject_alt_names([name]) == NAMES[name]


def test_each_name_once_and_sorted() -> None:
    assert subject_alt_names(["b", "192.0.2.7", "a", "B", None]) == ["DNS:a", "DNS:b", "IP:192.0.2.7"]


@pytest.mark.parametrize(
    "pem", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_what_is_no_certificate_has_no_day_left(pem: str) -> None:
    assert certificate_days_left(pem) == 0
