#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: connect_scan
short_description: See which TCP ports of a host take connections
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Connects once to each port of one address, from the machine that the task runs on, and closes the connection at
    once. Nothing is sent.
  - It is bounded - so many connections per second, so many seconds for each, so many ports.
  - It is the outside view for P(bulwark.docker.outside_view#filter). Scan your own hosts only.
  - UDP cannot be seen that way.
extends_documentation_fragment:
  - bulwark.docker.attributes
  - bulwark.docker.attributes.info_module
options:
  address:
    description:
      - The IP address or the name of the host. Of a name with several addresses, the first one is scanned.
    type: str
    required: true
  ports:
    description:
      - Port numbers, ranges such as V(8000-8010), and V(usual) for the ports of services that a Docker host rarely
        needs, of engines and of orchestrators.
    type: list
    elements: str
    default: [usual]
  max_ports:
    description:
      - With more ports than these, nothing is scanned and the module fails.
    type: int
    default: 2000
  rate:
    description:
      - How many connections begin per second, at most.
    type: float
    default: 100.0
  timeout:
    description:
      - How many seconds each connection gets. A port that says nothing for so long counts as filtered.
    type: float
    default: 2.0
seealso:
  - module: bulwark.docker.listening_services
  - plugin: bulwark.docker.outside_view
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look at a host from the controller
  bulwark.docker.connect_scan:
    address: "{{ ansible_host }}"
    ports: [usual, 8000-8100]
  delegate_to: localhost
  become: false
  register: scan

- name: Look at it slowly, from another host of the inventory
  bulwark.docker.connect_scan:
    address: 192.0.2.7
    rate: 5
    timeout: 5
  delegate_to: bastion
"""

RETURN = r"""
address:
  description: The address that was scanned.
  returned: success
  type: str
  sample: 192.0.2.7
open:
  description: The ports that took the connection, sorted.
  returned: success
  type: list
  elements: int
  sample: [22, 111]
closed:
  description: The ports that refused it, sorted. A packet filter can do so as well.
  returned: success
  type: list
  elements: int
  sample: [2375, 2376]
filtered:
  description: The ports that said nothing in time, or of which the network said that they cannot be reached, sorted.
  returned: success
  type: list
  elements: int
  sample: [10250]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulwark.docker.plugins.module_utils.compile_once import compile_once

compile_once()

from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.known_services import KNOWN_SERVICES
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network.connect_scan import (
    USUAL,
    Unscannable,
    ports_of,
    resolve,
    scan,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network.services import SERVICES

# Beside those of the tables: secure shell, rpcbind, a registry, proxies of APIs, a swarm's and the engine's metrics.
_MORE = (22, 111, 5000, 7946, 8001, 8080, 8443, 9323)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "ports": {"type": "list", "elements": "str", "default": [USUAL]},
            "max_ports": {"type": "int", "default": 2000},
            "rate": {"type": "float", "default": 100.0},
            "timeout": {"type": "float", "default": 2.0},
        },
        supports_check_mode=True,
    )
    options = module.params
    for name in ("max_ports", "rate", "timeout"):
        if not options[name] > 0:
            module.fail_json(msg=f"Nothing was scanned: {name}: {options[name]:g} is not positive.")
    usual = {*_MORE, *(port for table in (KNOWN_SERVICES, SERVICES) for one in table for port in one.ports)}
    try:
        ports = ports_of(options["ports"], usual, options["max_ports"])
        target = resolve(options["address"])
        seen = scan(target, ports, options["rate"], options["timeout"])
    except (Unscannable, OSError) as problem:
        module.fail_json(msg=f"The scan did not take place: {problem}.")
    module.exit_json(changed=False, address=target.address, **seen._asdict())


if __name__ == "__main__":
    main()
