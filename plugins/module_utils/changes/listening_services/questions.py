# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The five questions that OWASP's D04 asks of each service, answered in sentences."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.matching import (
    Listener,
    Rule,
    owners,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.protected import (
    SECURE_SHELL,
    Guard,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.rebind import (
    RESOLVED,
    RESOLVED_PORTS,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge import known_services
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import families, shown

REVIEW_LASTS = timedelta(days=365)
_AUTHENTICATION = {
    known_services.NONE: "It has none, or one that is worth nothing.",
    known_services.OPTIONAL: "It is off until somebody sets it up; it was not asked.",
    known_services.OWN: "It has its own.",
}


class Judged(NamedTuple):
    """What is known of a listener when its questions are answered; `unit`: as in the snapshot, or empty."""

    listener: Listener
    unit: Any
    verb: str
    reason: str
    denied: bool
    known: known_services.Service | None
    guard: Guard | None
    allow: Rule | None
    container: str | None


def answers(judged: Judged, today: date) -> dict[str, str]:
    """{stop, localhost, authentication, restrict, reviewed}: a sentence each."""
    return {
        "stop": _stop(judged),
        "localhost": _localhost(judged),
        "authentication": _authentication(judged),
        "restrict": _restrict(judged),
        "reviewed": _reviewed(judged, today),
    }


def _stop(judged: Judged) -> str:
    if judged.verb == "container":
        return f"Only with its container {judged.container}."
    if judged.verb in ("allow", "protected", "rebind", "restrict"):
        return f"No: {judged.reason}."
    if judged.verb == "unattributed" or judged.listener["unit"] is None:
        return f"Not by its unit: {judged.reason}."
    if judged.denied:
        return f"Yes: {judged.reason}."
    return f"Not decided: {judged.reason}."


def _localhost(judged: Judged) -> str:
    listener, unit = judged.listener, judged.listener["unit"] or ""
    where = shown(listener)
    if listener["scope"] == "loopback":
        return f"It does: {where}."
    if listener["scope"] == "wildcard":
        where += " means all addresses" + (", of IPv4 too" if families(listener) == (4, 6) else "")
    else:
        where += " is one address"
    if judged.container and listener["forwards"]:
        return f"{where}; publish the port on 127.0.0.1 when the container is made anew."
    if unit.endswith(".socket"):
        return f"{where}; rebind binds {unit} to others."
    if unit == RESOLVED and listener["port"] in RESOLVED_PORTS.values():
        option = next(key for key, port in RESOLVED_PORTS.items() if port == listener["port"])
        return f"{where}; rebind with {option}: false closes it."
    return f"{where}; its own configuration may name another."


def _authentication(judged: Judged) -> str:
    if judged.known:
        return _AUTHENTICATION[judged.known.authentication]
    if judged.guard and judged.guard.kind == SECURE_SHELL:
        return "It has its own, judged by the control listener.sshd."
    return "It is not known to this collection; see its documentation."


def _restrict(judged: Judged) -> str:
    denied = (judged.unit or {}).get("ip_address_deny")
    if denied:
        return f"Its unit has IPAddressDeny={' '.join(denied)}."
    if judged.container and judged.listener["forwards"]:
        return "By the chain DOCKER-USER of the packet filter; published ports bypass INPUT."
    if judged.listener["unit"] and judged.guard is None:
        return (
            f"Nothing is set; restrict gives {judged.listener['unit']} IPAddressDeny= and IPAddressAllow=, "
            "or the packet filter does it."
        )
    return "By the packet filter."


def _reviewed(judged: Judged, today: date) -> str:
    old = [each["name"] for each in owners(judged.listener) if each["deleted"]]
    restart = f" {old[0]} runs a program that was removed or replaced since: restart it." if old else ""
    when = judged.allow.reviewed if judged.allow else None
    if when is None:
        return "No review of its documentation and known flaws is on record." + restart
    if when > today:
        return f"The review is of {when}, which is to come, and does not count." + restart
    if today - when > REVIEW_LASTS:
        return f"The review of {when} is older than {REVIEW_LASTS.days} days and does not count." + restart
    return f"Documentation and known flaws were reviewed on {when}." + restart
