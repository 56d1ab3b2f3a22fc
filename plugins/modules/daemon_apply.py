#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: daemon_apply
short_description: Apply staged changes of a Docker engine as one transaction, or undo the last one
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Carries out what M(bulwark.docker.daemon_config) and M(bulwark.docker.userns_remap) have staged in this play, with
    one reload or restart of the engine. Meant for a handler.
  - Everything is checked once more before anything is written. Live-restore is switched on by a reload first where
    the new options have it, so that containers run on through the restart.
  - The change is committed once the engine answers, goes on answering, shows the new options, and runs the containers
    that ran before. Otherwise files and engine are brought back to what they were, and the module fails with
    RV(rolled_back=true).
  - The start limit of systemd is reset before each start, so any number of changes a minute works. An engine that has
    failed is started again; one that was stopped on purpose is not.
  - A transaction that a dead run left open is undone first.
  - In check mode nothing is staged, so V(applied) has nothing to tell; the modules that stage tell the plan.
extends_documentation_fragment:
  - bulwark.docker.attributes
  - bulwark.docker.attributes.changing_module
  - bulwark.docker.engine
  - bulwark.docker.engine.chosen
options:
  state:
    description:
      - V(applied) applies what is staged.
      - V(rolled_back) undoes the last committed transaction of the engine, as a change of its own. Subordinate ids and
        accounts stay, as data on disk may bear the ids. Run again, it does nothing, unless another change was committed
        or O(transaction) names the one before.
      - V(resolved) only undoes what runs that died have left open, of whatever engine. It fails where something of the
        chosen engine cannot be undone; what is still open of others is told in RV(notices).
    type: str
    choices: [applied, rolled_back, resolved]
    default: applied
  transaction:
    description:
      - The transaction to undo with O(state=rolled_back); it has to be the last committed one.
    type: str
  allow_data_switch:
    description:
      - Whether O(state=rolled_back) may let the engine look at another data root again, where the images, containers
        and volumes that it has now are not seen.
    type: bool
    default: false
attributes:
  diff_mode:
    support: none
    details:
      - The modules that stage show the differences.
seealso:
  - module: bulwark.docker.daemon_config
"""

EXAMPLES = r"""
# In the handlers of a play
- name: Apply Docker daemon changes
  bulwark.docker.daemon_apply:

- name: Undo the last change
  bulwark.docker.daemon_apply:
    state: rolled_back

- name: Bring a host in order on which a run was killed
  bulwark.docker.daemon_apply:
    state: resolved
"""

RETURN = r"""
resolved:
  description: The transactions of dead runs that were undone, with what was left as it is.
  returned: always
  type: list
  elements: dict
  sample:
    - transaction: 20261127T101500Z-001
      engine: system
      left: []
undone:
  description: The transaction that was undone by order.
  returned: when O(state=rolled_back) and there was one
  type: str
  sample: 20261127T101500Z-001
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

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulwark.docker.plugins.module_utils.compile_once import compile_once

compile_once()

from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import module as engine_module
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import operations
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.module import EngineModule


def carried_out(module: EngineModule) -> dict[str, Any]:
    """What the module returns."""
    options, dry = module.options, module.check_mode
    undone = [each for each in module.resolved if not each.trouble]
    told: dict[str, Any] = {}
    if options["state"] == "rolled_back":
        told = operations.roll_back_last(
            module.store, options["user"], module.limits, module.consents, options["transaction"], dry
        )
    elif options["state"] == "applied" and not dry:
        told = operations.apply_staged(module.store, options["user"], module.limits, module.consents)
    actions = [f"undo {each.transaction}, which a run that died has left open" for each in undone]
    return {
        **told,
        "resolved": [
            {"transaction": each.transaction, "engine": each.subject, "left": each.left} for each in undone
        ],
        "changed": bool(undone) or told.get("changed", False),
        "actions": [*actions, *told.get("actions", ())],
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **engine_module.OPTIONS,
            **engine_module.CHOSEN,
            "state": {"type": "str", "choices": ["applied", "rolled_back", "resolved"], "default": "applied"},
            "transaction": {"type": "str"},
            "allow_data_switch": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    EngineModule(module, engine_module.engine_of(module.params["user"])).run(carried_out)


if __name__ == "__main__":
    main()
