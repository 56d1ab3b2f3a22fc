# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user is told who names a service that is never touched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.context import Case
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.protected import (
    SECURE_SHELL,
    Guard,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.rules import (
    Rules,
    denied_units,
)

ALLOW_SSH = "listening_services_allow_ssh"


def of_units(about: Case, action: str) -> Iterator[dict[str, Any]]:
    """For units that rules name exactly: they may not listen now, or at paths alone."""
    for entry in about.rules.moves:
        guard = about.unit_guard(entry.unit, entry)
        if guard:
            yield refusal(entry.shown, entry.unit, guard, about.rules)
    for rule in about.rules.deny if action != "report" else ():
        for unit in denied_units(Rules(deny=(rule,), deny_known=False)):
            guard = about.unit_guard(unit)
            if guard:
                yield refusal(rule.shown, unit, guard, about.rules)


def refusal(rule: str, what: str, guard: Guard, rules: Rules) -> dict[str, Any]:
    """{message, consent, control}: `rule` means the unit or socket `what`."""
    message = f"{rule} means {what}, which is left alone: {guard.reason}"
    if guard.kind != SECURE_SHELL:
        return {"message": message, "consent": None, "control": None}
    if rules.allow_ssh:
        message += "; only a rule with its exact name, no pattern, may mean it"
    return {
        "message": message,
        "consent": None if rules.allow_ssh else ALLOW_SSH,
        "control": "listener.sshd",
    }
