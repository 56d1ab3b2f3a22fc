# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""daemon_config and the file: how it is read, what of it stays, what is written; edge cases by their numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.hosts import configuring
from tests.hosts.auditing import audit, verdict
from tests.hosts.configuring import (
    STATE,
    apply,
    attributes,
    changed,
    config,
    info,
    main_pid,
    put,
    refused,
    settings,
    unchanged,
    written,
)
from tests.hosts.host import Host
from tests.hosts.states import DAEMON_JSON, start_docker

pytestmark = pytest.mark.images("bookworm", "trixie")

# The flag that files have which nobody may change (FS_IOC_SETFLAGS, FS_IMMUTABLE_FL); chattr is not on the hosts.
_IMMUTABLE = """
import array, fcntl, os, sys
handle = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(handle, 0x40086602, array.array("L", [0x10 if sys.argv[2] == "on" else 0]))
"""


def test_e01_file_absent(engine_host: Host) -> None:
    pid = main_pid(engine_host)
    before = written(engine_host)
    planned = changed(config(engine_host, {"debug": True}, check=True))
    assert written(engine_host) == before
    staged = changed(config(engine_host, {"debug": True}))
    assert written(engine_host, "/etc") == [line for line in before if not line.startswith(STATE)]
    assert (staged["effect"], staged["diff"], staged["actions"]) == (
        "reload",
        planned["diff"],
        planned["actions"],
    )
    assert staged["diff"][0]["before"] == ""
    done = changed(apply(engine_host))
    assert done["transaction"]
    assert engine_host.read(DAEMON_JSON) == staged["diff"][0]["after"] == '{\n  "debug": true\n}\n'
    assert attributes(engine_host) == "644 root:root"
    assert info(engine_host, "Debug") == "true"
    assert main_pid(engine_host) == pid


@pytest.mark.images("bookworm")
def test_e02_empty_file_that_this_engine_refuses(engine_host: Host) -> None:
    put(engine_host, "")
    engine_host.run("systemctl restart docker.service", check=False)
    assert configuring.unit(engine_host, "ActiveState") != "active"
    done = changed(config(engine_host, {}, apply=True))
    assert any("is empty" in notice for notice in done["notices"])
    assert settings(engine_host) == {}
    assert configuring.unit(engine_host, "ActiveState") == "active"
    unchanged(config(engine_host, {}, apply=True))


def test_e03_white_space_only(engine_host: Host) -> None:
    put(engine_host, " \n\t\n", mode=0o640)
    done = changed(config(engine_host, {"debug": True}, apply=True))
    assert any("is empty" in notice for notice in done["notices"])
    assert settings(engine_host) == {"debug": True}
    assert attributes(engine_host) == "640 root:root"
    assert info(engine_host, "Debug") == "true"


def test_e05_byte_order_mark(engine_host: Host) -> None:
    put(engine_host, '\ufeff{"debug":true,"labels":["a=1"]}\n'.encode())
    done = changed(config(engine_host, {"debug": True}, apply=True))
    assert any("byte order mark" in notice for notice in done["notices"])
    assert engine_host.read(DAEMON_JSON) == '{"debug":true,"labels":["a=1"]}\n'
    assert info(engine_host, "Labels") == '["a=1"]'
    unchanged(config(engine_host, {"debug": True}))


def test_e09_duplicate_keys(engine_host: Host) -> None:
    text = '{"debug": false, "labels": [], "debug": true}\n'
    start_docker(engine_host, text)
    assert verdict(audit(engine_host, controls=["daemon.*"]), "daemon.configuration_file") == "fail"
    before = written(engine_host, "/etc")
    refused(config(engine_host, {"debug": True}), f"{DAEMON_JSON}:1:", "'debug'", "force")
    assert written(engine_host, "/etc") == before
    changed(config(engine_host, {"debug": True}, force=True, apply=True))
    assert engine_host.read(DAEMON_JSON).count('"debug"') == 1
    assert info(engine_host, "Debug") == "true"
    before = written(engine_host)
    unchanged(config(engine_host, {"debug": True}, force=True, apply=True))
    assert written(engine_host) == before


@pytest.mark.parametrize("link", ["/srv/docker/daemon.json", "../../srv/docker/daemon.json"])
def test_e11_symbolic_link(engine_host: Host, link: str) -> None:
    put(engine_host, '{"labels": ["a=1"]}', "/srv/docker/daemon.json", 0o640)
    engine_host.run(f"chown worker:adm /srv/docker/daemon.json && ln -s {link} {DAEMON_JSON}")
    changed(config(engine_host, {"debug": True}, apply=True))
    assert engine_host.run(["readlink", DAEMON_JSON]).stdout == f"{link}\n"
    assert engine_host.read("/srv/docker/daemon.json") == '{"labels": ["a=1"], "debug": true}'
    assert attributes(engine_host, "/srv/docker/daemon.json") == "640 worker:adm"
    assert info(engine_host, "Debug") == "true"
    engine_host.run("rm -r /srv/docker")


