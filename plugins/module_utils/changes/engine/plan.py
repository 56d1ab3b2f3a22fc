# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What applying a stage would do to a running engine: reload or restart, who survives, what needs consent. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.text import few
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import merge, reload
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.target import (
    Container,
    Target,
    major,
    version,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge import daemon_options

NONE, RELOAD, RESTART = "none", "reload", "restart"
# With containers that run on, dockerd keeps its bridge as it is (seen on 20.10, 26.1 and 28.5: it logs that the
# updated network configuration will not take affect), so these count from a start without containers.
BRIDGE_KEYS = frozenset(
    ["bip", "bip6", "default-gateway", "default-gateway-v6", "fixed-cidr", "fixed-cidr-v6", "icc", "ip", "ip-masq",
     "ipv6", "mtu"]
)  # fmt: skip
# With these wrong dockerd starts, and no new container does.
CONTAINER_KEYS = frozenset(
    ["cgroup-parent", "default-cgroupns-mode", "default-ipc-mode", "default-runtime", "default-shm-size",
     "default-ulimits", "exec-opts", "init", "init-path", "log-driver", "log-opts", "no-new-privileges", "runtimes",
     "seccomp-profile", "selinux-enabled"]
)  # fmt: skip
# After a change of these the engine looks at another data root.
DATA_KEYS = frozenset(["data-root", "userns-remap"])


class Plan(NamedTuple):
    """What will happen.

    changed       keys of daemon.json that differ
    effect        "none", "reload" or "restart"
    survivors     containers that run on through it
    stopped       containers that it stops
    live_restore_first  whether live-restore has to be switched on by a reload before the restart
    data_switch   whether the engine looks at another data root afterwards
    deferred      keys that will not count yet because containers run on
    bridge        whether live-restore is on for the restart alone, as the new file does not have it
    """

    changed: frozenset[str]
    effect: str
    survivors: list[Container]
    stopped: list[Container]
    live_restore_first: bool
    data_switch: bool
    deferred: frozenset[str]
    bridge: bool = False


def plan(
    target: Target,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    reasons: Collection[str],
    stop_containers: bool,
    bridge: bool = False,
) -> Plan:
    """`before` and `after` are the settings of daemon.json, before None where no dockerd understands it.

    `reasons` are those of the stage; with `stop_containers` running ones are stopped first, so that all counts.
    With `bridge` live-restore may be on for the restart even where `after` does not have it.
    """
    differing = merge.differences(before or {}, after)
    changed = frozenset(differing)
    removed = frozenset(key for key in changed if key not in after)
    effect = _effect(target, changed, removed, before, reasons)
    if effect == RELOAD and not reload.is_acceptable(after, major(version(target))):
        effect = RESTART
    running = target.containers
    data_switch = bool(changed & DATA_KEYS)
    has_live_restore = bool(after.get("live-restore", _flag(target, "live-restore")))
    keeps = effect != RESTART or (
        (has_live_restore or (bridge and not _flag(target, "live-restore")))
        and (target.live_restore or before is not None)
        and not (target.swarm or data_switch or stop_containers)
        and target.engine["state"] != "unresponsive"
    )
    # An engine that is down has left what still runs to live-restore already.
    keeps = keeps or (not target.answers and target.engine["state"] == "stopped")
    first = effect == RESTART and keeps and bool(running) and target.answers and not target.live_restore
    return Plan(
        changed,
        effect,
        running if keeps else [],
        [] if keeps else running,
        first,
        data_switch,
        changed & BRIDGE_KEYS if keeps and running and effect == RESTART else frozenset(),
        effect == RESTART and keeps and bool(running) and target.answers and not has_live_restore,
    )


def _effect(
    target: Target,
    changed: frozenset[str],
    removed: frozenset[str],
    before: Mapping[str, Any] | None,
    reasons: Collection[str],
) -> str:
    if target.engine["state"] == "stopped" and not is_down(target):
        # Stopped on purpose: it stays so, and takes the new file when somebody starts it.
        return NONE
    if reasons or before is None or is_down(target):
        return RESTART
    if not changed:
        return NONE
    return daemon_options.effect(changed, removed, major(version(target)))


def is_down(target: Target) -> bool:
    """Whether the engine ought to run and does not: it has failed, or systemd is at one of its tries."""
    return target.engine["state"] == "stopped" and (target.unit.get("active") in ("failed", "activating"))


def why_down(target: Target) -> str:
    """How systemd has the unit of an engine that is down, as the reason of a restart."""
    return f"{target.service.unit} is {target.unit['active']} ({target.unit['result']})"


def costs(found: Plan) -> list[dict[str, Any]]:
    """What the plan costs, each as {kind, message, subjects}."""
    if not found.stopped:
        return []
    names = sorted(each.name for each in found.stopped)
    noun = "container" if len(names) == 1 else "containers"
    return [
        {
            "kind": "containers_stop",
            "message": f"The restart stops {len(names)} running {noun}: {few(names)}.",
            "subjects": names,
        }
    ]


def _flag(target: Target, name: str) -> bool:
    flags = target.engine["flags"]
    return bool(flags.get(name, ["false"])[-1] == "true") if isinstance(flags, Mapping) else False
