# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may use the engine of the system: groups by id, primary groups too."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.host.accounts import engine_group

from tests.unit.builders.host import SOCKET, engine, file, rootless_engine, said, snapshot
from tests.unit.builders.judging import finding


def groups(*entries):
    return {"accounts": {"groups": [{"name": name, "gid": gid, "members": m} for name, gid, m in entries]}}


@pytest.mark.parametrize(
    ("changes", "verdict", "names"),
    [
        (groups(("docker", 990, [])), "pass", []),
        (groups(("docker", 990, ["root"])), "pass", []),
        (groups(("docker", 990, ["alice", "bob"])), "fail", ["alice", "bob"]),
        # The same id under another name gives the same access.
        (groups(("docker", 990, []), ("ops", 990, ["bob"])), "fail", ["bob"]),
        # A group that the engine was told, or that owns the socket.
        (
            {**groups(("ops", 1500, ["bob"])), "files": {SOCKET: file("0660", gid=1500, group="ops")}},
            "fail",
            ["bob"],
        ),
        (
            {
                **groups(("ops", 1500, ["bob"])),
                "engines": [engine(flags={"group": ["ops"]})],
                "files": {SOCKET: None},
            },
            "fail",
            ["bob"],
        ),
        # A group that owns the socket and may not write to it.
        (
            {**groups(("users", 100, ["bob"])), "files": {SOCKET: file("0600", gid=100, group="users")}},
            "not_applicable",
            [],
        ),
        ({**groups(), "engines": [rootless_engine()]}, "not_applicable", []),
        ({"accounts": {"groups": {"error": "NSS does not answer"}}}, "unknown", []),
        ({"files": {SOCKET: {"error": "/run: Permission denied"}}}, "unknown", []),
    ],
)
def test_members_of_the_engine_s_group(changes, verdict, names):
    found = finding(engine_group, snapshot(changes))
    assert (found["verdict"], [subject["name"] for subject in found["subjects"]]) == (verdict, names)


def test_trusted_accounts_pass():
    data = snapshot(groups(("docker", 990, ["alice", "ci-1"])))
    assert finding(engine_group, data, trusted=["alice", "ci-*"])["verdict"] == "pass"
    assert "member of docker" in said(finding(engine_group, data, trusted=["ci-*"]))
