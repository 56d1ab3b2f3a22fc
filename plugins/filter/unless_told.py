# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a value, unless the host tells variables of this collection."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unless_told
short_description: Give a value, unless the host tells variables of this collection
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Any module result may bring facts, and facts win over the variables of the inventory and the defaults of roles. This
    stands where a value is used on the controller, and fails when a fact of the host bears the name of a variable of
    the collection. Only that host fails then.
positional: _input, facts
options:
  _input:
    description:
      - The value.
    type: raw
    required: true
  facts:
    description:
      - The facts of the host.
    type: dict
    required: true
seealso:
  - plugin: bulwark.docker.told_variables
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Use a directory that only the inventory names
  ansible.builtin.debug:
    msg: "{{ certificate_authority_directory | bulwark.docker.unless_told(ansible_facts) }}"
  vars:
    certificate_authority_directory: /srv/docker-ca
"""

RETURN = r"""
_value:
  description: The value as it was given.
  type: raw
"""

from collections.abc import Callable, Iterable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.docker.plugins.plugin_utils.inventory.told import told_variables
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.text import clip, visible

_SHOWN = 80


def unless_told(value: Any, facts: Iterable[str]) -> Any:
    """The value; AnsibleFilterError where facts have names that no host may tell."""
    names = told_variables(facts)
    if names:
        raise AnsibleFilterError(
            f"the host tells the fact {clip(visible(names[0]), _SHOWN)}, which is a variable of bulwark.docker and not"
            " the host's to choose; look into what answers there, and forget its facts with --flush-cache"
        )
    return value


class FilterModule:
    """Tells Ansible which filters are here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by their names."""
        return {"unless_told": unless_told}
