# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of an engine's age: its release line, and the fixes that it and its runtime hold."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    FAIL,
    MANUAL,
    Case,
    Deviation,
    Remedy,
    on_engine,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.engine_versions import (
    AS_OF,
    FLAWS,
    SUPPORTED_UNTIL,
    TABLE_GOOD_UNTIL,
    Flaw,
    engine_version,
    is_mended,
    is_rebuilt,
    newest_line,
    numbers,
    release_line,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import effective

Engine = Mapping[str, Any]

control = scope("daemon", per_engine=True, over=on_engine)


@control(
    "daemon.supported",
    "The engine's release line is supported",
    "high",
    Remedy(
        "restart",
        "Upgrade the engine to a supported line; name a line that your vendor maintains in also_supported.",
    ),
    requirements=("RT-45", "D02-06"),
    cis=("1.2.2",),
    level=1,
    parameters={"also_supported": []},
)
def supported(engine: Engine, case: Case) -> Deviation | None:
    """Flaws found after the end of support stay open. A distribution may mend its own build for longer:
    then name the line. The table of lines is dated (moby, project/BRANCHES-AND-TAGS.md)."""
    version, today = read(engine, "version", "Version"), _day(case.host("host", "time"))
    line = release_line(engine_version(engine))
    if line in case.parameters["also_supported"]:
        return None
    if line in SUPPORTED_UNTIL:
        until = SUPPORTED_UNTIL[line]
        if until is None and today > TABLE_GOOD_UNTIL:
            raise Unread(f"the table of supported lines is of {AS_OF}, too old to tell of engine {line}")
        if until is None or today <= until:
            return None
        note = f"{line} was supported until {until}"
    elif numbers(line) > numbers(newest_line(SUPPORTED_UNTIL)):
        raise Unread(f"engine {line} is younger than the table of supported lines, which is of {AS_OF}")
    else:
        note = f"{line} has been out of support for years"
    if is_rebuilt(version, read(engine, "version").get("GitCommit")):
        note += "; built by a distribution, which may support it longer"
    return Deviation(version, "a supported line", note)


@control(
    "daemon.known_flaws",
    "The engine and its runtime hold the fixes of known flaws",
    "high",
    Remedy(
        "restart",
        "Upgrade the component to the release named; check your distribution's tracker for its own builds.",
    ),
    requirements=("RT-45",),
)
def known_flaws(engine: Engine, case: Case) -> Iterator[Deviation]:
    """Flaws that let a container out or a client past its limits, from the advisories of moby, runc and
    containerd. What a distribution built may hold a fix under the old number, so a person has to look at
    its tracker."""
    commit = read(engine, "version").get("GitCommit")
    for flaw in FLAWS:
        text = _component(engine, flaw)
        if not numbers(text) or is_mended(flaw, numbers(text)) or not _concerns(engine, flaw):
            continue
        rebuilt = is_rebuilt(text, commit if flaw.component == "Engine" else None)
        yield Deviation(
            f"{flaw.component} {text}",
            " or ".join(flaw.mended),
            f"{flaw.ids}: {flaw.about}",
            MANUAL if rebuilt else FAIL,
        )


def _component(engine: Engine, flaw: Flaw) -> str:
    return str(read(engine, "version", "Components").get(flaw.component) or "")


def _concerns(engine: Engine, flaw: Flaw) -> bool:
    return flaw.only_with != "authorization plugins" or bool(effective(engine, "authorization-plugins").value)


def _day(time: float) -> str:
    return datetime.datetime.fromtimestamp(time, datetime.timezone.utc).date().isoformat()
