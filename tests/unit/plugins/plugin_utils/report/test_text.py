# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown of untrusted text is printable."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.text import clip, percent, show, visible

from tests.unit.plugins.reports import HOSTILE_NAMES


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web1", "web1"),
        ("two words", "two words"),
        ("naïve שלום 名前", "naïve שלום 名前"),
        ("a\nb", "a<U+000A>b"),
        ("\x1b[31m", "<U+001B>[31m"),
        ("\u202egpj.exe", "<U+202E>gpj.exe"),
        ("zero\u200bwidth", "zero<U+200B>width"),
        ("line\u2028end", "line<U+2028>end"),
        ("\ud800", "<U+D800>"),
        ("no\u00a0break", "no<U+00A0>break"),
        ("\U000e0041tag", "<U+E0041>tag"),
    ],
)
def test_what_does_not_print_is_shown_by_its_code_point(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_become_printable(name):
    assert visible(name).isprintable()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (1.5, "1.5"),
        ([], ""),
        (["a", None, ["b\x00", 2]], "a, , b<U+0000>, 2"),
        ({"b": 1, "a": "\u202e"}, '{"a": "<U+202E>", "b": 1}'),
    ],
)
def test_values_of_any_kind_are_shown(value, shown):
    assert show(value) == shown


def test_long_text_is_cut_to_the_width():
    assert clip("x" * 10, 10) == "x" * 10
    assert clip("x" * 11, 10) == "x" * 7 + "..."


def test_a_score_may_be_missing():
    assert (percent(None), percent(0.0), percent(99.95)) == ("none", "0.0 %", "100.0 %")
