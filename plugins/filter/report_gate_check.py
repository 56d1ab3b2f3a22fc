# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the condition under which a report fails."""

from __future__ import annotations

DOCUMENTATION = r"""
name: report_gate_check
short_description: Check the condition under which a report fails
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Says what is wrong with O(bulwark.docker.compliance_report#module:fail_on), without any report, so before any host
    is contacted.
  - A JMESPath expression must parse, call functions that exist, and read keys that a report has.
positional: _input
options:
  _input:
    description:
      - V(none), a severity, or a JMESPath expression over the report.
    type: str
    required: true
seealso:
  - module: bulwark.docker.compliance_report
"""

EXAMPLES = r"""
- name: Refuse a condition that could never be met
  ansible.builtin.assert:
    that: condition | bulwark.docker.report_gate_check == ''
    fail_msg: "{{ condition | bulwark.docker.report_gate_check }}"
  vars:
    condition: "totals.score.percent < `80`"
"""

RETURN = r"""
_value:
  description: One sentence, empty when nothing is wrong.
  type: str
  sample: ""
"""

from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.gate import gate_problem


def report_gate_check(fail_on: str) -> str:
    """What is wrong with the condition, or ""."""
    return gate_problem(str(fail_on))


class FilterModule:
    """The filter, as Ansible loads it."""

    def filters(self) -> dict[str, Any]:
        return {"report_gate_check": report_gate_check}
