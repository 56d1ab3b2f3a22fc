# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Without community.crypto, a role that makes certificates names it before it changes anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
# Role, its entry point, and what it is given.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "certificate_authority": ("main", {}),
    "daemon_tls_client": ("main", {"daemon_tls_client_directory": "client"}),
    "daemon_tls": (
        "check",
        {
            "daemon_tls_pki": "external",
            "daemon_tls_exchange_directory": "exchange",
            "daemon_tls_addresses": ["192.0.2.7"],
            "daemon_tls_known_names": ["IP:192.0.2.7"],
        },
    ),
}


@pytest.mark.parametrize("role", CASES)
def test_it_is_named_and_nothing_is_written(role, tmp_path):
    entry, variables = CASES[role]
    task = {
        "ansible.builtin.include_role": {"name": f"bulwark.docker.{role}", "tasks_from": entry},
        "vars": {"certificate_authority_directory": "authority", **variables},
    }
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    # The developers' tools bring community.crypto as a Python package.
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert 'run "ansible-galaxy collection install community.crypto"' in " ".join(done.stdout.split())
    assert "resolve module/action" not in done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["play.yml"]
