# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook `bulwark.docker.harden` over several hosts: one goes first, none is left out of the report.

What it does to a single host is shown by the Molecule scenario `harden`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker  # type: ignore[import-untyped]
import pytest

from tests.hosts import play, states
from tests.hosts.host import Host
from tests.hosts.test_audit_playbook import NOWHERE, OVER_SSH

PLAYBOOK = "bulwark.docker.harden"
BROKEN = '{\n  "debug": true, // while we look for it\n}\n'


@pytest.fixture
def second_host(machine: docker.DockerClient, host_image: str) -> Iterator[Host]:
    second = Host.create(machine, host_image)
    yield second
    second.destroy()


def harden(
    hosts: list[str], directory: Path, **options: Any
) -> tuple[play.Played, dict[str, dict[str, Any]]]:
    """The run, and its report's rows by host."""
    options = {**OVER_SSH, "compliance_report_directory": str(directory), "daemon_apply_settle": 1, **options}
    played = play.playbook(hosts, PLAYBOOK, options, check=False)
    report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    return played, {row["host"]: row for row in report["hosts"]}


@pytest.mark.images("bookworm")
def test_others_are_left_alone_when_the_first_host_fails(
    host: Host, second_host: Host, tmp_path: Path
) -> None:
    host.put(states.DAEMON_JSON, BROKEN)
    names = [host.name, second_host.name]
    played, rows = harden(names, tmp_path, compliance_report_fail_on_unaudited=True)
    assert played.rc == 2
    first, second = rows[host.name], rows[second_host.name]
    assert (first["status"], first["change"]["mode"]) == ("audited", "failed")
    assert f"{states.DAEMON_JSON}:2:18: a comment" in first["change"]["message"]
    assert (second["status"], second["change"]["mode"]) == ("audited", "failed")
    assert "was not changed, because 1 of the 1 before it could not be" in second["change"]["message"]
    assert host.read(states.DAEMON_JSON) == BROKEN
    for each in (host, second_host):
        assert each.run("test -e /var/lib/bulwark/transactions/*", check=False).rc != 0
    assert second_host.run(f"test -e {states.DAEMON_JSON}", check=False).rc != 0

    played, rows = harden(names, tmp_path, harden_max_fail_percentage=100)
    assert played.rc == 2, "one host still could not be changed"
    assert rows[second_host.name]["change"]["mode"] == "done"
    assert rows[second_host.name]["score"]["percent"] > rows[second_host.name]["before"]["score"]["percent"]
    assert json.loads(second_host.read(states.DAEMON_JSON))["no-new-privileges"] is True


@pytest.mark.images("bookworm")
def test_host_that_cannot_be_reached_is_in_the_report(host: Host, tmp_path: Path) -> None:
    played, rows = harden([NOWHERE, host.name], tmp_path, harden_max_fail_percentage=100)
    assert played.rc == 2
    assert rows[NOWHERE]["status"] == "unreachable"
    assert rows[host.name]["change"]["mode"] == "done"
    # Nothing runs on the host and nothing lies there, so that its users can be mapped without consent.
    assert rows[host.name]["change"]["refused"] == []
    assert "daemon.userns_remap" in rows[host.name]["before"]["fixed"]

    played, rows = harden([host.name], tmp_path)
    assert played.rc == 0
    assert rows[host.name]["change"]["actions"] == []
