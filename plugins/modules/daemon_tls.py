#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: daemon_tls
short_description: Let the Docker API listen on TCP with mutual TLS only, or not at all
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Decides what it takes for the system's Docker engine to answer on TCP only clients with a certificate of one private
    CA, and stages it for M(bulwark.docker.daemon_apply), or applies it at once with O(apply=true).
  - Every other way in is closed, whoever opened it - addresses in the command of the unit or in variables of it,
    C(hosts) in C(daemon.json), socket units that hand a TCP socket to the service, addresses within C(docker.socket).
  - C(tlsverify), C(tlscacert), C(tlscert) and C(tlskey) are in C(daemon.json) before a socket opens. C(dockerd) wraps a
    socket that systemd hands over in TLS only if they are, and warns nowhere if they are not.
  - Certificates that clients would refuse, or that would let in others, are refused before anything is written -
    C(dockerd) itself starts with an expired certificate, and with one for another host.
  - After the restart the listener is proved by handshakes; otherwise files, units and engine come back as they were.
  - Containers run on through the restart.
  - This is about the system's engine alone.
extends_documentation_fragment:
  - bulwark.docker.attributes
  - bulwark.docker.attributes.changing_module
  - bulwark.docker.engine
options:
  transport:
    description:
      - How the engine comes to its TCP sockets. V(socket_unit) is C(docker-tcp.socket), enabled, which systemd opens
        also before the address is there. V(drop_in) adds the addresses to the command of C(docker.service), which then
        waits for the network. With V(none) nothing listens on TCP, and the keys of TLS leave C(daemon.json).
    type: str
    choices: [socket_unit, drop_in, none]
    default: socket_unit
  addresses:
    description:
      - The addresses of the host to listen on. They are required unless O(transport=none).
      - A wildcard address is taken when it is named; the certificates are then the only guard towards every network
        that the host is ever connected to.
    type: list
    elements: str
    default: []
  port:
    description:
      - The port to listen on.
    type: int
    default: 2376
  ca:
    description:
      - Where the engine reads the CA of its clients. It gets mode 0444.
    type: path
    default: /etc/docker/tls/ca.pem
  certificate:
    description:
      - Where the engine reads its certificate. It gets mode 0444.
    type: path
    default: /etc/docker/tls/cert.pem
  key:
    description:
      - Where the engine reads its private key. It gets mode 0400.
    type: path
    default: /etc/docker/tls/key.pem
  source:
    description:
      - A directory on the host with C(ca.pem), C(cert.pem) and C(key.pem), whose content the three files get within the
        transaction. Without it they have to lie at their places.
    type: path
  names:
    description:
      - Names and addresses that the certificate has to cover, beside O(addresses).
    type: list
    elements: str
    default: []
  proof:
    description:
      - A directory on the host with C(cert.pem) and C(key.pem) of a client of that CA, to prove that such a one is let
        in. It has to be there when the change is applied. Without it that alone is not proved.
    type: path
  discard_proof:
    description:
      - Whether those two files are removed when the change was applied, or has failed.
    type: bool
    default: false
  allow_close:
    description:
      - Whether with O(transport=none) what listens may be closed, whose clients then find nothing there any more.
    type: bool
    default: false
  play_endpoint:
    description:
      - The URL of the Docker engine through which the play itself is connected, if it is.
    type: str
  allow_lockout:
    description:
      - Whether the end point of O(play_endpoint) may be changed.
    type: bool
    default: false
  when_refused:
    description:
      - Whether what needs consent fails the module, or is left undone and listed in RV(refused).
    type: str
    choices: [fail, skip]
    default: fail
  apply:
    description:
      - Whether to apply at once all that is staged, as M(bulwark.docker.daemon_apply) does.
    type: bool
    default: false
seealso:
  - module: bulwark.docker.daemon_apply
"""

EXAMPLES = r"""
- name: Answer on one address, with certificates that lie on the host
  bulwark.docker.daemon_tls:
    addresses: [192.0.2.10]
    names: [docker1.example.org]
    source: /root/issued
    proof: /root/.docker
  notify: Apply Docker daemon changes

- name: See where the API listens
  bulwark.docker.daemon_tls:
    transport: none
    allow_close: true
  check_mode: true
  changed_when: false
  register: seen

- name: Do not listen on TCP at all
  bulwark.docker.daemon_tls:
    transport: none
    allow_close: true
    apply: true
"""

RETURN = r"""
listeners:
  description: Where the API listened on TCP before.
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: The address.
      type: str
      sample: 0.0.0.0
    port:
      description: The port.
      type: int
      sample: 2375
    source:
      description: The socket unit that opened it, or V(dockerd).
      type: str
      sample: dockerd
    clients:
      description:
        - Who gets an answer - V(anyone), or V(verified) clients with a certificate; V(unknown) where it was not asked,
          as that would have started the engine.
      type: str
      sample: anyone
    becomes:
      description: V(kept), V(converted) or V(closed).
      type: str
      sample: converted
  sample:
    - {address: 0.0.0.0, port: 2375, source: dockerd, clients: anyone, becomes: converted}
