# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit system: its files, and what auditctl tells (recorded: this machine's kernel has no rules)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.limits import within
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.auditd import audit

from tests.unit.plugins.module_utils.probes.laying import lay, program

STATUS = "enabled 2\nfailure 1\npid 512\nrate_limit 0\nbacklog_limit 8192\nlost 0\nbacklog 0\n"
RULES = "-w /usr/bin/dockerd -p rwxa -k docker\n-a never,exit -S all -F path=/usr/bin/runc -F perm=x\n"


def install(root: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program(root / "bin", "auditctl", script)
    monkeypatch.setattr(limits, "SEARCH", f"{root}/bin:/usr/bin:/bin")


def test_rules_in_the_kernel_and_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, f"case $1 in -s) printf '{STATUS}';; -l) printf '%s' '{RULES}';; esac")
    lay(
        tmp_path,
        {
            "etc/audit/audit.rules": "## generated\n-D\n",
            "etc/audit/rules.d/10-docker.rules": "# docker\n\n  -w /etc/docker -p wa\n",
            "etc/audit/rules.d/note.txt": "-w /x\n",
        },
    )
    assert audit(tmp_path) == {
        "enabled": 2,
        "loaded": RULES.splitlines(),
        "files": {
            f"{tmp_path}/etc/audit/audit.rules": ["-D"],
            f"{tmp_path}/etc/audit/rules.d/10-docker.rules": ["-w /etc/docker -p wa"],
        },
    }


def test_no_rules_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "echo No rules")
    read = audit(tmp_path)
    assert read and (read["loaded"], read["files"]) == ([], {})


def test_auditctl_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "echo 'You must be root to run this program.' >&2; exit 4")
    refused = {"error": "auditctl {}: You must be root to run this program."}
    read = audit(tmp_path)
    assert read and read["enabled"]["error"] == refused["error"].format("-s")
    assert read["loaded"]["error"] == refused["error"].format("-l")


def test_rule_files_without_auditctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEARCH", str(tmp_path))
    read = audit(lay(tmp_path, {"etc/audit/audit.rules": "-e 2\n"}))
    assert read and read["loaded"] == {"error": "auditctl is not installed"}
    assert read["files"] == {f"{tmp_path}/etc/audit/audit.rules": ["-e 2"]}


def test_no_audit_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEARCH", str(tmp_path))
    assert audit(tmp_path) is None


def _files_as_nobody(root: str) -> Any:
    os.chdir(root)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    read = audit(Path())
    return read and read["files"]


@pytest.mark.skipif(os.geteuid() != 0, reason="changes to another user")
def test_rule_files_that_may_not_be_read_are_an_error(tmp_path: Path) -> None:
    lay(tmp_path, {"etc/audit/rules.d/a.rules": ""})
    (tmp_path / "etc/audit/rules.d").chmod(0o700)
    tmp_path.chmod(0o755)
    with pytest.raises(Unreadable, match=r"rules\.d: Permission denied"):
        within(10, _files_as_nobody, str(tmp_path))
