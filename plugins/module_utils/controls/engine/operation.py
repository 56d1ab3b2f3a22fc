# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of an engine's operation: that it runs, and that images and containers do not pile up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Deviation,
    NotApplicable,
    Remedy,
    on_engine,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.units import unit
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.units import is_enabled

Engine = Mapping[str, Any]
control = scope("daemon", per_engine=True, over=on_engine)


@control(
    "daemon.running",
    "An engine that is enabled runs",
    "medium",
    Remedy(
        "restart", "Look into the unit's journal; systemctl reset-failed, then start the unit and its socket."
    ),
)
def running(engine: Engine, case: Case) -> Deviation | None:
    """Without the daemon nobody restarts, limits or updates its containers, and some may go on without it.

    One that was switched off on purpose is no fault; whether one that runs also answers is daemon.answers.
    """
    if engine["state"] != "stopped":
        return None
    if case.rootless:
        enabled = bool((engine["user_unit"] or {}).get("enabled"))
    else:
        enabled = is_enabled(unit(case, engine["unit"] or "docker.service"))
    if not enabled:
        raise NotApplicable("the engine is not enabled")
    return Deviation("stopped", "running", engine["error"] or engine["unit"])


@control(
    "daemon.warnings",
    "The engine reports no warning about its host",
    "low",
    Remedy("manual", "Each warning names what the kernel or the configuration lacks."),
)
def warnings(_engine: Engine, case: Case) -> list[Deviation]:
    """Its warnings name protections that do not work here: limits, bridge filtering, an API without TLS."""
    return [
        Deviation(text, "no warning", "/info Warnings")
        for text in case.of_engine("info").get("Warnings") or ()
    ]


@control(
    "daemon.container_totals",
    "The engine's own count of containers agrees with its list",
    "low",
    Remedy("restart", "Restart the engine; if they still differ, look for remains below the data root."),
    # Containers that start or end while the audit reads.
    parameters={"tolerance": 2},
)
def container_totals(_engine: Engine, case: Case) -> Deviation | None:
    """Containers that the engine counts and does not list, or the reverse, are out of anybody's control."""
    total = case.of_engine("info", "Containers")
    by_state = sum(case.of_engine("info", f"Containers{state}") for state in ("Running", "Paused", "Stopped"))
    if total != by_state:
        return Deviation(f"{by_state} by state", total, "/info")
    listed = len(case.of_engine("containers"))
    if abs(total - listed) > case.parameters["tolerance"]:
        return Deviation(f"{listed} listed", total, "/info and /containers/json")
    return None


@control(
    "daemon.container_sprawl",
    "Few containers are left behind stopped",
    "low",
    Remedy("manual", "docker container prune, when nobody needs their data."),
    cis=("6.2",),
    level=1,
    parameters={"max_stopped": 10},
)
def container_sprawl(_engine: Engine, case: Case) -> Deviation | None:
    """A stopped container keeps its rights, volumes and old image, and one command starts it again."""
    stopped = [
        c["name"] or c["id"][:12]
        for c in case.of_engine("containers")
        if c["state"] in ("exited", "created", "dead")
    ]
    most = case.parameters["max_stopped"]
    if len(stopped) > most:
        return Deviation(f"{len(stopped)} stopped", f"at most {most}", ", ".join(sorted(stopped)[:10]))
    return None


@control(
    "daemon.image_sprawl",
    "Few images are kept that no container uses",
    "low",
    Remedy("manual", "docker image prune --all, when nobody needs them."),
    cis=("6.1",),
    level=1,
    parameters={"max_unused": 20},
)
def image_sprawl(_engine: Engine, case: Case) -> Deviation | None:
    """Old images keep known holes at hand and get started by mistake."""
    unused = [
        i["tags"][0] if i["tags"] else i["id"][:19] for i in case.of_engine("images") if not i["containers"]
    ]
    most = case.parameters["max_unused"]
    if len(unused) > most:
        return Deviation(f"{len(unused)} unused", f"at most {most}", ", ".join(sorted(unused)[:10]))
    return None
