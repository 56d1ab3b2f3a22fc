# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Staged unit files before and after: what a step writes or removes, and never a key."""

from __future__ import annotations

from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import diff, steps


def test_files_that_come_change_and_go(tmp_path):
    changed, gone, new = (tmp_path / name for name in ("changed", "gone", "new"))
    changed.write_text("[Socket]\nListenStream=2375\n")
    gone.write_text("Environment=HTTP_PROXY=http://user:secret@proxy:3128\n")
    found = diff.diff(
        [
            steps.install("/etc/docker/tls/key.pem", "/srv/key.pem", b"PRIVATE KEY", 0o400),
            steps.permissions("/etc/docker/tls", 0o755),
            steps.file(ROOT, str(changed), "[Socket]\nListenStream=192.0.2.1:2376\n"),
            steps.file(ROOT, str(gone), None),
            steps.file(ROOT, str(new), "[Unit]\n"),
            steps.enablement("docker-tcp.socket", True),
        ]
    )
    assert [(each["before_header"], each["after_header"]) for each in found] == [
        (str(path), str(path)) for path in (changed, gone, new)
    ]
    assert [each["before"] for each in found][::2] == ["[Socket]\nListenStream=2375\n", ""]
    assert [each["after"] for each in found] == ["[Socket]\nListenStream=192.0.2.1:2376\n", "", "[Unit]\n"]
    assert "secret" not in found[1]["before"]