@pytest.mark.parametrize("how", ["immutable", "read-only"])
def test_e13_a_file_that_cannot_be_written(engine_host: Host, how: str) -> None:
    pid = main_pid(engine_host)
    put(engine_host, "{}\n")
    lock, unlock = {
        "immutable": (
            ["python3", "-c", _IMMUTABLE, DAEMON_JSON, "on"],
            ["python3", "-c", _IMMUTABLE, DAEMON_JSON, "off"],
        ),
        "read-only": (
            "mount --bind /etc/docker /etc/docker && mount -o remount,bind,ro /etc/docker",
            "umount /etc/docker",
        ),
    }[how]
    engine_host.run(lock)
    before = written(engine_host, "/etc")
    try:
        failed = config(engine_host, {"debug": True}, apply=True)
        left = configuring.leftovers(engine_host)
        after = written(engine_host, "/etc")
    finally:
        engine_host.run(unlock)
    assert failed["failed"]
    assert failed["rolled_back"] is True
    assert DAEMON_JSON in failed["msg"]
    assert left == []
    # What a temporary file leaves behind is a directory that was written to.
    assert [line for line in after if line not in before and not line.startswith("/etc/docker ")] == []
    assert main_pid(engine_host) == pid
    assert info(engine_host, "Debug") == "false"


def test_e25_numbers_in_log_opts(engine_host: Host) -> None:
    wish = {"log-opts": {"max-file": 3, "max-size": "10m", "compress": True}}
    done = changed(config(engine_host, wish, apply=True))
    assert sorted(notice.partition(" ")[0] for notice in done["notices"]) == [
        "log-opts.compress",
        "log-opts.max-file",
    ]
    assert settings(engine_host) == {"log-opts": {"max-file": "3", "max-size": "10m", "compress": "true"}}
    configuring.run(engine_host, "web")
    logs = engine_host.docker("inspect", "--format", "{{json .HostConfig.LogConfig.Config}}", "web").stdout
    assert json.loads(logs)["max-file"] == "3"
    unchanged(config(engine_host, wish, apply=True))


def test_e26_true_is_not_a_text(engine_host: Host) -> None:
    put(engine_host, '{"debug": "true"}\n')
    done = changed(config(engine_host, {"debug": True}, apply=True))
    assert 'debug: "true" -> true' in done["actions"]
    assert engine_host.read(DAEMON_JSON) == '{"debug": true}\n'
    assert info(engine_host, "Debug") == "true"
    for wrong in ("true", 1):
        refused(config(engine_host, {"debug": wrong}), "debug", "true or false")


def test_e27_order_counts_in_dns_and_not_in_labels(engine_host: Host) -> None:
    start_docker(engine_host, {"dns": ["192.0.2.1", "192.0.2.2"], "labels": ["a=1", "b=2"]})
    before = written(engine_host, "/etc")
    unchanged(config(engine_host, {"labels": ["b=2", "a=1"]}, apply=True))
    assert written(engine_host, "/etc") == before
    done = changed(config(engine_host, {"dns": ["192.0.2.2", "192.0.2.1"]}, apply=True))
    assert done["effect"] == "restart"
    configuring.run(engine_host, "web")
    resolver = engine_host.docker("exec", "web", "cat", "/etc/resolv.conf").stdout
    assert resolver.index("192.0.2.2") < resolver.index("192.0.2.1")


def test_e42_check_mode_on_a_broken_host(engine_host: Host) -> None:
    broken = ('{"debug": true,}', '{"nope": true}')
    for text in broken:
        put(engine_host, text)
        engine_host.run("systemctl restart docker.service", check=False)
        before = written(engine_host)
        refused(config(engine_host, {"debug": True}, check=True), DAEMON_JSON)
        assert written(engine_host) == before
    planned = changed(config(engine_host, {"nope": None}, check=True, state="absent"))
    assert planned["effect"] == "restart"
    unchanged(apply(engine_host, check=True))
    assert written(engine_host) == before
    assert engine_host.run(["test", "-e", STATE], check=False).rc == 1
    assert configuring.unit(engine_host, "ActiveState") != "active"


