# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module that changes an engine returns, in words and keys."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.result import (
    option_changes,
    result,
    sentence,
)


def test_every_key_is_there_although_nothing_is_known():
    assert result(True) == {
        "changed": False,
        "check_mode": True,
        "actions": [],
        "effect": "none",
        "restart_required": False,
        "costs": [],
        "refused": [],
        "left_alone": [],
        "notices": [],
        "transaction": None,
    }


@pytest.mark.parametrize(("effect", "restart"), [("none", False), ("reload", False), ("restart", True)])
def test_the_effect_tells_whether_a_restart_is_required(effect, restart):
    assert result(False, effect=effect)["restart_required"] is restart


def test_what_is_known_counts():
    found = result(False, changed=True, transaction="20261127T101500Z-001", undone="x")
    assert (found["changed"], found["transaction"], found["undone"]) == (True, "20261127T101500Z-001", "x")


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (
            [("It stops web.", "a_variable")],
            "Nothing was changed: It stops web (set a_variable to allow it).",
        ),
        ([("It cannot be.", None)], "Nothing was changed: It cannot be."),
        (
            [("It stops web.", "a_variable"), ("It hides data", "another")],
            "Nothing was changed: It stops web (set a_variable to allow it); It hides data (set another to allow it).",
        ),
    ],
)
def test_a_refusal_is_one_sentence_with_the_way_out(refused, said):
    entries = [{"message": message, "consent": consent, "control": None} for message, consent in refused]
    assert sentence(entries) == said


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({}, {"icc": False}, ["icc: not set -> false"]),
        ({"debug": True}, {}, ["debug: true -> not set"]),
        ({"bip": "10.0.0.1/24"}, {"bip": "10.0.1.1/24"}, ['bip: "10.0.0.1/24" -> "10.0.1.1/24"']),
        ({"labels": ["ä"]}, {"labels": ["ö"]}, ['labels: ["ä"] -> ["ö"]']),
        # Sorted, and what means the same is no change.
        ({"debug": False}, {"mtu": 1400, "debug": True}, ["debug: false -> true", "mtu: not set -> 1400"]),
        ({"dns-opts": ["a", "b"]}, {"dns-opts": ["b", "a"], "labels": []}, []),
    ],
)
def test_a_line_for_each_option_that_differs(before, after, lines):
    assert option_changes(before, after) == lines


def test_lines_hold_no_credentials():
    proxies = {"proxies": {"http-proxy": "http://user:secret@proxy.example:3128"}}
    [line] = option_changes({}, proxies)
    assert "proxy.example" in line
    assert "secret" not in line
