# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of daemon.json by version: what dockerd refused and ignored on 20.10.24 and 28.5.2 itself."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.daemon_options import (
    FLAGS,
    KEYS,
    effect,
    ignored_keys,
    refused_keys,
    why_refused,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.dockerd_flags import BOOLEAN


@pytest.mark.parametrize(
    ("keys", "major", "refused"),
    [
        (["debug", "icc", "hosts", "tlsverify"], 20, []),
        (["nope", "Debug"], 28, ["Debug", "nope"]),
        # dockerd 28.5.2 --validate named these, and took the rest of the file.
        (["resolv-conf", "swarm-raft-heartbeat-tick", "nope", "proxies", "deprecated-key-path"], 28,
         ["nope", "resolv-conf", "swarm-raft-heartbeat-tick"]),
        (["graph", "cluster-store", "network-diagnostic-port"], 20, []),
        (["graph"], 23, ["graph"]),
        (["cluster-store"], 24, ["cluster-store"]),
        (["oom-score-adjust"], 25, []),
        (["oom-score-adjust"], 26, ["oom-score-adjust"]),
        (["cdi-spec-dirs"], 24, ["cdi-spec-dirs"]),
        (["cdi-spec-dirs"], 25, []),
        (["api-cors-header", "min-api-version"], 28, ["min-api-version"]),
        (["api-cors-header", "min-api-version"], 29, ["api-cors-header"]),
        (["oom-score-adjust", "min-api-version", "nope"], None, ["nope"]),
        (["nope"], 30, []),
        (["insecure-registry", "storage-opt"], 28, []),
        (["graph", "nope"], 30, ["graph"]),
        (["disable-legacy-registry"], None, ["disable-legacy-registry"]),
        (["nope", "graph"], 18, []),
    ],
)  # fmt: skip
def test_keys_that_keep_dockerd_from_starting(keys, major, refused):
    assert refused_keys(keys, major) == refused


def test_keys_that_dockerd_takes_and_ignores():
    assert ignored_keys(["insecure-registry", "debug", "label"]) == {
        "insecure-registry": "insecure-registries",
        "label": "labels",
    }


def test_a_flag_whose_name_is_a_key_too_is_not_ignored():
    assert ignored_keys(["host-gateway-ip"]) == {}


def test_proxies_beside_the_object_for_them_are_ignored():
    assert ignored_keys(["http-proxy", "proxies"]) == {"http-proxy": "proxies"}
    assert refused_keys(["http-proxy"], 28) == []


@pytest.mark.parametrize(
    ("key", "major", "why"),
    [
        ("debug", 26, None),
        ("graph", 22, None),
        ("graph", 23, "was removed in 23; use data-root"),
        ("oom-score-adjust", 26, "was removed in 26; set OOMScoreAdjust= in the unit"),
        ("disable-legacy-registry", 20, "was removed in 19; leave it out"),
        ("host-gateway-ips", 26, "exists since 28; use host-gateway-ip"),
        ("host-gateway-ips", 28, None),
        ("ip6tables", 19, "exists since 20"),
        ("Debug", 26, "is no option of dockerd, which tells upper from lower case; write 'debug'"),
        ("live_restore", 26, "is no option of dockerd; did you mean 'live-restore'?"),
        ("log-option", 26, "is no option of dockerd; did you mean 'log-opts'?"),
        ("nope", 26, "is no option of dockerd"),
        ("nope", 30, None),
        ("Graph", 26, "is no option of dockerd"),
        ("log-opt", 26, None),
    ],
)
def test_why_a_key_is_refused(key, major, why):
    assert why_refused(key, major) == why


@pytest.mark.parametrize(
    ("changed", "removed", "major", "expected"),
    [
        ([], [], 26, "none"),
        (["debug", "live-restore", "labels"], [], 20, "reload"),
        (["debug", "icc"], [], 26, "restart"),
        pytest.param(["live-restore"], ["live-restore"], 26, "restart", id="case 29: removing live-restore"),
        ([], ["debug"], 26, "restart"),
        (["default-ipc-mode"], [], 20, "restart"),
        (["default-ipc-mode"], [], 26, "reload"),
        (["default-ipc-mode"], [], None, "restart"),
        pytest.param(["authorization-plugins"], [], 28, "restart", id="case 30: no SIGHUP for plugins"),
        (["nobody-knows"], [], 28, "restart"),
    ],
)
def test_what_makes_a_daemon_take_a_change_over(changed, removed, major, expected):
    assert effect(changed, removed, major) == expected


def test_the_tables_agree():
    assert FLAGS.keys() <= KEYS.keys()
    assert list(KEYS) == sorted(KEYS)
    for option in KEYS.values():
        assert option.until is None or option.since <= option.until
        assert option.reload is None or option.reload >= option.since
        assert not option.ordered or option.kind.startswith("[")


def test_a_flag_that_takes_no_value_is_known_for_one() -> None:
    """Else the next word of a command line would be taken for its value."""
    # These have no flag, or the value of another one.
    without = {"http-proxies"}
    boolean = {FLAGS.get(key, key) for key, option in KEYS.items() if option.kind == "bool"} - without
    assert boolean <= BOOLEAN, sorted(boolean - BOOLEAN)
