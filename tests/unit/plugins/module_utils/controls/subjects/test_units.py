# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units as controls look them up: known, unknown, and without a systemd to ask."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Case
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.units import unit
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.units import is_enabled

DOCKER = {"enabled": "enabled", "active": "active"}


@pytest.mark.parametrize(
    ("name", "expected"), [("docker.service", DOCKER), ("other.service", {}), (None, {})]
)
def test_a_unit_is_what_systemd_says_of_it(name, expected):
    assert unit(Case({"units": {"docker.service": DOCKER}}), name) == expected


def test_units_that_could_not_be_read_are_unknown():
    with pytest.raises(Unread, match="no bus"):
        unit(Case({"units": {"error": "no bus"}}), "docker.service")


@pytest.mark.parametrize(
    ("state", "expected"),
    [("enabled", True), ("enabled-runtime", True), ("static", False), ("disabled", False), (None, False)],
)
def test_a_unit_is_enabled_when_it_starts_at_boot_by_itself(state, expected):
    assert is_enabled({"enabled": state}) is expected


def test_an_unknown_unit_is_not_enabled():
    assert not is_enabled({})
