# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one engine tells over its API, in one pass: itself, its containers, images, networks and the rest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import (
    Unreadable,
    attempt,
    error,
    is_error,
    then,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import (
    containers,
    images,
    resources,
    swarm,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.answers import AuditedApi
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.api import (
    EngineApi,
    NotFound,
    Silent,
    checked_id,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.facts import owner_of
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.socket_reach import SocketReach
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import (
    membership,
    process_facts,
    processes,
)

# Each takes two calls.
IMAGES_LOOKED_AT = 500
EXECS_LOOKED_AT = 50
# Of the audit's time, for the engines of all accounts together.
SHARE = 0.1

Walk = Mapping[int, processes.Process]

PARTS = ("version", "info", "containers", "images", "networks", "volumes", "plugins", "swarm", "data_roots")
# How far images are looked into: their list, each with its history (two requests), and their layers.
LISTED, EXAMINED, CONTENT = "listed", "examined", "content"
_NOT_ASKED = "was not asked for"
_LIST = "/containers/json?all=1"


class Asked(NamedTuple):
    """What is asked of an engine: parts of PARTS, its version always, and how far images are looked into."""

    parts: Collection[str] = PARTS
    images: str = EXAMINED


EVERYTHING = Asked()


def ask_all(
    engines: Sequence[dict[str, Any]], walked: Walk, timeout: float, asked: Asked = EVERYTHING
) -> None:
    """Add to every ENGINE of engines.find() what ask() learns.

    A container that one engine lists is no orphan of another: two of them may share containerd.
    """
    sockets = [engine["socket"] for engine in engines]
    for engine in engines:
        if engine["user"] is None:
            engine.update(ask(engine, walked, timeout, asked, sockets))
    with deadline.share(SHARE, "the engines of accounts"):
        for engine in engines:
            if engine["user"] is not None:
                engine.update(ask(engine, walked, timeout, asked, sockets))
    # What an account's engine lists says nothing about root's: it may list any id.
    for uid in dict.fromkeys(map(membership.uid_of, engines)):
        attempt(_without_doubles, [engine for engine in engines if membership.uid_of(engine) == uid])


def _without_doubles(engines: Sequence[dict[str, Any]]) -> None:
    found = [container for engine in engines for container in _list(engine["containers"])]
    known = {container["id"] for container in found if not _is_orphan(container)}
    for engine in engines:
        own = _list(engine["containers"])
        kept = [each for each in own if not (_is_orphan(each) and each["id"] in known)]
        if len(kept) < len(own):
            # Every mark of an orphan says why its engine does not tell.
            engine["containers"] = kept or own[0]["image"]
        known.update(each["id"] for each in kept)


def ask(
    engine: Mapping[str, Any],
    walked: Walk,
    timeout: float,
    asked: Asked = EVERYTHING,
    sockets: Iterable[str] = (),
) -> dict[str, Any]:
    """`state`, `error` and the API's part of an ENGINE; never raises. What is not asked for has a mark that says so.

    engine   one of engines.find(); a stopped one is not asked: that would start it where systemd listens
    walked   from processes.walk()
    timeout  in seconds, for each answer
    asked    what the caller needs: one that wants to know of containers does not pay for images
    sockets  paths of the sockets of all engines on the host
    """
    if engine["state"] == "unreachable":
        return {
            **dict.fromkeys(PARTS, error(engine["error"])),
            "state": engine["state"],
            "error": engine["error"],
        }
    answer = attempt(_ask, engine, walked, timeout, asked, {engine["socket"], *sockets})
    if is_error(answer):
        return {**dict.fromkeys(PARTS, answer), "state": engine["state"], "error": answer["error"]}
    return dict(answer)


def _ask(
    engine: Mapping[str, Any], walked: Walk, timeout: float, asked: Asked, sockets: Iterable[str]
) -> dict[str, Any]:
    uid = membership.uid_of(engine)
    own = membership.by_container(walked, uid)
    around = containers.Surroundings(own, SocketReach(filter(None, sockets)), {}, uid)
    orphans = partial(_orphans, engine, walked, around)
    if engine["state"] == "stopped":
        return _silent("stopped", engine["error"] or "the engine does not run", orphans)
    api = AuditedApi(engine["socket"], timeout, owner_of(engine, walked))
    try:
        version = attempt(resources.version, api.get("/version"))
    except Silent as problem:
        return _silent(problem.state, str(problem), orphans)
    except Unreadable as problem:
        version = error(str(problem))
    try:
        answers = _answers(api, around, asked)
    finally:
        api.close()
    if "containers" in asked.parts and is_error(answers["containers"]):
        answers["containers"] = orphans(answers["containers"]["error"])
    return {"state": "running", "error": None, "version": version, **answers}


def _silent(state: str, why: str, orphans: Callable[[str], Any]) -> dict[str, Any]:
    """What remains of an engine that does not answer."""
    return {**dict.fromkeys(PARTS, error(why)), "containers": orphans(why), "state": state, "error": why}


def _orphans(engine: Mapping[str, Any], walked: Walk, around: containers.Surroundings, why: str) -> Any:
    """The containers that /proc shows while the engine does not tell; the mark where there is none."""
    found = []
    for container_id, shim in processes.shims(walked, around.uid).items():
        first = process_facts.first(around.processes.get(container_id, ()), shim)
        if first is not None:
            found.append(containers.orphan(container_id, first, around, why))
    return _sorted(found) or error(why)


def _is_orphan(container: Mapping[str, Any]) -> bool:
    return container["name"] is None


def _list(value: Any) -> list[dict[str, Any]]:
    return [] if is_error(value) else value


def _answers(api: EngineApi, around: containers.Surroundings, asked: Asked) -> dict[str, Any]:
    not_asked = error(_NOT_ASKED)

    def only(part: str, read: Callable[..., Any], *arguments: Any) -> Any:
        return read(*arguments) if part in asked.parts else not_asked

    info, volumes = attempt(api.get, "/info"), only("volumes", attempt, api.get, "/volumes")
    bound = then(resources.bound, volumes)
    around = around._replace(volume_sources={} if is_error(bound) else bound)
    found = only("containers", attempt, _containers, api, around)
    return {
        "info": then(resources.info, info),
        "containers": found,
        "images": only("images", attempt, _images, api, _list(found), asked.images),
        "networks": then(resources.networks, only("networks", attempt, api.get, "/networks"), _list(found)),
        "volumes": then(resources.volumes, volumes),
        "plugins": then(resources.plugins, only("plugins", attempt, api.get, "/plugins")),
        "swarm": only("swarm", then, swarm.swarm, info, api),
        "data_roots": only("data_roots", _data_roots, info, around.uid),
    }


def _data_roots(info: Any, uid: int | None) -> Any:
    """Only the system's engine takes userns-remap; where an account's says that its data lies, root does not look."""
    return then(resources.data_roots, info) if uid == 0 else []


def _containers(api: EngineApi, around: containers.Surroundings) -> list[dict[str, Any]]:
    read = [_container(api, listed, around) for listed in api.get(_LIST)]
    found = [each for each in read if each is not None]
    if any(is_error(each["config"]) for each in found):
        # Details of a container that is being removed come late or never (seen with 26.1).
        listed = attempt(api.get, _LIST)
        there = {each["Id"] for each in ([] if is_error(listed) else listed)}
        found = [each for each in found if is_error(listed) or each["id"] in there]
    return _sorted(found)


def _sorted(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda each: (each["name"] or "", each["id"]))


def _container(
    api: EngineApi, listed: Mapping[str, Any], around: containers.Surroundings
) -> dict[str, Any] | None:
    """None when it was removed since it was listed."""
    if deadline.passed():
        return containers.unread(listed, around, deadline.reason())
    try:
        raw = api.get(f"/containers/{checked_id(listed['Id'])}/json")
    except NotFound:
        return None
    except Unreadable as problem:
        return containers.unread(listed, around, str(problem))
    found = attempt(containers.container, raw, around)
    if is_error(found):
        return containers.unread(listed, around, found["error"])
    return {**found, "execs": attempt(_execs, api, raw.get("ExecIDs") or ())}


def _execs(api: EngineApi, ids: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for exec_id in ids[:EXECS_LOOKED_AT]:
        try:
            raw = api.get(f"/exec/{checked_id(exec_id)}/json")
        except NotFound:
            continue
        settings = raw["ProcessConfig"]
        found.append(
            {
                "privileged": bool(settings.get("privileged")),
                "user": settings.get("user", ""),
                "running": raw["Running"],
            }
        )
    return found


def _images(api: EngineApi, known: Sequence[Mapping[str, Any]], depth: str) -> list[dict[str, Any]]:
    """Every image that has a tag or a container."""
    users: dict[str, list[str]] = {}
    for container in known:
        if isinstance(container["image_id"], str):
            users.setdefault(container["image_id"], []).append(container["id"])
    listed = {each["Id"]: each for each in api.get("/images/json")}
    tagged = [image_id for image_id in listed if images.summary(listed[image_id], ())["tags"]]
    wanted = list(dict.fromkeys((*users, *sorted(tagged))))
    look = partial(images.content, {}, api.owner) if depth == CONTENT else None
    most = 0 if depth == LISTED else IMAGES_LOOKED_AT
    found = [_image(api, image_id, users.get(image_id, ()), look) for image_id in wanted[:most]]
    why = f"only {most} images are looked at, those with containers first" if most else _NOT_ASKED
    found += [
        images.left_out(listed.get(image_id, {"Id": image_id}), users.get(image_id, ()), why)
        for image_id in wanted[most:]
    ]
    return sorted((each for each in found if each is not None), key=lambda each: str(each["id"]))


def _image(
    api: EngineApi, image_id: str, users: Sequence[str], look: images.Look | None
) -> dict[str, Any] | None:
    """None when it was removed: from the list, or below a container, since."""
    try:
        raw = api.get(f"/images/{checked_id(image_id)}/json")
    except NotFound:
        return None
    return images.image(raw, attempt(api.get, f"/images/{image_id}/history"), users, look)
