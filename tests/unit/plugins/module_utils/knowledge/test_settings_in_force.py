# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option in force: the API before flags, flags before a file that is not younger than the engine."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    OPTIONS,
    configured,
    drifts,
    edited_since_start,
    effective,
    security_options,
)

from tests.unit.builders.daemon import STARTED, bridge, edited, engine, stopped_engine, with_settings
from tests.unit.builders.judging import changed

OLD = {
    "version": {"Version": "20.10.24+dfsg1"},
    "info": {"SecurityOptions": ["name=seccomp,profile=default"]},
}
REGISTRIES = {
    "IndexConfigs": {
        "docker.io": {"Secure": True},
        "reg.example:5000": {"Secure": False},
        "localhost:5000": {"Secure": False},
    },
    "InsecureRegistryCIDRs": ["10.0.0.0/8", "127.0.0.0/8", "::1/128"],
}


@pytest.mark.parametrize(
    ("name", "running", "value", "source"),
    [
        ("live-restore", engine(info={"LiveRestoreEnabled": False}), False, "/info LiveRestoreEnabled"),
        ("live-restore", engine(flags={"live-restore": ["false"]}), True, "/info LiveRestoreEnabled"),
        ("icc", engine(networks=[bridge(icc="true")]), True, "network inspect bridge: enable_icc"),
        (
            "ip",
            engine(networks=[bridge(address="0.0.0.0")]),
            "0.0.0.0",
            "network inspect bridge: host_binding_ipv4",
        ),
        ("no-new-privileges", engine(info={"SecurityOptions": []}), False, "/info SecurityOptions"),
        ("no-new-privileges", engine(**OLD), True, "/etc/docker/daemon.json"),
        ("no-new-privileges", with_settings(engine(**OLD), "no-new-privileges"), False, "default"),
        ("seccomp-profile", engine(**OLD), "builtin", "/info SecurityOptions"),
        ("seccomp-profile", engine(info={"SecurityOptions": []}), "not available", "/info SecurityOptions"),
        ("insecure-registries", engine(), [], "/info RegistryConfig"),
        (
            "insecure-registries",
            engine(info={"RegistryConfig": REGISTRIES}),
            ["10.0.0.0/8", "reg.example:5000"],
            "/info RegistryConfig",
        ),
        ("userland-proxy", engine(), False, "/etc/docker/daemon.json"),
        ("userland-proxy", with_settings(engine(), "userland-proxy"), True, "default"),
        ("userland-proxy", engine(flags={"userland-proxy": ["true"]}), True, "--userland-proxy"),
        (
            "log-opts",
            engine(flags={"log-opt": ["max-size=1m", "tag=a=b"]}),
            {"max-size": "1m", "tag": "a=b"},
            "--log-opt",
        ),
        (
            "storage-opts",
            engine(flags={"storage-opt": ["dm.basesize=20G"]}),
            ["dm.basesize=20G"],
            "--storage-opt",
        ),
        ("log-level", engine(flags={"log-level": ["warn", "debug"]}), "debug", "--log-level"),
        ("cgroup-parent", with_settings(engine(), cgroup_parent="/x"), "/x", "/etc/docker/daemon.json"),
        (
            "iptables",
            engine(config={"exists": False, "settings": {}, "modified": None, "changed": None}),
            True,
            "default",
        ),
        ("iptables", engine(config={"settings": None}), True, "default"),
    ],
)
def test_the_option_in_force(name, running, value, source):
    setting = effective(running, name)
    assert (setting.value, setting.source) == (value, source)


@pytest.mark.parametrize(
    ("name", "running", "evidence"),
    [
        (
            "live-restore",
            edited(engine(info={"LiveRestoreEnabled": False})),
            "/info LiveRestoreEnabled; /etc/docker/daemon.json says true: reload pending",
        ),
        (
            "icc",
            edited(engine(networks=[bridge(icc="true")])),
            "network inspect bridge: enable_icc; /etc/docker/daemon.json says false: restart pending",
        ),
        ("live-restore", engine(config={"settings": {"error": "no permission"}}), "/info LiveRestoreEnabled"),
        ("live-restore", engine(), "/info LiveRestoreEnabled"),
        ("userland-proxy", engine(), "/etc/docker/daemon.json"),
    ],
)
def test_the_evidence_tells_what_a_restart_would_change(name, running, evidence):
    assert effective(running, name).evidence == evidence


