# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of an engine beyond reading: stop and start containers, run one for a look, count disk space."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Place
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.api import EngineApi, checked_id
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import process_facts, processes

# Docker's own grace is 10 s before SIGKILL; containers may have a longer one.
STOP_SECONDS = 60
# Name of the image, and label of image and container.
_PROBE = "bulwark-probe"
_SLEEP = ("/usr/bin/sleep", "30")
# What a program of the host needs of the host to run in an empty image.
_TREES = ("bin", "lib", "lib32", "lib64", "libx32", "usr")


def stop(engine: Place, ids: Sequence[str]) -> None:
    """Stop the containers, one after another, each with its own grace period. Raises Unreadable."""
    with _api(engine, STOP_SECONDS) as api:
        for container in ids:
            api.post(f"/containers/{container}/stop", good=(204, 304, 404))


def start(engine: Place, ids: Sequence[str], timeout: float) -> list[str]:
    """Start the containers; returns a sentence for each that does not start."""
    left = []
    for container in ids:
        with _api(engine, timeout) as api:
            answer = attempt(api.post, f"/containers/{container}/start", None, (204, 304))
        if is_error(answer):
            left.append(answer["error"])
    return left


def running(engine: Place, timeout: float) -> list[str]:
    """The ids of the containers that run. Raises Unreadable."""
    with _api(engine, timeout) as api:
        return _ids(api.get("/containers/json"))


def disk_usage(engine: Place, timeout: float) -> dict[str, Any] | None:
    """GET /system/df, which may take long on a large engine; None when it does not answer in time."""
    with _api(engine, timeout) as api:
        answer = attempt(api.get, "/system/df")
    return None if is_error(answer) or not isinstance(answer, dict) else answer


def root_of_a_container(engine: Place, timeout: float) -> int:
    """The id on the host that root of a new container has: one is run, without network, and taken away again.

    Its image is empty: the host's own programs are mounted into it, read-only. Raises Unreadable where it does not
    start.
    """
    sweep(engine, timeout)
    with _api(engine, timeout) as api, _image(api) as image, _container(api, image) as container:
        api.post(f"/containers/{container}/start", good=(204,))
        answer = api.get(f"/containers/{container}/json")
        state = answer.get("State") if isinstance(answer, dict) else None
        pid = state.get("Pid") if isinstance(state, dict) else None
        if pid == 0:
            raise Unreadable("the container that was run to look at its uid_map has ended at once")
        # What the engine tells is no proof: the number may be that of any process.
        process = process_facts.member(container, pid, (), engine.owner.uid)
        mapping = processes.id_map(process["pid"], "uid")
    root = next((outside for inside, outside, _unused in mapping if inside == 0), None)
    if root is None:
        raise Unreadable("the container that was run to look at its uid_map has no root")
    return root


def sweep(engine: Place, timeout: float) -> None:
    """Take away what a run that died has left of such a container."""
    filters = urlencode({"all": "1", "filters": json.dumps({"label": [_PROBE]})})
    with _api(engine, timeout) as api:
        for kind in ("containers", "images"):
            for each in _ids(api.get(f"/{kind}/json?{filters}")):
                attempt(api.delete, f"/{kind}/{each}?force=1")


def _ids(answer: Any) -> list[str]:
    """Those of a list of an engine's. Raises Unreadable for another shape: whatever answers may be no engine."""
    if not isinstance(answer, list) or not all(isinstance(each, dict) for each in answer):
        raise Unreadable("the engine answers with no list of objects; see the journal of its unit")
    return [checked_id(each.get("Id")) for each in answer]


@contextlib.contextmanager
def _api(engine: Place, timeout: float) -> Iterator[EngineApi]:
    api = EngineApi(engine.path, timeout, engine.owner)
    try:
        yield api
    finally:
        api.close()


@contextlib.contextmanager
def _image(api: EngineApi) -> Iterator[str]:
    name = f"{_PROBE}-{os.getpid()}:latest"
    query = urlencode(
        {"fromSrc": "-", "repo": name.partition(":")[0], "tag": "latest", "changes": f"LABEL {_PROBE}=1"}
    )
    api.post(f"/images/create?{query}", _links(), good=(200,), content_type="application/x-tar")
    try:
        yield name
    finally:
        attempt(api.delete, f"/images/{name}?force=1")


@contextlib.contextmanager
def _container(api: EngineApi, image: str) -> Iterator[str]:
    trees = [f"/{name}" for name in _TREES if Path("/", name).is_dir() and not Path("/", name).is_symlink()]
    created = api.post(
        "/containers/create",
        {
            "Image": image,
            "Cmd": list(_SLEEP),
            "NetworkDisabled": True,
            "HostConfig": {
                "AutoRemove": True,
                "Binds": [f"{tree}:{tree}:ro" for tree in trees],
                "CapDrop": ["ALL"],
                "NetworkMode": "none",
                "ReadonlyRootfs": True,
                # Under SELinux it may read the host's programs then.
                "SecurityOpt": ["label=disable"],
            },
        },
        good=(201,),
    )
    [container] = _ids([created])
    try:
        yield container
    finally:
        attempt(api.delete, f"/containers/{container}?force=1")


def _links() -> bytes:
    """A tar with the links of a merged /usr (bin -> usr/bin), as the host has them, and places to mount on."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in _TREES:
            path = Path("/", name)
            if path.exists() or path.is_symlink():
                member = tarfile.TarInfo(name)
                member.mode = 0o755
                member.type = tarfile.SYMTYPE if path.is_symlink() else tarfile.DIRTYPE
                member.linkname = str(path.readlink()) if path.is_symlink() else ""
                tar.addfile(member)
    return archive.getvalue()
