# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of what is in a container: secrets, its image, its context, engines that run inside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.containers.capabilities import (
    bounding_set,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Deviation,
    NotApplicable,
    Remedy,
    on_engine,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.containers import (
    Container,
    Outcome,
    control,
    listed,
    mode_of,
    secret_names,
    users,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.endpoints import lets_in, named
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.capabilities import BITS


@control(
    "container.secrets_in_environment",
    "No container carries secrets in its environment or labels",
    "medium",
    Remedy(
        "recreate", "Give it the secret as a file (NAME_FILE, --mount, swarm secret) and change the secret."
    ),
    requirements=("D06-01",),
    parameters={"allow": []},
)
def secrets_in_environment(container: Container, case: Case) -> Outcome:
    """Whoever may inspect the container reads them, every process inherits them, dumps and logs keep them.

    Judged by names. `allow` lists names that hold none (shell patterns).
    """
    config = read(container, "config")
    found = secret_names([*config["env_names"], *config["label_names"]], case.parameters["allow"])
    return Deviation(listed(found), None, "names") if found else None


@control(
    "container.image_digest",
    "Containers are made from images given by digest",
    "low",
    Remedy(
        "recreate", "Run it as NAME@sha256:DIGEST, and update the digest when you have tested a new image."
    ),
    requirements=("D08-01",),
)
def image_digest(container: Container, case: Case) -> Outcome:
    """A tag can be moved to other content, `latest` above all (Trivy DS-0001)."""
    name = read(container, "image") or ""
    if "@sha256:" in name or name.startswith("sha256:"):
        return None
    tag = name.rpartition("/")[2].partition(":")[2]
    return Deviation(listed([name if tag else f"{name}:latest"]), "a digest", None)


@control(
    "container.mixed_contexts",
    "The containers of a host belong to one context",
    "medium",
    Remedy("manual", "Move the containers of other contexts to hosts of their own."),
    requirements=("D05-01",),
    parameters={"labels": ["bulwark.context", "env", "environment", "stage", "tier"]},
    over=on_engine,
)
def mixed_contexts(engine: Mapping[str, Any], case: Case) -> Outcome:
    """A test container is less guarded, and the way from it to production should not be one kernel.

    `labels` lists the labels that name a context; containers without one are not judged.
    """
    contexts: dict[str, set[str]] = {}
    for container in case.of_engine("containers"):
        labels = read(container, "config").get("labels") or {}
        for label in case.parameters["labels"]:
            if label in labels:
                contexts.setdefault(label, set()).add(labels[label])
    if not contexts:
        raise NotApplicable("no container names a context in a label")
    mixed = [
        f"{label}: {listed(sorted(values))}" for label, values in sorted(contexts.items()) if len(values) > 1
    ]
    return Deviation("; ".join(mixed), None, "labels of containers") if mixed else None


# docker:dind, docker:28.1-dind-rootless, registry.example/dind
_NESTED_IMAGE = re.compile(r"[:/-]dind(?:[:@-]|$)")


def _has_engine(container: Container) -> bool:
    return any(name == "dockerd" for name, _unused, _unused in users(container) or ())


@control(
    "container.nested_engine",
    "No engine runs in a container that could take over the host",
    "critical",
    Remedy("recreate", "Use a rootless nested engine, or build without one (BuildKit, kaniko)."),
    requirements=("RT-19",),
)
def nested_engine(container: Container, case: Case) -> Outcome:
    """Docker in Docker wants --privileged, and who may use the inner engine is then root of the host."""
    if users(container) is None:
        nested, evidence = bool(_NESTED_IMAGE.search(read(container, "image"))), "image name"
    else:
        nested, evidence = _has_engine(container), "dockerd runs in it"
    if nested and bounding_set(container) & BITS["SYS_ADMIN"]:
        return Deviation("with SYS_ADMIN", None, evidence)
    return None


@control(
    "container.nested_engine_tls",
    "An engine in a container asks its clients for certificates",
    "high",
    Remedy("recreate", "Leave DOCKER_TLS_CERTDIR set and give clients /certs/client read-only, port 2376."),
    requirements=("RT-20",),
)
def nested_engine_tls(container: Container, case: Case) -> Outcome:
    """Every container on its network may otherwise use it, and it mostly runs privileged. What counts is what
    it answered within that network, at whatever port."""
    if not _has_engine(container):
        raise NotApplicable("no engine runs in it")
    found = []
    for endpoint in read(container, "endpoints"):
        way = lets_in(endpoint)
        if way:
            found.append(f"{way} at {named(endpoint)}")
    return Deviation(listed(found), "TLS with client certificates", "asked in its network") if found else None


@control(
    "container.nested_engine_network",
    "An engine in a container has a network of its own",
    "low",
    Remedy("recreate", "Create a network for the engine and its clients and run both with --network NAME."),
    requirements=("RT-22",),
)
def nested_engine_network(container: Container, case: Case) -> Outcome:
    """On the default bridge every container is its neighbour."""
    if not _has_engine(container):
        raise NotApplicable("no engine runs in it")
    mode = mode_of(container, "NetworkMode", case)
    if mode in ("default", "bridge", "host"):
        return Deviation(mode, None, "HostConfig.NetworkMode")
    # It can be connected to more than the one that it was created with.
    return Deviation("bridge", None, "networks") if "bridge" in read(container, "networks") else None
