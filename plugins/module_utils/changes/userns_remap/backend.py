# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module userns_remap: options in, result out."""

from __future__ import annotations

from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import apply as applying
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import operations, staging
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.module import EngineModule
from ansible_collections.bulwark.docker.plugins.module_utils.changes.userns_remap import plan
from ansible_collections.bulwark.docker.plugins.module_utils.changes.userns_remap import preflight as remap


def remapped(module: EngineModule) -> dict[str, Any]:
    """What the module returns; the stage is saved unless in check mode."""
    options = module.options
    if options["state"] == "present":
        switch = plan.switch_on(module.store, options["remap_user"], options["timeout"])
    else:
        switch = plan.switch_off(module.store, options["timeout"])
    found, preflight = switch.ground, switch.preflight
    told: dict[str, Any] = {"preflight": preflight._asdict(), "notices": switch.notices}
    pending = not switch.in_force and found.target.answers
    if not switch.changes and not pending:
        return told
    plan.stage(switch, options["allow_data_switch"], options["stop_containers"])
    work = applying.job(found.target, found.stage)
    told.update(operations.tell(work))
    refused = remap.refusals(
        preflight, found.target.live_restore, options["allow_data_switch"], options["stop_containers"]
    )
    told["costs"] = remap.costs(preflight)
    told["diff"] = staging.diff(found, switch.settings)
    if not refused:
        told["notices"] = [*switch.notices, *remap.notices(preflight)]
    return module.staged(found, told, refused)
