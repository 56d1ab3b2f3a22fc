# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect what became of every host that was to be audited."""

from __future__ import annotations

DOCUMENTATION = r"""
name: audit_outcomes
short_description: Collect what became of every host that was to be audited
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Takes C(hostvars) after the role P(bulwark.docker.compliance_audit#role) has run and gives one row per host that it
    was started on, also for hosts that could not be reached or failed.
  - After a harden run the row also has C(before), the audit that a playbook kept as C(compliance_audit_before),
    and C(change), what the roles of the collection registered (C(rootless_result), C(rootless_daemon_result),
    C(daemon_config_result), C(daemon_config_files_result), C(userns_remap_result), C(daemon_tls_result),
    C(daemon_apply_result), C(daemon_apply_resolved), C(listening_services_result)) merged into one. With
    C(harden_failure), what a playbook kept of a failure as a dictionary with C(msg), the change failed.
  - C(severities), C(waivers), C(attestations) and C(date) are those that the role kept before the host answered.
  - What a host returned that is too deep, too large or no plain data makes that host a failed one.
positional: _input, hosts
options:
  _input:
    description:
      - The variable C(hostvars).
    type: dict
    required: true
  hosts:
    description:
      - The names of the hosts to look at. Hosts on which the role was not started are left out.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Write the report
  ansible.builtin.include_role:
    name: bulwark.docker.compliance_report
  vars:
    compliance_report_hosts: "{{ hostvars | bulwark.docker.audit_outcomes(groups['all']) }}"
"""

RETURN = r"""
_value:
  description:
    - JSON text of a list with one entry per host, sorted by name, as
      O(bulwark.docker.compliance_report#role:main:compliance_report_hosts) takes it.
    - It is text because C(ansible-core) takes far longer to hand over the same as data, with 20 hosts 18 seconds
      instead of one.
  type: str
  sample: '[{"host": "web1", "message": "no route to host", "result": null, "status": "unreachable"}]'
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.bounds import Malformed, bounded
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.harden import (
    change_of,
)

# What Ansible adds to a result (its warnings, for one) is not all plain data.
_OF_A_REPORT = ("schema", "profile", "host", "findings", "score")
_CHOSEN = ("severities", "waivers", "attestations", "date")
_MESSAGE = 10_000


def audit_outcomes(hostvars: Any, hosts: Iterable[str]) -> str:
    """One entry per host that was to be audited, sorted by name, as JSON text."""
    # Without templating: what was registered came from a host and is no template.
    registered = {host: hostvars.raw_get(host) for host in sorted(set(hosts)) if host in hostvars}
    return json.dumps(
        [
            _entry(host, variables)
            for host, variables in registered.items()
            if "compliance_audit_check" in variables
        ],
        allow_nan=False,
    )


def _entry(host: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """What became of a host. What it answered costs nobody but itself."""
    outcome = _guarded(
        lambda: _outcome(host, variables.get("compliance_audit_result")),
        lambda why: _without_result(host, "failed", why),
    )
    before = _guarded(
        lambda: _report_in(variables.get("compliance_audit_before")),
        # No audit, and not none: the host shows as one that cannot be read.
        lambda why: {"unreadable": why},
    )
    change = _guarded(
        lambda: _plain(change_of(variables), "change"),
        lambda why: {"mode": "failed", "effect": "none", "message": why},
    )
    chosen = _guarded(lambda: _chosen(variables), lambda why: {})
    more = {"before": before, "change": change, **chosen}
    return {**outcome, **{key: value for key, value in more.items() if value is not None}}


def _guarded(found: Callable[[], Any], instead: Callable[[str], Any]) -> Any:
    try:
        return found()
    except Malformed as error:
        return instead(f"what it returned cannot be read: {error}")
    except Exception as error:
        return instead(f"what it returned cannot be read: {type(error).__name__}: {str(error)[:_MESSAGE]}")


def _plain(value: Any, name: str) -> Any:
    """Ansible's containers and texts as plain data of a size and depth that a result may have."""
    return bounded(json.loads(json.dumps(value, allow_nan=False)), name)


def _chosen(variables: Mapping[str, Any]) -> dict[str, Any]:
    """What the play chose for the host, as the check of its options kept it before the host answered."""
    kept = variables.get("compliance_audit_chosen")
    if not isinstance(kept, Mapping):
        return {}
    # YAML makes a date of an unquoted 2026-12-31.
    text = json.dumps({key: kept[key] for key in _CHOSEN if key in kept}, allow_nan=False, default=str)
    return dict(bounded(json.loads(text), "chosen"))


def _outcome(host: str, registered: Any) -> dict[str, Any]:
    if not isinstance(registered, Mapping):
        return _without_result(host, "failed", "the audit ended before this host was looked at")
    if registered.get("unreachable"):
        return _without_result(host, "unreachable", registered.get("msg"))
    result = _report_in(registered)
    if result is None:
        return _without_result(host, "failed", registered.get("msg"))
    return {"host": host, "status": "audited", "message": None, "result": result}


def _report_in(registered: Any) -> Any:
    """The report among what was registered, None where the audit did not end with one."""
    if not isinstance(registered, Mapping) or registered.get("failed") or "findings" not in registered:
        return None
    return _plain({key: registered[key] for key in _OF_A_REPORT if key in registered}, "result")


def _without_result(host: str, status: str, message: Any) -> dict[str, Any]:
    text = str(message or "no message was given")[:_MESSAGE]
    return {"host": host, "status": status, "message": text, "result": None}


class FilterModule:
    """The filter, as Ansible loads it."""

    def filters(self) -> dict[str, Any]:
        return {"audit_outcomes": audit_outcomes}
