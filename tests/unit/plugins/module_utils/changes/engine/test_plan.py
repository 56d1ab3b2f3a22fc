# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What applying a stage would do: nothing, a reload or a restart; which containers run on, and which stop."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.plan import costs, is_down, plan
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.target import Target
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.systemd import Service

from tests.unit.builders.containers import default_container, stopped
from tests.unit.builders.daemon import engine, stopped_engine, unit
from tests.unit.builders.judging import changed

FAILED = {"active": "failed", "sub": "failed"}
BETWEEN_TRIES = {"active": "activating", "sub": "auto-restart"}
OFF = {"active": "inactive", "sub": "dead"}
WITHOUT = {"LiveRestoreEnabled": False}
IN_SWARM = {"Swarm": {"LocalNodeState": "active"}, "LiveRestoreEnabled": False}
REASON = ["/etc/docker/daemon.json was edited after the engine started"]
LIVE = {"live-restore": True}
HANGS = {"state": "unresponsive", "info": {"error": "timed out"}}


def target(found: dict[str, Any] | None = None, **of_unit: Any) -> Target:
    """The engine as the system's target; by default the sound one, with one container that runs and one that does
    not."""
    chosen = engine() if found is None else found
    if not chosen["containers"]:
        chosen = changed(chosen, {"containers": [default_container(1), stopped(number=2)]})
    service = Service("docker.service", ["docker.socket"], ROOT)
    return Target(chosen["name"], chosen, unit(**of_unit), {}, service, ROOT)


def without_containers(**changes: Any) -> Target:
    """A sound engine with a container that does not run."""
    return target(engine(containers=[stopped(number=2)], **changes))


def names(containers: list[Any]) -> list[str]:
    return [each.name for each in containers]


@pytest.mark.parametrize("policy", ["always", ["always"], {"Name": 1}, None])
def test_a_restart_policy_of_another_shape_is_none(policy):
    """So an engine that answers as it likes can still be taken away."""
    told = changed(default_container(1), {"host_config": {"RestartPolicy": policy}})
    [found] = target(engine(containers=[told])).containers
    assert (found.id, found.restart) == (told["id"], "")


@pytest.mark.parametrize(
    ("version", "before", "after", "effect"),
    [
        ("26.1.5", LIVE, LIVE, "none"),
        ("26.1.5", {"dns-opts": ["a", "b"]}, {"dns-opts": ["b", "a"]}, "none"),
        ("26.1.5", {}, {"insecure-registries": []}, "none"),
        ("26.1.5", {}, LIVE, "reload"),
        ("26.1.5", {"debug": True}, {"debug": False}, "reload"),
        # A SIGHUP does not take a key back.
        ("26.1.5", {"debug": True}, {}, "restart"),
        ("26.1.5", {}, {"debug": True, "icc": False}, "restart"),
        ("26.1.5", {}, {"default-ipc-mode": "private"}, "reload"),
        ("20.10.24", {}, {"default-ipc-mode": "private"}, "restart"),
        ("26.1.5", {"authorization-plugins": []}, {"authorization-plugins": ["opa"]}, "restart"),
        # No dockerd understands the file: whatever it is to say, the engine has not taken it.
        ("26.1.5", None, {}, "restart"),
    ],
)
def test_the_least_that_makes_the_engine_take_the_file(version, before, after, effect):
    running = target(engine(version={"Version": version}))
    assert plan(running, before, after, [], False).effect == effect


@pytest.mark.parametrize(
    ("found", "of_unit", "before", "after", "reasons", "effect"),
    [
        (engine(), {}, LIVE, LIVE, REASON, "restart"),
        (stopped_engine(), FAILED, LIVE, LIVE, [], "restart"),
        (stopped_engine(), BETWEEN_TRIES, LIVE, LIVE, [], "restart"),
        # Stopped on purpose it stays so, whatever there is to change.
        (stopped_engine(), OFF, {}, {"icc": False}, [], "none"),
        (stopped_engine(), OFF, LIVE, LIVE, REASON, "none"),
        (engine(**HANGS), {}, {}, {"icc": False}, [], "restart"),
    ],
)
def test_the_state_of_the_engine_counts(found, of_unit, before, after, reasons, effect):
    assert plan(target(found, **of_unit), before, after, reasons, False).effect == effect


@pytest.mark.parametrize(
    ("state", "of_unit", "down"),
    [
        ("stopped", FAILED, True),
        ("stopped", BETWEEN_TRIES, True),
        ("stopped", OFF, False),
        ("running", FAILED, False),
    ],
)
def test_down_is_what_ought_to_run(state, of_unit, down):
    assert is_down(target(engine(state=state), **of_unit)) is down


