# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""S5: no result of the collection's own modules brings facts, however the task is written."""

from __future__ import annotations

import importlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.plugin_utils.own_module import ActionModule

ROOT = Path(__file__).parents[4]
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
ACTIONS = "ansible_collections.bulwark.docker.plugins.action"
# An interpreter that answers for the module, as a host that has fallen can.
ANSWER = {"changed": False, "ansible_facts": {"compliance_report_directory": "/x"}, "listeners": []}
INTERPRETER = f"#!/bin/sh\ncat > /dev/null\necho '{json.dumps(ANSWER)}'\n"
KEEP: dict[str, Any] = {
    "ansible.builtin.copy": {
        "content": "{{ [one.listeners | default('none'), compliance_report_directory | default('own')] | to_json }}",
        "dest": "{{ playbook_dir }}/{{ name }}.json",
        "mode": "0600",
    },
    "check_mode": False,
    "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
}
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "check mode": {"check_mode": True},
    "loop": {"loop": [1, 2]},
    "delegated": {"delegate_to": "localhost", "delegate_facts": True},
}


@pytest.mark.parametrize("module", [name for name in MODULES if name != "compliance_report"])
def test_a_module_has_the_action(module: str) -> None:
    assert importlib.import_module(f"{ACTIONS}.{module}").ActionModule is ActionModule


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each way of a task has left what became of the variable."""
    path = tmp_path_factory.mktemp("facts")
    interpreter = path / "python3"
    interpreter.write_text(INTERPRETER)
    interpreter.chmod(interpreter.stat().st_mode | stat.S_IXUSR)
    call = {"bulwark.docker.listening_services": {"action": "report"}, "register": "one"}
    told = {"vars": {"ansible_python_interpreter": str(interpreter)}}
    tasks: list[dict[str, Any]] = []
    for name, way in WAYS.items():
        tasks += [{**call, **told, **way}, {**KEEP, "vars": {**KEEP["vars"], "name": name}}]
    # The same answer to another module, which shows that it would have counted.
    tasks += [
        {"ansible.builtin.command": "true", "register": "one", **told},
        {**KEEP, "vars": {**KEEP["vars"], "name": "foreign"}},
    ]
    (path / "play.yml").write_text(
        json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}])
    )
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml"],
        cwd=path, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return path


@pytest.mark.parametrize("way", WAYS)
def test_facts_in_a_result_are_nobodys(directory: Path, way: str) -> None:
    told, value = json.loads((directory / f"{way}.json").read_text())
    assert value == "own"
    assert told in ([], "none"), "the rest of the answer is taken"


def test_those_of_another_module_would_count(directory: Path) -> None:
    assert json.loads((directory / "foreign.json").read_text())[1] == "/x"
