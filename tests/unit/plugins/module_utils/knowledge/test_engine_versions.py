# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions as engines and distributions write them, release lines, and fixes by release."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.engine_versions import (
    FLAWS,
    SUPPORTED_UNTIL,
    Flaw,
    engine_version,
    is_mended,
    is_rebuilt,
    numbers,
    release_line,
)

from tests.unit.builders.daemon import engine


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("28.5.2+dfsg4", (28, 5, 2)),
        ("v2.2.6", (2, 2, 6)),
        ("1.6.20~ds1", (1, 6, 20)),
        ("19.03.15", (19, 3, 15)),
        ("dev", ()),
    ],
)
def test_numbers_of_versions(text, parsed):
    assert numbers(text) == parsed


@pytest.mark.parametrize(
    ("version", "line"),
    [
        ((29, 7, 2), "29"),
        ((27, 0, 1), "27"),
        ((26, 1, 5), "26.1"),
        ((25, 0, 6), "25.0"),
        ((20, 10, 5), "20.10"),
        ((19, 3, 15), "19.03"),
        ((18, 9, 1), "18.09"),
    ],
)
def test_release_lines(version, line):
    assert release_line(version) == line
    assert line in SUPPORTED_UNTIL


def test_a_build_without_a_version_is_unread():
    with pytest.raises(Unread, match="is not a release"):
        engine_version(engine(version={"Version": "dev"}))


@pytest.mark.parametrize(
    ("version", "mended"),
    [
        ("23.0.14", False),
        ("23.0.15", True),
        ("24.0.9", False),
        ("25.0.6", True),
        ("26.0.2", False),
        ("26.1.5", True),
        ("27.1.0", False),
        ("27.1.1", True),
        ("27.2.0", True),
        ("28.0.0", True),
        ("20.10.27", False),
    ],
)
def test_a_fix_counts_per_line_and_from_the_last_line_on(version, mended):
    flaw = Flaw("Engine", "CVE-2024-41110", "", ("23.0.15", "25.0.6", "26.1.5", "27.1.1"))
    assert is_mended(flaw, numbers(version)) is mended


@pytest.mark.parametrize(
    ("version", "commit", "rebuilt"),
    [
        ("28.5.2+dfsg4", "3ef3c07", True),
        ("1.3.6+ds1", None, True),
        ("1.6.20~ds1", None, True),
        ("27.5.1", "27.5.1-0ubuntu3~24.04.2", True),
        ("29.7.2", "20e75ce", False),
        ("v2.2.6", None, False),
        ("1.4.0-rc.3", None, False),
        ("2.1.9+unknown", None, False),
    ],
)
def test_builds_of_distributions_are_known(version, commit, rebuilt):
    assert is_rebuilt(version, commit) is rebuilt


def test_the_tables_are_well_formed():
    for until in filter(None, SUPPORTED_UNTIL.values()):
        assert datetime.date.fromisoformat(until)
    for flaw in FLAWS:
        assert list(flaw.mended) == sorted(flaw.mended, key=numbers), flaw.ids
