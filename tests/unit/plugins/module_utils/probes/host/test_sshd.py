# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""sshd's configuration with its includes and Match blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.sshd import sshd

from tests.unit.plugins.module_utils.probes.laying import lay

MAIN = """\
# comment
Include /etc/ssh/sshd_config.d/*.conf
Port 22
port=2222
ListenAddress 192.0.2.1   # behind
PermitRootLogin "prohibit-password"
AllowGroups wheel "domain users"
Match User deploy
    PasswordAuthentication yes
    Include match.conf
Match all
MaxSessions 3
"""


def test_settings_of_everyone(tmp_path: Path) -> None:
    files = {
        "etc/ssh/sshd_config": MAIN,
        "etc/ssh/sshd_config.d/20-b.conf": "X11Forwarding no\n",
        "etc/ssh/sshd_config.d/10-a.conf": "Port 22022\nMatch Address 192.0.2.0/24\nPermitRootLogin yes\n",
        "etc/ssh/sshd_config.d/README": "Port 1\n",
        "etc/ssh/match.conf": "PermitTTY no\n",
    }
    assert sshd(lay(tmp_path, files)) == {
        "settings": {
            "allowgroups": ['wheel "domain users"'],
            "listenaddress": ["192.0.2.1"],
            "maxsessions": ["3"],
            "permitrootlogin": ["prohibit-password"],
            "port": ["22022", "22", "2222"],
            "x11forwarding": ["no"],
        },
        "matches": ["Address 192.0.2.0/24", "User deploy", "all"],
    }


def test_no_sshd(tmp_path: Path) -> None:
    assert sshd(tmp_path) is None


def test_the_vendors_file_where_there_is_no_other(tmp_path: Path) -> None:
    read: Any = sshd(lay(tmp_path, {"usr/etc/ssh/sshd_config": "UsePAM yes\n"}))
    assert read["settings"] == {"usepam": ["yes"]}


def test_an_include_of_itself_ends(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="more than 16 levels of Include"):
        sshd(lay(tmp_path, {"etc/ssh/sshd_config": "Include sshd_config\n"}))
