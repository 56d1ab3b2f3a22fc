# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action of the collection's own modules: what a host answers is a result, and no facts.

Ansible takes `ansible_facts` in the result of any module for variables that win over those of the inventory. None of
these modules returns facts, so what a host puts there is nobody's.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action.normal import ActionModule as Normal


class ActionModule(Normal):  # type: ignore[misc]
    """Runs the module of the same name as Ansible does by itself."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """The result without what the host gave as facts."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        result.pop("ansible_facts", None)
        # What Ansible itself has found out, and would have to find out again for the next task.
        if self._discovered_interpreter_key:
            result["ansible_facts"] = {self._discovered_interpreter_key: self._discovered_interpreter}
        return result
