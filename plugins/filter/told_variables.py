# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell which facts of a host bear the name of a variable of this collection."""

from __future__ import annotations

DOCUMENTATION = r"""
name: told_variables
short_description: Tell which facts of a host bear the name of a variable of this collection
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Any module result may bring facts, and facts win over the variables of the inventory and the defaults of roles. None
    of the collection's variables is a fact; a host that tells one wants to choose its value.
positional: _input
options:
  _input:
    description:
      - The facts of a host.
    type: dict
    required: true
seealso:
  - plugin: bulwark.docker.unless_told
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Forget such facts
  ansible.builtin.meta: clear_facts
  when: ansible_facts | bulwark.docker.told_variables | length > 0
"""

RETURN = r"""
_value:
  description: The names, sorted.
  type: list
  elements: str
  sample: [compliance_report_directory]
"""

from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.inventory import told


def told_variables(facts: Iterable[str]) -> list[str]:
    """The names of the facts that no host may tell."""
    return told.told_variables(facts)


class FilterModule:
    """Tells Ansible which filters are here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by their names."""
        return {"told_variables": told_variables}
