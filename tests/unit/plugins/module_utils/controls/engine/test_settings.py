# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of single daemon options: on a sound engine, on a wrong one, and where the value is not known."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.engine.settings import CONTROLS

from tests.unit.builders.daemon import (
    bridge,
    edited,
    engine,
    rootless_engine,
    said,
    snapshot,
    stopped_engine,
    with_settings,
)
from tests.unit.builders.judging import finding

BY_ID = {control.id.partition(".")[2]: control for control in CONTROLS}
NO_NNP = ["name=seccomp,profile=builtin", "name=userns"]
OLD = engine(version={"Version": "20.10.24"}, info={"SecurityOptions": NO_NNP})
INSECURE = {"RegistryConfig": {"IndexConfigs": {"reg.example": {"Secure": False}}}}


def verdict(name, running, **parameters):
    return finding(BY_ID[name], snapshot(running), **parameters)["verdict"]


@pytest.mark.parametrize("name", BY_ID)
def test_a_sound_engine_passes(name):
    assert verdict(name, engine()) == "pass"


@pytest.mark.parametrize("name", BY_ID)
def test_a_rootless_engine_is_judged_by_its_own_file(name):
    """R42."""
    means_nothing = name in ("live_restore", "userland_proxy")
    assert verdict(name, rootless_engine()) == ("not_applicable" if means_nothing else "pass")


@pytest.mark.parametrize("name", BY_ID)
def test_nothing_is_known_of_a_stopped_engine(name):
    found = finding(BY_ID[name], snapshot(stopped_engine()))
    assert found["verdict"] == "unknown"
    assert "docker.service is inactive" in found["message"]


@pytest.mark.parametrize(
    ("name", "running", "actual"),
    [
        ("icc", engine(networks=[bridge(icc="true")]), True),
        ("log_level", with_settings(engine(), log_level="warn"), "warn"),
        ("log_level", engine(flags={"log-level": ["debug"]}), "debug"),
        ("debug", engine(info={"Debug": True}), True),
        ("iptables", with_settings(engine(), iptables=False), False),
        ("insecure_registries", engine(info=INSECURE), ["reg.example"]),
        ("storage_driver", engine(info={"Driver": "aufs"}), "aufs"),
        ("storage_driver", engine(info={"Driver": "devicemapper"}), "devicemapper"),
        ("default_ulimits", with_settings(engine(), "default-ulimits"), "not set"),
        ("cgroup_parent", with_settings(engine(), cgroup_parent="/pods"), "/pods"),
        ("base_device_size", with_settings(engine(), storage_opts=["dm.basesize=50G"]), ["dm.basesize=50G"]),
        ("authorization_plugin", engine(info={"Plugins": {"Authorization": None}}), "not set"),
        # R13: nothing at all is logged with none, nothing leaves the host with local.
        ("logging", engine(info={"LoggingDriver": "none"}), "none"),
        ("central_logging", engine(info={"LoggingDriver": "none"}), "none"),
        ("central_logging", engine(info={"LoggingDriver": "local"}), "local"),
        ("central_logging", engine(info={"LoggingDriver": "json-file"}), "json-file"),
        ("no_new_privileges", engine(info={"SecurityOptions": NO_NNP}), False),
        ("live_restore", engine(info={"LiveRestoreEnabled": False}), False),
        ("userland_proxy", with_settings(engine(), "userland-proxy"), True),
        (
            "seccomp_profile",
            engine(info={"SecurityOptions": ["name=seccomp,profile=unconfined"]}),
            "unconfined",
        ),
        ("seccomp_profile", engine(info={"SecurityOptions": ["name=userns"]}), "not available"),
        # R16: it still asks for false.
        ("experimental", engine(info={"ExperimentalBuild": True}), True),
        ("published_address", engine(networks=[bridge(address="0.0.0.0")]), "0.0.0.0"),
        ("cgroup_namespace", engine(info={"SecurityOptions": NO_NNP}), "host"),
    ],
)
def test_a_wrong_value_fails(name, running, actual):
    found = finding(BY_ID[name], snapshot(running))
    assert (found["verdict"], found["subjects"][0]["actual"]) == ("fail", actual)


