# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings brought together and compared as dockerd understands them. Numbers: remediation.md."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.merge import (
    differences,
    merge,
    same,
)

CRUN = {"path": "/usr/bin/crun", "runtimeArgs": ["--debug"]}
OLD = {
    "icc": True,
    "labels": ["b=2", "a=1"],
    "log-opts": {"max-size": "10m", "tag": "x"},
    "runtimes": {"crun": CRUN},
}


@pytest.mark.parametrize(
    ("config", "changed"),
    [
        ({}, {}),
        ({"debug": True, "icc": False}, {"icc": False, "debug": True}),
        ({"log-opts": {"max-file": "3", "tag": "y"}}, {"log-opts": {"max-size": "10m", "tag": "y", "max-file": "3"}}),
        ({"log-opts": {"tag": None}}, {"log-opts": {"max-size": "10m"}}),
        ({"log-opts": {"tag": None, "max-size": None}}, {"log-opts": None}),
        ({"log-opts": None, "nowhere": None, "new": {"a": None, "b": {"c": None}}}, {"log-opts": None}),
        ({"runtimes": {"crun": {"runtimeArgs": []}}}, {"runtimes": {"crun": {**CRUN, "runtimeArgs": []}}}),
        ({"labels": ["a=1", "b=2"], "log-opts": {}, "dns": []}, {}),
        ({"labels": ["c=3"]}, {"labels": ["c=3"]}),
        ({"labels": []}, {"labels": []}),
        ({"labels": "a=1"}, {"labels": "a=1"}),
    ],
)  # fmt: skip
def test_present_merges_deeply(config, changed):
    expected = {**OLD, **changed}
    merged = merge(OLD, config, "present", "replace")
    assert merged == {key: value for key, value in expected.items() if value is not None}
    assert [key for key in merged if key in OLD] == [key for key in OLD if key in merged]


@pytest.mark.parametrize(
    ("config", "changed"),
    [
        ({"labels": ["a=1", "c=3", "c=3"]}, {"labels": ["b=2", "a=1", "c=3"]}),
        ({"dns": ["1.1.1.1"]}, {"dns": ["1.1.1.1"]}),
        ({"labels": []}, {}),
        (
            {"runtimes": {"crun": {"runtimeArgs": ["--debug", "--log=x"]}}},
            {"runtimes": {"crun": {**CRUN, "runtimeArgs": ["--debug", "--log=x"]}}},
        ),
    ],
)
def test_lists_may_be_appended_to(config, changed):
    assert merge(OLD, config, "present", "append") == {**OLD, **changed}


@pytest.mark.parametrize(
    ("config", "left"),
    [
        (
            {"icc": None, "labels": ["a=1"], "nowhere": 1},
            {"log-opts": OLD["log-opts"], "runtimes": OLD["runtimes"]},
        ),
        ({"log-opts": {"tag": "whatever", "none": 1}}, {**OLD, "log-opts": {"max-size": "10m"}}),
        ({"log-opts": {"tag": "", "max-size": ""}}, {key: OLD[key] for key in OLD if key != "log-opts"}),
        ({"log-opts": {}}, {key: OLD[key] for key in OLD if key != "log-opts"}),
        ({"icc": {"deep": 1}}, {key: OLD[key] for key in OLD if key != "icc"}),
        ({}, OLD),
    ],
)
def test_absent_removes(config, left):
    assert merge(OLD, config, "absent", "replace") == left


def test_exact_leaves_the_configuration_alone_in_the_old_order():
    merged = merge(
        OLD, {"debug": True, "labels": ["a=1", "b=2"], "icc": False, "dns": None}, "exact", "replace"
    )
    assert list(merged.items()) == [("icc", False), ("labels", ["b=2", "a=1"]), ("debug", True)]


def test_a_limit_spelled_otherwise_is_the_same_limit():
    old = {"default-ulimits": {"nofile": {"soft": 1, "hard": 2, "name": "nofile"}}}
    same_limit = {"default-ulimits": {"nofile": {"Name": "nofile", "Hard": 2, "Soft": 1}}}
    assert merge(old, same_limit, "present", "replace") == old
    other = {"default-ulimits": {"nofile": {"Name": "nofile", "Hard": 3, "Soft": 1}}}
    assert merge(old, other, "present", "replace") == other


def test_case_25_numbers_of_the_file_become_texts_where_it_is_touched():
    old = {"log-opts": {"max-file": 3}}
    assert merge(old, {"log-opts": {"max-size": "1m"}}, "present", "replace") == {
        "log-opts": {"max-file": "3", "max-size": "1m"}
    }
    assert merge(old, {"debug": True}, "present", "replace")["log-opts"] == {"max-file": 3}


def test_the_old_settings_are_not_touched():
    old = {"log-opts": {"a": "1"}, "labels": ["a"]}
    merge(old, {"log-opts": {"b": "2"}, "labels": ["b"]}, "present", "append")
    merge(old, {"log-opts": {"a": "1"}}, "absent", "append")
    assert old == {"log-opts": {"a": "1"}, "labels": ["a"]}


@pytest.mark.parametrize(
    ("key", "left", "right", "equal"),
    [
        pytest.param("debug", True, "true", False, id="case 26: true and 'true'"),
        pytest.param("debug", True, 1, False, id="case 26: true and 1"),
        pytest.param("mtu", 1500, "1500", False, id="case 26: number and text"),
        pytest.param("mtu", 1, 1.0, False, id="dockerd refuses 1.0 for a whole number"),
        pytest.param("dns", ["a", "b"], ["b", "a"], False, id="case 27: dns"),
        pytest.param(
            "registry-mirrors", ["a", "b"], ["b", "a"], False, id="case 27: mirrors are asked in turn"
        ),
        pytest.param("labels", ["a", "b"], ["b", "a"], True, id="case 27: labels"),
        pytest.param("hosts", ["a", "b"], ["b", "a"], True, id="case 27: hosts"),
        pytest.param("labels", ["a", 1], ["a", "1"], False, id="types in a list"),
        pytest.param("labels", ["a"], ["a", "b"], False, id="one more"),
        pytest.param("labels", [], None, True, id="empty list"),
        pytest.param("log-opts", {}, None, True, id="empty object"),
        pytest.param("debug", False, None, False, id="false is a value"),
        pytest.param("bip", "", None, False, id="an empty text is a value"),
        pytest.param("log-opts", {"a": "1", "b": "2"}, {"b": "2", "a": "1"}, True, id="order of keys"),
        pytest.param("log-opts", {"a": "1"}, {"a": 1}, False, id="types in an object"),
    ],
)
def test_the_same_to_dockerd(key, left, right, equal):
    for one, other in ((left, right), (right, left)):
        assert same(key, one, other) is equal


def test_differences_name_the_old_and_the_new_value():
    before = {"icc": True, "labels": ["a", "b"], "hosts": [], "debug": True}
    after = {"labels": ["b", "a"], "icc": False, "dns": ["x"]}
    assert differences(before, after) == {"icc": (True, False), "debug": (True, None), "dns": (None, ["x"])}
