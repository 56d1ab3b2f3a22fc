# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of daemon_config to a stage: what daemon.json shall say, whether that would work, what it costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import (
    checks,
    command_line,
    daemon_json,
    process_limits,
    validate,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.command_line import CommandLine
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.merge import (
    canonical,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import apply, stage
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import target as targets
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.stage import Stage
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.target import Target
from ansible_collections.bulwark.docker.plugins.module_utils.changes.errors import Unfit
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps.install import INSTALL
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.engine import Asked


class Ground(NamedTuple):
    """What a change of daemon.json starts from: the engine, its command, its file, and what is staged already."""

    target: Target
    command: CommandLine
    version: str | None
    live: daemon_json.Document
    stage: Stage
    staged: daemon_json.Document

    @property
    def base(self) -> str | None:
        """The digest of the file as it is."""
        return stage.base_of(self.live.content)


def ground(
    store: Store, user: str | None, timeout: float, force: bool, asked: Asked = targets.SETTINGS
) -> Ground:
    """Look at the host. Raises NoTarget, Unreadable, Unsound, StateError, and Unfit for a unit that cannot start."""
    found = seen(targets.find(user, timeout, asked=asked), force)
    known = stage.load(store, found.target.name, found.base)
    return with_stage(found, known, force)


def with_stage(found: Ground, known: Stage, force: bool = True) -> Ground:
    """The same with that stage: its file, and the command that its drop-ins lead to."""
    target = found.target
    staged = daemon_json.read(target.config_path, apply.encoded(known), force) if known.config else found.live
    drop_ins = steps.drop_ins(known.steps, target.service.unit)
    command = found.command
    if drop_ins:
        command = _command(target, drop_ins)
    return found._replace(stage=known, staged=staged, command=command)


def seen(target: Target, force: bool = True) -> Ground:
    """The same for an engine that was looked at, with nothing staged."""
    command = _command(target, None)
    trouble = checks.host_problems(target.unit, command)
    if trouble:
        raise Unfit(trouble)
    live = daemon_json.read(target.config_path, targets.content(target), force)
    version = targets.version(target) or validate.version(command, target.owner)
    return Ground(target, command, version, live, Stage(), live)


def _command(target: Target, drop_ins: Mapping[str, str | None] | None) -> CommandLine:
    """What the unit starts."""
    return command_line.read(target.unit, target.owner, default_config=target.config_path, drop_ins=drop_ins)


def context(found: Ground, allow_data_switch: bool = False) -> checks.Context:
    """What the checks have to know of the engine."""
    engine = found.target.engine
    plugins = None if is_error(engine["plugins"]) else engine["plugins"]
    info = {} if is_error(engine["info"]) else engine["info"]
    return checks.Context(
        config_path=found.target.config_path,
        owner=found.target.owner,
        major=targets.major(found.version),
        swarm=found.target.swarm,
        plugins=None if plugins is None else tuple(each["name"] for each in plugins if each["enabled"]),
        data_root=info.get("DockerRootDir"),
        allow_data_switch=allow_data_switch,
        hard_limits=process_limits.of(engine["pid"]) if engine["pid"] else {},
        coming=[step.key for step in found.stage.steps if step.kind == INSTALL],
    )


def check_with_dockerd(found: Ground, content: bytes | None, ids_to_come: bool = False) -> None:
    """dockerd itself takes the file, as far as it can tell without starting. Raises Unfit.

    `ids_to_come`: the account of userns-remap, or its subordinate ids, are staged.
    """
    shown = _with_sources(found, content or b"{}")
    message = validate.validate(found.command, found.target.owner, shown, found.version, ids_to_come)
    if message:
        raise Unfit([f"{found.target.config_path}: dockerd refuses it: {message}"])


def _with_sources(found: Ground, content: bytes) -> bytes:
    """The file with the places where certificates lie that come to theirs with the change: dockerd loads them to
    validate (since 23.0). Those that are still to be made are left out."""
    coming = {step.key: step.value["source"] for step in found.stage.steps if step.kind == INSTALL}
    if not coming:
        return content
    settings = dict(daemon_json.read(found.target.config_path, content, force=True).settings)
    for key in daemon_json.TLS_KEYS:
        source = coming.get(str(settings.get(key)))
        if source and Path(source).is_file():
            settings[key] = source
        elif source:
            return json.dumps(
                {name: settings[name] for name in settings if name not in daemon_json.TLS_KEYS}
            ).encode()
    return json.dumps(settings).encode()


def put(found: Ground, content: bytes | None) -> None:
    """Stage that content of the file, or nothing where it is the one that lies there."""
    if content == found.live.content:
        found.stage.config = None
    else:
        found.stage.write_config(found.target.config_path, found.live.content, content)


def diff(found: Ground, after: Mapping[str, Any]) -> list[dict[str, str]]:
    """The file before and after as `--diff` shows it, without credentials; [] where its settings stay."""
    if canonical(found.live.settings) == canonical(after):
        return []
    path = found.target.config_path
    return [
        {
            "before_header": path,
            "after_header": path,
            "before": daemon_json.shown(found.live.settings, found.live),
            "after": daemon_json.shown(after, found.staged),
        }
    ]
