#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: engine_files
short_description: Restrict owner, mode and access lists of the files of Docker engines
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Gives the files that steer the Docker engines of a host the owner and the mode that the controls C(file.*) of
    M(bulwark.docker.compliance_info) ask for - C(daemon.json) and its directory, unit files, drop-ins and environment
    files, sockets, TLS files, and the keys and certificates for registries.
  - Permissions are only taken away, never given. A mode that is stricter than asked for stays, and so does an owner
    that the control accepts, such as the group C(docker) of the socket.
  - An access list (ACL) that grants more than the mode asked for is removed as a whole.
  - It takes effect at once. No engine is asked, reloaded or restarted, and no file gets other content.
  - What it changes is one transaction in C(/var/lib/bulwark). Should anything fail, all of it is undone.
  - Directories above that others can write are not changed but named in RV(notices).
  - A symbolic link is followed when only root can turn it elsewhere; otherwise the file is left alone and named in
    RV(refused). The files of a rootless engine are changed with the rights of its user, and change no owner.
extends_documentation_fragment:
  - bulwark.docker.attributes
  - bulwark.docker.attributes.changing_module
options:
  state:
    description:
      - V(restricted) takes away what is too much.
      - V(rolled_back) undoes the last transaction of this module that holds. Files that somebody changed since are left
        alone and named in RV(notices).
    type: str
    choices: [restricted, rolled_back]
    default: restricted
  parameters:
    description:
      - Parameters of the controls C(file.*), by control id, as O(bulwark.docker.compliance_info#module:parameters)
        takes them. Each has C(mode), the widest mode that is accepted.
    type: dict
    default: {}
  timeout:
    description:
      - Seconds to wait for another run that changes this host.
    type: float
    default: 60.0
seealso:
  - module: bulwark.docker.compliance_info
  - name: Controls
    description: Every control with its severity, references and parameters.
    link: https://github.com/bulwark/docker/blob/main/docs/controls.md
"""

EXAMPLES = r"""
- name: Restrict the engines' files
  bulwark.docker.engine_files:

- name: Leave the socket to root alone, and let certificates be 0644
  bulwark.docker.engine_files:
    parameters:
      file.engine_socket:
        mode: "0600"
      file.registry_certificates:
        mode: "0644"

- name: Give back what was taken away the last time
  bulwark.docker.engine_files:
    state: rolled_back
"""

RETURN = r"""
diff:
  description:
    - One line per file that changes - path, owner and group, mode, and the entries of its access list.
  returned: success
  type: dict
  sample:
    before: "/etc/docker/daemon.json worker:worker 0666 acl user:worker:rw-\n"
    after: "/etc/docker/daemon.json root:root 0644\n"
actions:
  description: What was done, or would be done in check mode, one sentence per file.
  returned: success
  type: list
  elements: str
  sample:
    - "/etc/docker/daemon.json: owner root:root instead of worker:worker; mode 0644 instead of 0666"
effect:
  description: What the change does to what runs - V(live) nothing, it holds at once; V(none) when nothing changes.
  returned: success
  type: str
  sample: live
restart_required:
  description: Whether an engine has to restart. Always false.
  returned: success
  type: bool
  sample: false
costs:
  description: What the change costs. Always empty.
  returned: success
  type: list
  elements: dict
  sample: []
refused:
  description: The files that are left as they are, and why.
  returned: success
  type: list
  elements: dict
  contains:
    message:
      description: The reason, with the way out.
      type: str
      sample: >-
        /etc/docker/certs.d/registry.example/client.key is reached through the symbolic link
        /etc/docker/certs.d/registry.example, which others than root can turn elsewhere: put the file itself there.
    consent:
      description: The role variable that would allow it. Always null.
      type: str
      sample: null
    control:
      description: The id of the control that asks for the change.
      type: str
      sample: file.registry_keys
left_alone:
  description: What does not concern this host. Always empty.
  returned: success
  type: list
  elements: dict
  sample: []
notices:
  description:
    - What else a person should know - directories that others can write, sockets that their unit makes anew as they
      were, files that could not be read or were left alone by O(state=rolled_back).
  returned: success
  type: list
  elements: str
  sample:
    - "docker.socket makes /run/docker.sock anew at its next start with SocketMode=0666: set that in a drop-in of it."
transaction:
  description: The id of the transaction that was committed or undone, null when there is none.
  returned: success
  type: str
  sample: 20261122T100000Z-001
check_mode:
  description: Whether it was only planned.
  returned: success
  type: bool
  sample: false
"""

import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulwark.docker.plugins.module_utils.compile_once import compile_once

compile_once()

from ansible_collections.bulwark.docker.plugins.module_utils.audit.catalogue import option_errors
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.module import EngineModule
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine_files.backend import (
    ENGINE,
    restrict,
    roll_back,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.host.files import FILES

_MODE = re.compile(r"0?[0-7]{3}")
_WORK = {
    "restricted": lambda run: restrict(run.store, run.options["parameters"], run.check_mode),
    "rolled_back": lambda run: roll_back(run.store, run.check_mode),
}


def problems_of(options: dict[str, Any]) -> list[str]:
    """What is wrong with the options beyond their types, one sentence each."""
    parameters = options["parameters"]
    problems = option_errors(parameters, {})
    if not problems:
        known = {control.id for control in FILES}
        problems += [
            f"parameters: '{name}' is no control of files (file.*)"
            for name in parameters
            if name not in known
        ]
        problems += [
            f"parameters: the mode '{given['mode']}' of '{name}' is none of 0000 to 0777"
            for name, given in parameters.items()
            if not _MODE.fullmatch(str(given.get("mode", "0000")))
        ]
    if options["timeout"] < 0:
        problems.append(f"timeout: {options['timeout']} is no number of seconds")
    return problems


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["restricted", "rolled_back"], "default": "restricted"},
            "parameters": {"type": "dict", "default": {}},
            "timeout": {"type": "float", "default": 60.0},
        },
        supports_check_mode=True,
    )
    options = module.params
    problems = problems_of(options)
    if problems:
        module.fail_json(msg="Nothing was changed: " + "; ".join(problems) + ".")
    EngineModule(module, ENGINE).run(_WORK[options["state"]])


if __name__ == "__main__":
    main()
