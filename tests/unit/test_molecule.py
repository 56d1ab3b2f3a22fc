# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No playbook of Molecule changes a host before it has seen that the host is a test host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

MOLECULE = Path(__file__).parents[2] / "molecule"
GUARD = MOLECULE / "only_test_hosts.yml"
# `default` runs on the controller alone, and `audit` reads only.
HARMLESS = ("audit", "default")
PLAYBOOKS = [
    MOLECULE / "careless.yml",
    *(
        playbook
        for name in ("cleanup", "converge", "verify")
        for playbook in sorted(MOLECULE.glob(f"*/{name}.yml"))
        if playbook.parent.name not in HARMLESS
    ),
]


def first_play(playbook: Path) -> dict[str, Any]:
    play: dict[str, Any] = yaml.safe_load(playbook.read_text(encoding="utf-8"))[0]
    return play


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: str(path.relative_to(MOLECULE)))
def test_it_begins_with_the_guard(playbook):
    while playbook != GUARD:
        imported = first_play(playbook).get("ansible.builtin.import_playbook")
        assert imported, f"{playbook} does not begin with {GUARD.name}"
        playbook = (playbook.parent / imported).resolve()


def test_the_guard_stops_all_hosts_by_what_the_images_have():
    play = first_play(GUARD)
    assert play["any_errors_fatal"]
    marker = play["tasks"][0]["ansible.builtin.raw"].split()[-1]
    hook = (MOLECULE.parent / "tests" / "hosts" / "rootfs.sh").read_text(encoding="utf-8")
    assert f'"$root{marker}"' in hook
