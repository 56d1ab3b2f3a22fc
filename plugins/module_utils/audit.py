# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit as a whole: a snapshot and a user's options in, findings, score and waivers out. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.controls import catalogue, judge, waivers

FINDINGS_SCHEMA = 1


def option_errors(options: Mapping[str, Any]) -> list[str]:
    """What is wrong with the options beyond their types, one sentence each; [] when nothing is."""
    return catalogue.option_errors(
        options["parameters"], options["severities"], options["controls"]
    ) + waivers.errors_in(options["waivers"], options["attestations"], catalogue.CATALOGUE)


def audit(snapshot: Mapping[str, Any], options: Mapping[str, Any], today: str) -> dict[str, Any]:
    """Judge the snapshot. `options` are those of compliance_info; `today` (YYYY-MM-DD) decides about expiry."""
    controls = catalogue.choose(options["profile"], options["controls"])
    findings = judge.findings_of(snapshot, controls, options["parameters"], options["severities"])
    waivers.attest(findings, options["attestations"], today)
    shown = waivers.waive(findings, options["waivers"], today)
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
    host, engines = snapshot.get("host"), snapshot.get("engines")
    return {
        "name": _text(host, "name"),
        "os": _text(_value(host, "os"), "PRETTY_NAME"),
        "kernel": _text(_value(host, "kernel"), "release"),
        "privileged": _value(host, "privileged") is True,
        "collected": _time(_value(host, "time")),
        "engines": [
            {
                "name": _text(engine, "name"),
                "state": _text(engine, "state"),
                "version": _text(_value(engine, "version"), "Version"),
                "containers": len(containers) if isinstance(containers, list) else None,
            }
            for engine, containers in ((each, _value(each, "containers")) for each in engines)
        ]
        if isinstance(engines, list)
        else [],
    }


def _value(data: Any, key: str) -> Any:
    return data.get(key) if isinstance(data, Mapping) else None


def _text(data: Any, key: str) -> str | None:
    value = _value(data, key)
    return value if isinstance(value, str) else None


def _time(seconds: Any) -> str | None:
    """Null where a saved snapshot tells no time that there is."""
    try:
        collected = datetime.datetime.fromtimestamp(seconds, tz=datetime.timezone.utc)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return collected.strftime("%Y-%m-%dT%H:%M:%SZ")
