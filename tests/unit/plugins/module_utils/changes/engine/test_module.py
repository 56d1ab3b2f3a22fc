# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module that changes an engine ends when it meets something that nobody thought of."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.module import EngineModule


class Given:
    """What of an AnsibleModule is used here."""

    check_mode = False
    params: dict[str, Any] = {"timeout": 1.0}  # noqa: RUF012
    told = ""

    def fail_json(self, msg: str, **_more: Any) -> NoReturn:
        self.told = msg
        raise SystemExit(1)


def test_a_surprise_is_one_sentence_without_values() -> None:
    given = Given()

    secrets: dict[str, Any] = {}
    with pytest.raises(SystemExit):
        EngineModule(given, "system").run(lambda module: {"told": secrets["hunter2"]}, alone=False)
    assert "(KeyError in " in given.told and ", line " in given.told
    assert "hunter2" not in given.told
