# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether a report fails."""

from __future__ import annotations

DOCUMENTATION = r"""
name: report_gate
short_description: Decide whether a report fails
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Says whether a report meets a condition under which a play is to fail, and why.
  - An expression that cannot be evaluated on the report fails too.
positional: _input, fail_on, fail_on_unaudited
options:
  _input:
    description:
      - A report, as the filter P(bulwark.docker.report#filter) gives.
    type: dict
    required: true
  fail_on:
    description:
      - V(none), a severity, or a JMESPath expression over the report. See
        O(bulwark.docker.compliance_report#role:main:compliance_report_fail_on).
    type: str
    default: none
  fail_on_unaudited:
    description:
      - Whether a host that was not audited or could not be changed, or a report without any host, fails too.
    type: bool
    default: true
seealso:
  - plugin: bulwark.docker.report
    plugin_type: filter
  - plugin: bulwark.docker.report_gate_check
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Fail when a host was not audited or has a failed control of severity high or worse
  ansible.builtin.assert:
    that: not gate.failed
    fail_msg: "{{ gate.message }}"
  vars:
    gate: "{{ hosts | bulwark.docker.report | bulwark.docker.report_gate('high') }}"
    hosts:
      - host: web1
        status: unreachable
        message: Connection timed out
        result: null
"""

RETURN = r"""
_value:
  description: The decision.
  type: dict
  contains:
    failed:
      description: Whether the report fails.
      type: bool
    message:
      description: Why, or an empty string.
      type: str
  sample:
    failed: true
    message: "1 of 1 host could not be audited: web1 (unreachable: Connection timed out)"
"""

from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.gate import gate
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.plain import plain_report


def report_gate(report: Any, fail_on: str = "none", fail_on_unaudited: bool = True) -> dict[str, Any]:
    """Whether the report fails, and why."""
    return gate(plain_report(report, "report_gate"), str(fail_on), bool(fail_on_unaudited))


class FilterModule:
    """The filter, as Ansible loads it."""

    def filters(self) -> dict[str, Any]:
        return {"report_gate": report_gate}
