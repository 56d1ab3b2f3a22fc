# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module daemon_tls: options in, result out."""

from __future__ import annotations

from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_tls import plan
from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_tls.material import Material
from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_tls.transport import NONE, Wish
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import (
    api_endpoints,
    operations,
    staging,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import apply as applying
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.module import (
    EngineModule,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import diff


def secured(module: EngineModule) -> dict[str, Any]:
    """What the module returns; the stage is saved unless in check mode."""
    options = module.options
    addresses = [] if options["transport"] == NONE else options["addresses"]
    wish = Wish(options["transport"], addresses, options["port"])
    material = Material(options["ca"], options["certificate"], options["key"])
    decision = plan.decide(
        module.store,
        wish,
        material,
        options["source"],
        options["names"],
        options["timeout"],
        module.check_mode,
    )
    told: dict[str, Any] = {
        "listeners": decision.listeners,
        "endpoints": [f"tcp://{endpoint}" for endpoint in wish.endpoints],
        "notices": decision.notices,
    }
    if not decision.changes:
        return told
    refused = plan.refusals(
        decision, wish, options["allow_close"], options["play_endpoint"], options["allow_lockout"]
    )
    proof = api_endpoints.proof(
        addresses,
        wish.port,
        material.ca,
        material.certificate,
        options["proof"],
        options["discard_proof"],
    )
    found = decision.ground
    if not refused:
        plan.stage(decision, proof)
        told.update(operations.tell(applying.job(found.target, found.stage)))
        told["diff"] = [*staging.diff(found, decision.settings), *diff.diff(found.stage.steps)]
    return module.staged(found, told, refused)