def test_e43_second_run(engine_host: Host) -> None:
    text = '{\n\t"labels": [ "a=1" ],\n\t"shutdown-timeout": 20\n}'
    start_docker(engine_host, text)
    wish = {"icc": False, "live-restore": True, "log-opts": {"max-size": "10m"}, "shutdown-timeout": None}
    changed(config(engine_host, wish))
    changed(apply(engine_host))
    assert engine_host.read(DAEMON_JSON) == (
        '{\n\t"labels": [ "a=1" ],\n\t"icc": false,\n\t"live-restore": true,\n'
        '\t"log-opts": {\n\t\t"max-size": "10m"\n\t}\n}'
    )
    before, pid = written(engine_host), main_pid(engine_host)
    for check in (True, False):
        unchanged(config(engine_host, wish, check=check))
        unchanged(apply(engine_host, check=check))
        unchanged(config(engine_host, wish, check=check, apply=True))
    assert written(engine_host) == before
    assert main_pid(engine_host) == pid


def test_absent_and_exact(engine_host: Host) -> None:
    start_docker(
        engine_host, {"debug": True, "labels": ["a=1"], "log-opts": {"max-size": "1m", "max-file": "2"}}
    )
    gone = {"labels": None, "log-opts": {"max-file": None}, "dns": None}
    changed(config(engine_host, gone, state="absent", apply=True))
    assert settings(engine_host) == {"debug": True, "log-opts": {"max-size": "1m"}}
    assert info(engine_host, "Labels") == "[]"
    unchanged(config(engine_host, gone, state="absent", apply=True))
    changed(config(engine_host, {"labels": ["b=2"]}, state="exact", apply=True))
    assert settings(engine_host) == {"labels": ["b=2"]}
    assert (info(engine_host, "Debug"), info(engine_host, "Labels")) == ("false", '["b=2"]')
    unchanged(config(engine_host, {"labels": ["b=2"]}, state="exact", apply=True))


def test_lists_that_grow(engine_host: Host) -> None:
    start_docker(engine_host, {"insecure-registries": ["a.example"], "log-opts": {"max-size": "1m"}})
    wish = {"insecure-registries": ["b.example", "a.example"], "log-opts": {"max-file": "2"}}
    changed(config(engine_host, wish, list_merge="append", apply=True))
    assert settings(engine_host) == {
        "insecure-registries": ["a.example", "b.example"],
        "log-opts": {"max-size": "1m", "max-file": "2"},
    }
    assert "b.example" in info(engine_host, "RegistryConfig.IndexConfigs")
    unchanged(config(engine_host, wish, list_merge="append", apply=True))


def test_another_configuration_file(engine_host: Host) -> None:
    other = "/etc/docker/other.json"
    put(engine_host, "{}\n", other)
    start_docker(engine_host, flags=f"-H fd:// --config-file {other}")
    done = changed(config(engine_host, {"debug": True}, apply=True))
    assert done["config_file"] == other
    assert settings(engine_host, other) == {"debug": True}
    assert engine_host.run(["test", "-e", DAEMON_JSON], check=False).rc == 1
    assert info(engine_host, "Debug") == "true"
    unchanged(config(engine_host, {"debug": True}, apply=True))
    # The command names the file, so that the engine would not start without it.
    changed(apply(engine_host, state="rolled_back"))
    assert engine_host.read(other) == "{}\n"
    engine_host.run(["rm", other])


def test_credentials_are_told_to_nobody_but_the_file(engine_host: Host) -> None:
    wish: dict[str, Any] = {
        "log-driver": "splunk",
        "log-opts": {"splunk-token": "tok-5c4f", "splunk-url": "https://user:pass-77d1@splunk.example"},
    }
    if engine_host.read("/etc/debian_version").startswith("13"):
        wish["proxies"] = {"https-proxy": "http://user:word-90ab@proxy.example:3128"}
    secrets = [word for word in ("tok-5c4f", "pass-77d1", "word-90ab") if word in json.dumps(wish)]
    # Nobody answers there, which every new container would wait for.
    failed = config(engine_host, wish, apply=True)
    assert failed["rolled_back"] is True, failed
    wish["log-opts"]["splunk-verify-connection"] = "false"
    results = [
        config(engine_host, wish, check=True),
        config(engine_host, wish),
        apply(engine_host),
        config(engine_host, wish),
        config(engine_host, {"log-opts": {"splunk-token": "tok-new1"}}, check=True),
    ]
    assert [result.get("failed", False) for result in results] == [False] * 5, results
    results += [failed, config(engine_host, {**wish, "nope": True})]
    told = json.dumps(results)
    assert [word for word in (*secrets, "tok-new1") if word in told] == []
    text = engine_host.read(DAEMON_JSON)
    assert [word for word in secrets if word not in text] == []
    journal = engine_host.run("journalctl --no-pager --output cat").stdout
    assert "Invoked with" in journal
    assert [word for word in secrets if word in journal.replace(text, "")] == []
    assert engine_host.run(["stat", "--format=%a", STATE]).stdout == "700\n"
