# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rootless engines: their processes, their service, their client, and the system's engine beside them."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.audit.catalogue import CATALOGUE
from ansible_collections.bulwark.docker.plugins.module_utils.audit.judge import findings_of
from ansible_collections.bulwark.docker.plugins.module_utils.controls.engine import rootless, userns
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Control

from tests.unit.builders.containers import container
from tests.unit.builders.daemon import (
    client,
    engine,
    listener,
    open_endpoint,
    rootless_engine,
    rootless_snapshot,
    said,
    snapshot,
    stopped_engine,
    unit,
    with_settings,
)
from tests.unit.builders.judging import changed, finding

CONTROLS = [value for value in vars(rootless).values() if isinstance(value, Control)]
OF_ROOTLESS = [
    control for control in CONTROLS if control.id not in ("daemon.rootless_mode", "rootless.packaged")
]
DEAD = rootless_engine(
    state="stopped",
    error="No dockerd of alice runs below a rootlesskit",
    pid=None,
    uid=None,
    rootlesskit=None,
    binary=None,
    info={"error": "No dockerd of alice runs below a rootlesskit"},
)


def judged(control, host, verdict, text="", **parameters):
    found = finding(control, host, **parameters)
    assert found["verdict"] == verdict
    assert text in said(found)


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_a_sound_rootless_engine_passes(control):
    """R42."""
    judged(control, rootless_snapshot(), "pass")


@pytest.mark.parametrize("control", OF_ROOTLESS, ids=lambda control: control.id)
def test_the_systems_engine_is_not_judged_as_rootless(control):
    judged(control, snapshot(), "not_applicable", "the engine is the system's")


def test_each_engine_is_judged_on_its_own():
    both = rootless_snapshot(rootless_engine(), engine())
    verdicts = {one["engine"]: one["verdict"] for one in findings_of(both, [rootless.unprivileged], {}, {})}
    assert verdicts == {"rootless:alice": "pass", "system": "not_applicable"}


def test_the_systems_engine_runs_as_root():
    judged(rootless.rootless_mode, snapshot(), "fail", "root, expected an ordinary user")
    judged(rootless.rootless_mode, snapshot(stopped_engine()), "unknown")


@pytest.mark.parametrize(
    ("running", "verdict", "text"),
    [
        (rootless_engine(uid=0), "fail", "owner of dockerd"),
        (rootless_engine(rootlesskit=None), "fail", "no rootlesskit"),
        (rootless_engine(rootlesskit={"uid": 0}), "fail", "uid 0"),
        (rootless_engine(info={"SecurityOptions": ["name=seccomp,profile=builtin"]}), "fail", "not rootless"),
        (rootless_engine(info={"error": "timed out"}), "unknown", "timed out"),
        (DEAD, "not_applicable", ""),
    ],
)
def test_processes_of_a_rootless_engine_are_its_users(running, verdict, text):
    judged(rootless.unprivileged, rootless_snapshot(running), verdict, text)


def test_a_rootless_engine_that_is_told_to_remap_is_found():
    """Edge case 98."""
    running = with_settings(rootless_engine(), userns_remap="default")
    judged(
        rootless.no_userns_remap, rootless_snapshot(running), "fail", "/home/alice/.config/docker/daemon.json"
    )
    unread = rootless_engine(config={"settings": {"error": "no permission"}})
    judged(rootless.no_userns_remap, rootless_snapshot(unread), "unknown", "no permission")


@pytest.mark.parametrize(
    ("host", "verdict", "text"),
    [
        (rootless_snapshot(rootless_engine(user_unit={"enabled": False})), "fail", "not enabled"),
        (rootless_snapshot(rootless_engine(user_unit={"fragment_exists": False})), "fail", "no unit"),
        (rootless_snapshot(accounts={"linger": ["bob"]}), "fail", "/var/lib/systemd/linger/alice"),
        (rootless_snapshot(DEAD), "fail", "No dockerd of alice"),
        (rootless_snapshot(rootless_engine(user_unit={"error": "run as root"})), "unknown", "run as root"),
        (rootless_snapshot(accounts={"linger": {"error": "run as root"}}), "unknown", "run as root"),
    ],
)
def test_a_rootless_engine_starts_at_boot_and_stays(host, verdict, text):
    judged(rootless.service, host, verdict, text)


