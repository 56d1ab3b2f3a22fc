# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security options with an inlined seccomp profile."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.seccomp import split

ERRNO = '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}'
ALLOW = '{"defaultAction":"SCMP_ACT_ALLOW"}'
LOGS = '{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}'
REFUSES = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mount"],"action":"SCMP_ACT_ERRNO"}]}'


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (None, []),
        ([], []),
        (["seccomp=unconfined", "no-new-privileges"], ["seccomp=unconfined", "no-new-privileges"]),
        (["seccomp:unconfined"], ["seccomp:unconfined"]),
        (["seccomp=builtin"], ["seccomp=builtin"]),
    ],
)
def test_without_profile(options: list[str] | None, kept: list[str]) -> None:
    assert split(options) == (kept, None)


@pytest.mark.parametrize(
    ("profile", "action", "everything"),
    [
        (ERRNO, "SCMP_ACT_ERRNO", False),
        (ALLOW, "SCMP_ACT_ALLOW", True),
        (LOGS, "SCMP_ACT_LOG", True),
        (REFUSES, "SCMP_ACT_ALLOW", False),
    ],
)
@pytest.mark.parametrize("separator", ["=", ":"])
def test_profile(profile: str, action: str, everything: bool, separator: str) -> None:
    kept, facts = split(["label=disable", f"seccomp{separator}{profile}"])
    assert kept == ["label=disable", "seccomp=json"]
    assert (facts["default_action"], facts["allows_everything"]) == (action, everything)


def test_digest_is_that_of_the_content() -> None:
    spellings = (
        '{"defaultAction": "SCMP_ACT_ALLOW",\n "syscalls": []}',
        '{"syscalls":[],"defaultAction":"SCMP_ACT_ALLOW"}',
    )
    digests = {split([f"seccomp={text}"])[1]["sha256"] for text in spellings}
    assert len(digests) == 1
    assert split([f"seccomp={ALLOW}"])[1]["sha256"] not in digests


@pytest.mark.parametrize("text", ["{", '{"defaultAction": 3', "{}", '{"defaultAction":"x","syscalls":[1]}'])
def test_profile_that_is_none(text: str) -> None:
    kept, facts = split([f"seccomp={text}"])
    expected: Any = {"error"}
    assert kept == ["seccomp=json"]
    assert set(facts) == expected
