# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The swarm that an engine belongs to. Neither join tokens nor the unlock key are ever asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import redact
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.pki import pem, x509
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.api import EngineApi

_NANOSECONDS = 1_000_000_000


def swarm(info: Mapping[str, Any], api: EngineApi) -> dict[str, Any]:
    """{state, manager, error}, and on a manager what the cluster tells.

    Its settings come from the answer of /info: GET /swarm would give the join tokens along.
    """
    own = info["Swarm"]
    manager = bool(own["ControlAvailable"])
    found = {"state": own["LocalNodeState"], "manager": manager, "error": own["Error"] or None}
    return {**found, **_cluster(api, own["Cluster"])} if manager else found


def _cluster(api: EngineApi, cluster: Mapping[str, Any]) -> dict[str, Any]:
    nodes = attempt(_nodes, api)
    authority = cluster["Spec"]["CAConfig"]
    return {
        "autolock": cluster["Spec"]["EncryptionConfig"]["AutoLockManagers"],
        "certificate_validity": authority["NodeCertExpiry"] // _NANOSECONDS,
        "ca_rotated": attempt(_start_of, cluster["TLSInfo"]["TrustRoot"]),
        "managers": nodes if is_error(nodes) else sum(node["role"] == "manager" for node in nodes),
        "nodes": nodes,
        "services": attempt(_services, api),
        "secrets": attempt(_count, api, "/secrets"),
        "configs": attempt(_count, api, "/configs"),
    }


def _start_of(trust_root: str) -> int:
    """When the root certificate begins to be valid: the CA was made or last rotated then."""
    root = next((block for block in pem.blocks(trust_root) if pem.is_certificate(block)), None)
    begins = x509.certificate(pem.der(root))["not_before"] if root else None
    if begins is None:
        raise Unreadable("the root certificate of the swarm is none, or has no date that can be read")
    return int(begins)


def _nodes(api: EngineApi) -> list[dict[str, Any]]:
    found = [
        {
            "id": node["ID"],
            "name": node["Description"].get("Hostname"),
            "role": node["Spec"]["Role"],
            "address": node["Status"].get("Addr"),
            "leader": (node.get("ManagerStatus") or {}).get("Leader", False),
            "reachability": (node.get("ManagerStatus") or {}).get("Reachability"),
            "availability": node["Spec"]["Availability"],
        }
        for node in api.get("/nodes")
    ]
    return sorted(found, key=lambda node: str(node["id"]))


def _services(api: EngineApi) -> list[dict[str, Any]]:
    return sorted(map(_service, api.get("/services")), key=lambda service: str(service["name"]))


def _service(raw: Mapping[str, Any]) -> dict[str, Any]:
    # Of a plugin or network attachment there is no container.
    container = raw["Spec"]["TaskTemplate"].get("ContainerSpec") or {}
    return {
        "id": raw["ID"],
        "name": raw["Spec"]["Name"],
        "image": container.get("Image"),
        "user": container.get("User", ""),
        "mounts": [
            {
                "type": mount["Type"],
                "source": mount.get("Source", ""),
                "target": mount.get("Target"),
                "read_only": mount.get("ReadOnly", False),
            }
            for mount in container.get("Mounts") or ()
        ],
        "capabilities_added": container.get("CapabilityAdd") or [],
        "capabilities_dropped": container.get("CapabilityDrop") or [],
        "secrets": len(container.get("Secrets") or ()),
        "env_names": redact.environment(container.get("Env"))[0],
    }


def _count(api: EngineApi, path: str) -> int:
    return len(api.get(path))
