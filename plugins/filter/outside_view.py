# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare which ports of a host are open from outside with what listens inside."""

from __future__ import annotations

DOCUMENTATION = r"""
name: outside_view
short_description: Compare which ports of a host are open from outside with what listens inside
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Takes the result of M(bulwark.docker.connect_scan) and that of M(bulwark.docker.listening_services) for the same
    host, and tells where they differ.
  - What listens on loopback alone, or in a container's own network, explains no port that is open from outside. Nor
    does a socket of the other IP version.
positional: _input, inside
options:
  _input:
    description:
      - What M(bulwark.docker.connect_scan) returned.
    type: dict
    required: true
  inside:
    description:
      - What M(bulwark.docker.listening_services) returned.
    type: dict
    required: true
seealso:
  - module: bulwark.docker.connect_scan
  - module: bulwark.docker.listening_services
"""

EXAMPLES = r"""
- name: List what listens
  bulwark.docker.listening_services:
  register: inside

- name: Look at it from the controller
  bulwark.docker.connect_scan:
    address: "{{ ansible_host }}"
  delegate_to: localhost
  become: false
  register: scan

- name: Nothing is open that nobody allowed
  ansible.builtin.assert:
    that:
      - view.open_not_allowed == []
      - view.unexplained == []
  vars:
    view: "{{ scan | bulwark.docker.outside_view(inside) }}"
"""

RETURN = r"""
_value:
  description: Where the two views differ, each list sorted by port.
  type: dict
  contains:
    open_not_allowed:
      description:
        - Open from outside, and by its decision neither allowed nor restricted nor protected. A published port of a
          container is allowed by a rule that names it.
      type: list
      elements: dict
      contains:
        port:
          description: The port.
          type: int
          sample: 8080
        listeners:
          description: The sockets that listen there.
          type: list
          elements: str
          sample: ["tcp 0.0.0.0:8080"]
        unit:
          description: The unit of the first one, or null.
          type: str
          sample: web.socket
        container:
          description: The name of its container, or null.
          type: str
          sample: null
        decision:
          description: What was decided about it, null when nothing was.
          type: str
          sample: report
    filtered:
      description:
        - Listens inside on this address or on all, and did not take a connection from outside. With the keys of
          RV(_value.open_not_allowed), and C(seen), V(closed) or V(filtered).
      type: list
      elements: dict
      sample:
        - {port: 9100, listeners: ["tcp [::]:9100"], unit: exporter.service, container: null, decision: report,
           seen: filtered}
    unexplained:
      description: The open ports of which nothing inside knows - forwarded elsewhere, or by something in between.
      type: list
      elements: int
      sample: [8443]
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Union

from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import shown

_SCAN = ("address", "open", "closed", "filtered")
_INSIDE = ("listeners", "decisions")
# The decisions by which a service may be reached, and those after which it no longer listens where it did.
_MAY_BE_REACHED = ("allow", "restrict", "protected")
_ENDED = ("stop", "disable", "mask", "rebind")

Listener = Mapping[str, Any]
Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


def outside_view(scan: Any, inside: Any) -> dict[str, list[Any]]:
    """Where the two views differ."""
    for module, given, keys in (("connect_scan", scan, _SCAN), ("listening_services", inside, _INSIDE)):
        if not isinstance(given, Mapping) or not set(keys) <= set(given):
            raise AnsibleFilterError(f"outside_view takes what {module} returned, with {', '.join(keys)}")
    address = ipaddress.ip_address(scan["address"])
    decided = {decision["listener"]: decision["decision"] for decision in inside["decisions"]}
    by_port: dict[int, list[Listener]] = {}
    for listener in inside["listeners"]:
        if _is_reached(listener, address):
            by_port.setdefault(listener["port"], []).append(listener)
    # In check mode all of them listen still.
    ended = () if inside.get("check_mode") else _ENDED
    opened = {port: by_port.get(port, []) for port in sorted(scan["open"])}
    not_opened = {port: seen for seen in ("closed", "filtered") for port in scan[seen]}
    return {
        "open_not_allowed": [
            _entry(port, found, decided)
            for port, found in opened.items()
            if any(decided.get(shown(listener)) not in _MAY_BE_REACHED for listener in found)
        ],
        "filtered": [
            {**_entry(port, found, decided), "seen": not_opened[port]}
            for port, found in sorted(by_port.items())
            if port in not_opened
            and any(_is_at(each, address) and decided.get(shown(each)) not in ended for each in found)
        ],
        "unexplained": [port for port, found in opened.items() if not found],
    }


def _is_reached(listener: Listener, address: Address) -> bool:
    """Whether the socket, or one that it forwards to, can take TCP connections of the address's IP version."""
    if listener["protocol"] != "tcp" or listener["namespace"] != "host" or listener["scope"] == "loopback":
        return False
    bound = _bound(listener)
    if bound.version == 6 and bound.is_unspecified and not listener["v6only"]:
        return True
    return bound.version == address.version


def _is_at(listener: Listener, address: Address) -> bool:
    """Whether a connection to the address has to reach the socket; translated, the host's own are others."""
    bound = _bound(listener)
    return bound.is_unspecified or bound == address


def _bound(listener: Listener) -> Address:
    """An IPv4 address in an IPv6 one is the IPv4 address."""
    bound = ipaddress.ip_address(listener["address"])
    return getattr(bound, "ipv4_mapped", None) or bound


def _entry(port: int, found: Sequence[Listener], decided: Mapping[str, str]) -> dict[str, Any]:
    first = found[0]
    return {
        "port": port,
        "listeners": [shown(listener) for listener in found],
        "unit": first["unit"],
        "container": (first["container"] or {}).get("name"),
        "decision": decided.get(shown(first)),
    }


class FilterModule:
    """The filter, as Ansible loads it."""

    def filters(self) -> dict[str, Any]:
        return {"outside_view": outside_view}
