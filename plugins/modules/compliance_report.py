#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The documentation of the action plugin of the same name, which does the work on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: compliance_report
short_description: Write the report of an audit on the controller
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Makes one report of what became of all hosts of an audit, writes it to files and shows its summary.
  - It runs on the controller, in the process and as the user of C(ansible-playbook), whatever host the task
    is for. It needs no connection and no privilege escalation.
  - It does not fail by what is in the report; RV(gate) says whether the play is to fail.
  - The role P(bulwark.docker.compliance_report#role) wraps it and lets the play fail.
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff
        mode.
    support: none
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates
        no change.
    support: full
options:
  hosts:
    description:
      - What became of the hosts, each as C({host, status, message, result}), where C(status) is V(audited),
        V(failed) or V(unreachable) and C(result) is what M(bulwark.docker.compliance_info) returned.
      - After a harden run also with C(before), what M(bulwark.docker.compliance_info) returned before the change,
        and C(change), what was changed or would be, as the filter P(bulwark.docker.audit_outcomes#filter) gives it.
      - With C(severities), those that the play chose for the host, by control. All else that is said of a control comes
        from the catalogue of the controller, and a host whose result is none of an audit is a failed one.
      - A list, or its JSON text, which C(ansible-core) hands over much faster.
    type: raw
    required: true
  directory:
    description:
      - The directory of the files. A relative one counts from where C(ansible-playbook) was started. It is
        created with mode 0750; one that is there keeps its mode.
    type: str
    default: reports
  formats:
    description:
      - What to write - V(json) is C(report.json), V(html) is C(report.html), V(markdown) is C(report.md),
        V(junit) is C(report.junit.xml), V(sarif) is C(report.sarif).
      - Files have mode 0640.
    type: list
    elements: str
    choices: [json, html, markdown, junit, sarif]
    default: [json, html, markdown]
  title:
    description:
      - The title of the report.
    type: str
    default: Docker host audit
  generated:
    description:
      - When the report was made, as ISO 8601. Without it the report holds no times, so that equal findings
        give equal files.
    type: str
  summary_limit:
    description:
      - How many failed controls the summary lists at most; V(0) lists all.
    type: int
    default: 50
  fail_on:
    description:
      - V(none), a severity, or a JMESPath expression over the report. See
        O(bulwark.docker.compliance_report#role:main:compliance_report_fail_on).
    type: str
    default: none
  fail_on_unaudited:
    description:
      - Whether a host that was not audited or could not be changed, or a report without any host, closes the gate
        too.
    type: bool
    default: true
seealso:
  - module: bulwark.docker.compliance_info
  - plugin: bulwark.docker.audit_outcomes
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Write a report
  bulwark.docker.compliance_report:
    directory: /srv/reports
    fail_on: high
    hosts:
      - host: web1
        status: unreachable
        message: Connection timed out
        result: null
  register: report

- name: Fail where the gate says so
  ansible.builtin.assert:
    that: not report.gate.failed
    fail_msg: "{{ report.gate.message }}"
"""

RETURN = r"""
files:
  description: The files of the report.
  returned: success
  type: list
  elements: str
  sample: [/srv/reports/report.json, /srv/reports/report.html, /srv/reports/report.md]
gate:
  description: Whether the play is to fail.
  returned: success
  type: dict
  contains:
    failed:
      description: Whether it is.
      type: bool
    message:
      description: Why, or an empty string.
      type: str
  sample:
    failed: true
    message: "1 of 1 host could not be audited: web1 (unreachable: Connection timed out)"
summary:
  description: The lines of the summary that is shown. Every character is printable.
  returned: success
  type: list
  elements: str
totals:
  description: Hosts by status, the score over all of them, findings by verdict, failed findings by severity.
  returned: success
  type: dict
  sample:
    hosts: {total: 1, unreachable: 1, failed: 0, audited: 0}
    score: {percent: null, passed: 0, failed: 0, waived: 0}
"""
