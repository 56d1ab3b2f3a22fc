# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pre-flight of switching userns-remap on, off or to another user: what would break, stop or be hidden.

Pure: judged is an ENGINE of a snapshot (docs/snapshot.md), with what GET /system/df of it answered. What the
engine refuses was seen on 20.10 and 26.1, and read in the sources up to 29.7.2.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.base.text import few
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.hidden_data import (
    USAGE,
    amounts,
    hidden,
    human,
    name_of,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.data_roots import without_mapping
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.engine_versions import engine_version
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.go import is_on
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    security_options,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.subids import NEEDED

CONTROL = "daemon.userns_remap"
ALLOW_DATA_SWITCH = "userns_remap_allow_data_switch"
STOP_CONTAINERS = "userns_remap_stop_containers"

# What userns-remap makes of the data root: a directory in it, named after the ids of root.
_RUNS = ("running", "paused", "restarting")
_IMAGE_STORE = "containerd-snapshotter"
_REFUSES_IMAGE_STORE = (29,)
# HostConfig key: what the engine or runc (ipc) refuses to share.
_SHARED = {
    "NetworkMode": "it shares the host's network, which is refused with userns-remap",
    "PidMode": "it shares the host's processes, which is refused with userns-remap",
    "IpcMode": "it shares the host's shared memory, with which it does not start under userns-remap",
}
Engine = Mapping[str, Any]
Broken = dict[str, str]


class Preflight(NamedTuple):
    """What a switch means; all lists are sorted and complete.

    kind      "enable", "disable", "change" (to another mapping), "none" (the engine has it already)
    current   the data root in use, target the one after the switch: paths
    broken    [{container, reason}]: what is refused or fails when it is created again after the switch
    running   names of the containers that run
    hidden    {images | containers | volumes | networks | plugins | build_cache:
              {count, size: bytes | None (not known), names}}, what stays behind in `current`
    swarm     "manager", "worker" or None: the node leaves its swarm's sight, whose state lies in the data root
    returns   the data root of a former mapping, or of none, that is seen again; None: it begins empty
    data_root_problem  a sentence: dockerd would not start
    refused   sentences: what no consent helps against
    """

    kind: str
    current: str
    target: str
    broken: list[Broken]
    running: list[str]
    hidden: dict[str, dict[str, Any]]
    swarm: str | None
    returns: str | None
    data_root_problem: str | None
    refused: list[str]

    @property
    def hides_data(self) -> bool:
        """Whether anything at all is left behind."""
        return bool(self.swarm) or any(part["count"] for part in self.hidden.values())

    @property
    def stays(self) -> dict[str, Any] | None:
        """{name, path, size: bytes | None}: the tree that is left on disk, None when it is the same as before."""
        if self.current == self.target:
            return None
        sizes = [part["size"] for part in self.hidden.values() if part["count"] and part["size"] is not None]
        unknown = any(self.hidden.get(kind, {"size": 0})["size"] is None for kind in USAGE)
        size = None if unknown else sum(sizes)
        return {"name": posixpath.basename(self.current), "path": self.current, "size": size}


def preflight(
    engine: Engine,
    wanted_start: int | None,
    df: Mapping[str, Any] | None,
    mode_of: Callable[[str], int | None],
    wanted_gid: int | None = None,
) -> Preflight:
    """The pre-flight of mapping root to `wanted_start` (its group to `wanted_gid`, the same unless given), or of
    no mapping with None.

    `mode_of` gives the permission bits of a directory, None where there is none yet. An engine that does not
    answer is refused: what it holds is not known.
    """
    if wanted_start is not None and engine["user"] is not None:
        return _only_refused(
            f"The engine of {engine['user']} runs without root and has no ids to map to: with userns-remap it dies at "
            "its next start; leave the key out."
        )
    try:
        return _preflight(engine, wanted_start, df, mode_of, wanted_gid)
    except Unread as problem:
        return _only_refused(
            f"What the switch would break or hide cannot be seen ({problem}): let the engine {engine['name']} answer "
            "first."
        )


def _only_refused(sentence: str) -> Preflight:
    return Preflight("none", "", "", [], [], {}, None, None, None, [sentence])


def _preflight(
    engine: Engine,
    start: int | None,
    df: Mapping[str, Any] | None,
    mode_of: Callable[[str], int | None],
    gid: int | None,
) -> Preflight:
    current = posixpath.normpath(read(engine, "info", "DockerRootDir"))
    maps = "userns" in security_options(engine)
    base = _base(current, maps)
    target = base if start is None else posixpath.join(base, f"{start}.{start if gid is None else gid}")
    if target == current:
        return Preflight("none", current, target, [], [], {}, None, None, None, [])
    switched_on = start is not None
    kind = "disable" if start is None else "change" if maps else "enable"
    return Preflight(
        kind,
        current,
        target,
        _broken(engine, start) if start is not None else [],
        sorted(name_of(one) for one in read(engine, "containers") if read(one, "state") in _RUNS),
        hidden(engine, df),
        _swarm(engine),
        _returns(engine, base, target),
        _data_root_problem(base, mode_of) if switched_on else None,
        list(_image_store(engine)) if switched_on else [],
    )


def _base(current: str, maps: bool) -> str:
    # A range from 0 leaves the remapping off and works in 0.0 all the same (seen on 20.10 and 26.1).
    return without_mapping(current) if maps or posixpath.basename(current) == "0.0" else current


def _returns(engine: Engine, base: str, target: str) -> str | None:
    if target == base:
        return base
    return (
        target if posixpath.basename(target) in [one["name"] for one in read(engine, "data_roots")] else None
    )


def _data_root_problem(base: str, mode_of: Callable[[str], int | None]) -> str | None:
    """dockerd opens the data root itself, and what is above it must be open: `a subdirectory in your graphroot
    path restricts access to the remapped root uid/gid`."""
    closed, path = [], posixpath.dirname(base)
    while path not in ("/", ""):
        mode = mode_of(path)
        if mode is not None and not mode & 0o001:
            closed.append(f"{path} ({mode:04o})")
        path = posixpath.dirname(path)
    if not closed:
        return None
    return (
        f"The data root {base} lies below {few(sorted(closed))}, where the mapped root cannot pass and dockerd would "
        "not start with userns-remap: chmod o+x there, or move the data root."
    )


def _image_store(engine: Engine) -> Iterator[str]:
    """29 takes another store by itself when it maps users, and does not start when it was told to use this one."""
    sources = []
    features = (read(engine, "config", "settings") or {}).get("features")
    if isinstance(features, dict) and features.get(_IMAGE_STORE) is True:
        sources.append(f"features in {engine['config']['path']}")
    for given in (read(engine, "flags") or {}).get("feature", ()):
        name, _unused, value = given.partition("=")
        if name == _IMAGE_STORE and is_on(value):
            sources.append("--feature")
    if sources and engine_version(engine) >= _REFUSES_IMAGE_STORE:
        version = read(engine, "version", "Version")
        yield (
            f"{_IMAGE_STORE} is switched on by {' and '.join(sources)}, and engine {version} does not start with it "
            "and userns-remap: take it out first (its images are not seen then)."
        )


# --- what breaks ---


def _broken(engine: Engine, start: int) -> list[Broken]:
    found = []
    for container in read(engine, "containers"):
        try:
            reasons = set(_reasons(container, engine, start))
        except Unread as problem:
            reasons = {f"it cannot be judged: {problem}"}
        found += [{"container": name_of(container), "reason": reason} for reason in reasons]
    return sorted(found, key=lambda one: (one["container"], one["reason"]))


def _reasons(container: Mapping[str, Any], engine: Engine, start: int) -> Iterator[str]:
    if _excepted(container):
        return
    if read(container, "host_config", "Privileged"):
        yield "it is privileged, which is refused with userns-remap unless it runs with --userns host"
    for key, reason in _SHARED.items():
        if _shares(container, key, engine):
            yield reason
    for mount in read(container, "mounts"):
        yield from _of_mount(mount, start)


def _excepted(container: Mapping[str, Any]) -> bool:
    return bool(read(container, "host_config", "UsernsMode") == "host")


def _shares(container: Mapping[str, Any], key: str, engine: Engine) -> bool:
    """Whether it has the host's namespace, also by a container that it joins and that is not excepted."""
    seen: set[str] = set()
    while True:
        mode, _unused, owner = (read(container, "host_config", key) or "").partition(":")
        if mode == "host":
            return True
        owners = [one for one in read(engine, "containers") if owner and owner in (one["id"], one["name"])]
        if mode != "container" or owner in seen or not owners or _excepted(owners[0]):
            return False
        seen.add(owner)
        container = owners[0]


def _of_mount(mount: Mapping[str, Any], start: int) -> Iterator[str]:
    source, sockets = mount["source"], read(mount, "reaches")
    if sockets:
        yield f"it reaches {few(sockets)} by its mount of {few([source])}, which will not let it in any more"
    facts = mount["source_facts"]
    if mount["type"] != "bind" or facts is None or source in sockets:
        return
    inside = range(start, start + NEEDED)
    if facts["uid"] in inside or facts["gid"] in inside:
        return
    mode = int(facts["mode"], 8)
    # Who may enter a directory or run a file: the owner's bit tells whether that matters here.
    needed = 4 | mode >> 6 & 1
    owned = f"{few([source])} (owner {facts['uid']}, mode {facts['mode']})"
    if mode & needed != needed:
        yield f"it cannot read its mount {owned} any more"
    elif mount["read_write"] and not mode & 2:
        yield f"it cannot write to its mount {owned} any more"


def _swarm(engine: Engine) -> str | None:
    state = read(engine, "info").get("Swarm") or {}
    if state.get("LocalNodeState", "inactive") in ("", "inactive"):
        return None
    return "manager" if state.get("ControlAvailable") else "worker"


# --- what is said ---


def refusals(
    found: Preflight, live_restore: bool, allow_data_switch: bool, stop_containers: bool
) -> list[dict[str, Any]]:
    """What keeps the switch from being done: [{message, consent: role variable | None, control}], [] for nothing.

    Under live-restore too running containers have to be stopped before the switch: they would go on as root of
    the host, unseen by the engine, and their addresses are given out again (seen on 20.10 and 26.1).
    """
    said: list[tuple[str, str | None]] = [(sentence, None) for sentence in found.refused]
    if found.data_root_problem:
        said.append((found.data_root_problem, None))
    if found.hides_data and not allow_data_switch:
        said.append((_hiding(found), ALLOW_DATA_SWITCH))
    if found.running and not stop_containers:
        said.append((_stopping(found, live_restore), STOP_CONTAINERS))
    return [{"message": message, "consent": consent, "control": CONTROL} for message, consent in said]


def costs(found: Preflight) -> list[dict[str, Any]]:
    """[{kind, message, subjects: names, all of them}] of the switch: containers_stop, data_hidden, swarm_leaves,
    recreate. Subjects of data_hidden are volumes: images and containers can be had again."""
    said = []
    if found.running:
        said.append(("containers_stop", _stopping(found, live_restore=False), found.running))
    if found.hides_data:
        said.append(("data_hidden", _hiding(found), found.hidden["volumes"]["names"]))
    if found.broken:
        names = sorted({one["container"] for one in found.broken})
        message = (
            f"{_many(len(names), 'container')} will not work as before when created again: {few(names)}."
        )
        said.append(("recreate", message, names))
    return [{"kind": kind, "message": message, "subjects": names} for kind, message, names in said]


def notices(found: Preflight) -> list[str]:
    """What stays on disk, and what is seen again, in sentences."""
    if found.stays is None:
        return []
    size = found.stays["size"]
    said = [f"{found.current} stays on disk ({'size not known' if size is None else human(size)})."]
    if found.kind == "disable":
        said.append(f"What was in {found.target} before userns-remap is seen again.")
    elif found.returns is not None:
        said.append(f"What an engine with this mapping left in {found.target} is seen again.")
    return said


def _hiding(found: Preflight) -> str:
    parts = amounts(found.hidden)
    if found.swarm:
        parts.append(f"its place in the swarm as a {found.swarm}")
    return (
        f"The engine moves from {found.current} to {found.target} and will not see what it has now, which stays on "
        f"disk: {', '.join(parts)}."
    )


def _stopping(found: Preflight, live_restore: bool) -> str:
    names = f"{_many(len(found.running), 'running container')} ({few(found.running)})"
    if live_restore:
        return (
            f"live-restore would leave {names} behind as root of the host, unseen by the engine, with addresses that "
            "it gives to others."
        )
    return f"The switch stops {names}, which the engine does not see afterwards."


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
