# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an engine keeps its things, and what the snapshot holds of a path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Case, NotApplicable
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.data_roots import without_mapping
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    OPTIONS,
    configured_value,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.units import is_enabled

_PROGRAM_DIRECTORIES = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/bin", "/sbin")
# With userns-remap the engine works in a directory named after the mapping, below the configured one.


def system_engine(case: Case) -> Mapping[str, Any]:
    """The engine that runs as root. NotApplicable when there is none."""
    for engine in case.host("engines"):
        if engine["user"] is None:
            found: Mapping[str, Any] = engine
            return found
    raise NotApplicable("no engine of the system on this host")


def is_off(case: Case, engine: Mapping[str, Any]) -> bool:
    """Whether the system's engine is stopped and nothing starts it: no client, no boot."""
    if engine.get("user") is not None or engine.get("state") != "stopped":
        return False
    units = case.host("units")
    service = engine["unit"]
    starting = [unit for name, unit in units.items() if name == service or service in unit["triggers"]]
    return bool(starting) and not any(is_enabled(unit) or unit["active"] != "inactive" for unit in starting)


def data_root(engine: Mapping[str, Any]) -> str:
    """The directory that was configured for the engine's data, whether it runs or not."""
    try:
        return without_mapping(str(read(engine, "info", "DockerRootDir")))
    except Unread:
        return str(configured_value(engine, "data-root") or OPTIONS["data-root"].default)


def program(case: Case, name: str) -> str | None:
    """The file of a program of the engine: what runs, otherwise what the usual directories hold."""
    for process in case.host("engine_processes"):
        if process["name"] == name and process["exe"] and not process["engine"] and not process["container"]:
            return str(process["exe"])
    files = case.host("files")
    for path in (f"{directory}/{name}" for directory in _PROGRAM_DIRECTORIES):
        if files.get(path) is not None:
            return read(files, path, "target") or path
    return None


def held(case: Case, section: str, path: str) -> Any:
    """What a section of the snapshot (files, certificates, keys) holds of a path, None also for one that nobody
    looked at."""
    found = case.host(section)
    return read(found, path) if path in found else None
