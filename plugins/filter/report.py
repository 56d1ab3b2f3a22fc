# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make one report of the audits of many hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: report
short_description: Make one report of the audits of many hosts
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Makes the canonical report that every other form of it is made of. Its shape is described by
    C(docs/report.schema.json).
  - The same input gives the same report; it holds times only when O(generated) is given.
  - A host that was not audited, or whose result cannot be read, is a host of the report with a message. None
    is left out.
positional: _input
options:
  _input:
    description:
      - What became of the hosts, as O(bulwark.docker.compliance_report#role:main:compliance_report_hosts) takes
        it, after a harden run with C(before) and C(change).
    type: list
    elements: dict
    required: true
  title:
    description:
      - The title of the report.
    type: str
    default: Docker host audit
  generated:
    description:
      - When the report was made, as ISO 8601. With it the report also says when each host was read.
    type: str
seealso:
  - plugin: bulwark.docker.audit_outcomes
    plugin_type: filter
  - plugin: bulwark.docker.report_summary
    plugin_type: filter
  - plugin: bulwark.docker.report_html
    plugin_type: filter
  - plugin: bulwark.docker.report_markdown
    plugin_type: filter
  - plugin: bulwark.docker.report_gate
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show how many hosts could not be audited
  ansible.builtin.debug:
    msg: "{{ (hosts | bulwark.docker.report).totals.hosts }}"
  vars:
    hosts:
      - host: web1
        status: unreachable
        message: Connection timed out
        result: null
"""

RETURN = r"""
_value:
  description: The report.
  type: dict
  contains:
    schema:
      description: The version of the shape, V(1).
      type: int
    title:
      description: The title.
      type: str
    generated:
      description: When the report was made, or V(null).
      type: str
    totals:
      description: Hosts by status, the score of all, findings by verdict, failed findings by severity.
      type: dict
      sample:
        hosts: {total: 1, unreachable: 1, failed: 0, audited: 0}
        score: {percent: null, passed: 0, failed: 0, waived: 0}
    hosts:
      description:
        - One entry per host, sorted by name, also for those that were not audited. After a harden run with C(before),
          the score and counts before it and the controls that come out otherwise, and C(change), what was changed.
      type: list
      elements: dict
    findings:
      description: All findings with their C(host), sorted by host, control and engine.
      type: list
      elements: dict
    waivers:
      description: All waivers; the same waiver of several hosts is one entry.
      type: list
      elements: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.plain import plain


def report(hosts: Any, title: str = "Docker host audit", generated: str | None = None) -> dict[str, Any]:
    """The canonical report of the hosts."""
    found = plain(hosts, "report")
    if not isinstance(found, list):
        raise AnsibleFilterError(f"report needs a list of hosts, not {type(found).__name__}")
    try:
        return build_report(found, str(title), None if generated is None else str(generated))
    except ValueError as error:
        raise AnsibleFilterError(f"report: {error}") from error


class FilterModule:
    """The filter, as Ansible loads it."""

    def filters(self) -> dict[str, Any]:
        return {"report": report}
