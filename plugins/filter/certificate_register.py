# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write names into the register of an authority."""

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_register
short_description: Write names into the register of an authority
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Gives the text of a register with the names that a certificate of a host has. It fails when a valid certificate of
    another host has one of them.
  - Certificates that have ended, and hosts that were released, are left out.
positional: _input, host, names, until
options:
  _input:
    description:
      - The text of the register, empty where there is none.
    type: str
    required: true
  host:
    description:
      - The name of the host in the inventory.
    type: str
    required: true
  names:
    description:
      - The names, with their prefixes.
    type: list
    elements: str
    required: true
  until:
    description:
      - When the certificate ends, as community.crypto.x509_certificate_info tells it.
    type: str
    required: true
  shared:
    description:
      - Names that several hosts may have.
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
  - plugin: bulwark.docker.certificate_name_problems
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show a line of a register
  ansible.builtin.debug:
    msg: "{{ '' | bulwark.docker.certificate_register('dock1', ['DNS:dock1'], '20991231000000Z') }}"
"""

RETURN = r"""
_value:
  description: The text of the register.
  type: str
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.docker.plugins.plugin_utils.inventory import register as kept
from ansible_collections.bulwark.docker.plugins.plugin_utils.inventory.names import as_written


def certificate_register(
    register: str,
    host: str,
    names: Iterable[str],
    until: str,
    shared: Iterable[str] = (),
    released: Iterable[str] = (),
) -> str:
    """The register with the names of the host."""
    now = datetime.now(timezone.utc).strftime("%Y%m%d%H%M%SZ")
    wanted, both = ([as_written(str(name)) for name in given] for given in (names, shared))
    try:
        held = kept.without(kept.read(str(register)), map(str, released), now)
    except kept.Damaged as error:
        raise AnsibleFilterError(f"the register of the authority is damaged: {error}") from error
    problems = kept.problems(held, str(host), kept.unheld(held, str(host), wanted), both)
    if problems:
        raise AnsibleFilterError(f"{host} may not have these names: {'; '.join(problems)}")
    return kept.write(kept.claimed(held, str(host), wanted, both, str(until)))


class FilterModule:
    """Tells Ansible which filters are here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by their names."""
        return {"certificate_register": certificate_register}
