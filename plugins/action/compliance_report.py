# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the report of an audit on the controller and show its summary.

It all happens in one task, because ansible-core 2.19 takes about 0.15 s per host to hand findings to a task.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.files import FORMATS, write_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.gate import gate
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.plain import plain
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.summary import summary_lines

_ARGUMENTS = {
    "hosts": {"type": "raw", "required": True},
    "directory": {"type": "str", "default": "reports"},
    "formats": {
        "type": "list",
        "elements": "str",
        "choices": list(FORMATS),
        "default": ["json", "html", "markdown"],
    },
    "title": {"type": "str", "default": "Docker host audit"},
    "generated": {"type": "str"},
    "summary_limit": {"type": "int", "default": 50},
    "fail_on": {"type": "str", "default": "none"},
    "fail_on_unaudited": {"type": "bool", "default": True},
}
# Their output is one document, so nothing else may stand on it.
_MACHINE_CALLBACKS = ("json", "jsonl")


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action, as Ansible loads it."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Everything but the failing: the role does that, so that a long result is not shown as an error."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _unused, arguments = self.validate_argument_spec(argument_spec=_ARGUMENTS)
        report = self._report(arguments)
        paths, changed = self._write(report, arguments)
        summary = summary_lines(report, [str(path) for path in paths], arguments["summary_limit"])
        if constants.DEFAULT_STDOUT_CALLBACK.rpartition(".")[2] not in _MACHINE_CALLBACKS:
            self._display.display("\n".join(summary))
        return {
            **result,
            "changed": changed,
            "files": [str(path) for path in paths],
            "gate": gate(report, arguments["fail_on"], arguments["fail_on_unaudited"]),
            "summary": summary,
            "totals": report["totals"],
        }

    def _report(self, arguments: dict[str, Any]) -> dict[str, Any]:
        hosts = plain(arguments["hosts"], "hosts")
        if not isinstance(hosts, list):
            raise AnsibleActionFail("hosts is no list of what became of the hosts")
        try:
            return build_report(hosts, arguments["title"], arguments["generated"])
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from error

    def _write(self, report: dict[str, Any], arguments: dict[str, Any]) -> tuple[list[Path], bool]:
        directory = Path(arguments["directory"]).expanduser().absolute()
        try:
            return write_report(report, directory, arguments["formats"], dry=self._task.check_mode)
        except OSError as error:
            raise AnsibleActionFail(
                f"the report cannot be written to {error.filename or directory}: {error.strerror};"
                " give another directory"
            ) from error
