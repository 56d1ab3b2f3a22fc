# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine says beyond all that engines say costs the part in which it says it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import answers, engine

from tests.unit.plugins.module_utils.probes.engine.test_engine import inspect_path
from tests.unit.plugins.module_utils.probes.engine_server import (
    SELF,
    VERSIONS,
    WALKED,
    Engine,
    known,
    listening,
    recorded,
)


def got(answer: Any) -> Any:
    with listening(Engine({"/x": answer})) as path:
        return answers.AuditedApi(path, 5.0, SELF).get("/x")


def test_long_texts_are_cut_wherever_they_stand() -> None:
    given = {"Names": ["/" + "x" * 100_000], "y" * 100_000: 1, "short": "as it is"}
    found = got(given)
    assert len(found["Names"][0]) == answers.LONGEST_TEXT + len("(cut)")
    assert {len(key) for key in found} == {5, answers.LONGEST_TEXT + len("(cut)")}
    assert (len(found), found["short"]) == (3, "as it is")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([1] * 5001, "more than 5000 entries"),
        ({"Volumes": [1] * 5001}, "more than 5000 entries"),
        ({str(at): at for at in range(5001)}, "more than 5000 entries"),
        (json.loads("[" * 50 + "]" * 50), "nested more than"),
    ],
)
def test_what_is_longer_or_deeper_than_of_any_engine_is_refused(answer: Any, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        got(answer)
    assert got([1] * 5000) == [1] * 5000


def containers(answer: dict[str, Any]) -> None:
    answer["/containers/json?all=1"] = [{"Id": "1", "State": ""}] * 20_000


def images(answer: dict[str, Any]) -> None:
    answer["/images/json"] *= 5000


def networks(answer: dict[str, Any]) -> None:
    answer["/networks"] = [{"Id": "1"}] * 6000


def volumes(answer: dict[str, Any]) -> None:
    answer["/volumes"]["Volumes"] *= 6000


@pytest.mark.parametrize("lengthen", [containers, images, networks, volumes])
def test_a_list_that_is_too_long_costs_itself(lengthen: Callable[[dict[str, Any]], None]) -> None:
    given = recorded(VERSIONS[-1])
    lengthen(given)
    with listening(Engine(given)) as path:
        found = engine.ask(known(path), WALKED, 5.0)
    lost = {part for part in ("containers", "images", "networks", "volumes") if is_error(found[part])}
    assert lost == {lengthen.__name__}
    assert "more than 5000 entries" in found[lengthen.__name__]["error"]


def test_a_container_that_is_too_large_costs_itself() -> None:
    given = recorded(VERSIONS[-1])
    given[inspect_path(given, "vanilla")]["HostConfig"]["CapAdd"] = ["x"] * 10_000
    with listening(Engine(given)) as path:
        found = engine.ask(known(path), WALKED, 5.0)
    assert [each["name"] for each in found["containers"] if is_error(each["config"])] == ["vanilla"]
