# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The age of an engine: supported lines by the host's clock, and known flaws of its components."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.engine.versions import (
    known_flaws,
    supported,
)

from tests.unit.builders.daemon import DAY, NOW, engine, said, snapshot, stopped_engine
from tests.unit.builders.judging import finding


def of_version(text, **components):
    parts = {"Engine": text, **components}
    return engine(version={"Version": text, "Components": parts})


@pytest.mark.parametrize(
    ("version", "verdict", "text"),
    [
        ("29.7.2", "pass", ""),
        ("29.0.0", "pass", ""),
        ("25.0.17", "pass", ""),
        ("28.5.2", "fail", "28 was supported until 2025-11-10"),
        ("28.5.2+dfsg4", "fail", "built by a distribution, which may support it longer"),
        ("26.1.5", "fail", "26.1 was supported until 2025-02-17"),
        ("20.10.24", "fail", "20.10 was supported until 2023-12-10"),
        ("17.03.2", "fail", "17.03 has been out of support for years"),
        ("30.0.0", "unknown", "younger than the table"),
        ("dev", "unknown", "is not a release"),
    ],
)
def test_release_lines_are_supported_until_a_day(version, verdict, text):
    found = finding(supported, snapshot(of_version(version)))
    assert found["verdict"] == verdict
    assert text in said(found)


def test_the_hosts_clock_decides():
    later = {"host": {"time": NOW + 30 * DAY}}
    assert finding(supported, snapshot(of_version("25.0.17"), **later))["verdict"] == "fail"


def test_the_table_grows_too_old_to_vouch_for_a_line():
    late = {"host": {"time": NOW + 400 * DAY}}
    found = finding(supported, snapshot(**late))
    assert found["verdict"] == "unknown"
    assert "too old to tell of engine 29" in found["message"]


def test_a_line_that_the_vendor_maintains_can_be_named():
    host = snapshot(of_version("26.1.5+dfsg1"))
    assert finding(supported, host, also_supported=["26.1"])["verdict"] == "pass"
    assert finding(supported, host, also_supported=["26.0"])["verdict"] == "fail"


@pytest.mark.parametrize(
    ("running", "verdict", "text"),
    [
        (engine(), "pass", ""),
        (of_version("29.5.0"), "fail", "GHSA-x86f-5xw2-fm2r"),
        (of_version("29.2.0"), "fail", "CVE-2026-34040"),
        (of_version("26.1.4"), "fail", "CVE-2024-41110"),
        (of_version("29.7.2", runc="1.1.11"), "fail", "CVE-2024-21626"),
        (of_version("29.7.2", runc="1.3.2"), "fail", "1.2.8 or 1.3.3 or 1.4.0"),
        (of_version("29.7.2", containerd="v1.7.28"), "fail", "CVE-2024-25621"),
        (of_version("29.7.2", runc="1.1.5+ds1"), "manual", "runc 1.1.5+ds1"),
        (of_version("29.7.2", runc="1.1.5+ds1", containerd="1.7.28"), "fail", "containerd 1.7.28"),
        (of_version("29.7.2", containerd="", runc="library"), "pass", ""),
        (stopped_engine(), "unknown", "docker.service is inactive"),
    ],
)
def test_flaws_are_known_by_component_and_release(running, verdict, text):
    found = finding(known_flaws, snapshot(running))
    assert found["verdict"] == verdict
    assert text in said(found)


def test_flaws_of_authorization_plugins_need_one():
    without = engine(
        version={"Version": "29.5.1", "Components": {"Engine": "29.2.0"}},
        info={"Plugins": {"Authorization": None}},
    )
    text = said(finding(known_flaws, snapshot(without)))
    assert "CVE-2026-34040" not in text
    assert "GHSA-x86f-5xw2-fm2r" in text
