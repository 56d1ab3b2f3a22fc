# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers by which rules may name listeners, of every engine."""

from __future__ import annotations

from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import (
    context,
    inventory,
)


def test_the_name_of_an_accounts_container_says_whose_it_is() -> None:
    """A rule that allows the container `web` was about any that an account called so."""
    engines: list[dict[str, Any]] = [
        {"user": None, "containers": [{"id": "1", "name": "web"}]},
        {"user": "worker", "containers": [{"id": "2", "name": "web"}, {"id": "3", "name": None}]},
        {"user": "*", "containers": {"error": "why"}},
    ]
    expected = {"1": "web", "2": "worker/web", "3": None}
    assert {each["id"]: each["name"] for each in inventory.containers_of(engines)} == expected
    # What a rule is compared with.
    rules: Any = None
    play: Any = None
    assert context.case({"engines": engines, "units": {}}, rules, play).containers == expected