EXPORTED = {"DOCKER_HOST": {"value": "unix:///run/user/1000/docker.sock", "file": "/home/alice/.bashrc"}}


@pytest.mark.parametrize(
    ("clients", "verdict"),
    [
        ([], "fail"),
        ([client()], "fail"),
        ([client(user="bob", contexts=[])], "fail"),
        ([client(contexts=[], current_context=None)], "fail"),
        ([client(contexts=[], current_context=None, environment=EXPORTED)], "pass"),
        ([client(contexts={"error": "no permission"})], "unknown"),
        ({"error": "no permission"}, "unknown"),
    ],
)
def test_the_users_client_reaches_the_users_engine(clients, verdict):
    judged(rootless.client, {**rootless_snapshot(), "clients": clients}, verdict)


def test_a_member_of_docker_does_not_need_a_rootless_engine():
    """Edge case 90."""
    groups = [{"name": "docker", "gid": 995, "members": ["alice"]}]
    judged(
        rootless.user_not_in_docker_group,
        rootless_snapshot(accounts={"groups": groups}),
        "fail",
        "member of docker",
    )
    unread = rootless_snapshot(accounts={"groups": {"error": "NSS hangs"}})
    judged(rootless.user_not_in_docker_group, unread, "unknown", "NSS hangs")


@pytest.mark.parametrize(
    ("units", "verdict", "text"),
    [
        # Edge case 91: the socket starts the service again.
        ({"docker.socket": unit(active="active")}, "fail", "docker.socket is active"),
        ({"docker.service": unit(active="active")}, "fail", "docker.service is active"),
        ({"docker.service": unit(active="inactive", enabled="enabled")}, "fail", "docker.service is enabled"),
        ({"docker.socket": unit(load="masked", active="inactive", enabled="masked")}, "pass", ""),
        ({"error": "systemctl hangs"}, "unknown", "systemctl hangs"),
    ],
)
def test_the_systems_engine_is_off_beside(units, verdict, text):
    judged(rootless.system_engine_off, rootless_snapshot(units=units), verdict, text)


def test_both_engines_can_be_meant():
    host = rootless_snapshot(units={"docker.service": unit(active="active")})
    judged(rootless.system_engine_off, host, "not_applicable", beside=True)


def test_containers_that_live_restore_left_behind_are_found():
    host = changed(
        rootless_snapshot(), {"engines": [rootless_engine(), stopped_engine(containers=[container()])]}
    )
    (found,) = (
        one
        for one in findings_of(host, [rootless.system_engine_off], {}, {})
        if one["engine"] == "rootless:alice"
    )
    assert found["verdict"] == "fail"
    assert "runs on" in said(found)


@pytest.mark.parametrize(
    ("running", "installed", "verdict", "text"),
    [
        (rootless_engine(binary={"path": "/home/alice/bin/dockerd"}), {}, "fail", "/home/alice/bin/dockerd"),
        (rootless_engine(), {"docker-ce": None}, "pass", ""),
        (rootless_engine(binary={"error": "run as root"}), {}, "unknown", "run as root"),
        (DEAD, {}, "not_applicable", ""),
        (rootless_engine(), {"error": "no package manager"}, "unknown", "no package manager"),
    ],
)
def test_engines_come_from_packages(running, installed, verdict, text):
    judged(
        rootless.packaged,
        rootless_snapshot(running, host={"packages": {"installed": installed}}),
        verdict,
        text,
    )


def test_a_program_in_a_systems_directory_without_its_package_is_found():
    host = rootless_snapshot()
    host["host"]["packages"]["installed"] = {"bash": "5.2"}
    judged(rootless.packaged, host, "fail", "no package of the engine")


