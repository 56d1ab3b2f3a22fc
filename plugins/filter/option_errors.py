# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the options of an audit on the controller, before any host is contacted."""

from __future__ import annotations

DOCUMENTATION = r"""
name: option_errors
short_description: Check the options of an audit
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Says what is wrong with the options of M(bulwark.docker.compliance_info) beyond their types - a control or parameter
    that does not exist, a malformed waiver or attestation, a date that is none.
positional: _input
options:
  _input:
    description:
      - A dictionary with the keys V(parameters), V(severities), V(controls), V(waivers) and V(attestations), as
        M(bulwark.docker.compliance_info) takes them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse a malformed waiver
  ansible.builtin.assert:
    that: options | bulwark.docker.option_errors == []
  vars:
    options:
      parameters: {}
      severities: {}
      controls: []
      attestations: []
      waivers:
        - control: container.privileged
          subject: node-exporter
          reason: Reads hardware sensors.
          owner: platform team
          expires: "2026-12-31"
"""

RETURN = r"""
_value:
  description: One sentence for each thing that is wrong, with the entry named.
  type: list
  elements: str
  sample:
    - "waivers[0] (container.privileged, node-exporter) lacks 'owner'"
"""

import datetime
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.docker.plugins.module_utils.audit.compliance import (
    option_errors as errors_in,
)

OPTIONS = {
    "parameters": Mapping,
    "severities": Mapping,
    "controls": list,
    "waivers": list,
    "attestations": list,
}


def option_errors(options: Any) -> list[str]:
    """What is wrong with `options`, one sentence each."""
    if not isinstance(options, Mapping) or set(options) != set(OPTIONS):
        raise AnsibleFilterError(f"option_errors takes a dictionary with the keys {', '.join(OPTIONS)}")
    wrong = [
        f"{name}: is of the wrong type"
        for name, kind in OPTIONS.items()
        if not isinstance(options[name], kind)
    ]
    return wrong or errors_in({name: _plain(value) for name, value in options.items()})


def _plain(value: Any) -> Any:
    """YAML makes a date of an unquoted 2026-12-31; the module is given its text."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value.isoformat() if isinstance(value, datetime.date) else value


class FilterModule:
    """The filter, as Ansible loads it."""

    def filters(self) -> dict[str, Any]:
        return {"option_errors": option_errors}
