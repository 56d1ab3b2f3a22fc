# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the networks that containers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Control,
    Deviation,
    Item,
    Remedy,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.containers import (
    Outcome,
    listed,
)


def _networks(case: Case) -> Iterable[Item]:
    for network in case.of_engine("networks"):
        if network["driver"] not in ("host", "null"):
            yield Item("network", network["id"][:12], network["name"], network)


control: Callable[..., Callable[[Callable[[Any, Case], Outcome]], Control]] = scope(
    "networks", per_engine=True, over=_networks
)


@control(
    "network.tenants_apart",
    "No network joins containers of several tenants",
    "medium",
    Remedy(
        "live", "docker network create for each tenant; docker network disconnect the containers of others."
    ),
    requirements=("D03-02",),
    parameters={"labels": ["bulwark.tenant"]},
)
def tenants_apart(network: Mapping[str, Any], case: Case) -> Outcome:
    """Neighbours on a network reach each other's ports, published or not.

    `labels` lists the labels of containers that name the tenant (or the compose project:
    com.docker.compose.project); containers without one are not judged.
    """
    tenants: set[Any] = set()
    for container in case.of_engine("containers"):
        if network["name"] in read(container, "networks"):
            labels = read(container, "config", "labels") or {}
            tenants.update(labels.get(label) for label in case.parameters["labels"])
    tenants.discard(None)
    return Deviation(listed(sorted(map(str, tenants))), "one tenant", "labels") if len(tenants) > 1 else None
