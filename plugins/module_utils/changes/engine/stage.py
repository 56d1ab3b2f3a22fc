# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of a play have decided and daemon_apply will do, at once, at the end: plain data on the host.

Staging touches nothing of the live system. A stage is dropped when it is not of this play any more: after a boot,
after an hour, or when the configuration file has changed under it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.atomic_files import digest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import kinds
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import (
    Malformed,
    Step,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import (
    StateError,
    Store,
    read_json,
    write_json,
)

# Holds the TCP sockets of the API where daemon_tls opens them by systemd.
TCP_SOCKET = "docker-tcp.socket"
SCHEMA = 2
GOOD_FOR = 3600
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Stage:
    """What is staged for one engine.

    config    the new daemon.json as {path, base, content}; `base` is the digest of the file it was made of
    steps     what comes before it, in order, each with the module that put it there
    sockets   socket units that are open after the restart (true) or closed (false), by name
    reasons   why the engine has to restart although no option changes, sentences
    proof     what has to hold of its TCP listeners afterwards, as listening.proof() makes it
    consents  what the user has allowed, by name
    """

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        data = data or {}
        # Why what was staged does not count any more.
        self.dropped: str | None = None
        self.config: dict[str, Any] | None = data.get("config")
        self._steps = [(str(of), Step.from_json(each)) for of, each in data.get("steps", ())]
        self.sockets: dict[str, bool] = dict(data.get("sockets", {}))
        self.reasons: list[str] = list(data.get("reasons", ()))
        self.proof: dict[str, Any] | None = data.get("proof")
        self.consents: dict[str, bool] = dict(data.get("consents", {}))

    @property
    def steps(self) -> list[Step]:
        """The steps, in order."""
        return [step for _of, step in self._steps]

    def as_json(self) -> dict[str, Any]:
        """What makes the same stage again."""
        return {
            "config": self.config,
            "steps": [[of, step.as_json()] for of, step in self._steps],
            "sockets": self.sockets,
            "reasons": self.reasons,
            "proof": self.proof,
            "consents": self.consents,
        }

    def __bool__(self) -> bool:
        return bool(self.config or self._steps or self.sockets or self.reasons)

    def write_config(self, path: str, now: bytes | None, content: bytes | None) -> None:
        """The configuration file, which holds `now`, is to hold `content`; None: there is none."""
        text = None if content is None else content.decode()
        self.config = {"path": path, "base": base_of(now), "content": text}

    def put(self, step: Step, of: str) -> None:
        """Add a step of the module `of`, in the place of the one of the same kind about the same thing."""
        same = [number for number, known in enumerate(self.steps) if known.about == step.about]
        if same:
            self._steps[same[0]] = (of, step)
        else:
            self._steps.append((of, step))

    def forget(self, of: str) -> None:
        """Drop the steps of that module."""
        self._steps = [(whose, step) for whose, step in self._steps if whose != of]

    def restart_for(self, reason: str) -> None:
        """The engine has to restart, for that reason."""
        if reason not in self.reasons:
            self.reasons.append(reason)


def base_of(content: bytes | None) -> str | None:
    """By what a stage knows the file again that it was made of."""
    return None if content is None else digest(content)


def load(store: Store, engine: str, base: str | None) -> Stage:
    """The stage of that engine, empty when there is none; `base` is the digest of its configuration file now."""
    data = read_json(_path(store, engine))
    config = (data or {}).get("config")
    found = Stage()
    if data and not _is_current(data):
        found.dropped = "it was staged before the last boot, or more than an hour ago"
    elif config and config["base"] != base:
        found.dropped = f"{config['path']} was changed by somebody else since"
    else:
        try:
            found = _known(Stage(data))
        except Malformed as problem:
            found.dropped = str(problem)
    return found


def save(store: Store, engine: str, stage: Stage) -> None:
    """Keep the stage until daemon_apply takes it."""
    if not stage:
        return drop(store, engine)
    path = _path(store, engine)
    store.prepare()
    try:
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as problem:
        raise StateError(f"{path.parent}: {problem.strerror}; nothing was changed") from problem
    about = {"schema": SCHEMA, "boot": _boot(), "created": int(time.time())}
    write_json(path, {**about, **stage.as_json()})
    return None


def drop(store: Store, engine: str) -> None:
    """Forget the stage."""
    shutil.rmtree(_path(store, engine).parent, ignore_errors=True)


def _path(store: Store, engine: str) -> Path:
    return store.root / "staged" / engine.replace(os.sep, "_") / "stage.json"


def _known(stage: Stage) -> Stage:
    unknown = [step.kind for step in stage.steps if step.kind not in kinds.KINDS]
    if unknown:
        raise Malformed(f"this version of bulwark.docker knows no step of the kind {unknown[0]}")
    return stage


def _is_current(data: Mapping[str, Any]) -> bool:
    age = time.time() - data.get("created", 0)
    return data.get("schema") == SCHEMA and data.get("boot") == _boot() and -60 < age < GOOD_FOR


def _boot() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip()
