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
  description: One row per host, sorted by name, as O(bulwark.docker.compliance_report#role:compliance_report_hosts) takes it.
  type: list
  elements: dict
  sample:
    - host: web1
      status: unreachable
      message: "Failed to connect to the host via ssh"
      result: null
"""

from collections.abc import Iterable, Mapping
from typing import Any


def audit_outcomes(hostvars: Mapping[str, Any], hosts: Iterable[str]) -> list[dict[str, Any]]:
    """One row per host that was to be audited, sorted by name."""
    return [
        _outcome(host, hostvars[host].get("compliance_audit_result"))
        for host in sorted(set(hosts))
        if host in hostvars and "compliance_audit_check" in hostvars[host]
    ]


def _outcome(host: str, registered: Any) -> dict[str, Any]:
    if not isinstance(registered, Mapping):
        return _without_result(host, "failed", "the audit ended before this host was looked at")
    if registered.get("unreachable"):
        return _without_result(host, "unreachable", registered.get("msg"))
    if registered.get("failed") or "findings" not in registered:
        return _without_result(host, "failed", registered.get("msg"))
    return {"host": host, "status": "audited", "message": None, "result": dict(registered)}


def _without_result(host: str, status: str, message: Any) -> dict[str, Any]:
    return {"host": host, "status": status, "message": str(message or "no message was given"), "result": None}


class FilterModule:
    """The filter, as Ansible loads it."""

    def filters(self) -> dict[str, Any]:
        return {"audit_outcomes": audit_outcomes}
