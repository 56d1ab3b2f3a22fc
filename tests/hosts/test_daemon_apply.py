# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""daemon_apply, and daemon_config with apply: one restart, containers kept, undone on order; edge cases by number."""

from __future__ import annotations

import json

import pytest

from tests.hosts import configuring
from tests.hosts.configuring import (
    STATE,
    apply,
    changed,
    config,
    info,
    main_pid,
    process,
    put,
    refused,
    settings,
    unchanged,
    unit,
    written,
)
from tests.hosts.host import Host
from tests.hosts.states import DAEMON_JSON, SERVICE_DROP_IN, rootless, rootless_docker, start_docker

pytestmark = pytest.mark.images("bookworm", "trixie")

CONSENT = "daemon_apply_allow_container_stop"


def icc(host: Host) -> str:
    """Whether the default bridge lets containers talk to each other, as the engine tells."""
    option = '{{index .Options "com.docker.network.bridge.enable_icc"}}'
    return host.docker("network", "inspect", "--format", option, "bridge").stdout.strip()


def no_new_privileges(host: Host) -> bool:
    """Whether new containers get the flag; 20.10 does not list it in /info."""
    pid = configuring.run(host, "probe")
    status = host.read(f"/proc/{pid}/status")
    host.docker("rm", "--force", "probe")
    return "NoNewPrivs:\t1\n" in status


def test_e29_live_restore_is_removed(engine_host: Host) -> None:
    start_docker(engine_host, {"live-restore": True})
    web = configuring.run(engine_host, "web")
    # false is told by a reload, which containers do not notice.
    done = changed(config(engine_host, {"live-restore": False}, apply=True))
    assert (done["effect"], info(engine_host, "LiveRestoreEnabled")) == ("reload", "false")
    assert process(engine_host, "web") == web
    changed(config(engine_host, {"live-restore": True}, apply=True))
    engine_host.docker("rm", "--force", "web")
    # A key that is gone would keep its value through a reload.
    done = changed(config(engine_host, {"live-restore": None}, apply=True))
    assert (done["effect"], info(engine_host, "LiveRestoreEnabled")) == ("restart", "false")
    assert settings(engine_host) == {}


def test_e33_four_changes_within_a_minute(engine_host: Host) -> None:
    began = int(engine_host.run("date +%s").stdout)
    pids = [main_pid(engine_host)]
    for wanted in (True, False, True, False):
        done = changed(config(engine_host, {"no-new-privileges": wanted}, apply=True))
        assert done["effect"] == "restart"
        assert settings(engine_host) == {"no-new-privileges": wanted}
        pids.append(main_pid(engine_host))
    assert len(set(pids)) == 5
    assert int(engine_host.run("date +%s").stdout) - began < 60
    assert (unit(engine_host, "ActiveState"), unit(engine_host, "ActiveState", "docker.socket")) == (
        "active",
        "active",
    )


def test_e34_the_start_limit_was_hit(engine_host: Host) -> None:
    for _unused in range(4):
        engine_host.run("systemctl restart docker.service", check=False)
    assert unit(engine_host, "ActiveState") == "failed"
    assert unit(engine_host, "Result", "docker.socket") == "service-start-limit-hit"
    planned = changed(config(engine_host, {"debug": True}, check=True))
    assert planned["effect"] == "restart"
    changed(config(engine_host, {"debug": True}, apply=True))
    assert info(engine_host, "Debug") == "true"
    assert unit(engine_host, "ActiveState", "docker.socket") == "active"
    unchanged(config(engine_host, {"debug": True}, apply=True))


def test_e34_the_handler_repairs_too(engine_host: Host) -> None:
    engine_host.run("for each in 1 2 3 4; do systemctl restart docker.service; done", check=False)
    assert unit(engine_host, "ActiveState") == "failed"
    changed(apply(engine_host))
    assert unit(engine_host, "ActiveState") == "active"
    unchanged(apply(engine_host))


def test_e38_no_container_is_lost(engine_host: Host) -> None:
    web = configuring.run(engine_host, "web", "--restart", "no")
    db = configuring.run(engine_host, "db", "--restart", "always")
    pid = main_pid(engine_host)
    wish = {"live-restore": True, "no-new-privileges": True, "userland-proxy": False}
    planned = changed(config(engine_host, wish, check=True))
    assert (planned["costs"], planned["refused"]) == ([], [])
    assert any("with live-restore" in action and "(2)" in action for action in planned["actions"])
    changed(config(engine_host, wish))
    changed(apply(engine_host))
    assert main_pid(engine_host) != pid
    assert (process(engine_host, "web"), process(engine_host, "db")) == (web, db)
    assert info(engine_host, "LiveRestoreEnabled") == "true"
    assert no_new_privileges(engine_host)
    assert settings(engine_host) == wish
    assert engine_host.docker("exec", "web", "true").rc == 0


