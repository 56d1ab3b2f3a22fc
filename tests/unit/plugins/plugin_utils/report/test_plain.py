# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report takes lists and dicts or their JSON text, and refuses what is neither."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.plain import plain


class Tagged(str):
    """A string of a class of its own, as ansible-core 2.19 has them."""


def test_values_become_plain():
    found = plain({Tagged("a"): [Tagged("b"), 1, None, True]}, "it")
    assert found == {"a": ["b", 1, None, True]}
    assert {type(found["a"][0]), *map(type, found)} == {str}


def test_text_is_read_as_json():
    assert plain('[{"host": "web1"}]', "it") == [{"host": "web1"}]


@pytest.mark.parametrize("value", [object(), "not json", {"a": {1, 2}}])
def test_anything_else_is_refused_by_name(value):
    with pytest.raises(AnsibleActionFail, match=r"^it was given"):
        plain(value, "it")
