# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What daemon.json shall hold, and what has to happen for it. Nothing is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread
from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_config import settings
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import (
    checks,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.merge import (
    differences,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import apply, plan
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.staging import Ground, context
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.target import Target
from ansible_collections.bulwark.docker.plugins.module_utils.changes.errors import Unfit
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge import (
    daemon_options,
    settings_in_force,
)

# The controls that judge what a bridge key sets.
_CONTROL_OF = {"icc": "daemon.icc", "ip": "daemon.published_address"}


class Wish(NamedTuple):
    """The options of daemon_config that say what the file shall hold."""

    config: Mapping[str, Any]
    state: str = "present"
    list_merge: str = "replace"
    baseline: Mapping[str, Any] = {}
    defaults: Mapping[str, Any] = {}
    unwanted: Mapping[str, Any] = {}


def wanted(found: Ground, wish: Wish) -> settings.Plan:
    """The settings of the file, made of what is staged. What cannot be had of baseline and defaults is skipped."""
    unsuitable = _unsuitable(found.target)
    while True:
        planned = _planned(found, found.staged.settings, wish, unsuitable)
        if planned.refused:
            raise Unfit(planned.refused)
        _refuse_remap(found, planned.settings)
        problems = checks.problems(planned.settings, found.command, context(found))
        filled = {**wish.baseline, **wish.defaults}
        more = {
            each.key: each.message
            for each in problems
            if each.key in filled and each.key not in wish.config and each.key not in unsuitable
        }
        if not more:
            break
        unsuitable.update(more)
    if problems:
        raise Unfit([each.message for each in problems])
    return planned


def differs(found: Ground, wish: Wish, planned: settings.Plan) -> bool:
    """Whether anything of what is asked for is not yet in the file."""
    if found.live.notices or differences(found.staged.settings, planned.settings):
        return True
    unsuitable = {each["key"]: each["reason"] for each in planned.skipped}
    from_live = _planned(found, found.live.settings, wish, unsuitable)
    return bool(differences(found.live.settings, from_live.settings))


def pending(found: Ground, allow_container_stop: bool) -> tuple[list[str], list[dict[str, Any]]]:
    """Why the engine has to restart although its file is right, and what of that needs consent."""
    target = found.target
    if plan.is_down(target):
        return [plan.why_down(target)], []
    if not target.answers:
        return [], []
    try:
        drifting = dict(settings_in_force.drifts(target.engine))
        edited = settings_in_force.edited_since_start(target.engine)
    except Unread:
        return [], []
    deferred = {name for name in drifting if name in plan.BRIDGE_KEYS and target.containers}
    reasons = [
        f"{name} is {result_value(each.value)}, {each.pending}"
        for name, each in drifting.items()
        if name not in deferred or allow_container_stop
    ]
    if edited and not drifting:
        reasons.append(f"{target.config_path} was edited after the engine started")
    if not deferred:
        return reasons, []
    if allow_container_stop:
        found.stage.consents["stop_containers"] = True
        return reasons, []
    return reasons, deferrals(deferred, target)


def deferrals(keys: Collection[str], target: Target) -> list[dict[str, Any]]:
    """What of the options counts only when containers may be stopped, as a module's result has it."""
    return [
        {
            "message": f"{key} counts from a start without running containers, of which there are "
            f"{len(target.containers)}.",
            "consent": apply.ALLOW_CONTAINER_STOP,
            "control": _CONTROL_OF.get(key),
        }
        for key in sorted(keys)
    ]


def result_value(value: Any) -> str:
    """A value of an option, as daemon.json would have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _planned(
    found: Ground, current: Mapping[str, Any], wish: Wish, unsuitable: Mapping[str, str]
) -> settings.Plan:
    given = found.command.flags
    names = {key: daemon_options.FLAGS.get(key, key) for key in daemon_options.KEYS}
    flags = {key: given[flag] for key, flag in names.items() if flag in given}
    return settings.plan(
        current,
        flags,
        found.version,
        config=wish.config,
        state=wish.state,
        list_merge=wish.list_merge,
        baseline=wish.baseline,
        defaults=wish.defaults,
        unwanted=wish.unwanted,
        unsuitable=unsuitable,
    )


def _unsuitable(target: Target) -> dict[str, str]:
    if target.swarm:
        return {"live-restore": "a node of a swarm cannot have live-restore"}
    return {}


def _refuse_remap(found: Ground, after: Mapping[str, Any]) -> None:
    if found.target.user is None and "userns-remap" in differences(found.staged.settings, after):
        raise Unfit(
            [
                "userns-remap: it hides images, containers and volumes, and needs subordinate ids: "
                "set it with bulwark.docker.userns_remap, which looks at what would break"
            ]
        )
