# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of the engine about all but containers and images, in the form of the snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import redact
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.data_roots import (
    mapped_ids,
    without_mapping,
)

Answers = Sequence[Mapping[str, Any]]

_VERSION = ("Version", "ApiVersion", "MinAPIVersion", "GitCommit", "KernelVersion")
# Of userns-remap: the first ids outside.


def version(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: raw.get(name) for name in _VERSION},
        "Experimental": bool(raw.get("Experimental", False)),
        "Components": {part["Name"]: part["Version"] for part in raw.get("Components") or ()},
    }


def info(raw: Mapping[str, Any]) -> dict[str, Any]:
    info: dict[str, Any] = redact.options({name: value for name, value in raw.items() if name != "Labels"})
    info["Labels"] = sorted(label.partition("=")[0] for label in raw.get("Labels") or ())
    # What a manager knows of its cluster is told apart, as `swarm`.
    info.get("Swarm", {}).pop("Cluster", None)
    return info


def networks(answer: Answers, known: Answers) -> list[dict[str, Any]]:
    members: dict[str, list[str]] = {}
    for container in known:
        # A container that could not be read has an error mark here.
        for name in container["networks"] if isinstance(container["networks"], list) else ():
            members.setdefault(name, []).append(container["id"])
    found = [
        {
            "id": raw["Id"],
            "name": raw["Name"],
            "driver": raw["Driver"],
            "scope": raw["Scope"],
            "internal": raw["Internal"],
            "ingress": raw["Ingress"],
            "options": redact.options(raw["Options"] or {}),
            "subnets": [pool["Subnet"] for pool in raw["IPAM"]["Config"] or () if "Subnet" in pool],
            "containers": sorted(members.get(raw["Name"], ())),
        }
        for raw in answer
    ]
    return sorted(found, key=lambda network: (str(network["name"]), str(network["id"])))


def volumes(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = [
        {
            "name": volume["Name"],
            "driver": volume["Driver"],
            "mountpoint": volume["Mountpoint"],
            "options": redact.options(volume.get("Options") or {}),
        }
        for volume in raw["Volumes"] or ()
    ]
    return sorted(found, key=lambda volume: str(volume["name"]))


def bound(raw: Mapping[str, Any]) -> dict[str, str]:
    """{name: directory of the host} of the local volumes that are one under another name."""
    found = {}
    for volume in raw["Volumes"] or ():
        options = volume.get("Options") or {}
        if volume["Driver"] == "local" and "bind" in options.get("o", "").split(","):
            found[volume["Name"]] = options.get("device", "")
    return found


def plugins(answer: Answers) -> list[dict[str, Any]]:
    found = [
        {
            "name": raw["Name"],
            "enabled": raw["Enabled"],
            "types": sorted(map(str, raw["Config"]["Interface"]["Types"])),
        }
        for raw in answer
    ]
    return sorted(found, key=lambda plugin: str(plugin["name"]))


def data_roots(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """From /info: the data roots of other mappings than that in force, left when userns-remap was changed."""
    current = Path(answer["DockerRootDir"])
    found = []
    for each in Path(without_mapping(str(current))).iterdir():
        ids = mapped_ids(each.name)
        if ids and each != current:
            found.append({"name": each.name, "uid": ids[0], "gid": ids[1]})
    return sorted(found, key=lambda root: str(root["name"]))
