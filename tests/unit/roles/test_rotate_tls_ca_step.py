# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation of the authority goes on when each host has made a step, and not when it says so itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.roles import telling

ROOT = Path(__file__).parents[3]
# Nobody connects to these hosts: all of it happens on the controller.
INVENTORY = "[all]\ndock1\ndock2\n"
STEP = {
    "import_playbook": str(ROOT / "playbooks/rotate_tls_ca_step.yml"),
    "vars": {"__rotate_tls_ca_step": "announce"},
}
LOST = {"ansible.builtin.fail": {"msg": "lost"}, "when": "inventory_hostname == 'dock2'"}


def rotation(directory: Path, *tasks: object) -> str:
    """What the step says after these tasks on all hosts."""
    telling.lay(directory)
    (directory / "inventory").write_text(INVENTORY)
    book = [{"hosts": "all", "gather_facts": False, "tasks": [*tasks]}, STEP]
    (directory / "play.yml").write_text(json.dumps(book))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory", "play.yml"],
        cwd=directory, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("tasks", "stops"),
    [
        ([], False),
        ([LOST], True),
        ([{"told": {"facts": {"__rotate_tls_ca_made": "announce"}}}, LOST], True),
    ],
    ids=["made by all", "not by one", "not by one that says so"],
)
def test_a_step_is_made_by_all(tmp_path: Path, tasks: list[object], stops: bool) -> None:
    """S5."""
    said = rotation(tmp_path, *tasks)
    assert "Stop when somebody has not made the step" in said
    assert (
        "because dock2 did not make it" in said or "because dock1, dock2 did not make it" in said
    ) is stops, said