@pytest.mark.parametrize("driver", ["local", "json-file", "journald"])
def test_every_driver_but_none_logs(driver):
    assert verdict("logging", engine(info={"LoggingDriver": driver})) == "pass"


@pytest.mark.parametrize("driver", ["syslog", "journald", "fluentd", "loki:latest"])
def test_drivers_that_forward_are_central(driver):
    assert verdict("central_logging", engine(info={"LoggingDriver": driver})) == "pass"


def test_a_profile_of_ones_own_is_no_fault():
    running = engine(info={"SecurityOptions": ["name=seccomp,profile=/etc/docker/seccomp.json"]})
    assert verdict("seccomp_profile", running) == "pass"


def test_flags_that_switch_hardening_off_are_no_pass():
    """R7: `--userns-remap= --no-new-privileges=false --live-restore=false`."""
    flags = {"userns-remap": [""], "no-new-privileges": ["false"], "live-restore": ["false"]}
    running = engine(
        flags=flags,
        info={"LiveRestoreEnabled": False, "SecurityOptions": ["name=seccomp,profile=builtin"]},
        config={"settings": {"icc": False}},
    )
    assert [verdict(name, running) for name in ("no_new_privileges", "live_restore")] == ["fail", "fail"]
    old = engine(
        flags=flags,
        version={"Version": "20.10.24"},
        info={"SecurityOptions": ["name=seccomp,profile=default"]},
    )
    assert verdict("no_new_privileges", old) == "fail"


@pytest.mark.parametrize(
    ("name", "running", "wanted", "text"),
    [
        ("icc", engine(networks=[bridge(icc="true")]), "fail", "says false: restart pending"),
        ("default_ulimits", engine(), "unknown", "restart pending"),
        ("no_new_privileges", engine(info={"SecurityOptions": NO_NNP}), "fail", "says true: restart pending"),
        ("no_new_privileges", OLD, "unknown", "restart pending"),
        ("live_restore", engine(info={"LiveRestoreEnabled": False}), "fail", "says true: reload pending"),
        ("userland_proxy", engine(), "unknown", "restart pending"),
    ],
)  # fmt: skip
def test_a_file_edited_since_the_start_is_not_in_force(name, running, wanted, text):
    """R9."""
    found = finding(BY_ID[name], snapshot(edited(running)))
    assert found["verdict"] == wanted
    assert text in said(found)


@pytest.mark.parametrize(
    ("name", "running", "reason"),
    [
        ("live_restore", engine(info={"Swarm": {"LocalNodeState": "active"}}), "swarm mode"),
        ("icc", engine(networks=[]), "no default bridge"),
        ("published_address", engine(networks=[]), "no default bridge"),
    ],
)
def test_what_does_not_concern_an_engine_is_not_judged(name, running, reason):
    assert verdict(name, running) == "not_applicable"


@pytest.mark.parametrize(
    ("name", "running", "parameters"),
    [
        ("log_level", with_settings(engine(), log_level="warn"), {"levels": ["info", "warn"]}),
        ("insecure_registries", engine(info=INSECURE), {"allow": ["reg.example"]}),
        ("storage_driver", engine(info={"Driver": "devicemapper"}), {"refuse": ["aufs"]}),
        ("cgroup_parent", with_settings(engine(), cgroup_parent="/pods"), {"allow": ["/pods"]}),
        ("central_logging", engine(info={"LoggingDriver": "local"}), {"local_drivers": ["none"]}),
    ],
)
def test_parameters_accept_what_a_site_means(name, running, parameters):
    assert verdict(name, running) == "fail"
    assert verdict(name, running, **parameters) == "pass"


def test_a_host_without_an_engine_is_not_judged():
    found = finding(BY_ID["icc"], {**snapshot(), "engines": []})
    assert (found["verdict"], found["message"]) == ("not_applicable", "no Docker engine on this host")


def test_storage_drivers_answer_two_rows_of_the_newer_benchmark():
    assert (BY_ID["storage_driver"].cis_1_6_0, BY_ID["storage_driver"].cis_1_8_0) == (
        ("2.6",),
        ("2.6", "2.7"),
    )
