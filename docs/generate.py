# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/controls.md from the catalogue: `make docs`. A unit test fails when the file is stale."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from ansible_collections.bulwark.docker.plugins.module_utils.audit.catalogue import (
    CATALOGUE,
    PROFILES,
    choose,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import SEVERITIES, Control

TARGET = Path(__file__).with_name("controls.md")

HEAD = """\
<!--
SPDX-FileCopyrightText: 2026 Bulwark contributors
SPDX-License-Identifier: GPL-3.0-or-later

Written by `make docs` from the catalogue; do not edit.
-->

# Controls

What `bulwark.docker.compliance_info` judges. A control says what should hold; it is judged by the effective state.
Parameters are given with `compliance_audit_parameters`, by control id.
"""

_TITLES = {"tls": "TLS", "userns": "User namespaces"}


def page() -> str:
    """The whole page."""
    ordered = sorted(CATALOGUE.values(), key=lambda control: (control.scope, control.id))
    parts = [HEAD, _profiles()]
    for scope, controls in groupby(ordered, key=lambda control: control.scope):
        parts.append(f"## {_TITLES.get(scope, scope.replace('_', ' ').capitalize())}\n")
        parts += map(_section, controls)
    return "\n".join(parts)


def _profiles() -> str:
    rows = [
        f"| Profile | Controls | {' | '.join(SEVERITIES)} |",
        "| --- |" + " --- |" * (len(SEVERITIES) + 1),
    ]
    for name in PROFILES:
        chosen = choose(name)
        by_severity = (sum(control.severity == severity for control in chosen) for severity in SEVERITIES)
        rows.append(f"| `{name}` | {len(chosen)} | {' | '.join(map(str, by_severity))} |")
    return "\n".join(rows) + "\n"


def _section(control: Control) -> str:
    profiles = ", ".join(name for name, chosen in PROFILES.items() if chosen(control))
    lines = [f"### `{control.id}`", "", f"{control.title}.", ""]
    if control.doc:
        lines += [control.doc, ""]
    lines += [
        f"- Severity: {control.severity}",
        f"- Profiles: {profiles}",
        f"- Remedy ({_remedy(control)}): {control.remedy.text}",
    ]
    if control.remedy.variables:
        lines.append(f"- Variables: `{json.dumps(control.remedy.variables)}`")
    references = "; ".join(_references(control))
    if references:
        lines.append(f"- References: {references}")
    lines += [f"- Parameter `{name}`: default `{value!r}`" for name, value in control.parameters.items()]
    return "\n".join(lines) + "\n"


def _remedy(control: Control) -> str:
    role = f", role {control.remedy.role}" if control.remedy.role else ""
    return control.remedy.effect + role


def _references(control: Control) -> Iterable[str]:
    for name, ids in (
        ("CIS Docker 1.6.0", control.cis_1_6_0),
        ("CIS Docker 1.8.0", control.cis_1_8_0),
        ("OWASP Docker Top 10", control.owasp),
        ("requirements", control.requirements),
    ):
        if ids:
            yield f"{name} {', '.join(ids)}"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
