#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: userns_remap
short_description: Map root of containers to an ordinary id of the host, or no longer
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Decides what it takes to switch C(userns-remap) of the system's Docker engine, tells what that would break and hide,
    and stages it for M(bulwark.docker.daemon_apply), or applies it at once with O(apply=true).
  - The account is created where it is missing, and gets one block of 65536 subordinate user and group ids that touches
    no id of an account and no range of another. Ranges that are too small, overlap others, hold real ids or start at 0
    are refused, never altered. So are malformed lines of anybody in C(/etc/subuid) and C(/etc/subgid), which C(dockerd)
    itself would stop at.
  - With another mapping the engine looks at another data root. Images, containers and volumes of before stay on disk,
    are seen by no command, and come back when the mapping does. This module never deletes any.
  - A rootless engine maps users anyway, and dies with C(userns-remap); this module is about the system's engine alone.
  - After the restart C(/info) and the C(uid_map) of a container, which is run for this look and taken away again,
    have to show the mapping; otherwise everything is undone.
extends_documentation_fragment:
  - bulwark.docker.attributes
  - bulwark.docker.attributes.changing_module
  - bulwark.docker.engine
options:
  state:
    description:
      - Whether user ids are mapped.
    type: str
    choices: [present, absent]
    default: present
  remap_user:
    description:
      - Whose subordinate ids are used - V(default) for the account C(dockremap), or C(USER) or C(USER:GROUP). Since
        engine 20.10 the name of the user counts in C(/etc/subgid) too, whatever the group.
    type: str
    default: default
  allow_data_switch:
    description:
      - Whether images, containers and volumes may be left behind in the present data root, where they are not seen
        until the engine is switched back.
    type: bool
    default: false
  stop_containers:
    description:
      - Whether running containers may be stopped. Left running under live-restore, they would go on as root of the host
        without an engine that knows of them.
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
- name: Map root of containers, where that hides nothing
  bulwark.docker.userns_remap:
    when_refused: skip
  notify: Apply Docker daemon changes

- name: Map it although images and stopped containers are left behind, and running ones are stopped
  bulwark.docker.userns_remap:
    allow_data_switch: true
    stop_containers: true
    apply: true

- name: Bring the data of before back
  bulwark.docker.userns_remap:
    state: absent
    allow_data_switch: true
    stop_containers: true
    apply: true
"""

RETURN = r"""
preflight:
  description: What the switch means.
  returned: success
  type: dict
  contains:
    kind:
      description: V(enable), V(disable), V(change), or V(none) when the engine has it already.
      type: str
      sample: enable
    current:
      description: The data root in use.
      type: str
      sample: /var/lib/docker
    target:
      description: The data root after the switch.
      type: str
      sample: /var/lib/docker/100000.100000
    broken:
      description: Containers that would be refused, or would not work, when they are created again.
      type: list
      elements: dict
      sample:
        - container: monitor
          reason: "it shares the host's network (--network host), which dockerd refuses when it maps users"
    running:
      description: The containers that run.
      type: list
      elements: str
      sample: [monitor]
    hidden:
      description: What stays behind, with sizes in bytes where the engine tells them.
      type: dict
      sample:
        images: {count: 1, size: 2034048, names: ["busybox:test"]}
    swarm:
      description: V(manager) or V(worker) when the node would leave its swarm's sight, otherwise null.
      type: str
      sample: null
    returns:
      description: The data root of a former mapping, or of none, that would be seen again; otherwise null.
      type: str
      sample: null
    data_root_problem:
      description: Always null; a data root that the mapped root cannot reach is refused.
      type: str
      sample: null
    refused:
      description: Always empty; what no consent helps against fails the module.
      type: list
      elements: str
      sample: []
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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulwark.docker.plugins.module_utils.compile_once import compile_once

compile_once()

from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import module as engine_module
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.module import EngineModule
from ansible_collections.bulwark.docker.plugins.module_utils.changes.userns_remap import backend


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **engine_module.OPTIONS,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "remap_user": {"type": "str", "default": "default"},
            "allow_data_switch": {"type": "bool", "default": False},
            "stop_containers": {"type": "bool", "default": False},
            "when_refused": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
            "apply": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    EngineModule(module, engine_module.engine_of(None)).stage_and_apply(backend.remapped)


if __name__ == "__main__":
    main()
