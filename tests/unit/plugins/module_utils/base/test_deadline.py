# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time an audit may take holds for what waits, for what computes, and for what no signal wakes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.audit import judge
from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline, errors, identity, limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Control,
    Deviation,
    Item,
    Remedy,
)

WHY = {"error": "not read: the audit's deadline of 0.2 s had passed"}


def never_ends() -> None:
    """A loop of Python alone, with the broad clauses that code on the way may have."""
    while True:
        try:
            sum(range(100))
        except Exception as problem:
            raise AssertionError from problem


def pattern_without_an_end() -> Any:
    return re.match(r"(a|aa)+$", "a" * 200 + "b")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "GRACE", 0.1)


@pytest.mark.parametrize(
    "read",
    [
        never_ends,
        pattern_without_an_end,
        lambda: time.sleep(60),
        lambda: threading.Event().wait(60),
        lambda: limits.run(["sleep", "60"], 60),
        lambda: limits.within(60, time.sleep, 60),
        lambda: limits.within_each(60, lambda items: time.sleep(60), [1, 2, 3]),
    ],
)
def test_what_takes_longer_is_marked_and_what_follows_is_not_begun(read: Callable[[], Any]) -> None:
    begun = time.monotonic()
    later: list[int] = []
    with deadline.limited(0.2):
        found = attempt(read)
        assert attempt(later.append, 1) == WHY
    assert time.monotonic() - begun < 2
    assert later == []
    lost = found if isinstance(found, dict) else found[-1][1]
    assert lost == WHY


def test_the_innermost_part_is_lost_and_those_around_it_go_on() -> None:
    def part() -> dict[str, Any]:
        return {"before": attempt(int, "1"), "slow": attempt(never_ends), "after": attempt(int, "2")}

    with deadline.limited(0.2):
        assert attempt(part) == {"before": 1, "slow": WHY, "after": WHY}


def test_it_rings_until_all_has_ended() -> None:
    def goes_on() -> None:
        attempt(never_ends)
        never_ends()

    with deadline.limited(0.2):
        assert attempt(goes_on) == WHY


def test_no_other_code_is_cut_short() -> None:
    with deadline.limited(0.1):
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            sum(range(100))


def test_what_has_to_put_something_back_is_not_cut_short() -> None:
    steps = []

    @deadline.uninterrupted
    def whole() -> None:
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            sum(range(100))
        steps.append("put back")

    with deadline.limited(0.1):
        assert attempt(whole) is None
    assert steps == ["put back"]
    assert identity.connect.__wrapped__  # type: ignore[attr-defined]


def test_a_program_and_a_child_that_are_given_up_are_ended() -> None:
    with deadline.limited(0.2):
        attempt(limits.run, ["sleep", "61"], 60)
        attempt(limits.within, 60, time.sleep, 61)
    time.sleep(0.2)
    words = ["ps", "--ppid", str(os.getpid()), "--format", "stat=,comm="]
    shown = subprocess.run(words, capture_output=True, check=True, text=True).stdout.splitlines()
    assert [line for line in shown if not line.startswith("Z") and not line.endswith(" ps")] == []


def test_a_share_ends_before_the_whole_and_leaves_the_rest() -> None:
    with deadline.limited(10):
        with deadline.share(0.02, "the homes"):
            assert attempt(never_ends) == {"error": "not read: the homes had taken the 0.2 s that they may"}
        assert attempt(int, "7") == 7
        assert deadline.left(60) > 5
    with deadline.share(0.1, "the homes"):
        assert deadline.left(60) == 60


def test_without_a_deadline_there_is_none() -> None:
    assert (deadline.passed(), deadline.left(7.0), deadline.end(7.0)) == (False, 7.0, 7.0)
    before = signal.getsignal(signal.SIGALRM)
    with deadline.limited(5):
        assert deadline.left(7.0) <= 5
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_in_a_thread_what_has_not_begun_is_not_begun() -> None:
    found = []
    with deadline.limited(0.05):
        time.sleep(0.1)
        other = threading.Thread(target=lambda: found.append(attempt(int, "1")))
        other.start()
        other.join()
    assert errors.is_error(found[0])


def control(name: str, judged: Callable[[Any, Any], Any]) -> Control:
    items = [Item("host", "a", "a", 1), Item("host", "b", "b", 2)]
    return Control(
        f"host.{name}", name, "low", "host", False, lambda case: items, judged, Remedy("manual", "")
    )


def test_judging_ends_too_and_says_what_it_knows() -> None:
    def first_bad_then_slow(value: int, case: Any) -> Any:
        return Deviation(1) if value == 1 else never_ends()

    controls = [
        control("good", lambda value, case: None),
        control("known", first_bad_then_slow),
        control("late", lambda value, case: None),
    ]
    with deadline.limited(0.2):
        deadline.extend(0.3)
        found = judge.findings_of({"engines": []}, controls, {}, {})
    assert [each["verdict"] for each in found] == ["pass", "fail", "unknown"]
    assert found[2]["message"] == "not judged: the audit's deadline of 0.2 s had passed"
