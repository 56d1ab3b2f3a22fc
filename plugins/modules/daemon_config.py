#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: daemon_config
short_description: Merge options into a Docker engine's daemon.json
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Decides what C(daemon.json) shall hold, checks that the engine would start with it, and stages it. Nothing of the
    host changes until M(bulwark.docker.daemon_apply) applies what is staged, or at once with O(apply=true).
  - Foreign keys, the order of keys, indentation, a symbolic link, owner, mode and extended attributes stay.
  - The path of the file is the one of the unit's C(--config-file), or the engine's default.
  - Everything is checked before anything is written - the file itself (with line and column of an error), keys and
    types by the engine's version, keys that are given as flags too, what would leave clients hanging, seccomp profiles,
    authorization plugins, log drivers, and C(dockerd --validate) with the unit's own flags where the engine has it.
  - An engine that has failed, or whose file was edited since it started, is restarted even when the file is right.
    One that was stopped on purpose is not started.
  - C(userns-remap) is set by M(bulwark.docker.userns_remap).
extends_documentation_fragment:
  - bulwark.docker.attributes
  - bulwark.docker.attributes.changing_module
  - bulwark.docker.engine
  - bulwark.docker.engine.chosen
options:
  config:
    description:
      - Options by their keys in C(daemon.json). An option that this engine refuses fails the module.
      - Objects are merged, lists are replaced unless O(list_merge=append), a null value removes the key.
      - Numbers and booleans in C(log-opts) become strings, as C(dockerd) wants them.
    type: dict
    default: {}
  state:
    description:
      - V(present) merges O(config) into the file.
      - V(absent) removes the keys of O(config), or of a value that is an object only the keys in it.
      - V(exact) makes O(config) the whole content of the file.
    type: str
    choices: [present, absent, exact]
    default: present
  list_merge:
    description:
      - Whether a list takes the place of the one in the file, or brings the entries that are not there yet.
    type: str
    choices: [replace, append]
    default: replace
  baseline:
    description:
      - Options that are set where this engine can have them. What does not fit its version, its flags or the state of
        the host is left out, see RV(left_alone). A null value leaves the key alone.
    type: dict
    default: {}
  defaults:
    description:
      - Options that are set only where neither the file nor a flag says anything about them. A null value leaves the
        key alone.
    type: dict
    default: {}
  unwanted:
    description:
      - Values, by key, that must not stay in the file. Without them the engine's default counts.
    type: dict
    default: {}
  force:
    description:
      - Whether to rewrite a file that holds a key twice (the last one counts, as for C(dockerd)) or something after its
        object.
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
  - module: bulwark.docker.userns_remap
"""

EXAMPLES = r"""
- name: Harden the engine, with one restart at the end of the play
  bulwark.docker.daemon_config:
    config:
      no-new-privileges: true
      live-restore: true
      log-opts:
        max-size: 10m
  notify: Apply Docker daemon changes

- name: Set what this engine can have, keep what the operator has chosen
  bulwark.docker.daemon_config:
    baseline:
      icc: false
      userland-proxy: false
      default-cgroupns-mode: private
    defaults:
      log-driver: json-file
    unwanted:
      seccomp-profile: [unconfined]
  notify: Apply Docker daemon changes

- name: Take an option out, at once
  bulwark.docker.daemon_config:
    state: absent
    config:
      insecure-registries:
    apply: true

- name: The rootless engine of an account
  bulwark.docker.daemon_config:
    user: appuser
    config:
      no-new-privileges: true
    apply: true
"""

RETURN = r"""
config_file:
  description: The file that holds the options.
  returned: success
  type: str
  sample: /etc/docker/daemon.json
settings:
  description: What the file holds, or will hold, without credentials.
  returned: success
  type: dict
  sample: {icc: false, live-restore: true}
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

from ansible_collections.bulwark.docker.plugins.module_utils.compile_once import compile_once

compile_once()

from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_config import backend
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import module as engine_module
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.module import EngineModule


def main() -> None:
    module = engine_module.DiscreetModule(
        argument_spec={
            **engine_module.OPTIONS,
            **engine_module.CHOSEN,
            "config": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent", "exact"], "default": "present"},
            "list_merge": {"type": "str", "choices": ["replace", "append"], "default": "replace"},
            "baseline": {"type": "dict", "default": {}},
            "defaults": {"type": "dict", "default": {}},
            "unwanted": {"type": "dict", "default": {}},
            "force": {"type": "bool", "default": False},
            "when_refused": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
            "apply": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    EngineModule(module, engine_module.engine_of(module.params["user"])).stage_and_apply(backend.configured)


if __name__ == "__main__":
    main()