def test_e39_a_container_that_would_stop(engine_host: Host) -> None:
    web = configuring.run(engine_host, "web")
    pid = main_pid(engine_host)
    wish = {"no-new-privileges": True}
    before = written(engine_host, "/etc")
    for failed in (config(engine_host, wish, check=True), config(engine_host, wish, apply=True)):
        assert "web" in refused(failed, CONSENT)
        assert [each["consent"] for each in failed["refused"]] == [CONSENT]
    skipped = config(engine_host, wish, when_refused="skip", apply=True)
    assert (skipped.get("failed", False), skipped["changed"]) == (False, False)
    assert [each["consent"] for each in skipped["refused"]] == [CONSENT]
    unchanged(apply(engine_host))
    assert written(engine_host, "/etc") == before
    assert (main_pid(engine_host), process(engine_host, "web")) == (pid, web)

    planned = changed(config(engine_host, wish, check=True, allow_container_stop=True))
    assert [(each["kind"], each["subjects"]) for each in planned["costs"]] == [("containers_stop", ["web"])]
    changed(config(engine_host, wish, allow_container_stop=True, apply=True))
    assert no_new_privileges(engine_host)
    assert process(engine_host, "web") not in ("0", web)
    unchanged(config(engine_host, wish, apply=True))


@pytest.mark.parametrize("how", ["stopped", "disabled", "woken by a client"])
def test_e41_stopped_on_purpose(engine_host: Host, how: str) -> None:
    units = "docker.service" if how == "woken by a client" else "docker.socket docker.service"
    if how == "disabled":
        engine_host.run(f"systemctl disable --quiet {units}")
    engine_host.run(f"systemctl stop {units}")
    enabled = engine_host.run(f"systemctl is-enabled {units}", check=False).stdout
    sockets = unit(engine_host, "ActiveState", "docker.socket")
    changed(config(engine_host, {"debug": True}, check=True))
    changed(config(engine_host, {"debug": True}))
    done = changed(apply(engine_host))
    assert any("was not started" in notice for notice in done["notices"])
    unchanged(config(engine_host, {"debug": True}, apply=True))
    assert settings(engine_host) == {"debug": True}
    assert unit(engine_host, "ActiveState") == "inactive"
    assert unit(engine_host, "ActiveState", "docker.socket") == sockets
    assert engine_host.run(f"systemctl is-enabled {units}", check=False).stdout == enabled
    changed(apply(engine_host, state="rolled_back"))
    assert unit(engine_host, "ActiveState") == "inactive"
    assert engine_host.run(["test", "-e", DAEMON_JSON], check=False).rc == 1


def test_nothing_is_staged(engine_host: Host) -> None:
    unchanged(apply(engine_host))
    before = written(engine_host)
    for options in ({}, {"state": "resolved"}, {"state": "rolled_back"}):
        for check in (True, False):
            unchanged(apply(engine_host, check=check, **options))
    assert written(engine_host) == before


def test_one_restart_for_all_that_is_staged(engine_host: Host) -> None:
    changed(config(engine_host, {"no-new-privileges": True}))
    changed(config(engine_host, {"userland-proxy": False, "debug": False}))
    # The play runs the task a second time before its handler.
    unchanged_or_staged = config(engine_host, {"no-new-privileges": True})
    assert not unchanged_or_staged.get("failed")
    starts = engine_host.run("journalctl -u docker.service -o cat | grep -c '^Started'").stdout
    changed(apply(engine_host))
    assert (
        int(engine_host.run("journalctl -u docker.service -o cat | grep -c '^Started'").stdout)
        == int(starts) + 1
    )
    assert settings(engine_host) == {"no-new-privileges": True, "userland-proxy": False, "debug": False}
    unchanged(apply(engine_host))


def test_a_stage_whose_file_was_changed_by_hand(engine_host: Host) -> None:
    pid = main_pid(engine_host)
    changed(config(engine_host, {"debug": True}))
    put(engine_host, '{"labels": ["a=1"]}\n')
    failed = apply(engine_host)
    assert failed["failed"]
    assert "dropped" in failed["msg"]
    assert DAEMON_JSON in failed["msg"]
    assert "run the play again" in failed["msg"]
    assert engine_host.read(DAEMON_JSON) == '{"labels": ["a=1"]}\n'
    assert engine_host.run(["ls", "-A", f"{STATE}/staged"]).stdout == ""
    assert main_pid(engine_host) == pid
    unchanged(apply(engine_host))
    changed(config(engine_host, {"debug": True}, apply=True))
    assert (settings(engine_host), info(engine_host, "Labels")) == (
        {"labels": ["a=1"], "debug": True},
        '["a=1"]',
    )


