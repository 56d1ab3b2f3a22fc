# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines as a whole: whether they answer, their configuration file, what they can enforce, and strays."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.engine import daemon

from tests.unit.builders.containers import container
from tests.unit.builders.daemon import (
    edited,
    engine,
    file,
    process,
    rootless_engine,
    rootless_snapshot,
    said,
    snapshot,
    stopped_engine,
    unit,
    with_settings,
)
from tests.unit.builders.judging import changed, finding

HUNG = "/run/docker.sock accepts connections and does not answer within 5 s"


def broken(kind, message, settings=None):
    problem = {"kind": kind, "message": message, "line": 3, "column": 7}
    return engine(config={"settings": settings, "problems": [problem]})


def judged(control, host, verdict, text=""):
    found = finding(control, host)
    assert found["verdict"] == verdict
    assert text in said(found)


@pytest.mark.parametrize(
    ("host", "verdict", "text"),
    [
        (snapshot(), "pass", ""),
        (snapshot(engine(state="unresponsive", error=HUNG)), "fail", HUNG),
        (
            snapshot(stopped_engine(), units={"docker.service": unit(active="failed")}),
            "fail",
            "docker.service",
        ),
        (snapshot(stopped_engine(), units={"docker.service": unit(active="inactive")}), "not_applicable", ""),
        (snapshot(stopped_engine(unit=None)), "not_applicable", ""),
        (snapshot(engine(state="unreachable", error="no permission")), "unknown", "no permission"),
    ],
)
def test_an_engine_that_hangs_or_failed_is_found(host, verdict, text):
    judged(daemon.answers, host, verdict, text)


@pytest.mark.parametrize(
    ("running", "verdict", "text"),
    [
        (engine(), "pass", ""),
        (engine(config={"exists": False, "settings": {}}), "pass", ""),
        # Edge cases 9, 14 and 31 of the remediation.
        (
            broken("duplicate_key", "the key 'icc' is given more than once", {"icc": False}),
            "fail",
            "daemon.json:3:7",
        ),
        (broken("syntax", "a comma before the closing }"), "fail", "a comma before the closing }"),
        (broken("empty", "the file is empty", {}), "pass", ""),
        (
            {**broken("empty", "the file is empty", {}), "version": {"Version": "20.10.24"}},
            "fail",
            "is empty",
        ),
        (
            {**broken("bom", "a byte order mark", {}), "version": {"error": "timed out"}},
            "fail",
            "byte order mark",
        ),
        (broken("trailing", "something follows after the object", {}), "fail", "something follows"),
        (with_settings(engine(), nope=1), "fail", "unknown key nope"),
        (with_settings(engine(), nope=1), "fail", "the next start will fail"),
        (with_settings(stopped_engine(), nope=1), "fail", "the engine cannot start with it"),
        (with_settings(engine(), oom_score_adjust=1), "fail", "unknown key oom-score-adjust"),
        (with_settings(engine(), insecure_registry=["reg"]), "fail", "ignored key insecure-registry"),
        (engine(config={"settings": {"error": "no permission"}}), "unknown", "no permission"),
    ],
)
def test_a_broken_configuration_file_is_found_before_the_next_start(running, verdict, text):
    judged(daemon.configuration_file, snapshot(running), verdict, text)


@pytest.mark.parametrize(
    ("running", "verdict", "text"),
    [
        (engine(), "pass", ""),
        (
            edited(engine(info={"LiveRestoreEnabled": False})),
            "fail",
            "live-restore: /etc/docker/daemon.json says true",
        ),
        (engine(info={"LiveRestoreEnabled": False}), "fail", "reload pending"),
        (edited(engine()), "unknown", "younger than the engine"),
        # Edge case 31: a reload has returned 0 and changed nothing.
        (broken("syntax", "a comma before the closing }"), "fail", "restart pending, and will fail"),
        (stopped_engine(), "not_applicable", ""),
    ],
)
def test_what_is_on_disk_and_not_in_force_is_found(running, verdict, text):
    judged(daemon.configuration_applied, snapshot(running), verdict, text)


JSON_FILE = {"LoggingDriver": "json-file"}


@pytest.mark.parametrize(
    ("running", "verdict"),
    [
        (engine(), "pass"),
        (engine(info=JSON_FILE), "fail"),
        (with_settings(engine(info=JSON_FILE), log_opts={"max-file": "3"}), "fail"),
        (with_settings(engine(info=JSON_FILE), log_opts={"max-size": "-1"}), "fail"),
        (with_settings(engine(info=JSON_FILE), log_opts={"max-size": "10m"}), "pass"),
        (engine(info=JSON_FILE, flags={"log-opt": ["max-size=10m"]}), "pass"),
        (edited(engine(info=JSON_FILE), **{"log-opts": {"max-size": "10m"}}), "unknown"),
        (engine(info={"LoggingDriver": "local"}), "pass"),
        (engine(info={"LoggingDriver": "none"}), "not_applicable"),
    ],
)
def test_logs_rotate(running, verdict):
    judged(daemon.log_rotation, snapshot(running), verdict)


