# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of capabilities: bits as the kernel numbers them, names as Docker takes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.capabilities import (
    ALL,
    BITS,
    CAPABILITIES,
    CRITICAL,
    DEFAULT,
    among,
    mask,
    names,
)

HEADER = Path("/usr/include/linux/capability.h")


@pytest.mark.parametrize(
    ("words", "bits"),
    [
        (None, 0),
        ([], 0),
        (["CHOWN"], 1),
        (["cap_chown", "Setuid"], 1 | 1 << 7),
        (["CAP_CHECKPOINT_RESTORE"], 1 << 40),
        (["all"], (1 << 41) - 1),
        (["ALL", "CHOWN"], (1 << 41) - 1),
        (["CAP_ALL_OF_THEM"], 0),
    ],
)
def test_every_spelling_of_a_name(words, bits):
    """Edge case 117."""
    assert mask(words) == bits


def test_the_default_set_is_docker_s():
    assert names(DEFAULT).split(", ") == [
        *("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
        *("NET_BIND_SERVICE", "NET_RAW", "SYS_CHROOT", "MKNOD", "AUDIT_WRITE", "SETFCAP"),
    ]


def test_a_capability_newer_than_the_table_bears_its_number():
    assert names(1 | 1 << 41) == "CHOWN, 41"
    assert among(1 << 41)[0].risk == "unknown"


def test_what_leads_to_the_host_is_critical():
    assert names(CRITICAL) == "DAC_READ_SEARCH, SYS_MODULE, SYS_RAWIO, SYS_PTRACE, SYS_ADMIN, SYS_BOOT"


def test_every_capability_has_a_risk_and_advice():
    assert len(CAPABILITIES) == 41
    assert ALL.bit_length() == 41
    assert {one.risk for one in CAPABILITIES} == {"none", "low", "medium", "high", "critical"}
    assert all(one.advice and one.needed_when for one in CAPABILITIES)


@pytest.mark.skipif(not HEADER.exists(), reason="the kernel's headers are not installed")
def test_the_bits_are_the_kernel_s():
    defined = re.findall(r"^#define CAP_(\w+)\s+(\d+)$", HEADER.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name: 1 << int(bit) for name, bit in defined} == BITS
