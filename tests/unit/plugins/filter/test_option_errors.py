# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller refuses what no host could be audited with."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.docker.plugins.filter.option_errors import option_errors

WAIVER = {
    "control": "container.privileged",
    "subject": "x",
    "reason": "r",
    "owner": "o",
    "expires": "2026-12-31",
}


def options(**changes: Any) -> dict[str, Any]:
    return {"parameters": {}, "severities": {}, "controls": [], "waivers": [], "attestations": [], **changes}


@pytest.mark.parametrize(
    "sound",
    [
        options(),
        options(waivers=[WAIVER]),
        # As YAML reads an unquoted date.
        options(waivers=[{**WAIVER, "expires": datetime.date(2026, 12, 31)}]),
        options(severities={"container.privileged": "low"}),
    ],
)
def test_sound_options_pass(sound):
    assert option_errors(sound) == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            options(waivers=[{**WAIVER, "expires": "never"}]),
            "waivers[0] (container.privileged, x) has expires 'never'",
        ),
        (options(waivers={"control": "x"}), "waivers: is of the wrong type"),
        (options(parameters=[]), "parameters: is of the wrong type"),
        (options(controls=["nothing.*"]), "controls: 'nothing.*' matches no control"),
    ],
)
def test_wrong_options_are_named(wrong, sentence):
    (error,) = option_errors(wrong)
    assert sentence in error


def test_a_dictionary_without_the_keys_is_refused():
    with pytest.raises(AnsibleFilterError, match="takes a dictionary with the keys"):
        option_errors({"waivers": []})
