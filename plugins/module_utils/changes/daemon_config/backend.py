# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module daemon_config: options in, result out."""

from __future__ import annotations

from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import redact
from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_config import plan
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import daemon_json
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import apply as applying
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import operations, staging
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.module import EngineModule


def configured(module: EngineModule) -> dict[str, Any]:
    """What the module returns; the stage is saved unless in check mode."""
    options = module.options
    names = ("config", "state", "list_merge", "baseline", "defaults", "unwanted")
    wish = plan.Wish(**{name: options[name] for name in names})
    found = staging.ground(module.store, options["user"], options["timeout"], options["force"])
    planned = plan.wanted(found, wish)
    content = daemon_json.render(found.staged, planned.settings)
    reasons, deferred = plan.pending(found, options["allow_container_stop"])
    differs = plan.differs(found, wish, planned)
    if differs or reasons:
        staging.check_with_dockerd(found, content)
        staging.put(found, content)
    for reason in reasons:
        found.stage.restart_for(reason)
    work = applying.job(found.target, found.stage)
    if work.plan.deferred and options["allow_container_stop"]:
        found.stage.consents["stop_containers"] = True
        work = applying.job(found.target, found.stage)
    told: dict[str, Any] = {
        "config_file": found.target.config_path,
        "settings": redact.options(planned.settings),
        "left_alone": planned.skipped,
        "notices": [*found.live.notices, *planned.notices],
        "refused": deferred,
    }
    if not differs and not reasons:
        return told
    told.update(operations.tell(work))
    told["refused"] = [*deferred, *plan.deferrals(work.plan.deferred, found.target)]
    told["diff"] = staging.diff(found, planned.settings)
    return module.staged(found, told, applying.refusals(work, options["allow_container_stop"]))
