# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give the endpoints of a host that lead to it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: own_endpoints
short_description: Give the endpoints of a host that lead to it
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - A host tells where its engine listens. This gives the endpoints as they are, and fails when one of them is not
    C(tcp://ADDRESS:PORT) with a name or an address that the host may have.
positional: _input, names
options:
  _input:
    description:
      - The endpoints.
    type: list
    elements: str
    required: true
  names:
    description:
      - The names and addresses of the host, with their prefixes, as the filter
        P(bulwark.docker.subject_alt_names#filter) gives them.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse to be sent elsewhere
  ansible.builtin.debug:
    msg: "{{ ['tcp://192.0.2.7:2376'] | bulwark.docker.own_endpoints(['IP:192.0.2.7']) }}"
"""

RETURN = r"""
_value:
  description: The endpoints.
  type: list
  elements: str
  sample: ["tcp://192.0.2.7:2376"]
"""

from collections.abc import Callable, Iterable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.docker.plugins.plugin_utils.inventory.names import endpoint_of
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.text import clip, show

_SHOWN = 120


def own_endpoints(endpoints: Any, names: Iterable[str]) -> list[str]:
    """The endpoints; AnsibleFilterError for one that is none of the host's."""
    known, found = list(map(str, names)), []
    for endpoint in endpoints if isinstance(endpoints, list) else [endpoints]:
        own = endpoint_of(endpoint, known)
        if own is None:
            raise AnsibleFilterError(
                f"the host says that its engine listens on {clip(show(endpoint), _SHOWN)}, which is none of its names"
                f" and addresses ({', '.join(known) or 'none'}); name it in daemon_tls_addresses if it is one"
            )
        found.append(own)
    return found


class FilterModule:
    """Tells Ansible which filters are here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by their names."""
        return {"own_endpoints": own_endpoints}
