# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written for what was asked, on which engine, beside which flags. Numbers: remediation.md."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_config.settings import Plan, plan

VERSION = "26.1.5+dfsg1"


def planned(settings: dict[str, Any] | None = None, **asked: Any) -> Plan:
    flags, version = asked.pop("flags", {}), asked.pop("version", VERSION)
    return plan(settings or {}, flags, version, config=asked.pop("config", {}), **asked)


@pytest.mark.parametrize(
    ("config", "version", "said"),
    [
        pytest.param(
            {"oom-score-adjust": -500},
            VERSION,
            "oom-score-adjust: was removed in 26; set OOMScoreAdjust= in the unit (engine 26.1.5+dfsg1)",
            id="case 17",
        ),
        pytest.param(
            {"min-api-version": "1.44"},
            "28.5.2",
            "min-api-version: exists since 29 (engine 28.5.2)",
            id="case 15",
        ),
        pytest.param(
            {"live_restore": True},
            VERSION,
            "live_restore: is no option of dockerd; did you mean 'live-restore'? (engine 26.1.5+dfsg1)",
            id="case 15: no key at all",
        ),
        pytest.param(
            {"log-opt": {"max-size": "1m"}},
            VERSION,
            "log-opt: is ignored by dockerd, which reads 'log-opts'",
            id="a flag's name",
        ),
        pytest.param(
            {"icc": "false"}, VERSION, 'icc: wants true or false, not "false"', id="case 26: wrong type"
        ),
        pytest.param({"graph": "/x"}, None, None, id="a version that is not known may take it"),
        pytest.param({"nope": 1}, None, "nope: is no option of dockerd", id="no version takes it"),
    ],
)
def test_what_the_engine_would_not_take_is_refused(config, version, said):
    assert planned(config=config, version=version).refused == ([said] if said else [])
    assert planned(config=config, version=version, state="exact").refused == ([said] if said else [])


def test_all_refusals_are_told_at_once():
    assert len(planned(config={"graph": "/x", "icc": 1, "nope": 1}).refused) == 3


def test_what_shall_go_is_not_checked():
    assert planned({"nope": 1, "graph": "/x"}, config={"nope": None, "graph": None}) == Plan({}, [], [], [])
    assert planned({"nope": 1}, config={"nope": "x"}, state="absent") == Plan({}, [], [], [])


def test_foreign_keys_stay():
    assert planned({"nope": 1}, config={"debug": True}).settings == {"nope": 1, "debug": True}


@pytest.mark.parametrize(
    ("settings", "asked", "after"),
    [
        ({}, {"baseline": {"icc": False}}, {"icc": False}),
        ({"icc": True}, {"baseline": {"icc": False}}, {"icc": False}),
        ({"icc": True}, {"baseline": {"icc": False}, "config": {"icc": True}}, {"icc": True}),
        ({"icc": True}, {"baseline": {"icc": False}, "config": {"icc": None}}, {}),
        ({"icc": True}, {"baseline": {"icc": None}}, {"icc": True}),
        ({"icc": True}, {"defaults": {"icc": False}}, {"icc": True}),
        ({}, {"defaults": {"icc": False}}, {"icc": False}),
        ({}, {"defaults": {"icc": None}}, {}),
        ({}, {"defaults": {"mtu": 1}, "baseline": {"mtu": 2}}, {"mtu": 2}),
        ({}, {"defaults": {"icc": False}, "baseline": {"icc": True}}, {}),
        ({}, {"defaults": {"icc": False}, "baseline": {"icc": None}}, {"icc": False}),
        ({}, {"baseline": {"insecure-registries": []}}, {}),
        ({"insecure-registries": ["a"]}, {"baseline": {"insecure-registries": []}}, {"insecure-registries": []}),
        ({}, {"baseline": {"seccomp-profile": "default", "userland-proxy": True}}, {}),
        ({"userland-proxy": False}, {"baseline": {"userland-proxy": True}}, {"userland-proxy": True}),
        ({}, {"baseline": {"default-cgroupns-mode": "private"}}, {"default-cgroupns-mode": "private"}),
        ({}, {"baseline": {"icc": False}, "flags": {"icc": "false"}}, {}),
        ({"seccomp-profile": "unconfined"}, {"unwanted": {"seccomp-profile": ["unconfined", ""]}}, {}),
        ({"seccomp-profile": "/my"}, {"unwanted": {"seccomp-profile": ["unconfined"]}}, {"seccomp-profile": "/my"}),
        ({"hosts": ["a", "b"]}, {"unwanted": {"hosts": ["b"]}}, {"hosts": ["a"]}),
        ({"hosts": ["b"]}, {"unwanted": {"hosts": ["b"]}}, {}),
        ({"hosts": ["b"]}, {"unwanted": {"hosts": ["b"]}, "config": {"hosts": ["b"]}}, {"hosts": ["b"]}),
        ({"debug": 1}, {"unwanted": {"debug": [True]}}, {"debug": 1}),
        ({"ip": "::"}, {"unwanted": {"ip": ["::"]}, "baseline": {"ip": "127.0.0.1"}}, {"ip": "127.0.0.1"}),
        ({"log-opts": {"tag": "x"}}, {"baseline": {"log-opts": {"max-file": 3}}},
         {"log-opts": {"tag": "x", "max-file": "3"}}),
        ({"x": 1}, {"state": "exact", "config": {"mtu": 1}, "defaults": {"icc": False}}, {"mtu": 1, "icc": False}),
    ],
)  # fmt: skip
def test_who_counts_before_whom(settings, asked, after):
    found = planned(settings, **asked)
    assert (found.settings, found.skipped, found.refused) == (after, [], [])


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (
            {"baseline": {"default-cgroupns-mode": "private"}, "version": "19.03.15"},
            "default-cgroupns-mode exists since 20 (engine 19.03.15)",
        ),
        (
            {"defaults": {"default-cgroupns-mode": "private"}, "version": None},
            "the engine's version is not known, and not every one takes default-cgroupns-mode",
        ),
        (
            {"baseline": {"icc": False}, "flags": {"icc": "true"}},
            "--icc is on dockerd's command line, and the file must not name it as well",
        ),
        (
            {"defaults": {"labels": ["a"]}, "flags": {"labels": ["b"]}},
            "--label is on dockerd's command line, and the file must not name it as well",
        ),
        (
            {"baseline": {"live-restore": True}, "unsuitable": {"live-restore": "the engine is in a swarm"}},
            "the engine is in a swarm",
        ),
    ],
)
def test_what_does_not_suit_is_left_out_with_its_reason(asked, reason):
    found = planned(**asked)
    assert found.settings == {}
    assert [entry["reason"] for entry in found.skipped] == [reason]


