#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: listening_services
short_description: Find what listens on a Docker host, decide about it, and stop or rebind what nobody needs
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Lists every socket that listens on the host and in the network of every container, with address class, process,
    unit, what starts that unit, package and container. For each of the host's that can be reached from outside it
    answers the five questions of OWASP Docker Top 10 D04 - can it be stopped, can it listen on the host alone, does
    it authenticate, can access be restricted, were documentation and known flaws reviewed.
  - With another O(action) than V(report) what is denied is stopped, with all that would start it again - sockets,
    paths, timers. What others that are kept need is refused. After each service the sockets are looked at again; one
    that is still there undoes everything.
  - Never stopped are the connection of the play and what it runs in, engines and C(containerd), name resolution and
    network managers, time synchronisation, sockets of containers, and what belongs to no unit. The secure shell
    server takes O(allow_ssh) and a rule that names it.
extends_documentation_fragment:
  - bulwark.docker.attributes
  - bulwark.docker.attributes.changing_module
options:
  action:
    description:
      - What becomes of denied services. V(disable) stops them and keeps them off after a boot, V(mask) keeps
        everything from starting them; V(rollback) undoes the last change of this module.
    type: str
    choices: [report, stop, disable, mask, rollback]
    default: report
  deny:
    description:
      - Which listeners are denied. Each rule has one or more of C(unit), C(package) and C(process) (shell patterns),
        C(protocol), C(port) (a number or C(first-last)), C(address) (C(wildcard), C(link_local), C(loopback),
        C(specific) or an address) and C(container), all of which have to match. The name of a container of an
        account's engine begins with the account, as in C(worker/web).
    type: list
    elements: dict
    default: []
  allow:
    description:
      - Which listeners are needed, by rules as of O(deny). They win over O(deny_known); to name a listener in both
        lists is an error. C(reviewed) may hold the date (C(YYYY-MM-DD)) on which documentation and known flaws were
        reviewed, which counts for a year.
    type: list
    elements: dict
    default: []
  deny_known:
    description:
      - Whether services are denied that a Docker host rarely needs, such as C(rpcbind), C(avahi), C(cups) and mail
        servers. Those that listen on loopback alone are left to rules.
    type: bool
    default: true
  rebind:
    description:
      - Sockets that are to listen elsewhere - C(unit), a socket unit, with C(listen), its addresses as C(HOST:PORT)
        or C([HOST]:PORT); or the unit C(systemd-resolved.service) with C(llmnr) and C(mdns).
    type: list
    elements: dict
    default: []
  restrict:
    description:
      - Units that only some addresses may reach - C(unit) with C(allow), addresses or networks; the host itself
        always may. It is C(IPAddressAllow=) of systemd, which needs cgroup v2.
    type: list
    elements: dict
    default: []
  allow_ssh:
    description:
      - Whether the secure shell server may be stopped or rebound, when a rule names its unit without a pattern. A
        play that came by it is never cut off.
    type: bool
    default: false
  timeout:
    description:
      - How many seconds an engine gets to answer.
    type: float
    default: 60
seealso:
  - module: bulwark.docker.compliance_info
  - module: bulwark.docker.connect_scan
  - plugin: bulwark.docker.outside_view
    plugin_type: filter
"""

EXAMPLES = r"""
- name: See what listens and what would become of it
  bulwark.docker.listening_services:

- name: Switch off what a Docker host rarely needs, but keep the mail server, which was looked at
  bulwark.docker.listening_services:
    action: disable
    allow:
      - package: exim4*
        reviewed: 2026-11-27

- name: Let a web server listen on the host alone
  bulwark.docker.listening_services:
    rebind:
      - unit: web.socket
        listen: ["127.0.0.1:8080"]

- name: Bring back what the last change took away
  bulwark.docker.listening_services:
    action: rollback
"""

RETURN = r"""
listeners:
  description: All sockets that listen, sorted.
  returned: unless rolled back
  type: list
  elements: dict
  sample:
    - address: 0.0.0.0
      container: null
      namespace: host
      owner_known: true
      package: rpcbind
      pid: 1
      port: 111
      process: systemd
      program_deleted: false
      protocol: tcp
      scope: wildcard
      triggers: [rpcbind.service]
      unit: rpcbind.socket
      v6only: null