def test_rolled_back(engine_host: Host) -> None:
    former = '{"labels":["a=1"],\n "debug": false }'
    start_docker(engine_host, former)
    engine_host.run(f"chmod 0640 {DAEMON_JSON} && chgrp adm {DAEMON_JSON}")
    web = configuring.run(engine_host, "web")
    wish = {"no-new-privileges": True, "live-restore": True, "debug": True, "labels": ["b=2"]}
    done = changed(config(engine_host, wish, apply=True))
    assert process(engine_host, "web") == web
    before = written(engine_host)
    planned = changed(apply(engine_host, state="rolled_back", check=True))
    assert written(engine_host) == before
    back = changed(apply(engine_host, state="rolled_back"))
    assert (planned["undone"], back["undone"]) == (done["transaction"], done["transaction"])
    assert engine_host.read(DAEMON_JSON) == former
    assert configuring.attributes(engine_host) == "640 root:adm"
    assert (info(engine_host, "Debug"), info(engine_host, "Labels")) == ("false", '["a=1"]')
    assert info(engine_host, "LiveRestoreEnabled") == "false"
    assert not no_new_privileges(engine_host)
    assert process(engine_host, "web") == web
    before, pid = written(engine_host), main_pid(engine_host)
    unchanged(apply(engine_host, state="rolled_back"))
    unchanged(apply(engine_host, state="rolled_back", check=True))
    assert (written(engine_host), main_pid(engine_host)) == (before, pid)


def test_rolled_back_after_an_edit_by_hand(engine_host: Host) -> None:
    changed(config(engine_host, {"debug": True}, apply=True))
    put(engine_host, '{"debug": true, "labels": ["a=1"]}\n')
    failed = apply(engine_host, state="rolled_back")
    assert failed["failed"]
    assert DAEMON_JSON in failed["msg"]
    assert settings(engine_host) == {"debug": True, "labels": ["a=1"]}


def test_all_that_keeps_a_transaction_open_is_told(engine_host: Host) -> None:
    """A file that cannot be written, and an engine that does not start."""
    changed(config(engine_host, {"icc": False}, apply=True))
    # As a run that was killed right before its commit leaves it.
    engine_host.run(
        f'sed -i \'s/"state": "committed"/"state": "open"/\' {STATE}/transactions/*/manifest.json'
    )
    configuring.drop_in(engine_host, "ExecStartPre=/bin/false")
    if engine_host.run(f"chattr +i {DAEMON_JSON}", check=False).rc != 0:
        pytest.skip("the host cannot make files immutable")
    try:
        told = apply(engine_host, state="resolved")
    finally:
        engine_host.run(f"chattr -i {DAEMON_JSON}")
    message = refused(told, f"{DAEMON_JSON} cannot be removed: Operation not permitted", "docker.service")
    assert message.count(DAEMON_JSON) == 1
    engine_host.run(["rm", SERVICE_DROP_IN])
    assert [each["left"] for each in changed(apply(engine_host, state="resolved"))["resolved"]] == [[]]
    assert icc(engine_host) == "true"


def test_icc_counts_from_a_start_without_containers(engine_host: Host) -> None:
    web = configuring.run(engine_host, "web")
    wish = {"icc": False, "live-restore": True}
    planned = changed(config(engine_host, wish, check=True))
    changed(config(engine_host, wish))
    changed(apply(engine_host))
    again = unchanged(config(engine_host, wish))
    for result in (planned, again):
        assert [(each["control"], each["consent"]) for each in result["refused"]] == [("daemon.icc", CONSENT)]
    assert (process(engine_host, "web"), icc(engine_host)) == (web, "true")
    assert settings(engine_host) == wish

    changed(config(engine_host, wish, allow_container_stop=True))
    changed(apply(engine_host))
    assert icc(engine_host) == "false"
    assert process(engine_host, "web") not in ("0", web)
    last = unchanged(config(engine_host, wish, allow_container_stop=True))
    assert last["refused"] == []


@pytest.mark.images("trixie")
def test_a_rootless_engine(host: Host) -> None:
    path = "/home/worker/.config/docker/daemon.json"
    rootless(host, {"labels": ["a=1"]})
    pid, former = main_pid(host), host.read(path)
    wish = {"no-new-privileges": True, "labels": ["b=2"]}
    changed(config(host, wish, user="worker"))
    done = changed(apply(host, user="worker"))
    assert done["effect"] == "restart"
    assert settings(host, path) == {"labels": ["b=2"], "no-new-privileges": True}
    assert configuring.attributes(host, path) == "644 worker:worker"
    shown = json.loads(rootless_docker(host, "info", "--format", "{{json .}}"))
    assert shown["Labels"] == ["b=2"]
    assert "name=no-new-privileges" in shown["SecurityOptions"]
    before = written(host, "/home/worker/.config", STATE)
    unchanged(config(host, wish, user="worker", apply=True))
    assert written(host, "/home/worker/.config", STATE) == before
    refused(config(host, {"userns-remap": "default"}, user="worker"), "rootless", "user namespace")
    changed(apply(host, user="worker", state="rolled_back"))
    assert host.read(path) == former
    shown = json.loads(rootless_docker(host, "info", "--format", "{{json .}}"))
    assert shown["Labels"] == ["a=1"]
    # The system's engine has nothing to do with it.
    assert (main_pid(host), host.run(["test", "-e", DAEMON_JSON], check=False).rc) == (pid, 1)
