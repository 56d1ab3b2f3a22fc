# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit as a whole: a snapshot and a user's options in, findings, score and waivers out. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.audit import catalogue, judge, returned, waivers

FINDINGS_SCHEMA = 1


def option_errors(options: Mapping[str, Any]) -> list[str]:
    """What is wrong with the options beyond their types, one sentence each; [] when nothing is."""
    return catalogue.option_errors(
        options["parameters"], options["severities"], options["controls"]
    ) + waivers.errors_in(options["waivers"], options["attestations"], catalogue.CATALOGUE)


class NotASnapshot(Exception):
    """What was saved has another shape than a snapshot; the text goes on after the name of the file."""


def audit(snapshot: Mapping[str, Any], options: Mapping[str, Any], today: str) -> dict[str, Any]:
    """Judge the snapshot. `options` are those of compliance_info; `today` (YYYY-MM-DD) decides about expiry.

    Raises NotASnapshot where nobody could say what the verdicts would be about; what is wrong beyond that costs the
    controls that look at it.
    """
    _check(snapshot)
    controls = catalogue.choose(options["profile"], options["controls"])
    findings = judge.findings_of(snapshot, controls, options["parameters"], options["severities"])
    waivers.attest(findings, options["attestations"], today)
    shown = waivers.waive(findings, options["waivers"], today)
    returned.shorten(findings)
    return {
        "schema": FINDINGS_SCHEMA,
        "profile": "custom" if options["controls"] else options["profile"],
        "host": summary(snapshot),
        "findings": findings,
        "score": judge.score_of(findings),
        "waivers": shown,
    }


def summary(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Which host this is, for the head of a report."""
    host, engines = snapshot["host"], snapshot["engines"]
    return {
        "name": _text(host, "name"),
        "os": _text(_part(host, "os"), "PRETTY_NAME"),
        "kernel": _text(_part(host, "kernel"), "release"),
        "privileged": _part(host, "privileged"),
        "collected": _collected(_part(host, "time")),
        "engines": [
            {
                "name": engine["name"],
                "state": _text(engine, "state"),
                "version": _text(_part(engine, "version"), "Version"),
                "containers": len(containers) if isinstance(containers, list) else None,
            }
            for engine in (engines if isinstance(engines, list) else [])
            for containers in [engine.get("containers")]
        ],
    }


def _check(snapshot: Mapping[str, Any]) -> None:
    for section in ("host", "engines"):
        if section not in snapshot:
            raise NotASnapshot(f"is no snapshot: it has no '{section}'")
    engines = snapshot["engines"]
    for engine in engines if isinstance(engines, list) else [] if _is_mark(engines) else [engines]:
        if not isinstance(engine, Mapping) or not isinstance(engine.get("name"), str):
            raise NotASnapshot("is no snapshot: 'engines' holds something that is no engine with a name")
        if not isinstance(engine.get("user"), (str, type(None))):
            raise NotASnapshot(f"is no snapshot: the user of the engine {engine['name']} is no name")


def _is_mark(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"error"}


def _collected(seconds: Any) -> str | None:
    try:
        collected = datetime.datetime.fromtimestamp(seconds, tz=datetime.timezone.utc)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return collected.strftime("%Y-%m-%dT%H:%M:%SZ")


def _part(data: Any, key: str) -> Any:
    return data.get(key) if isinstance(data, Mapping) else None


def _text(data: Any, key: str) -> str | None:
    value = _part(data, key)
    return value if isinstance(value, str) else None
