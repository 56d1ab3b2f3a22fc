# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing outlives its time limit: no program, and no call that hangs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.limits import find, run, within, within_each


def test_a_program_answers_in_the_c_locale_without_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    ended = run(["env"], 5)
    assert ended.status == 0
    assert "LC_ALL=C\n" in ended.out
    assert "SECRET" not in ended.out


def test_input_output_and_status() -> None:
    assert run(["sh", "-c", "cat; echo wrong >&2; exit 3"], 5, b"given") == (3, "given", "wrong\n")


def test_a_program_that_hangs_is_ended_with_its_children() -> None:
    before = time.monotonic()
    with pytest.raises(Unreadable, match=r"^sh did not end within 0\.3 s$"):
        run(["sh", "-c", "sleep 60 & sleep 60"], 0.3)
    assert time.monotonic() - before < 5


def test_a_program_that_is_not_installed() -> None:
    assert find("no-such-program") is None
    with pytest.raises(Unreadable, match=r"^no-such-program is not installed$"):
        run(["no-such-program"], 5)


def test_a_call_answers_from_a_child() -> None:
    assert within(5, os.getpid) != os.getpid()
    assert within(5, dict, [("a", [1, None])]) == {"a": [1, None]}


def test_a_long_answer_comes_whole() -> None:
    assert within(10, str.__mul__, "x", 3_000_000) == "x" * 3_000_000


def test_a_call_that_hangs_is_given_up() -> None:
    before = time.monotonic()
    with pytest.raises(Unreadable, match=r"^no answer within 0\.3 s: a file server"):
        within(0.3, time.sleep, 60)
    assert time.monotonic() - before < 5


@pytest.mark.parametrize(
    ("function", "arguments", "sentence"),
    [
        (Path.read_text, (Path("/nonexistent/file"),), "^/nonexistent/file: No such file"),
        (os._exit, (1,), "was killed"),
    ],
)
def test_a_call_that_fails_in_the_child(function: object, arguments: tuple[object], sentence: str) -> None:
    with pytest.raises(Unreadable, match=sentence):
        within(5, function, *arguments)  # type: ignore[arg-type]


def _nap(seconds: list[float], factor: float) -> list[float]:
    time.sleep(sum(seconds) * factor)
    return seconds


def test_of_many_items_only_the_one_that_hangs_is_lost() -> None:
    answers = within_each(0.5, _nap, [0, 60, 0], 1.0)
    assert [items for items, _unused in answers] == [[0], [60], [0]]
    assert [answers[0][1], answers[2][1]] == [[0], [0]]
    assert answers[1][1].keys() == {"error"}


def test_items_that_do_not_hang_are_asked_at_once() -> None:
    assert within_each(5, _nap, [0, 0], 1.0) == [([0, 0], [0, 0])]
