# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manager of a swarm on a real engine 26.1, and engines outside of swarms."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.api import EngineApi
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.swarm import swarm

from tests.unit.plugins.module_utils.probes.engine_server import SELF, Engine, listening, recorded

MANAGER = "26.1.5"


def ask(answers: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """(what is found, the paths that were asked for)."""
    engine = Engine(answers)
    with listening(engine) as path:
        api = EngineApi(path, 5, SELF)
        found = swarm(answers["/info"], api)
        api.close()
    return found, engine.asked


@pytest.mark.parametrize("version", ["20.10.24", "28.5.2"])
def test_engine_without_swarm(version: str) -> None:
    assert ask(recorded(version)) == ({"state": "inactive", "manager": False, "error": None}, [])


def test_worker_and_locked_manager_say_what_they_are() -> None:
    answers = recorded("20.10.24")
    answers["/info"]["Swarm"].update(LocalNodeState="locked", Error="Swarm is encrypted and locked")
    found, asked = ask(answers)
    assert found == {"state": "locked", "manager": False, "error": "Swarm is encrypted and locked"}
    assert asked == []


def test_manager() -> None:
    found, asked = ask(recorded(MANAGER))
    assert (found["state"], found["manager"], found["autolock"], found["managers"]) == (
        "active",
        True,
        True,
        1,
    )
    assert found["certificate_validity"] == 90 * 86400
    assert found["ca_rotated"] > 1_700_000_000
    assert (found["secrets"], found["configs"]) == (1, 1)
    (node,) = found["nodes"]
    assert {key: node[key] for key in ("role", "leader", "reachability", "availability")} == {
        "role": "manager",
        "leader": True,
        "reachability": "reachable",
        "availability": "active",
    }
    (service,) = found["services"]
    assert (service["name"], service["image"], service["user"]) == ("svc", "busybox:p1", "1000")
    assert service["mounts"] == [{"type": "bind", "source": "/run", "target": "/r", "read_only": True}]
    assert (service["capabilities_added"], service["capabilities_dropped"]) == (["CAP_NET_ADMIN"], ["ALL"])
    assert (service["secrets"], service["env_names"]) == (1, ["PASSWORD"])
    assert "hunter2" not in json.dumps(found)
    # GET /swarm gives the join tokens, /swarm/unlockkey the key that guards the manager's store.
    assert asked == ["/nodes", "/services", "/secrets", "/configs"]


def test_what_cannot_be_read_says_so() -> None:
    answers = recorded(MANAGER)
    answers["/nodes"] = lambda: (503, {"message": "no leader"})
    answers["/info"] = copy.deepcopy(answers["/info"])
    answers["/info"]["Swarm"]["Cluster"]["TLSInfo"]["TrustRoot"] = "no certificate"
    found, _unused = ask(answers)
    assert "no leader" in found["nodes"]["error"]
    assert found["managers"] == found["nodes"]
    assert "root certificate of the swarm" in found["ca_rotated"]["error"]
    assert found["secrets"] == 1
