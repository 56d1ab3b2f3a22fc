# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the addresses of names on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
name: resolved_addresses
short_description: Find the addresses of names on the controller
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Asks the resolver of the controller, so that a host does not tell its own addresses. A name that is not found has
    none, and an address is its own.
options:
  _input:
    description:
      - Names and addresses. Empty ones are left out.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the addresses of a host
  ansible.builtin.debug:
    msg: "{{ [inventory_hostname, ansible_host | default('')] | bulwark.docker.resolved_addresses }}"
"""

RETURN = r"""
_value:
  description: The addresses, each once and sorted.
  type: list
  elements: str
  sample: ["192.0.2.7", "2001:db8::7"]
"""

from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.inventory.names import resolved


def resolved_addresses(names: Iterable[Any]) -> list[str]:
    """The addresses of the names."""
    return resolved(names)


class FilterModule:
    """Tells Ansible which filters are here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by their names."""
        return {"resolved_addresses": resolved_addresses}
