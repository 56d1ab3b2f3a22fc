# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""By what processes and units a play came to the host."""

from __future__ import annotations

from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.protected import (
    Protected,
    protected,
)

SESSION = "/user.slice/user-0.slice/session-5.scope"
SSH = "/system.slice/ssh.service"


def tree(*processes: tuple[int, int, str]) -> dict[int, dict[str, Any]]:
    """{pid: process} of (pid, parent, cgroup)."""
    return {pid: {"pid": pid, "ppid": parent, "cgroup": cgroup} for pid, parent, cgroup in processes}


INIT, SSHD = (1, 0, "/init.scope"), (50, 1, SSH)
OTHER = (70, 1, "/system.slice/nginx.service")


def test_the_parents_of_the_module_are_protected_with_their_socket():
    found = protected(tree(INIT, SSHD, (60, 50, SESSION), (61, 60, SESSION), OTHER), 61)
    assert found == Protected(frozenset((50, 60, 61)), frozenset(("ssh.service", "ssh.socket")))


def test_without_sessions_all_runs_in_the_unit_of_the_server():
    found = protected(tree(INIT, SSHD, (60, 50, SSH), OTHER), 60)
    assert found.units == {"ssh.service", "ssh.socket"}


def test_a_task_that_left_its_parents_is_of_its_session_still():
    processes = tree(INIT, SSHD, (60, 50, SESSION), (61, 1, SESSION), (62, 61, SESSION), OTHER)
    assert protected(processes, 62).pids == {50, 60, 61, 62}


def test_a_server_for_each_connection_belongs_to_the_socket_that_starts_it():
    instance = "/system.slice/system-ssh.slice/ssh@0-192.0.2.1:22-192.0.2.9:5000.service"
    found = protected(tree(INIT, (60, 1, instance), (61, 60, SESSION)), 61)
    assert "ssh.socket" in found.units


def test_what_a_user_runs_is_not_one_unit():
    manager = "/user.slice/user-1000.slice/user@1000.service/app.slice/play.service"
    assert protected(tree(INIT, (60, 1, manager)), 60) == Protected(frozenset((60,)), frozenset())


def test_a_module_that_is_not_among_the_processes():
    assert protected(tree(INIT), 99) == Protected()
