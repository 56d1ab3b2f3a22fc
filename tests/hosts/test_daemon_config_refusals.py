# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What daemon_config refuses before it writes anything, and what it then says; edge cases by their numbers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hosts import configuring
from tests.hosts.auditing import run_module
from tests.hosts.configuring import (
    STATE,
    apply,
    changed,
    config,
    drop_in,
    info,
    main_pid,
    put,
    refused,
    settings,
    unchanged,
    unit,
    written,
)
from tests.hosts.host import Host
from tests.hosts.states import DAEMON_JSON, SERVICE_DROP_IN, start_docker

pytestmark = pytest.mark.images("bookworm", "trixie")

COMMAND = "/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"


def refuses(host: Host, options: dict[str, Any], *words: str, **more: Any) -> str:
    """The message of the refusal, planned and for real; neither has written anything, nor told the engine."""
    before, pid = written(host), main_pid(host)
    planned = refused(config(host, options, check=True, **more), *words)
    assert written(host) == before
    message = refused(config(host, options, apply=True, **more), *words)
    assert message == planned
    assert written(host, "/etc") == [line for line in before if not line.startswith(STATE)]
    assert host.run(["ls", f"{STATE}/transactions"]).stdout == ""
    assert host.run(["ls", "-A", f"{STATE}/staged"], check=False).stdout == ""
    assert main_pid(host) == pid
    return message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{\n  // why\n  "debug": true\n}\n', "2:3"),
        ('{\n  "debug": true # why\n}\n', "2:17"),
        ('{\n  /* why */ "debug": true\n}\n', "2:3"),
    ],
)
def test_e06_comment(engine_host: Host, text: str, place: str) -> None:
    put(engine_host, text)
    refuses(engine_host, {"debug": True}, f"{DAEMON_JSON}:{place}: ", "comment")


def test_e07_trailing_comma(engine_host: Host) -> None:
    put(engine_host, '{\n  "debug": true,\n}\n')
    refuses(engine_host, {"debug": True}, f"{DAEMON_JSON}:2:16: ", "comma")
    put(engine_host, '{"labels": ["a=1",]}\n')
    refuses(engine_host, {"debug": True}, f"{DAEMON_JSON}:1:18: ", "comma")


@pytest.mark.parametrize("text", ['[{"debug": true}]\n', '"debug"\n', "1\n"])
def test_e10_no_object_at_the_top(engine_host: Host, text: str) -> None:
    put(engine_host, text)
    refuses(engine_host, {"debug": True}, f"{DAEMON_JSON}:1:1: ")
    refuses(engine_host, {"debug": True}, f"{DAEMON_JSON}:1:1: ", force=True)


def test_e14_foreign_unknown_key_and_the_engine_down(engine_host: Host) -> None:
    put(engine_host, '{"nope": true}\n')
    engine_host.run("systemctl restart docker.service", check=False)
    assert unit(engine_host, "ActiveState") != "active"
    engine_host.run("systemctl stop docker.service docker.socket; systemctl reset-failed docker.service")
    engine_host.run("systemctl start docker.service", check=False)
    before = written(engine_host, "/etc")
    refused(config(engine_host, {"debug": True}), DAEMON_JSON, "nope")
    assert written(engine_host, "/etc") == before
    # What is reported is the cause: with it gone, the engine runs.
    changed(config(engine_host, {"nope": None}, state="absent", apply=True))
    assert unit(engine_host, "ActiveState") == "active"
    assert settings(engine_host) == {}


@pytest.mark.images("bookworm", "trixie", "sid")
def test_e15_a_key_that_this_version_does_not_know(engine_host: Host) -> None:
    version = info(engine_host, "ServerVersion").strip('"').partition("+")[0]
    newer = {
        "20": ("proxies", {"https-proxy": "http://proxy.example:3128"}, "23"),
        "26": ("bip6", "::/64", "28"),
        "28": ("min-api-version", "1.44", "29"),
    }
    key, value, since = newer[version.partition(".")[0]]
    refuses(engine_host, {key: value}, f"{key}: exists since {since}", f"engine {version}")
    refuses(engine_host, {"nope": True}, "nope: is no option of dockerd", f"engine {version}")
    refuses(engine_host, {"live_restore": True}, "did you mean 'live-restore'?")
    refuses(engine_host, {"Debug": True}, "write 'debug'")


@pytest.mark.images("trixie", "sid")
def test_e17_oom_score_adjust_was_removed_in_26(engine_host: Host) -> None:
    refuses(engine_host, {"oom-score-adjust": -500}, "oom-score-adjust: was removed in 26", "OOMScoreAdjust=")


@pytest.mark.images("bookworm")
def test_e17_oom_score_adjust_is_taken_before(engine_host: Host) -> None:
    changed(config(engine_host, {"oom-score-adjust": -400}, apply=True))
    assert settings(engine_host) == {"oom-score-adjust": -400}
    assert unit(engine_host, "ActiveState") == "active"


@pytest.mark.parametrize(
    ("flag", "options"),
    [
        ("live-restore", {"live-restore": True}),
        ("label", {"labels": ["a=1"]}),
        ("debug", {"debug": False}),
    ],
)
def test_e18_a_key_that_is_a_flag_too(engine_host: Host, flag: str, options: dict[str, Any]) -> None:
    given = "--label=a=1" if flag == "label" else f"--{flag}"
    drop_in(engine_host, f"ExecStart=\nExecStart={COMMAND} {given}")
    refuses(engine_host, options, DAEMON_JSON, f"--{flag}", SERVICE_DROP_IN)


def test_e19_a_flag_of_the_environment_file(engine_host: Host) -> None:
    engine_host.put("/etc/default/docker", 'DOCKER_OPTS="--debug --label=b=2"\n')
    for options in ({"debug": True}, {"labels": ["b=2"]}):
        refuses(engine_host, options, DAEMON_JSON, "DOCKER_OPTS in /etc/default/docker", "docker.service")


