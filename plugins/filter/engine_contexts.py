# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the contexts of a client from what became of the hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: engine_contexts
short_description: Make the contexts of a client from what became of the hosts
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Gives a context for each host on which the role P(bulwark.docker.daemon_tls#role) has found or made an endpoint.
  - A host whose endpoint is none of its names and addresses gets none, so that it cannot lead its context to another
    one. The others get theirs.
positional: _input, hosts
options:
  _input:
    description:
      - The variable C(hostvars).
    type: dict
    required: true
  hosts:
    description:
      - The names of the hosts to look at.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the contexts
  ansible.builtin.debug:
    msg: "{{ (hostvars | bulwark.docker.engine_contexts(groups['all'])).contexts }}"
"""

RETURN = r"""
_value:
  description: The contexts.
  type: dict
  contains:
    contexts:
      description: Name and endpoint of each.
      type: list
      elements: dict
      sample: [{name: dock1, host: "tcp://192.0.2.7:2376"}]
    left_out:
      description: One sentence for each host that gets none, because its endpoint is not its own.
      type: list
      elements: str
      sample: ["dock2 gets no context, because its endpoint tcp://192.0.2.7:2376 is none of its names and addresses."]
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.inventory.names import endpoint_of
from ansible_collections.bulwark.docker.plugins.plugin_utils.inventory.told import told_variables
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.text import clip, show

_SHOWN = 120


def engine_contexts(hostvars: Any, hosts: Iterable[str]) -> dict[str, list[Any]]:
    """A context for each host whose endpoint is its own."""
    contexts, left_out = [], []
    for host in hosts:
        # Without templating: what was registered came from a host and is no template.
        variables = hostvars.raw_get(host)
        endpoint = _first(variables.get("daemon_tls_result"))
        if endpoint is None:
            continue
        own = endpoint_of(endpoint, _names(variables))
        if own is None:
            shown = clip(show(endpoint), _SHOWN)
            left_out.append(
                f"{host} gets no context, because its endpoint {shown} is none of its names and addresses."
            )
        else:
            contexts.append({"name": re.sub("[^a-zA-Z0-9_.+-]", "-", host), "host": str(own)})
    return {"contexts": contexts, "left_out": left_out}


def _first(result: Any) -> Any:
    endpoints = result.get("endpoints") if isinstance(result, Mapping) else None
    return endpoints[0] if isinstance(endpoints, list) and endpoints else None


def _names(variables: Mapping[str, Any]) -> list[str]:
    """The names that the role has found for the host; none where the host itself may have told them."""
    names = variables.get("daemon_tls_known_names")
    told = told_variables(variables.get("ansible_facts") or ())
    return list(map(str, names)) if isinstance(names, list) and not told else []


class FilterModule:
    """Tells Ansible which filters are here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by their names."""
        return {"engine_contexts": engine_contexts}
