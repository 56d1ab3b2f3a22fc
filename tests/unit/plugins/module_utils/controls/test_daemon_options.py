# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of daemon.json by version: what dockerd refused and ignored on 20.10.24 and 28.5.2 itself."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.daemon_options import (
    ignored_keys,
    refused_keys,
)


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
    ],
)  # fmt: skip
def test_keys_that_keep_dockerd_from_starting(keys, major, refused):
    assert refused_keys(keys, major) == refused


def test_keys_that_dockerd_takes_and_ignores():
    assert ignored_keys(["insecure-registry", "debug", "label"]) == {
        "insecure-registry": "insecure-registries",
        "label": "labels",
    }
