# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the subject alternative names of a certificate from names and addresses."""

from __future__ import annotations

DOCUMENTATION = r"""
name: subject_alt_names
short_description: Make the subject alternative names of a certificate from names and addresses
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Gives names and IP addresses the prefixes that a certificate has, each once and sorted, with addresses in their
    short form and names in lower case. C(::ffff:192.0.2.7) is C(192.0.2.7).
  - Names and addresses that mean any host, or the host itself, are left out - C(localhost) and what ends in
    C(.localdomain), loopback and unspecified addresses. So is what cannot be a host name.
options:
  _input:
    description:
      - Names and addresses, with C(DNS:) or C(IP:) before them or not.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Name a host
  ansible.builtin.debug:
    msg: "{{ ['Dock1.example.com', '192.0.2.7', 'localhost'] | bulwark.docker.subject_alt_names }}"
"""

RETURN = r"""
_value:
  description:
    - The names, as community.crypto.openssl_csr takes them.
  type: list
  elements: str
  sample: ["DNS:dock1.example.com", "IP:192.0.2.7"]
"""

from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.inventory.names import alt_names


def subject_alt_names(names: Iterable[Any]) -> list[str]:
    """The names with their prefixes, sorted."""
    return alt_names(names)


class FilterModule:
    """Tells Ansible which filters are here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by their names."""
        return {"subject_alt_names": subject_alt_names}
