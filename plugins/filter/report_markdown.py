# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render a report as Markdown."""

from __future__ import annotations

DOCUMENTATION = r"""
name: report_markdown
short_description: Render a report as Markdown
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Gives CommonMark with the tables of GitHub, for a merge request, a wiki or a ticket.
  - Names and values are code spans and sentences are escaped, so nothing that a host said becomes markup, a
    link or HTML.
positional: _input
options:
  _input:
    description:
      - A report, as the filter P(bulwark.docker.report#filter) gives.
    type: dict
    required: true
seealso:
  - plugin: bulwark.docker.report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show a report as Markdown
  ansible.builtin.debug:
    msg: "{{ hosts | bulwark.docker.report | bulwark.docker.report_markdown }}"
  vars:
    hosts:
      - host: web1
        status: unreachable
        message: Connection timed out
        result: null
"""

RETURN = r"""
_value:
  description: The document.
  type: str
"""

from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.markdown import markdown
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.plain import plain_report


def report_markdown(report: Any) -> str:
    """The report as Markdown."""
    return markdown(plain_report(report, "report_markdown"))


class FilterModule:
    """The filter, as Ansible loads it."""

    def filters(self) -> dict[str, Any]:
        return {"report_markdown": report_markdown}
