# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render a report as one HTML page."""

from __future__ import annotations

DOCUMENTATION = r"""
name: report_html
short_description: Render a report as one HTML page
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Gives a page that is complete in itself. It opens from disk, asks nobody for anything, and is readable
    without JavaScript.
  - Everything in it is escaped, and its content security policy lets nothing run but its own style and
    script, by their hashes.
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
- name: Write a report as HTML
  ansible.builtin.copy:
    content: "{{ hosts | bulwark.docker.report | bulwark.docker.report_html }}"
    dest: report.html
    mode: "0640"
  vars:
    hosts:
      - host: web1
        status: unreachable
        message: Connection timed out
        result: null
"""

RETURN = r"""
_value:
  description: The page.
  type: str
"""

from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.html import html
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.plain import plain_report


def report_html(report: Any) -> str:
    """The report as one HTML page."""
    return html(plain_report(report, "report_html"))


class FilterModule:
    """The filter, as Ansible loads it."""

    def filters(self) -> dict[str, Any]:
        return {"report_html": report_html}