@pytest.mark.parametrize(
    ("case", "info", "flags", "before", "after", "survives", "first"),
    [
        ("it is on and stays on", {}, {}, LIVE, {**LIVE, "icc": False}, True, False),
        ("it is switched on by a reload", WITHOUT, {}, {}, {**LIVE, "icc": False}, True, True),
        ("it stays off", WITHOUT, {}, {}, {"icc": False}, False, False),
        ("it is switched off", {}, {}, LIVE, {"icc": False}, False, False),
        ("it is switched off in words", {}, {}, LIVE, {"live-restore": False, "icc": False}, False, False),
        ("it is a flag", {}, {"live-restore": ["true"]}, {}, {"icc": False}, True, False),
        (
            "the last flag counts",
            WITHOUT,
            {"live-restore": ["true", "false"]},
            {},
            {"icc": False},
            False,
            False,
        ),
        ("a swarm has none", IN_SWARM, {}, LIVE, {**LIVE, "icc": False}, False, False),
        ("the file is broken, and it is on", {}, {}, None, LIVE, True, False),
        # dockerd refuses a broken file at a SIGHUP too: nothing can switch it on.
        ("the file is broken, and it is off", WITHOUT, {}, None, LIVE, False, False),
    ],
)
def test_containers_outlive_a_restart_with_live_restore(case, info, flags, before, after, survives, first):
    found = plan(target(engine(info=info, flags=flags)), before, after, [], False)
    assert found.effect == "restart"
    assert names(found.survivors) == (["container-001"] if survives else []), case
    assert names(found.stopped) == ([] if survives else ["container-001"]), case
    assert found.live_restore_first is first, case


def test_a_reload_stops_nothing_without_live_restore():
    found = plan(target(engine(info=WITHOUT)), {}, {"debug": True}, [], False)
    assert (found.effect, names(found.survivors), found.stopped) == ("reload", ["container-001"], [])
    assert found.live_restore_first is False


def test_with_consent_containers_stop_although_they_could_run_on():
    found = plan(target(), LIVE, {**LIVE, "icc": False}, [], True)
    assert (found.survivors, names(found.stopped), found.deferred) == ([], ["container-001"], frozenset())


def test_an_engine_that_hangs_may_have_lost_its_settings():
    found = plan(target(engine(**HANGS)), LIVE, {**LIVE, "icc": False}, [], False)
    assert names(found.stopped) == ["container-001"]


def test_what_runs_without_a_failed_engine_outlives_its_start():
    left_running = stopped_engine(containers=[default_container(1)])
    found = plan(target(left_running, **FAILED), {}, {"icc": False}, [], False)
    assert (found.effect, names(found.survivors), found.stopped) == ("restart", ["container-001"], [])
    assert found.live_restore_first is False


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (LIVE, {**LIVE, "userns-remap": "default"}),
        ({**LIVE, "userns-remap": "default"}, LIVE),
        (LIVE, {**LIVE, "data-root": "/srv/docker"}),
    ],
)
def test_another_data_root_ends_what_runs(before, after):
    found = plan(target(), before, after, [], False)
    assert found.data_switch
    assert (found.survivors, names(found.stopped), found.live_restore_first) == ([], ["container-001"], False)


@pytest.mark.parametrize(
    ("running", "after", "deferred"),
    [
        (target(), {**LIVE, "icc": False, "ip": "127.0.0.1", "userland-proxy": False}, {"icc", "ip"}),
        (target(engine(info=WITHOUT)), {**LIVE, "icc": False}, {"icc"}),
        (target(), {**LIVE, "userland-proxy": False}, set()),
        (without_containers(), {**LIVE, "icc": False}, set()),
        # Without live-restore the containers stop, and the bridge is made anew.
        (target(engine(info=WITHOUT)), {"icc": False}, set()),
    ],
)
def test_options_of_the_bridge_wait_while_containers_run_on(running, after, deferred):
    before = LIVE if running.live_restore else {}
    assert plan(running, before, after, [], False).deferred == deferred


def test_live_restore_is_not_switched_on_for_nobody():
    found = plan(without_containers(info=WITHOUT), {}, {**LIVE, "icc": False}, [], False)
    assert (found.live_restore_first, found.survivors, found.stopped) == (False, [], [])


@pytest.mark.parametrize(
    ("flags", "allowed", "bridged"),
    [({}, True, True), ({}, False, False), ({"live-restore": ["true"]}, True, False)],
)
def test_live_restore_may_be_lent_for_the_restart_that_ends_it(flags, allowed, bridged):
    """As undoing does, whose file has no live-restore; where it is a flag, the file cannot lend it."""
    found = plan(target(engine(flags=flags)), LIVE, {"icc": False}, [], False, bridge=allowed)
    assert found.bridge is bridged
    assert names(found.survivors) == (["container-001"] if bridged or flags else [])


def test_stopped_containers_are_a_cost():
    running = engine(info=WITHOUT, containers=[default_container(2), default_container(1)])
    found = plan(target(running), {}, {"icc": False}, [], False)
    assert costs(found) == [
        {
            "kind": "containers_stop",
            "message": "The restart stops 2 running containers: container-001, container-002.",
            "subjects": ["container-001", "container-002"],
        }
    ]
    assert costs(plan(target(), LIVE, LIVE, REASON, False)) == []


def test_one_container_is_named_as_one():
    found = plan(target(engine(info=WITHOUT)), {}, {"icc": False}, [], False)
    assert costs(found)[0]["message"] == "The restart stops 1 running container: container-001."
