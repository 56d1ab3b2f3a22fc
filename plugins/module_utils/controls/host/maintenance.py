# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of upkeep: pending updates, reboots and daemons that run from replaced programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    MANUAL,
    Case,
    Deviation,
    Item,
    NotApplicable,
    Remedy,
    on_engine,
    on_host,
    scope,
)

Snapshot = Mapping[str, Any]
control = scope("host", per_engine=False, over=on_host)
engine_control = scope("host", per_engine=True, over=on_engine)
_DAY = 86400


@control(
    "host.security_updates",
    "No security update is pending",
    "high",
    Remedy("manual", "Install them, or let unattended upgrades do it; engine updates restart the daemon."),
    requirements=("D02-01",),
    parameters={"max_age_days": 7},
)
def security_updates(_snapshot: Snapshot, case: Case) -> Deviation | None:
    """Known holes of the host are open to every container that finds a way out.

    Asking the package manager takes seconds, so it is done on request only; its lists must be fresh to prove
    anything.
    """
    updates = case.host("host", "updates")
    if updates is None:
        return Deviation(None, "no pending security update", "the audit was not asked to look", MANUAL)
    if updates["security"]:
        pending = updates["security"]
        more = f" and {len(pending) - 10} more" if len(pending) > 10 else ""
        return Deviation(f"{len(pending)} pending", "none", ", ".join(pending[:10]) + more)
    as_of, days = updates.get("as_of"), case.parameters["max_age_days"]
    if as_of is None or case.host("host", "time") - as_of > days * _DAY:
        raise Unread(f"none known, but the package lists are older than {days} days")
    return None


@control(
    "host.reboot_pending",
    "The running kernel and libraries are the installed ones",
    "high",
    Remedy("manual", "Reboot in a maintenance window."),
    requirements=("D02-02",),
)
def reboot_pending(_snapshot: Snapshot, case: Case) -> Deviation | None:
    """A fixed kernel protects only after the boot."""
    if case.host("host", "container"):
        raise NotApplicable("the kernel belongs to the machine that runs this container")
    reboot, release = case.host("host", "reboot"), case.host("host", "kernel", "release")
    if reboot["newer_kernel"]:
        return Deviation(release, reboot["newest_kernel"], "installed kernels")
    if reboot["required"]:
        packages = ", ".join(reboot["packages"]) or "not said by which package"
        return Deviation("reboot required", "no reboot pending", packages)
    return None


@control(
    "host.regular_upkeep",
    "The host was booted and its packages were updated not long ago",
    "medium",
    Remedy("manual", "Update the packages and reboot."),
    requirements=("D02-03",),
    parameters={"max_uptime_days": 180, "max_days_without_package_change": 90},
)
def regular_upkeep(_snapshot: Snapshot, case: Case) -> Iterable[Deviation]:
    """Nobody patches a host on which no package changed for months, whatever its mirror says."""
    parameters, found = case.parameters, []
    up = case.host("host", "uptime") // _DAY
    # A container has the uptime of its machine.
    if up > parameters["max_uptime_days"] and not case.host("host", "container"):
        found.append(Deviation(f"up {up} days", f"at most {parameters['max_uptime_days']}", "/proc/uptime"))
    changed = case.host("host", "packages_changed")
    if changed is not None:
        days = (case.host("host", "time") - changed) // _DAY
        most = parameters["max_days_without_package_change"]
        if days > most:
            found.append(
                Deviation(f"no package changed for {days} days", f"at most {most}", "package database")
            )
    return found


@engine_control(
    "host.stale_daemon",
    "The engine runs the program that is installed",
    "medium",
    Remedy("restart", "Restart the engine (with live-restore its containers keep running)."),
    requirements=("D02-04",),
)
def stale_daemon(engine: Mapping[str, Any], case: Case) -> Deviation | None:
    """An update of the engine protects only after its restart.

    Packages give a file the time of its build, so one that is younger than the process, or gone from under
    it, was replaced.
    """
    if engine["pid"] is None:
        raise NotApplicable("the engine does not run")
    binary, started = case.of_engine("binary"), case.of_engine("started")
    if binary is None or started is None:
        raise Unread("the engine's program or start time is not known")
    if binary["deleted"]:
        return Deviation("runs a program that was replaced", "the installed program", binary["path"])
    if binary["modified"] is not None and binary["modified"] > started:
        return Deviation("started before its program was installed", "started after it", binary["path"])
    return None


def _with_deleted_files(case: Case) -> Iterable[Item]:
    for process in case.host("deleted_files"):
        yield Item("process", process["unit"] or str(process["pid"]), process["name"], process)


@scope("host", per_engine=False, over=_with_deleted_files)(
    "host.deleted_files",
    "No engine daemon uses files that were deleted or replaced",
    "medium",
    Remedy("restart", "Restart the unit shown."),
    requirements=("D02-05",),
)
def deleted_files(process: Mapping[str, Any], case: Case) -> Deviation | None:
    """A library that was replaced under a running daemon stays in use, holes included, until its restart."""
    return Deviation(list(read(process, "paths"))[:10], "none", f"/proc/{process['pid']}/maps")
