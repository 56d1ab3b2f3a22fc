# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of userns_remap to a stage: account, subordinate ids and the key, once the pre-flight allows it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import reading
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import checks, daemon_json
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.merge import differences
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import staging
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import target as targets
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.plan import is_down
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.staging import Ground
from ansible_collections.bulwark.docker.plugins.module_utils.changes.errors import Unfit
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import containers, subids
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Step
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store
from ansible_collections.bulwark.docker.plugins.module_utils.changes.userns_remap import preflight as remap
from ansible_collections.bulwark.docker.plugins.module_utils.changes.userns_remap.preflight import Preflight
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    security_options,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.subids import DEFAULT_USER, FILES
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import accounts as account_probe

KEY = "userns-remap"


class Switch(NamedTuple):
    """What a wish means on this host: the settings to write, the steps before, and what the switch costs."""

    ground: Ground
    settings: dict[str, Any]
    steps: list[Step]
    preflight: Preflight
    notices: list[str]

    @property
    def changes(self) -> bool:
        """Whether the file, the ids or the account are not as wished."""
        return bool(self.steps or differences(self.ground.live.settings, self.settings))

    @property
    def in_force(self) -> bool:
        """Whether the running engine maps as wished."""
        return self.preflight.kind == "none"


def switch_on(store: Store, value: str, timeout: float) -> Switch:
    """userns-remap with that value. Raises what configure.ground() does, and Unfit where no consent helps."""
    found = staging.ground(store, None, timeout, force=False, asked=targets.DATA)
    user = value.partition(":")[0]
    accounts = account_probe.accounts([DEFAULT_USER if user == "default" else user])
    texts = {kind: reading.text(path) for kind, path in FILES.items()}
    wished = subids.remap_user(value, accounts)
    if wished.problems or wished.user is None:
        raise Unfit(wished.problems)
    try:
        block = subids.allocate(accounts, wished.user, texts)
    except subids.Refused as problem:
        raise Unfit(problem.problems) from problem
    kinds = [kind for kind, absent in (("uid", block.for_uid), ("gid", block.for_gid)) if absent]
    needed = []
    if wished.user not in {account["name"] for account in accounts["users"]}:
        needed.append(steps.account(wished.user))
    if kinds:
        needed.append(steps.subid_range(wished.user, block.start, block.count, kinds))
    starts = {
        kind: block.start if kind in kinds else subids.container_root(wished.user, accounts, texts[kind])
        for kind in FILES
    }
    settings = {**found.staged.settings, KEY: value}
    return _switch(found, settings, needed, starts["uid"], starts["gid"], timeout, wished.notices)


def switch_off(store: Store, timeout: float) -> Switch:
    """No userns-remap: the data of before is seen again. Account and ids stay, as the remapped tree bears them."""
    found = staging.ground(store, None, timeout, force=False, asked=targets.DATA)
    if KEY in found.command.flags:
        raise Unfit([f"{KEY} is a flag in {found.command.source(KEY)}: take it out there"])
    settings = {key: value for key, value in found.staged.settings.items() if key != KEY}
    return _switch(found, settings, [], None, None, timeout, [])


def _switch(
    found: Ground,
    settings: dict[str, Any],
    needed: list[Step],
    start: int | None,
    gid: int | None,
    timeout: float,
    notices: list[str],
) -> Switch:
    problems = checks.problems(settings, found.command, staging.context(found))
    if problems:
        raise Unfit([each.message for each in problems])
    target = found.target
    usage = containers.disk_usage(target.socket, timeout) if target.answers else None
    preflight = remap.preflight(target.engine, start, usage, _mode_of, gid)
    if is_down(target):
        # What it holds cannot be asked; a file that already says so is put in force by the restart alone.
        preflight = preflight._replace(
            refused=[] if not differences(found.live.settings, settings) else preflight.refused
        )
    sentences = [*preflight.refused, *([preflight.data_root_problem] if preflight.data_root_problem else [])]
    if sentences:
        raise Unfit(sentences)
    if target.answers and preflight.kind == "none" and start is not None and not _maps(target.engine):
        raise Unfit([f"{KEY} is configured and off: the range must not start at 0"])
    return Switch(found, settings, needed, preflight, notices)


def stage(switch: Switch, allow_data_switch: bool, stop_containers: bool) -> None:
    """Put it into the stage of its ground. Raises Unfit where dockerd would not take the file."""
    found = switch.ground
    for step in switch.steps:
        found.stage.put(step, "userns_remap")
    content = daemon_json.render(found.staged, switch.settings)
    staging.check_with_dockerd(found, content, ids_to_come=bool(switch.steps))
    staging.put(found, content)
    if not switch.in_force:
        found.stage.consents["allow_data_switch"] = allow_data_switch or not switch.preflight.hides_data
        found.stage.consents["stop_containers"] = stop_containers
        if not differences(found.live.settings, switch.settings):
            found.stage.restart_for(f"{KEY} is in {found.target.config_path} and not in force")


def _maps(engine: Mapping[str, Any]) -> bool:
    return "userns" in security_options(engine)


def _mode_of(path: str) -> int | None:
    try:
        return stat.S_IMODE(os.lstat(Path(path)).st_mode)
    except OSError:
        return None