def test_e21_hosts_beside_the_flag_of_the_unit(engine_host: Host) -> None:
    message = refuses(engine_host, {"hosts": ["fd://"]}, "--host", "/docker.service", "drop-in")
    assert "an empty ExecStart= line" in message
    # As it says: with the command overridden, the key is taken.
    drop_in(engine_host, f"ExecStart=\nExecStart={COMMAND.replace(' -H fd://', '')}")
    changed(config(engine_host, {"hosts": ["fd://"]}, apply=True))
    assert settings(engine_host) == {"hosts": ["fd://"]}
    assert engine_host.docker("version").rc == 0


def test_e22_hosts_without_a_local_socket(engine_host: Host) -> None:
    drop_in(engine_host, "ExecStart=\nExecStart=/usr/sbin/dockerd")
    refuses(engine_host, {"hosts": ["tcp://127.0.0.1:2376"]}, "fd://", "would hang", "tlsverify")
    refuses(
        engine_host, {"hosts": ["fd://", "tcp://0.0.0.0:2375"]}, "tcp://0.0.0.0:2375", "root on this host"
    )


def test_e23_a_drop_in_with_a_second_command(engine_host: Host) -> None:
    web = configuring.run(engine_host, "web")
    pid = main_pid(engine_host)
    changed(config(engine_host, {"debug": True}))
    drop_in(engine_host, f"ExecStart={COMMAND} --debug")
    assert unit(engine_host, "LoadState") == "bad-setting"
    before = written(engine_host, "/etc")
    for failed in (
        config(engine_host, {"debug": True}, check=True),
        config(engine_host, {"debug": True}),
        apply(engine_host),
    ):
        refused(failed, SERVICE_DROP_IN, "ExecStart=")
    assert written(engine_host, "/etc") == before
    assert (main_pid(engine_host), configuring.process(engine_host, "web")) == (pid, web)


def test_e30_an_authorization_plugin_that_is_missing(engine_host: Host) -> None:
    refuses(engine_host, {"authorization-plugins": ["nosuch"]}, "plugin nosuch", "/run/docker/plugins")
    # Nor may a reload for another key take it along.
    put(engine_host, '{"authorization-plugins": ["nosuch"]}\n')
    refuses(engine_host, {"debug": True}, "plugin nosuch")
    assert engine_host.docker("version").rc == 0


def test_e31_a_file_edited_by_hand(engine_host: Host) -> None:
    start_docker(engine_host, '{"debug": true}\n')
    put(engine_host, '{"debug": false,}\n')
    assert engine_host.run("systemctl reload docker.service").rc == 0
    refuses(engine_host, {"debug": False}, f"{DAEMON_JSON}:1:")
    assert info(engine_host, "Debug") == "true"
    # Mended by hand, it is right, and the engine still runs with what it read before.
    put(engine_host, '{"debug": false}\n')
    planned = changed(config(engine_host, {"debug": False}, check=True))
    assert any("debug" in action for action in planned["actions"]), planned["actions"]
    changed(config(engine_host, {"debug": False}, apply=True))
    assert info(engine_host, "Debug") == "false"
    assert engine_host.read(DAEMON_JSON) == '{"debug": false}\n'
    unchanged(config(engine_host, {"debug": False}, apply=True))


def test_live_restore_on_a_node_of_a_swarm(engine_host: Host) -> None:
    engine_host.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    refuses(engine_host, {"live-restore": True}, "live-restore", "swarm")
    baseline = {"live-restore": True, "no-new-privileges": True}
    done = changed(config(engine_host, baseline=baseline, apply=True))
    assert [each["key"] for each in done["left_alone"]] == ["live-restore"]
    assert "swarm" in done["left_alone"][0]["reason"]
    assert settings(engine_host) == {"no-new-privileges": True}
    assert info(engine_host, "Swarm.LocalNodeState") == '"active"'
    again = unchanged(config(engine_host, baseline=baseline, apply=True))
    assert again["left_alone"] == done["left_alone"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seccomp-profile": "/etc/docker/none.json"}, ["seccomp-profile", "/etc/docker/none.json"]),
        ({"log-driver": "nosuch"}, ["log driver nosuch"]),
        ({"log-opts": {"max-sizes": "1m"}}, ["max-sizes", "max-size"]),
        ({"data-root": "/srv/docker"}, ["data-root", "/var/lib/docker"]),
        ({"userns-remap": "default"}, ["bulwark.docker.userns_remap"]),
        ({"dns": "192.0.2.1"}, ["dns", "a list"]),
        ({"icc": False, "iptables": False}, ["icc", "iptables"]),
    ],
)
def test_options_that_would_break_the_engine(
    engine_host: Host, options: dict[str, Any], words: list[str]
) -> None:
    refuses(engine_host, options, *words)


def test_module_options_that_are_wrong(engine_host: Host) -> None:
    for wrong in ({"state": "gone"}, {"timeout": 0}, {"settle": -1}, {"user": "nobody-here"}, {"nope": 1}):
        before = written(engine_host)
        failed = config(engine_host, {"debug": True}, check=True, **wrong)
        assert failed["failed"], failed
        assert next(iter(wrong)) in failed["msg"] or str(next(iter(wrong.values()))) in failed["msg"]
        assert written(engine_host) == before


def test_an_ordinary_user_can_change_nothing(engine_host: Host) -> None:
    before = written(engine_host)
    failed = run_module(engine_host, {"config": {"debug": True}}, "worker", name="daemon_config")
    assert failed["failed"]
    assert "root" in failed["msg"]
    assert written(engine_host) == before
