#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rootless
short_description: Set up or take away the rootless Docker engine of an account
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Gives an account a Docker engine of its own, without root - C(dockerd) below C(rootlesskit), as a unit of the
    account's systemd that starts at boot and stays when the account logs out. Nothing is downloaded and no
    set-up script is run; packages are the business of the role P(bulwark.docker.rootless#role).
  - Before anything is changed the host is looked at - whether it lets the account make user namespaces, whether
    C(newuidmap) has its rights, devices, home, cgroups, and whether the engine can set up its packet filter. What
    stands in the way fails the module with one sentence each.
  - The change is a transaction. The engine has to answer, its processes have to belong to the account, and root of a
    container, which is run for this look and taken away again, has to be the account; otherwise everything is undone.
  - With O(state=absent) the host is brought back to how it was, by a record that is kept from the first run on. The
    engine's data stays unless O(remove_data=true). Account and subordinate ids stay, as data bears their ids.
extends_documentation_fragment:
  - bulwark.docker.attributes
  - bulwark.docker.attributes.changing_module
options:
  user:
    description:
      - The account.
    type: str
    required: true
  state:
    description:
      - Whether the account has an engine.
    type: str
    choices: [present, absent]
    default: present
  create_user:
    description:
      - Whether the account is created, with a home and without a password, when it is missing.
    type: bool
    default: false
  system_engine:
    description:
      - What becomes of the system's engine - V(keep) leaves it alone, V(stop) stops and disables its service and
        sockets and removes the dead socket, V(mask) masks them as well. V(keep) does not bring back what was
        stopped before; O(state=absent) does.
    type: str
    choices: [keep, stop, mask]
    default: keep
  stop_containers:
    description:
      - Whether running containers may be stopped - those of the system's engine where O(system_engine) ends it, those
        that live-restore has left without an engine among them; those of the account where its engine restarts or goes.
        After a restart those of the account run again, as do those of the system's engine after O(state=absent).
    type: bool
    default: false
  network:
    description:
      - The network driver of C(rootlesskit). V(auto) leaves it to C(dockerd-rootless.sh), which takes C(slirp4netns);
        where only C(pasta) is installed, it is that.
    type: str
    choices: [auto, slirp4netns, pasta, vpnkit, gvisor-tap-vsock]
    default: auto
  port_driver:
    description:
      - The port driver of C(rootlesskit). V(auto) is V(implicit) with C(pasta), otherwise V(builtin).
    type: str
    choices: [auto, builtin, slirp4netns, implicit, gvisor-tap-vsock]
    default: auto
  privileged_ports:
    description:
      - How containers may publish ports below 1024. V(sysctl) lets every account of the host listen on them
        (C(net.ipv4.ip_unprivileged_port_start)). V(capability) gives C(cap_net_bind_service) to C(rootlesskit), which
        an upgrade of its package takes away again. That it works is tried.
    type: str
    choices: [none, sysctl, capability]
    default: none
  iptables:
    description:
      - Whether the engine sets up its packet filter. With V(false) containers reach nothing outside and are reached by
        published ports alone. Where the kernel does not let it, V(true) is refused.
    type: bool
    default: true
  delegate:
    description:
      - Whether, on cgroup v2, all controllers are delegated to the systemd of accounts, without which C(--cpus) and the
        like are ignored. It counts from the next start of the account's systemd.
    type: bool
    default: true
  client:
    description:
      - How the account's clients find the engine - by the context C(rootless), which is made the current one, by
        C(DOCKER_HOST) in its login shells, or both.
    type: list
    elements: str
    choices: [context, environment]
    default: [context]
  remove_data:
    description:
      - With O(state=absent), whether the data root of the engine is removed - images, containers and volumes. This
        cannot be undone.
    type: bool
    default: false
  packages_follow:
    description:
      - Set by the role in check mode, where the packages that are missing would be installed - that programs are
        missing is no failure then.
    type: bool
    default: false
  when_refused:
    description:
      - Whether what needs consent fails the module, or is left undone and listed in RV(refused).
    type: str
    choices: [fail, skip]
    default: fail
  timeout:
    description:
      - How many seconds the engine gets to answer, and the program that is asked.
    type: float
    default: 60
  settle:
    description:
      - For how many seconds the engine is watched after it has answered.
    type: float
    default: 5
seealso:
  - module: bulwark.docker.daemon_config
"""

EXAMPLES = r"""
- name: Give the account appuser an engine of its own, beside the system's
  bulwark.docker.rootless:
    user: appuser

- name: Create the account, and let its engine replace the system's
  bulwark.docker.rootless:
    user: appuser
    create_user: true
    system_engine: stop
    stop_containers: true
    privileged_ports: capability

- name: Bring the host back to how it was, and keep the account's images and volumes
  bulwark.docker.rootless:
    user: appuser
    state: absent
    stop_containers: true
"""

RETURN = r"""
preflight:
  description: What was looked at before, as far as it is not a failure.
  returned: success
  type: dict
  contains:
    cgroup_version:
      description: V(1) or V(2), null without cgroups.
      type: int
      sample: 1
    ignored_limits:
      description: Options of C(docker run) that the engine takes and ignores.
      type: list
      elements: str
      sample: ["--cpus", "--memory"]
    system_containers:
      description: Running containers of the system's engine that the change stops.
      type: list
      elements: str
      sample: [web]
    stays_behind:
      description: What the system's engine has, which the account's does not see, with sizes in bytes where known.
      type: dict
      sample:
        images: {count: 1, size: 2034048, names: ["busybox:test"]}
engine:
  description: The engine, when it runs.
  returned: when it runs
  type: dict
  contains:
    user:
      description: The account.
      type: str
      sample: worker
    uid:
      description: Its id.
      type: int
      sample: 1000
    socket:
      description: The socket of the API.
      type: str
      sample: /run/user/1000/docker.sock
    version:
      description: The version of the engine.
      type: str
      sample: 26.1.5+dfsg1
    pid:
      description: The process of C(dockerd).
      type: int
      sample: 2211
    rootlesskit_pid:
      description: The process of C(rootlesskit) above it.
      type: int
      sample: 2190
    uid_map:
      description: Which ids of the host (second) its ids (first) are, and how many.
      type: list
      elements: list
      sample: [[0, 1000, 1], [1, 100000, 65536]]
    container_root:
      description: The id of the host that root of a container has.
      type: int
      sample: 1000
    cgroup_driver:
      description: V(none) where limits are ignored.
      type: str
      sample: none
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
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import backend

_WORK = {"present": backend.present, "absent": backend.absent}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **engine_module.OPTIONS,
            "user": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "create_user": {"type": "bool", "default": False},
            "system_engine": {"type": "str", "choices": ["keep", "stop", "mask"], "default": "keep"},
            "stop_containers": {"type": "bool", "default": False},
            "network": {"type": "str", "choices": list(backend.NETWORKS), "default": "auto"},
            "port_driver": {"type": "str", "choices": list(backend.PORT_DRIVERS), "default": "auto"},
            "privileged_ports": {
                "type": "str",
                "choices": ["none", "sysctl", "capability"],
                "default": "none",
            },
            "iptables": {"type": "bool", "default": True},
            "delegate": {"type": "bool", "default": True},
            "client": {
                "type": "list",
                "elements": "str",
                "choices": ["context", "environment"],
                "default": ["context"],
            },
            "remove_data": {"type": "bool", "default": False},
            "packages_follow": {"type": "bool", "default": False},
            "when_refused": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
        },
        supports_check_mode=True,
    )
    EngineModule(module, engine_module.engine_of(module.params["user"])).run(_WORK[module.params["state"]])


if __name__ == "__main__":
    main()
