# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of TCP wrappers."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.hosts_access import hosts_access

from tests.unit.plugins.module_utils.probes.laying import lay


def test_lines_are_joined_and_comments_left_out(tmp_path: Path) -> None:
    lay(tmp_path, {"etc/hosts.allow": "# all\nsshd: 192.0.2. \\\n  LOCAL\n\nALL: localhost\n"})
    assert hosts_access(tmp_path) == {"allow": ["sshd: 192.0.2.    LOCAL", "ALL: localhost"], "deny": None}


def test_a_file_that_cannot_be_read_costs_only_itself(tmp_path: Path) -> None:
    lay(tmp_path, {"etc/hosts.deny": "ALL: ALL\n"})
    (tmp_path / "etc/hosts.allow").mkdir()
    read = hosts_access(tmp_path)
    assert read["allow"] == {"error": f"{tmp_path}/etc/hosts.allow is not a regular file"}
    assert read["deny"] == ["ALL: ALL"]
