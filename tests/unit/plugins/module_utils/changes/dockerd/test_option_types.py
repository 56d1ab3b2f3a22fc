# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of daemon.json's values: what dockerd 26.1.5 and 28.5.2 refuse. Numbers: remediation.md."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.option_types import (
    normalised,
    type_error,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.daemon_options import KEYS

UNUSUAL = ("size", "{bool}", "[pool]", "{limit}", "{runtime}", "{{text}}", "proxies", "nri")
LIMIT = {"Name": "nofile", "Hard": 2048, "Soft": 1024}


class Tagged(str):
    """What Ansible wraps its texts in."""


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("live-restore", True, None),
        pytest.param("live-restore", "true", 'wants true or false, not "true"', id="case 26"),
        ("live-restore", 1, "wants true or false, not 1"),
        ("live-restore", None, None),
        ("mtu", 1500, None),
        ("mtu", "1500", 'wants a whole number, not "1500"'),
        ("mtu", True, "wants a whole number, not true"),
        ("mtu", 1.5, "wants a whole number, not 1.5"),
        ("mtu", [1], "wants a whole number, not a list"),
        ("data-root", 5, "wants a text, not a number"),
        ("default-shm-size", "64M", None),
        ("default-shm-size", "1.5 GiB", None),
        ("default-shm-size", 67108864, 'wants a size such as "64M", not 67108864'),
        ("default-shm-size", "much", 'wants a size such as "64M", not "much"'),
        ("log-driver", ["local"], "wants a text, not a list"),
        ("hosts", "fd://", "wants a list, not a text"),
        ("hosts", ["fd://", 1], "entry 2 wants a text, not a number"),
        ("log-opts", {"max-size": "10m"}, None),
        ("log-opts", {"max-size": ["10m"]}, "max-size wants a text, not a list"),
        ("log-opts", ["max-size=10m"], "wants an object, not a list"),
        ("features", {"buildkit": "yes"}, 'buildkit wants true or false, not "yes"'),
        ("default-network-opts", {"bridge": {"mtu": "1"}}, None),
        ("default-network-opts", {"bridge": {"mtu": 1}}, "bridge.mtu wants a text, not a number"),
        ("runtimes", {"crun": {"path": "/usr/bin/crun", "runtimeArgs": ["-x"], "more": 1}}, None),
        ("runtimes", {"crun": "/usr/bin/crun"}, "crun wants an object, not a text"),
        ("runtimes", {"crun": {"runtimeArgs": "-x"}}, "crun.runtimeArgs wants a list, not a text"),
        ("default-address-pools", [{"base": "10.0.0.0/8", "size": 24}], None),
        ("default-address-pools", [{"base": "10.0.0.0/8", "size": "9"}], 'entry 1.size wants a whole number, not "9"'),
        ("default-ulimits", {"nofile": LIMIT}, None),
        ("default-ulimits", {"nofile": {**LIMIT, "Hard": -1}}, None),
        ("default-ulimits", {"nofile": {"Name": "nofile", "Hard": 1}}, "nofile wants Soft and Hard"),
        ("default-ulimits", {"nofile": {**LIMIT, "Soft": 4096}},
         "nofile has a Soft limit of 4096 above its Hard limit of 2048"),
        ("default-ulimits", {"nofile": "many"}, "nofile wants an object, not a text"),
        ("proxies", "http://me:geheim@proxy.example", "wants an object, not a text"),
        ("proxies", {"http_proxy": "x"}, "has no field http_proxy, only http-proxy, https-proxy, no-proxy"),
        ("nri-opts", {"enable": 1}, "enable wants true or false, not 1"),
        ("deprecated-key-path", [1], None),
        ("deprecated-key-path", {"debug": True}, "wants a plain value, not an object"),
        ("builder", {"gc": {"enabled": True}}, None),
        ("nobody-knows", object(), None),
    ],
)  # fmt: skip
def test_types(key, value, said):
    assert type_error(key, value) == said


@pytest.mark.parametrize("key", KEYS)
def test_every_option_has_a_type_that_is_checked(key):
    misfits = [type_error(key, value) for value in (True, 1, "a", ["a"], {"a": "a"})]
    assert any(misfits)
    assert None in misfits or KEYS[key].kind in UNUSUAL


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"soft": 1024, "hard": 2048}, LIMIT),
        ({"Hard": 2048, "Soft": "1024", "Name": "nofile"}, LIMIT),
        ("1024:2048", LIMIT),
        ("2048", {**LIMIT, "Soft": 2048}),
        (2048, {**LIMIT, "Soft": 2048}),
        ({"hard": -1}, {**LIMIT, "Hard": -1, "Soft": -1}),
        ("many", "many"),
        (True, True),
        (None, None),
        ({"sort": 1}, {"sort": 1}),
    ],
)
def test_short_forms_of_limits(given, taken):
    assert normalised({"default-ulimits": {"nofile": given}}) == ({"default-ulimits": {"nofile": taken}}, [])


def test_case_25_numbers_in_log_opts_become_texts_with_a_notice():
    config, notices = normalised({"log-opts": {"max-file": 3, "compress": True, "tag": "x", "env": None}})
    assert config == {"log-opts": {"max-file": "3", "compress": "true", "tag": "x", "env": None}}
    assert notices == [
        'log-opts.max-file is written as the text "3": dockerd takes no other type there',
        'log-opts.compress is written as the text "true": dockerd takes no other type there',
    ]


def test_maps_of_maps_of_texts_as_well():
    config, notices = normalised(
        {"default-network-opts": {"bridge": {"com.docker.network.driver.mtu": 1500}}}
    )
    assert config == {"default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "1500"}}}
    assert notices[0].startswith("default-network-opts.bridge.com.docker.network.driver.mtu ")


def test_plain_data_comes_out():
    config, _notices = normalised({Tagged("labels"): (Tagged("a=1"),), "mtu": 1, "icc": False})
    assert config == {"labels": ["a=1"], "mtu": 1, "icc": False}
    assert {type(key) for key in config} == {str}
    assert {type(entry) for entry in config["labels"]} == {str}