@pytest.mark.parametrize(
    ("sysctls", "verdict"),
    [
        ({"user.max_user_namespaces": "0"}, "fail"),
        ({"kernel.unprivileged_userns_clone": "0"}, "fail"),
        ({"kernel.unprivileged_userns_clone": None}, "pass"),
        ({"error": "no /proc/sys"}, "unknown"),
    ],
)
def test_the_kernel_lets_users_make_namespaces(sysctls, verdict):
    judged(rootless.prerequisites, rootless_snapshot(host={"sysctls": sysctls}), verdict)


@pytest.mark.parametrize(
    ("profiles", "restricted", "verdict"),
    [
        ({"docker-default": "enforce"}, "1", "fail"),
        ({"docker-default": "enforce"}, "0", "pass"),
        ({"rootlesskit": "unconfined"}, "1", "pass"),
        ({"home.alice.bin.rootlesskit": "unconfined"}, "1", "pass"),
        ({"error": "securityfs is not mounted"}, "1", "unknown"),
    ],
)
def test_a_kernel_that_restricts_namespaces_has_a_profile_for_rootlesskit(profiles, restricted, verdict):
    """Edge case 95."""
    lsm = {"apparmor": {"enabled": True, "profiles": profiles}}
    host = rootless_snapshot(
        host={"lsm": lsm, "sysctls": {"kernel.apparmor_restrict_unprivileged_userns": restricted}}
    )
    host["host"]["lsm"] = lsm
    judged(rootless.prerequisites, host, verdict)


def test_remedies_of_a_rootless_engine_are_about_it():
    engine_of_alice = with_settings(rootless_engine(user_unit={"enabled": False}), icc=True)
    engine_of_alice["networks"][0]["options"]["com.docker.network.bridge.enable_icc"] = "true"
    host = rootless_snapshot(engine_of_alice, units={"docker.service": unit(active="active")})
    host["accounts"]["subids"] = {"uid": None, "gid": None, "source": "files"}
    for control, role, variables in (
        (rootless.service, "rootless", {"rootless_state": "present", "rootless_user": "alice"}),
        (
            rootless.system_engine_off,
            "rootless",
            {"rootless_system_engine": "stop", "rootless_user": "alice"},
        ),
        (userns.subordinate_ids, "rootless", {"rootless_user": "alice"}),
        (
            CATALOGUE["daemon.icc"],
            "daemon_config",
            {"daemon_config_baseline": {"icc": False}, "daemon_apply_user": "alice"},
        ),
    ):
        remedy = finding(control, host)["remedy"]
        assert (remedy["role"], remedy["variables"]) == (role, variables)
    # The role that secures TCP listeners is for the system's engine.
    open_to_all = rootless_snapshot(rootless_engine(endpoints=[open_endpoint()]))
    found = finding(CATALOGUE["listener.docker_api_unauthenticated"], open_to_all)
    assert (found["severity"], found["remedy"]["role"], found["remedy"]["variables"]) == (
        "critical",
        None,
        {},
    )


OFF = {
    "docker.service": {"active": "inactive", "enabled": "disabled", "triggers": []},
    "docker.socket": unit(active="inactive", enabled="masked"),
}


@pytest.mark.parametrize(
    ("units", "verdict"),
    [
        ({}, "not_applicable"),
        ({"docker.socket": unit(active="active", enabled="masked")}, "unknown"),
        ({"docker.service": {"active": "inactive", "enabled": "enabled", "triggers": []}}, "unknown"),
        ({"docker.service": {"active": "failed", "enabled": "disabled", "triggers": []}}, "unknown"),
    ],
)
@pytest.mark.parametrize("name", ["container.root_user", "daemon.icc", "host.services_from_containers"])
def test_a_systems_engine_that_is_off_is_nothing_to_worry_about(name, units, verdict):
    """What a rootless engine has replaced would else be unknown for ever."""
    host = snapshot(stopped_engine())
    host["units"], host["listeners"] = {**OFF, **units}, [listener(container=None)]
    assert finding(CATALOGUE[name], host)["verdict"] == verdict


def test_an_engine_that_is_off_hides_nothing_else():
    host = snapshot(stopped_engine(config={"error": "no permission"}))
    host["units"] = OFF
    judged(CATALOGUE["daemon.configuration_file"], host, "unknown", "no permission")