decisions:
  description: One for each socket of the host that can be reached from outside.
  returned: unless rolled back
  type: list
  elements: dict
  contains:
    listener:
      description: The socket.
      type: str
      sample: tcp 0.0.0.0:111
    unit:
      description: The unit it belongs to, or null.
      type: str
      sample: rpcbind.socket
    decision:
      description: >-
        V(allow), V(report), V(stop), V(disable), V(mask), V(rebind), V(restrict), V(protected), V(container) or
        V(unattributed).
      type: str
      sample: disable
    rule:
      description: The rule or the reason.
      type: str
      sample: "rpcbind: tells anybody what else runs"
    stop:
      description: Whether it can be stopped without affecting operation.
      type: str
      sample: A Docker host rarely needs it.
    localhost:
      description: Whether it can listen on the host alone, or on one interface.
      type: str
      sample: It listens on all addresses.
    authentication:
      description: Whether it authenticates its clients.
      type: str
      sample: It has none.
    restrict:
      description: What restricts access.
      type: str
      sample: Nothing restricts who reaches it.
    reviewed:
      description: When documentation and known flaws were reviewed.
      type: str
      sample: Nobody has said so.
undone:
  description: The transaction that was undone.
  returned: when rolled back
  type: str
  sample: 20261127T101500Z-001
actions:
  description: What was done, or would be done in check mode, in order.
  returned: success
  type: list
  elements: str
  sample:
    - stop rpcbind.socket, rpcbind.service
    - disable rpcbind.socket, rpcbind.service
refused:
  description: What was not done for want of consent.
  returned: always
  type: list
  elements: dict
  contains:
    message:
      description: Why.
      type: str
      sample: nfs-server.service needs rpcbind.socket and would stop with it.
    consent:
      description: The role variable that allows it, or null.
      type: str
      sample: null
    control:
      description: The id of the control that stays unmet meanwhile, or null.
      type: str
      sample: listener.rpcbind
left_alone:
  description: Denied listeners that were left as they are.
  returned: success
  type: list
  elements: dict
  sample:
    - key: "tcp 0.0.0.0:22"
      reason: the play came by it
notices:
  description: What else a person should know.
  returned: success
  type: list
  elements: str
  sample:
    - The file of web.service lies in /etc/systemd/system, so it was disabled, not masked.
transaction:
  description: The id of the transaction that was committed, null when there was none.
  returned: always
  type: str
  sample: 20261127T101500Z-001
effect:
  description: What the change does to an engine - always V(none).
  returned: success
  type: str
  sample: none
restart_required:
  description: Whether an engine has to restart - it never has.
  returned: success
  type: bool
  sample: false
costs:
  description: What the change costs - always empty, as the services that stop are the change itself.
  returned: success
  type: list
  elements: dict
  sample: []
check_mode:
  description: Whether it was only planned.
  returned: always
  type: bool
  sample: false
diff:
  description: The unit files before and after.
  returned: success
  type: list
  elements: dict
  sample:
    - before_header: /etc/systemd/system/web.socket.d/bulwark-listen.conf
      after_header: /etc/systemd/system/web.socket.d/bulwark-listen.conf
      before: ""
      after: "[Socket]\nListenStream=\nListenStream=127.0.0.1:8080\n"
rolled_back:
  description: Whether a change that failed was undone, and all is as it was before.
  returned: when a change failed
  type: bool
  sample: true
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulwark.docker.plugins.module_utils.compile_once import compile_once

compile_once()

from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.module import EngineModule
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import backend


def main() -> None:
    rules = {"type": "list", "elements": "dict", "default": []}
    module = AnsibleModule(
        argument_spec={
            "action": {"type": "str", "choices": list(backend.ACTIONS), "default": "report"},
            "deny": rules,
            "allow": rules,
            "deny_known": {"type": "bool", "default": True},
            "rebind": rules,
            "restrict": rules,
            "allow_ssh": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 60.0},
        },
        supports_check_mode=True,
    )
    EngineModule(module, backend.SUBJECT).run(backend.carried_out, alone=backend.changes(module.params))


if __name__ == "__main__":
    main()
