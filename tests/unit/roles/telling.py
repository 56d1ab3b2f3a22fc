# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that returns what it is given as facts, as any module on a hostile host can."""

from __future__ import annotations

from pathlib import Path

_ACTION = """
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        return {"changed": False, "ansible_facts": dict(self._task.args["facts"])}
"""


def lay(directory: Path) -> None:
    """The action `told` for playbooks in the directory."""
    (directory / "action_plugins").mkdir(exist_ok=True)
    (directory / "action_plugins" / "told.py").write_text(_ACTION, encoding="utf-8")
    (directory / "library").mkdir(exist_ok=True)
    (directory / "library" / "told.py").write_text("", encoding="utf-8")