@pytest.mark.parametrize(
    ("name", "running", "reason"),
    [
        ("userland-proxy", edited(engine()), "restart pending"),
        ("default-ulimits", edited(engine()), "which default-ulimits is in force is not known"),
        ("no-new-privileges", edited(engine(**OLD)), "restart pending"),
        ("userland-proxy", stopped_engine(), "docker.service is inactive"),
        ("userland-proxy", engine(config={"settings": {"error": "no permission"}}), "no permission"),
        ("userland-proxy", engine(started=None), "when the engine started is not known"),
        ("live-restore", engine(info={"error": "timed out"}), "timed out"),
        ("icc", engine(networks={"error": "timed out"}), "timed out"),
    ],
)
def test_what_cannot_be_told_is_unread(name, running, reason):
    with pytest.raises(Unread, match=reason):
        effective(running, name)


def test_a_flag_counts_although_the_file_was_edited():
    setting = effective(
        edited(engine(flags={"userland-proxy": ["false"]}), **{"userland-proxy": True}), "userland-proxy"
    )
    assert setting == (False, "--userland-proxy", None)


@pytest.mark.parametrize(
    ("modified", "later"),
    [(STARTED - 1, False), (STARTED + 1, False), (STARTED + 2, False), (STARTED + 3, True)],
)
def test_an_edit_counts_from_two_seconds_after_the_start(modified, later):
    assert edited_since_start(engine(config={"modified": modified})) is later


def test_a_file_moved_there_after_the_start_counts_although_its_time_is_old():
    assert edited_since_start(engine(config={"modified": STARTED - 100, "changed": STARTED + 100}))


@pytest.mark.parametrize(("in_force", "later"), [(True, False), (False, True), (None, True)])
def test_a_file_that_was_seen_to_be_taken_is_not_pending_however_young(in_force, later):
    running = changed(edited(engine(), **{"userland-proxy": False}), {"config": {"in_force": in_force}})
    assert edited_since_start(running) is later


def test_what_a_reload_has_taken_can_be_told():
    running = changed(edited(engine(), **{"userland-proxy": False}), {"config": {"in_force": True}})
    assert effective(running, "userland-proxy") == (False, "/etc/docker/daemon.json", None)


def test_only_what_differs_drifts():
    running = edited(engine(info={"LiveRestoreEnabled": False, "LoggingDriver": "journald"}), debug=True)
    assert [name for name, _unused in drifts(running)] == ["debug", "live-restore"]
    assert list(drifts(edited(engine()))) == []


def test_registries_of_the_loopback_do_not_drift():
    asked = {"insecure-registries": ["127.0.0.1:5000", "reg.example:5000"]}
    running = changed(
        engine(info={"RegistryConfig": {"IndexConfigs": {"reg.example:5000": {"Secure": False}}}}), {}
    )
    assert list(drifts(with_settings(running, **asked))) == []


def test_what_is_configured_is_told_whether_or_not_it_is_in_force():
    assert configured(edited(engine(), icc=True), "icc") == (True, "/etc/docker/daemon.json")
    assert configured(engine(flags={"userns-remap": [""]}), "userns-remap") == ("", "--userns-remap")
    assert configured(engine(), "cgroup-parent") is None


def test_security_options_by_name():
    options = ["name=seccomp,profile=/etc/docker/seccomp.json", "name=userns"]
    assert security_options(engine(info={"SecurityOptions": options})) == {
        "seccomp": "/etc/docker/seccomp.json",
        "userns": "",
    }
    assert security_options(engine(info={"SecurityOptions": None})) == {}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_of_the_table_can_be_told_of_a_sound_engine(name):
    assert effective(engine(), name).source
