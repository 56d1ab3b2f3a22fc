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
    host = snapshot["host"]
    engines = snapshot["engines"] if isinstance(snapshot["engines"], list) else []
    collected = datetime.datetime.fromtimestamp(host["time"], tz=datetime.timezone.utc)
    return {
        "name": host["name"],
        "os": _text(host["os"], "PRETTY_NAME"),
        "kernel": _text(host["kernel"], "release"),
        "privileged": host["privileged"],
        "collected": collected.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "engines": [
            {
                "name": engine["name"],
                "state": engine["state"],
                "version": _text(engine["version"], "Version"),
                "containers": len(engine["containers"]) if isinstance(engine["containers"], list) else None,
            }
            for engine in engines
        ],
    }


def _text(data: Any, key: str) -> Any:
    return data.get(key) if isinstance(data, Mapping) else None
