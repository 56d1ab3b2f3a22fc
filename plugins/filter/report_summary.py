# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Summarise a report for a terminal."""

from __future__ import annotations

DOCUMENTATION = r"""
name: report_summary
short_description: Summarise a report for a terminal
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Gives the lines of a summary - score, verdicts, hosts, the failed controls with subject and remedy from
    the worst on, waivers.
  - Every character of it is printable. Control, escape and bidi characters in names are shown as C(<U+202E>),
    long names are cut.
positional: _input
options:
  _input:
    description:
      - A report, as the filter P(bulwark.docker.report#filter) gives.
    type: dict
    required: true
  files:
    description:
      - Paths of the written reports, to be named at the end.
    type: list
    elements: str
    default: []
  limit:
    description:
      - How many failed controls to list at most; V(0) lists all.
    type: int
    default: 50
seealso:
  - plugin: bulwark.docker.report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the summary of a report
  ansible.builtin.debug:
    msg: "{{ hosts | bulwark.docker.report | bulwark.docker.report_summary(files) }}"
  vars:
    files: [reports/report.html]
    hosts:
      - host: web1
        status: unreachable
        message: Connection timed out
        result: null
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
  sample:
    - "Docker host audit: score none, 0 of 1 host audited"
"""

from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.plain import plain, plain_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.summary import summary_lines


def report_summary(report: Any, files: Any = (), limit: int = 50) -> list[str]:
    """The lines of the summary."""
    return summary_lines(plain_report(report, "report_summary"), plain(files, "report_summary"), int(limit))


class FilterModule:
    """The filter, as Ansible loads it."""

    def filters(self) -> dict[str, Any]:
        return {"report_summary": report_summary}
