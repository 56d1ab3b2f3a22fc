# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say why a host may not have names in a certificate."""

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_name_problems
short_description: Say why a host may not have names in a certificate
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - A name or an address belongs to a host when the inventory calls it so, by its name there or C(ansible_host), or when
    the controller finds that address for one of the two. What belongs to another host is refused, and so is what
    another host has in a certificate that is still valid, by the register of the authority.
  - A name is also that of the host whose name it goes on after, as C(dock1.example.com) does after C(dock1), unless it
    is O(shared). An address of IPv6 that leads to one of IPv4 is that of whoever has the latter.
positional: _input, register, host, hostvars, hosts
options:
  _input:
    description:
      - The names, with their prefixes, as the filter P(bulwark.docker.subject_alt_names#filter) gives them.
    type: list
    elements: str
    required: true
  register:
    description:
      - The text of the register, see the filter P(bulwark.docker.certificate_register#filter).
    type: str
    required: true
  host:
    description:
      - The name of the host in the inventory.
    type: str
    required: true
  hostvars:
    description:
      - The variable C(hostvars).
    type: dict
    required: true
  hosts:
    description:
      - The names of all hosts of the inventory.
    type: list
    elements: str
    required: true
  shared:
    description:
      - Names that several hosts may have, such as that of a load balancer. One with a wildcard has to be among them.
    type: list
    elements: str
    default: []
  released:
    description:
      - Hosts whose names are free again.
    type: list
    elements: str
    default: []
seealso:
  - plugin: bulwark.docker.certificate_register
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse the names of others
  ansible.builtin.assert:
    that: >-
      ['DNS:dock1'] | bulwark.docker.certificate_name_problems('', inventory_hostname, hostvars, groups['all'])
      | length == 0
"""

RETURN = r"""
_value:
  description: One sentence for each name that the host may not have.
  type: list
  elements: str
  sample: ["DNS:dock2.example.com belongs to dock2 by the inventory"]
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.inventory import names as called
from ansible_collections.bulwark.docker.plugins.plugin_utils.inventory import register as kept


def certificate_name_problems(
    names: Iterable[str],
    register: str,
    host: str,
    hostvars: Mapping[str, Any],
    hosts: Iterable[str],
    shared: Iterable[str] = (),
    released: Iterable[str] = (),
) -> list[str]:
    """Why the host may not have the names."""
    now = datetime.now(timezone.utc).strftime("%Y%m%d%H%M%SZ")
    wanted, both = ([called.as_written(str(name)) for name in given] for given in (names, shared))
    try:
        held = kept.without(kept.read(str(register)), released, now)
    except kept.Damaged as error:
        return [f"the register of the authority is damaged: {error}"]
    new = kept.unheld(held, str(host), wanted)
    others = called.owners(wanted, hostvars, hosts, str(host), both)
    return [
        *(
            f"{name} stands for any host; only daemon_tls_extra_names may have that"
            for name in wanted
            if name.startswith("DNS:*") and name not in both
        ),
        *(f"{name} belongs to {other} by the inventory" for name, other in others.items()),
        *kept.problems(held, str(host), [name for name in new if name not in others], both),
    ]


class FilterModule:
    """Tells Ansible which filters are here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by their names."""
        return {"certificate_name_problems": certificate_name_problems}
