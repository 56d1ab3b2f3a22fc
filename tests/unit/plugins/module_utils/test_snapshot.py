# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each part of a snapshot costs itself alone (S9), on this machine with one probe after the other broken."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils import snapshot
from ansible_collections.bulwark.docker.plugins.module_utils.audit.compliance import audit
from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import (
    engine,
    engines,
    nested,
    rootless,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import (
    clients,
    daemons,
    files,
    host,
    packages,
    paths,
    pem_files,
    processes,
    units,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import listeners, services

OPTIONS: dict[str, Any] = {
    "profile": "strict",
    **{name: [] for name in ("controls", "waivers", "attestations")},
    **{name: {} for name in ("parameters", "severities")},
}
# What breaks, and the sections that are lost with it.
BROKEN = {
    (processes, "walk"): {"engines", "listeners", "services", "engine_processes", "deleted_files"},
    (units, "units"): {"units"},
    (engines, "of_system"): {"engines"},
    (rootless, "find"): set(),
    (engine, "_ask"): set(),
    (listeners, "listeners"): {"listeners", "services"},
    (daemons, "engine_processes"): {"engine_processes", "deleted_files"},
    (daemons, "deleted_files"): {"deleted_files"},
    (nested, "nested_engines"): set(),
    (clients, "clients"): {"clients"},
    (services, "services"): {"services"},
    (files, "files"): {"files"},
    (paths, "paths"): {"files"},
    (paths, "pem_files"): {"certificates", "keys"},
    (pem_files, "_read"): set(),
    (packages, "owners"): set(),
    (host, "mounts"): set(),
}


def lost(taken: dict[str, Any]) -> set[str]:
    return {name for name, section in taken.items() if is_error(section)}


@pytest.fixture(scope="module")
def usual() -> set[str]:
    """What cannot be read on this machine anyway."""
    return lost(snapshot.take(1))


@pytest.mark.parametrize(("module", "name"), BROKEN, ids=lambda part: getattr(part, "__name__", part))
def test_what_fails_costs_itself(
    monkeypatch: pytest.MonkeyPatch, usual: set[str], module: Any, name: str
) -> None:
    def broken(*_arguments: Any, **_options: Any) -> Any:
        raise ValueError("embedded null byte")

    monkeypatch.setattr(module, name, broken)
    taken = snapshot.take(1)
    assert lost(taken) - usual == BROKEN[module, name]
    assert json.loads(json.dumps(taken)) == taken
    result = audit(taken, OPTIONS, "2026-11-22")
    assert result["host"]["name"] == taken["host"]["name"]


def test_without_any_time_all_is_unknown_and_nothing_passes_that_was_to_be_read() -> None:
    with deadline.limited(1e-6):
        taken = snapshot.take(1)
        deadline.extend(30)
        result = audit(taken, OPTIONS, "2026-11-22")
    assert "engines" in lost(taken)
    assert "deadline" in taken["engines"]["error"]
    verdicts = {each["verdict"] for each in result["findings"] if each["scope"] in ("containers", "files")}
    assert verdicts == {"unknown"}


def test_what_root_alone_decides_is_read_before_what_accounts_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the engines, which come first and have a part of the time where they are of accounts."""
    into: dict[str, Any] = {}
    known: list[set[str]] = []

    def noted(*_arguments: Any) -> list[Any]:
        known.append(set(into))
        return []

    monkeypatch.setattr(listeners, "listeners", noted)
    snapshot.take(1, into=into)
    (before,) = known
    assert {"accounts", "units", "host", "engines", "audit", "firewall", "hosts_access", "sshd"} <= before


def test_what_was_never_begun_is_an_error_in_each_place() -> None:
    known = {"name": "system", "user": None, "containers": [{"id": "a"}]}
    taken = snapshot.whole({"schema": 1, "engines": [known]})
    assert is_error(taken["listeners"]) and is_error(taken["host"]["os"])
    assert is_error(taken["engines"][0]["version"]) and is_error(
        taken["engines"][0]["containers"][0]["endpoints"]
    )
    assert audit(taken, OPTIONS, "2026-11-22")["host"]["name"]
