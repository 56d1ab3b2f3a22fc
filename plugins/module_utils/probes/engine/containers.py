# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One container: what its engine says of it, beside what its processes really have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import redact
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt, error
from ansible_collections.bulwark.docker.plugins.module_utils.base.timestamps import seconds
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import seccomp
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.socket_reach import SocketReach
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import process_facts
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.processes import Process

# Those of HostConfig that controls read.
_HOST_CONFIG = (
    "AutoRemove", "CapAdd", "CapDrop", "CgroupParent", "CgroupnsMode", "CpuPeriod", "CpuQuota",
    "CpuShares", "CpusetCpus", "DeviceCgroupRules", "DeviceRequests", "Devices", "GroupAdd", "Init",
    "IpcMode", "MaskedPaths", "Memory", "MemoryReservation", "MemorySwap", "NanoCpus", "NetworkMode",
    "OomKillDisable", "OomScoreAdj", "PidMode", "PidsLimit", "PortBindings", "Privileged",
    "PublishAllPorts", "ReadonlyPaths", "ReadonlyRootfs", "RestartPolicy", "Runtime", "ShmSize",
    "Sysctls", "Tmpfs", "UTSMode", "Ulimits", "UsernsMode",
)  # fmt: skip
_ONLY_THE_API_TELLS = (
    "image", "image_id", "created", "started", "config", "host_config", "seccomp", "mounts", "ports",
    "networks", "health", "apparmor", "execs",
)  # fmt: skip


class Surroundings(NamedTuple):
    """What of the host a container is seen with."""

    # As membership.by_container() groups them for the engine.
    processes: Mapping[str, list[Process]]
    sockets: SocketReach
    # What a local volume binds: {volume: path on the host}.
    volume_sources: Mapping[str, str]
    # Whose engine it is: membership.uid_of().
    uid: int | None = 0


def container(raw: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
    """The CONTAINER that an answer of GET /containers/ID/json describes; `execs` is left to the caller."""
    state, configuration, host = raw["State"], raw["Config"], raw["HostConfig"]
    security, profile = seccomp.split(host.get("SecurityOpt"))
    known = {
        "id": raw["Id"],
        "name": raw["Name"].lstrip("/"),
        "image": configuration["Image"],
        "image_id": raw["Image"],
        "created": seconds(raw["Created"]),
        "started": seconds(state["StartedAt"]),
        "state": state["Status"],
        "config": {**config(configuration), "program": raw["Path"]},
        "host_config": {
            **{name: host.get(name) for name in _HOST_CONFIG},
            "LogConfig": redact.options(host["LogConfig"]),
            "SecurityOpt": security,
        },
        "seccomp": profile,
        "mounts": sorted((_mount(mount, around) for mount in raw["Mounts"]), key=_destination),
        "ports": _ports(raw),
        "networks": sorted(raw["NetworkSettings"]["Networks"] or ()),
        "health": (state.get("Health") or {}).get("Status"),
        "apparmor": raw["AppArmorProfile"],
        "execs": [],
    }
    return {**known, **_processes(raw["Id"], state["Pid"] if state["Running"] else None, around)}


def orphan(container_id: str, first: Process, around: Surroundings, why: str) -> dict[str, Any]:
    """The CONTAINER that is known by its first process alone; `why` stands in what only the API tells."""
    return {
        **unread({"Id": container_id, "State": "running"}, around, why),
        **_processes(container_id, first["pid"], around),
    }


def unread(summary: Mapping[str, Any], around: Surroundings, why: str) -> dict[str, Any]:
    """The CONTAINER that the engine lists and whose details cannot be had, for the reason `why`."""
    names = summary.get("Names") or ()
    return {
        **dict.fromkeys(_ONLY_THE_API_TELLS, error(why)),
        "id": summary["Id"],
        "name": str(names[0]).lstrip("/") if names else None,
        "state": summary["State"],
        "process": error(why),
        "processes": process_facts.grouped(around.processes.get(summary["Id"], ())),
        "listeners": [],
    }


def config(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What the configurations of containers and images share."""
    env_names, env = redact.environment(raw.get("Env"))
    label_names, labels = redact.labels(raw.get("Labels"))
    return {
        "user": raw.get("User", ""),
        "working_dir": raw.get("WorkingDir", ""),
        "env_names": env_names,
        "env": env,
        "label_names": label_names,
        "labels": labels,
        "exposed_ports": sorted(raw.get("ExposedPorts") or ()),
        "healthcheck": _healthcheck((raw.get("Healthcheck") or {}).get("Test")),
    }


def _healthcheck(test: list[str] | None) -> str | None:
    if not test:
        return None
    return "none" if test[0] == "NONE" else "set"


def _processes(container_id: str, pid: Any, around: Surroundings) -> dict[str, Any]:
    own = around.processes.get(container_id, [])
    first = None if pid is None else attempt(process_facts.member, container_id, pid, own, around.uid)
    if first is None or "error" in first:
        return {
            "process": first,
            "processes": process_facts.grouped(own) if own or first is None else first,
            "listeners": [],
        }
    return {
        "process": attempt(process_facts.process, first),
        "processes": process_facts.grouped(own or [first]),
        # For those to fill who know the sockets of every network namespace.
        "listeners": error("the sockets of the container were not read"),
    }


def _mount(raw: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
    source = raw.get("Source", "")
    reaches, facts = around.sockets.of(source) if source.startswith("/") else ([], None)
    bound = around.volume_sources.get(raw.get("Name", ""))
    if bound:
        # Mounted on the volume's own directory only while a container runs.
        reaches = around.sockets.of(bound)[0]
    return {
        "type": raw["Type"],
        "source": source,
        "source_facts": facts,
        "destination": raw["Destination"],
        "read_write": raw["RW"],
        "propagation": raw["Propagation"],
        "name": raw.get("Name"),
        "reaches": reaches,
    }


def _destination(mount: Mapping[str, Any]) -> str:
    return str(mount["destination"])


def _ports(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Published ports: those in force, or of a container that does not run those it asks for."""
    in_force = raw["NetworkSettings"].get("Ports") if raw["State"]["Running"] else None
    found = []
    for name, bindings in (in_force or raw["HostConfig"].get("PortBindings") or {}).items():
        port, _unused, protocol = name.partition("/")
        for binding in bindings or ():
            found.append(
                {
                    "container_port": int(port),
                    "protocol": protocol or "tcp",
                    "host_address": binding["HostIp"],
                    "host_port": int(binding["HostPort"]) if binding["HostPort"].isdigit() else None,
                }
            )
    return sorted(found, key=lambda port: (port["container_port"], port["protocol"], port["host_address"]))
