# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What engines that run in containers listen on over TCP, and what they answer to a client without a certificate."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt, error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import endpoints
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import daemons, membership, processes
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import (
    container_listeners,
    holders,
    http_client,
    sockets,
)

_ENGINE, _FORWARDER = "dockerd", "rootlesskit"
# rootlesskit also forwards the published ports of the engine's own containers.
_FORWARDED = (2375, 2376)
# Containers; and seconds for all of them where the audit has no deadline.
_AT_ONCE, _LONGEST = 12, 3600.0

Container = dict[str, Any]


def nested_engines(
    engines: Sequence[Mapping[str, Any]], walked: Mapping[int, processes.Process], timeout: float
) -> None:
    """Fill `endpoints` of every container: [{address, port, plain, tls}], [] where no engine in it listens.

    They are asked from within the container's network, as its neighbours would: networks without a way from the
    host (internal, macvlan, those of a rootless engine) count too. Each question takes `timeout` seconds at most.
    """
    waiting = []
    heads = {pid for engine in engines for pid in daemons.pids(engine)}
    nested = any(process["name"] == _ENGINE and pid not in heads for pid, process in walked.items())
    for engine in engines:
        inside = _inside(walked, membership.uid_of(engine)) if nested else {}
        for container in container_listeners.known(engine):
            members = inside.get(container["id"], {})
            container["endpoints"] = []
            if _ENGINE in members.values():
                container["endpoints"] = error("the engine in the container was not asked")
                waiting.append((container, members))
    # As with the listeners: threads that go into the namespaces and never come back. Each container has one, and some
    # are asked at once, so that none of them keeps the others waiting.
    visitors = [threading.Thread(target=_visit, args=(*each, timeout), daemon=True) for each in waiting]
    for at in range(0, len(visitors), _AT_ONCE):
        for visitor in visitors[at : at + _AT_ONCE]:
            visitor.start()
        # Its part of what is left, each dozen alike.
        end = time.monotonic() + deadline.left(_LONGEST) * _AT_ONCE / (len(visitors) - at + _AT_ONCE)
        for visitor in visitors[at : at + _AT_ONCE]:
            visitor.join(max(0.0, end - time.monotonic()))
    # What has an answer for a part of its listeners at the deadline still writes that.
    end = time.monotonic() + deadline.left(_LONGEST) + deadline.GRACE / 2
    for visitor in visitors:
        visitor.join(max(0.0, end - time.monotonic()))


def _inside(walked: Mapping[int, processes.Process], uid: int | None) -> dict[str, dict[int, str]]:
    """{container id: {pid: name}} of what may hold an engine's sockets in the containers of the engine of `uid`."""
    return {
        container: {each["pid"]: each["name"] for each in members if each["name"] in (_ENGINE, _FORWARDER)}
        for container, members in membership.by_container(walked, uid).items()
    }


def _visit(container: Container, members: Mapping[int, str], timeout: float) -> None:
    container["endpoints"] = attempt(_asked, container, members, timeout)


def _asked(container: Container, members: Mapping[int, str], timeout: float) -> Any:
    place = container_listeners.place(container["process"])
    if not isinstance(place, tuple):
        return place
    number, pid = place
    if not container_listeners.enter(ctypes.CDLL(None), number, pid):
        raise Unreadable(f"the network of process {pid} cannot be entered; run as root")
    found = [
        each
        for each in sockets.listening(f"/proc/{pid}/net")
        if each["protocol"] == "tcp" and each["scope"] != "loopback"
    ]
    held, _unseen = holders.search({each["inode"] for each in found}, (), members)
    asked = [each for each in found if _is_api(each, {members[pid] for pid in held[each["inode"]]})]
    answers = http_client.together(
        lambda each: endpoints.answers(http_client.reach(each), each["port"], timeout), asked, timeout
    )
    return [
        {"address": each["address"], "port": each["port"], "plain": plain, "tls": tls}
        for each, (plain, tls) in zip(asked, map(endpoints.told, answers))
    ]


def _is_api(listener: Mapping[str, Any], names: set[str]) -> bool:
    return _ENGINE in names or (_FORWARDER in names and listener["port"] in _FORWARDED)
