# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units: outputs of `systemctl show` as recorded on Debian 13 (systemd 257), shortened."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import units

from tests.unit.plugins.module_utils.probes.laying import program

DOCKER = """\
MainPID=5334
Result=success
ExecMainStartTimestampMonotonic=%d
ExecStart={ path=/usr/sbin/dockerd ; \
argv[]=/usr/sbin/dockerd -H fd:// --http-proxy=http://u:pw@proxy $DOCKER_OPTS ; ignore_errors=no ; \
start_time=[Sun 2026-11-22 11:05:17 UTC] ; stop_time=[n/a] ; pid=5334 ; code=(null) ; status=0/0 }
EnvironmentFiles=/etc/default/docker (ignore_errors=yes)
EnvironmentFiles=/etc/docker/more env (ignore_errors=no)
Id=docker.service
TriggeredBy=docker.socket docker-tcp.socket
Triggers=
LoadState=loaded
LoadError=
ActiveState=active
SubState=running
FragmentPath=/usr/lib/systemd/system/docker.service
DropInPaths=/etc/systemd/system/docker.service.d/a.conf /etc/systemd/system/docker.service.d/b.conf
UnitFileState=enabled
ActiveEnterTimestampMonotonic=5
NeedDaemonReload=yes
"""
SOCKET = """\
Result=service-start-limit-hit
Listen=[::]:2376 (Stream)
Listen=/run/a socket (x).sock (Datagram)
Id=docker-tcp.socket
TriggeredBy=
Triggers=docker.service
LoadState=loaded
LoadError=
ActiveState=failed
SubState=failed
FragmentPath=/etc/systemd/system/docker-tcp.socket
UnitFileState=disabled
ActiveEnterTimestampMonotonic=7
NeedDaemonReload=no
"""
MASKED = """\
MainPID=0
Result=success
ExecMainStartTimestampMonotonic=0
Id=containerd.service
LoadState=masked
LoadError=org.freedesktop.systemd1.UnitMasked "Unit containerd.service is masked."
ActiveState=inactive
SubState=dead
FragmentPath=/etc/systemd/system/containerd.service
UnitFileState=masked
ActiveEnterTimestampMonotonic=0
NeedDaemonReload=no
"""
OTHER = """\
MainPID=88
ExecStart={ path=/usr/bin/app ; argv[]=/usr/bin/app --key 1234 ; ignore_errors=no ; start_time=[n/a] ; pid=0 }
Id=other.service
"""


def parsed(*texts: str) -> dict[str, Any]:
    return units.parse("\n".join(texts))


def test_a_service() -> None:
    started = int(time.time()) - 60
    clock = int((time.monotonic() - 60) * 1e6)
    (unit,) = parsed(DOCKER % clock).values()
    assert abs(unit.pop("started") - started) <= 1
    assert unit == {
        "load": "loaded",
        "load_error": None,
        "active": "active",
        "sub": "running",
        "result": "success",
        "enabled": "enabled",
        "fragment": "/usr/lib/systemd/system/docker.service",
        "drop_ins": [
            "/etc/systemd/system/docker.service.d/a.conf",
            "/etc/systemd/system/docker.service.d/b.conf",
        ],
        "environment_files": ["/etc/default/docker", "/etc/docker/more env"],
        "exec_start": ["/usr/sbin/dockerd", "-H", "fd://", "--http-proxy=http://proxy", "$DOCKER_OPTS"],
        "main_pid": 5334,
        "triggered_by": ["docker-tcp.socket", "docker.socket"],
        "triggers": [],
        "listens": [],
        "ip_address_deny": [],
        "needs_reload": True,
    }


def test_several_units() -> None:
    found = parsed(DOCKER % 1, SOCKET, MASKED)
    assert list(found) == ["containerd.service", "docker-tcp.socket", "docker.service"]
    socket = found["docker-tcp.socket"]
    assert socket["listens"] == [
        {"type": "Stream", "address": "[::]:2376"},
        {"type": "Datagram", "address": "/run/a socket (x).sock"},
    ]
    assert (socket["active"], socket["result"], socket["started"]) == (
        "failed",
        "service-start-limit-hit",
        None,
    )
    assert socket["triggers"] == ["docker.service"]
    masked = found["containerd.service"]
    assert masked["load_error"] == "Unit containerd.service is masked."
    assert (masked["main_pid"], masked["exec_start"], masked["started"]) == (None, None, None)


def test_commands_of_other_programs_stay_out() -> None:
    (unit,) = parsed(OTHER).values()
    assert unit["exec_start"] is None
    assert unit["main_pid"] == 88


def test_a_blank_line_within_a_command_ends_no_unit() -> None:
    text = (DOCKER % 1).replace("$DOCKER_OPTS", "first\n\nsecond")
    assert list(parsed(text)) == ["docker.service"]


def test_old_systemd() -> None:
    text = SOCKET.replace("Listen=[::]:2376 (Stream)", "ListenStream=[::]:2376").replace(
        "Listen=/run/a socket (x).sock (Datagram)", "ListenDatagram=/run/x.sock"
    )
    assert parsed(text)["docker-tcp.socket"]["listens"] == [
        {"type": "Stream", "address": "[::]:2376"},
        {"type": "Datagram", "address": "/run/x.sock"},
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["/usr/bin/dockerd", "-H", "fd://"], True),
        (["/usr/bin/snap", "run", "docker.dockerd"], True),
        (["/usr/bin/env", "X=1", "/opt/dockerd"], True),
        (["/usr/bin/docker", "system", "prune"], False),
        (["/bin/echo", "a", "b", "dockerd"], False),
        (None, False),
    ],
)
def test_is_dockerd(words: list[str] | None, expected: bool) -> None:
    assert units.is_dockerd(words) is expected


def test_a_host_that_systemd_did_not_boot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(units, "BOOTED", tmp_path / "none")
    assert units.units(["docker.service"]) == {}


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo Failed to connect to bus: No such file or directory >&2; exit 1",
         "systemctl show: Failed to connect to bus: No such file or directory"),
        ("exit 3", "systemctl show: no output, exit code 3"),
        ("sleep 60", "systemctl did not end within 0.3 s"),
    ],
)  # fmt: skip
def test_systemctl_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, sentence: str) -> None:
    program(tmp_path, "systemctl", script)
    monkeypatch.setattr(limits, "SEARCH", f"{tmp_path}:{limits.SEARCH}")
    monkeypatch.setattr(units, "BOOTED", tmp_path)
    monkeypatch.setattr(units, "TIME_LIMIT", 0.3)
    with pytest.raises(Unreadable, match=f"^{sentence}"):
        units.units([])


def test_one_call_for_patterns_and_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path, "systemctl", 'echo "$@" >> "${0%/*}/calls"; echo Id=docker.service')
    monkeypatch.setattr(limits, "SEARCH", f"{tmp_path}:{limits.SEARCH}")
    monkeypatch.setattr(units, "BOOTED", tmp_path)
    assert list(units.units(["ssh.service", "docker.service"])) == ["docker.service"]
    (call,) = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert call.endswith(
        "-- docker*.service containerd*.service *.socket "
        "containerd.service docker.service docker.socket ssh.service"
    )
