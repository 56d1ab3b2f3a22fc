# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `bulwark.docker.harden` makes of the engine's TCP listener: refused, secured or left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import states
from tests.hosts.host import Host

pytestmark = pytest.mark.images("trixie")

OPEN = "-H fd:// -H tcp://0.0.0.0:2375 --containerd=/run/containerd/containerd.sock"
ASK = "curl --silent --max-time 5 --output /dev/null --write-out '%{{http_code}}' http://127.0.0.1:{}/_ping"


def harden(host: Host, directory: Path, **options: Any) -> dict[str, Any]:
    """The change in the report of a run that has only the listener to care about."""
    rest = {
        "daemon_config_baseline": {},
        "daemon_config_defaults": {},
        "daemon_config_unwanted": {},
        "daemon_config_file_permissions": False,
        "userns_remap_state": "absent",
        "daemon_apply_settle": 1,
        "compliance_report_directory": str(directory),
    }
    host.playbook("bulwark.docker.harden", {**rest, **options})
    row = json.loads((directory / "report.json").read_text(encoding="utf-8"))["hosts"][0]
    assert row["change"]["mode"] == "done", row["change"]["message"]
    return dict(row["change"])


def status(host: Host, port: int) -> str:
    return host.run(ASK.format(port), check=False).stdout


def test_open_listener_is_refused_then_secured_and_none_is_made(host: Host, tmp_path: Path) -> None:
    states.start_docker(host, flags=OPEN)
    without = harden(host, tmp_path)
    assert [each["consent"] for each in without["refused"]] == ["daemon_tls_allow_close"]
    assert without["refused"][0]["control"] == "listener.docker_api_unauthenticated"
    assert (without["transaction"], status(host, 2375)) == (None, "200")

    authority = {
        "daemon_tls_pki": "authority",
        "certificate_authority_directory": str(tmp_path / "ca"),
        "daemon_tls_addresses": [host.ip],
    }
    secured = harden(host, tmp_path, **authority)
    assert not secured["refused"]
    assert (status(host, 2375), status(host, 2376)) == ("000", "000")
    assert host.run(ASK.format(2376).replace("127.0.0.1", host.ip), check=False).stdout == "400"
    assert host.run("ls /run/bulwark-tls-proof", check=False).rc != 0, "the proof's key stays behind"

    states.reset_docker(host)
    host.run("systemctl disable --now docker-tcp.socket && rm -rf /etc/systemd/system/docker-tcp.socket")
    host.run("rm -rf /etc/systemd/system/docker.service.d && systemctl daemon-reload")
    host.restart_docker()
    left = harden(host, tmp_path, **authority)
    assert (left["actions"], left["refused"]) == ([], [])
    assert "dockerd" not in host.run("ss --listening --tcp --processes").stdout