endpoints:
  description: Where clients with a certificate reach the engine after the change.
  returned: success
  type: list
  elements: str
  sample: ["tcp://192.0.2.10:2376"]
actions:
  description: What was done, staged, or would be done in check mode, in order.
  returned: success
  type: list
  elements: str
  sample:
    - "icc: not set -> false"
    - restart docker.service
effect:
  description: What the change does to the engine - V(none), V(reload) or V(restart).
  returned: success
  type: str
  sample: restart
restart_required:
  description: Whether the engine has to restart.
  returned: success
  type: bool
  sample: true
costs:
  description: What the change costs - containers that stop, data that is not seen any more.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: V(containers_stop), V(data_hidden) or V(recreate).
      type: str
      sample: containers_stop
    message:
      description: One sentence.
      type: str
      sample: "The restart stops 2 running containers: db, web."
    subjects:
      description: The names of all that are concerned.
      type: list
      elements: str
      sample: [db, web]
refused:
  description: What was not done for want of consent.
  returned: always
  type: list
  elements: dict
  contains:
    message:
      description: What it would cost.
      type: str
      sample: icc counts from a start without running containers, of which there are 1.
    consent:
      description: The role variable that allows it.
      type: str
      sample: daemon_apply_allow_container_stop
    control:
      description: The id of the control that stays unmet meanwhile, or null.
      type: str
      sample: daemon.icc
left_alone:
  description: Options that were not set, each with its reason.
  returned: success
  type: list
  elements: dict
  sample:
    - key: live-restore
      reason: a node of a swarm cannot have live-restore
notices:
  description: What else a person should know.
  returned: success
  type: list
  elements: str
  sample:
    - icc will count from a start without running containers.
transaction:
  description: The id of the transaction that was committed, null when there was none.
  returned: always
  type: str
  sample: 20261127T101500Z-001
check_mode:
  description: Whether it was only planned.
  returned: always
  type: bool
  sample: false
diff:
  description: The configuration file before and after, without credentials.
  returned: when it changes
  type: list
  elements: dict
  sample:
    - before_header: /etc/docker/daemon.json
      after_header: /etc/docker/daemon.json
      before: "{}\n"
      after: "{\n  \"icc\": false\n}\n"
rolled_back:
  description: Whether a change that failed was undone, and all is as it was before.
  returned: when a change failed
  type: bool
  sample: true
journal:
  description: What the engine logged during a change that failed.
  returned: when a change failed
  type: list
  elements: str
  sample:
    - 'failed to start daemon: opening seccomp profile (/etc/docker/seccomp.json) failed: no such file or directory'
"""

import ipaddress

from ansible_collections.bulwark.docker.plugins.module_utils.compile_once import compile_once

compile_once()

from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_tls import backend
from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_tls.transport import NONE
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import module as engine_module
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.module import (
    DiscreetModule,
    EngineModule,
)


def main() -> None:
    module = DiscreetModule(
        argument_spec={
            **engine_module.OPTIONS,
            "transport": {
                "type": "str",
                "choices": ["socket_unit", "drop_in", "none"],
                "default": "socket_unit",
            },
            "addresses": {"type": "list", "elements": "str", "default": []},
            "port": {"type": "int", "default": 2376},
            "ca": {"type": "path", "default": "/etc/docker/tls/ca.pem"},
            "certificate": {"type": "path", "default": "/etc/docker/tls/cert.pem"},
            "key": {"type": "path", "default": "/etc/docker/tls/key.pem", "no_log": False},
            "source": {"type": "path"},
            "names": {"type": "list", "elements": "str", "default": []},
            "proof": {"type": "path"},
            "discard_proof": {"type": "bool", "default": False},
            "allow_close": {"type": "bool", "default": False},
            "play_endpoint": {"type": "str"},
            "allow_lockout": {"type": "bool", "default": False},
            "when_refused": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
            "apply": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    options = module.params
    if options["transport"] != NONE and not options["addresses"]:
        module.fail_json(
            msg=f"addresses: transport {options['transport']} needs at least one address of the host."
        )
    for address in options["addresses"]:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            module.fail_json(
                msg=f"addresses: {address} is no IP address; a name may mean another one tomorrow."
            )
    if not 0 < options["port"] < 65536:
        module.fail_json(msg=f"port: {options['port']} is not between 1 and 65535.")
    EngineModule(module, engine_module.engine_of(None)).stage_and_apply(backend.secured)


if __name__ == "__main__":
    main()