@pytest.mark.parametrize(
    ("running", "verdict", "text"),
    [
        (engine(), "pass", ""),
        (rootless_engine(info={"CgroupDriver": "none", "CgroupVersion": "1"}), "fail", "cgroup v1"),
        (engine(info={"PidsLimit": False}), "fail", "/info PidsLimit"),
        (stopped_engine(), "unknown", ""),
    ],
)
def test_limits_need_a_cgroup_driver(running, verdict, text):
    judged(daemon.limits_effective, snapshot(running), verdict, text)


SELINUX: dict[str, Any] = {
    "active": [],
    "apparmor": None,
    "selinux": {"mode": "enforcing", "configured": "enforcing"},
}


@pytest.mark.parametrize(
    ("running", "lsm", "verdict"),
    [
        (engine(), {}, "pass"),
        (engine(info={"SecurityOptions": ["name=userns"]}), {}, "fail"),
        (engine(), SELINUX, "fail"),
        (engine(info={"SecurityOptions": ["name=selinux"]}), SELINUX, "pass"),
        (engine(), {"apparmor": None}, "not_applicable"),
        (engine(), {"apparmor": {"error": "not root"}}, "unknown"),
        # R42: AppArmor does not work in rootless mode.
        (rootless_engine(), {}, "not_applicable"),
        (rootless_engine(), SELINUX, "fail"),
    ],
)
def test_the_hosts_security_module_is_used(running, lsm, verdict):
    judged(daemon.security_module, snapshot(running, host={"lsm": lsm}), verdict)


@pytest.mark.parametrize(
    ("options", "apparmor", "verdict"),
    [
        (["apparmor=web"], {}, "pass"),
        (["apparmor:docker-default"], {}, "pass"),
        (None, {}, "pass"),
        (["apparmor=shop"], {}, "fail"),
        (["apparmor=shop"], {"enabled": False}, "not_applicable"),
        (["apparmor=shop"], {"profiles": {"error": "not root"}}, "unknown"),
    ],
)
def test_profiles_that_containers_name_are_loaded(options, apparmor, verdict):
    running = engine(containers=[container(host_config={"SecurityOpt": options})])
    judged(daemon.apparmor_profile_loaded, snapshot(running, host={"lsm": {"apparmor": apparmor}}), verdict)


def test_a_rootless_engine_ignores_profiles():
    running = rootless_engine(containers=[container(host_config={"SecurityOpt": ["apparmor=shop"]})])
    host = rootless_snapshot(running, host={"lsm": {"apparmor": {"enabled": True, "profiles": {}}}})
    judged(daemon.apparmor_profile_loaded, host, "not_applicable", "a rootless engine cannot load")


OPEN_DIRECTORY = [{"path": "/etc/docker", "mode": "0777", "uid": 0, "gid": 0, "acl": []}]


@pytest.mark.parametrize(
    ("path", "found", "verdict", "text"),
    [
        ("/etc/docker/seccomp.json", file(), "pass", ""),
        ("/etc/docker/seccomp.json", file(mode="0664"), "fail", "mode 0664"),
        ("/etc/docker/seccomp.json", file(uid=1000, owner="alice"), "fail", "owner alice"),
        ("/etc/docker/seccomp.json", file(acl=["user:alice:rw-"]), "fail", "user:alice:rw-"),
        ("/etc/docker/seccomp.json", file(acl=["user:alice:r--"]), "pass", ""),
        ("/etc/docker/seccomp.json", file(parents=OPEN_DIRECTORY), "fail", "/etc/docker has mode 0777"),
        ("/etc/docker/seccomp.json", None, "fail", "missing"),
        ("/etc/docker/seccomp.json", {"error": "no permission"}, "unknown", "no permission"),
        ("/tmp/seccomp.json", file(), "fail", "a lasting directory"),
    ],
)
def test_the_seccomp_profile_is_roots(path, found, verdict, text):
    running = engine(info={"SecurityOptions": [f"name=seccomp,profile={path}"]})
    judged(daemon.seccomp_profile_file, snapshot(running, files={path: found}), verdict, text)


def test_without_a_profile_file_there_is_nothing_to_guard():
    judged(daemon.seccomp_profile_file, snapshot(), "not_applicable")


STRAY = {"pid": 4000, "engine": None, "unit": None}


@pytest.mark.parametrize(
    ("extra", "verdict", "text"),
    [
        (process(**STRAY), "fail", "/usr/bin/dockerd"),
        (process(**STRAY, name="innocent", exe="/opt/bin/dockerd"), "fail", "/opt/bin/dockerd"),
        # A decoy: another program called dockerd.
        (process(**STRAY, exe="/usr/bin/sleep"), "pass", ""),
        (process(**{**STRAY, "unit": "docker2.service"}), "pass", ""),
        (process(**STRAY, container="ab" * 32), "pass", ""),
        (process(**STRAY, exe=None), "unknown", "process 4000"),
    ],
)
def test_engines_started_by_hand_are_found(extra, verdict, text):
    judged(daemon.supervised, snapshot(engine_processes=[process(), extra]), verdict, text)


def test_rootless_engines_are_supervised_by_their_users_manager():
    judged(daemon.supervised, rootless_snapshot(), "pass")


def test_processes_that_could_not_be_read_are_unknown():
    judged(
        daemon.supervised,
        changed(snapshot(), {"engine_processes": {"error": "no /proc"}}),
        "unknown",
        "no /proc",
    )
