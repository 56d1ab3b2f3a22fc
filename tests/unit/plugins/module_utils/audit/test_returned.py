# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host returns is taken by the controller, whoever made it long."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.audit import returned
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error
from ansible_collections.bulwark.docker.plugins.plugin_utils.report import bounds

DEEP = json.loads("[" * 50 + "]" * 50)


def finding(count: int, name: str = "web") -> dict[str, Any]:
    subject = {"kind": "container", "id": "a", "name": name, "verdict": "fail", "evidence": None}
    return {"message": f"{count} of {count}.", "subjects": [dict(subject) for _at in range(count)]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ab", 66),
        (None, 64),
        ([], 64),
        ({"ab": 1}, 64 + 2 + 64),
        ("x" * 65_537, float("inf")),
        ({"x" * 65_537: 1}, float("inf")),
        (DEEP, float("inf")),
    ],
)
def test_weight(value: Any, expected: float) -> None:
    assert returned.weight(value) == expected


def test_what_has_its_weight_is_taken() -> None:
    """The limits are those of the controller."""
    assert min(64 * bounds.VALUES, bounds.TEXTS) > returned.MOST
    values = [0] * int(returned.MOST / 64 - 1)
    texts = ["x" * 60_000] * int(returned.MOST / 60_100)
    for data in (values, texts):
        assert returned.weight(data) <= returned.MOST
        bounds.bounded(data, "result")


def test_all_of_a_usual_host_is_shown() -> None:
    findings = [finding(1000) for _control in range(30)]
    returned.shorten(findings)
    assert {len(each["subjects"]) for each in findings} == {1000}
    assert {each["message"] for each in findings} == {"1000 of 1000."}


def test_the_longest_findings_are_shortened_and_say_so() -> None:
    """One container with a name of 100 kB, or 960,066 subjects, turned the host to failed."""
    findings = [finding(20_000) for _control in range(48)] + [finding(3)]
    returned.shorten(findings)
    bounds.bounded(findings, "result")
    shown = len(findings[0]["subjects"])
    assert 500 < shown < 20_000
    assert findings[0]["message"] == f"20000 of 20000. Only {shown} of 20000 are listed."
    assert (len(findings[-1]["subjects"]), findings[-1]["message"]) == (3, "3 of 3.")


@pytest.mark.parametrize("given", [{"a": [1, "b"]}, "short", None, True, ["NET_RAW"] * 30])
def test_values_stay_as_they_are(given: Any) -> None:
    assert returned.value(given) == given


@pytest.mark.parametrize("given", ["x" * 100_000, ["x" * 100] * 1000, [0] * 5000, DEEP, {"x" * 70_000: 1}])
def test_values_that_are_too_large_are_texts(given: Any) -> None:
    bounds.bounded({"actual": returned.value(given)}, "result")


def test_the_largest_parts_give_way_those_of_accounts_first() -> None:
    large, small = ["x" * 50_000] * 500, ["x"] * 10
    snapshot: dict[str, Any] = {
        "schema": 1,
        "host": {"name": "h"},
        "engines": [
            {"name": "system", "user": None, "containers": large, "images": small},
            *(
                {
                    "name": f"rootless:{at}",
                    "user": str(at),
                    "containers": large,
                    "images": small,
                    "info": DEEP,
                }
                for at in range(30)
            ),
        ],
        "listeners": small,
    }
    taken = returned.fitting(snapshot, {"findings": []})
    bounds.bounded(taken, "result")
    system, *others = taken["engines"]
    assert (system, taken["listeners"]) == (snapshot["engines"][0], small)
    assert all(is_error(each["info"]) and each["images"] == small for each in others)
    assert sum(not is_error(each["containers"]) for each in others) == 1
    # What was judged is not touched.
    assert snapshot["engines"][1]["containers"] is large


def test_a_section_that_nobody_could_take_is_marked() -> None:
    taken = returned.fitting({"engines": {"error": "why"}, "files": ["x" * 70_000], "units": []}, {})
    assert (taken["engines"], taken["units"]) == ({"error": "why"}, [])
    assert "left out of the result" in taken["files"]["error"]