@pytest.mark.parametrize(
    ("settings", "asked", "written"),
    [
        ({}, {}, True),
        ({"log-driver": "local"}, {}, True),
        ({"log-driver": "syslog"}, {}, False),
        ({}, {"config": {"log-driver": "syslog"}}, False),
        ({"log-driver": "syslog"}, {"config": {"log-driver": None}}, True),
        ({}, {"flags": {"log-driver": "journald"}}, False),
        ({}, {"flags": {"log-driver": ["journald", "local"]}}, True),
        ({}, {"baseline": {"log-driver": "journald"}}, False),
    ],
)
def test_options_of_log_files_are_for_drivers_that_write_them(settings, asked, written):
    options = {"max-size": "10m"}
    driver = {"log-driver": "local"} if "baseline" not in asked else {}
    found = planned(settings, defaults={"log-opts": options, **driver}, **asked)
    assert found.settings.get("log-opts") == (options if written else None)
    assert found.skipped[-1:] == [] if written else "log driver" in found.skipped[-1]["reason"]


def test_a_default_does_not_touch_options_that_are_there():
    options = {"log-opts": {"tag": "x"}}
    assert planned(options, defaults={"log-opts": {"max-size": "10m"}}).settings == options


def test_mistakes_in_what_fills_the_rest_are_refused_too():
    found = planned(baseline={"icc": "no", "seccomp-profile": ["a"]}, defaults={"iccc": False})
    assert found.refused == [
        'icc: wants true or false, not "no"',
        "seccomp-profile: wants a text, not a list",
        "iccc: is no option of dockerd; did you mean 'icc'?",
    ]


def test_case_25_numbers_in_log_opts_are_told():
    found = planned(config={"log-opts": {"max-file": 3}}, defaults={"log-opts": {"max-size": 1}})
    assert found.settings == {"log-opts": {"max-file": "3"}}
    assert found.notices[0].startswith("log-opts.max-file ")


def test_what_is_taken_out_is_told():
    found = planned({"hosts": ["a", "b"]}, unwanted={"hosts": ["b"]})
    assert found.notices == ["hosts: b is taken out"]


def test_a_second_run_changes_nothing():
    asked: dict[str, Any] = {
        "config": {"log-opts": {"max-file": 3}, "labels": ["b", "a"], "default-ulimits": {"nofile": "1:2"}},
        "baseline": {"icc": False, "insecure-registries": [], "default-cgroupns-mode": "private"},
        "defaults": {"log-driver": "local", "mtu": 1400},
        "unwanted": {"seccomp-profile": ["unconfined"]},
    }
    first = planned({"seccomp-profile": "unconfined", "debug": False}, **asked)
    assert planned(first.settings, **asked).settings == first.settings
