# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of stores and registries, the host's and published ones, by what they answer without credentials."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Control,
    Deviation,
    Item,
    Remedy,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.services import Service

EndPoint = Mapping[str, Any]
# Of HTTP, and the words of probes/network/raw_client.py.
_OPEN, _REFUSED = (200, "open"), (401, 403, "refused")
# Who wants a certificate turns strangers away before they can ask.
_WANTS_CERTIFICATE = re.compile(r"certificate|handshake failure")

_TABLE = (
    ("redis", "Redis", "critical",
     "Set requirepass or ACLs (in redis.conf, aclfile), and bind it to the addresses that need it.",
     "Whoever may write sets where the database is saved, and so writes files of the host or the container."),
    ("memcached", "Memcached", "high",
     "Bind it to loopback or a network of its own (-l), or set up authentication (-Y, or -S with SASL).",
     "Whoever reaches a cache reads sessions in it and puts forged ones there."),
    ("mongodb", "MongoDB", "high",
     "Create an administrator, then set security.authorization to enabled.",
     "Open databases are found within hours, copied, and deleted for a ransom."),
    ("elasticsearch", "Elasticsearch or OpenSearch", "high",
     "Set xpack.security.enabled to true, or set up OpenSearch's security plugin.",
     "Whoever may use its API reads and deletes all that is indexed, logs with credentials too."),
    ("registry", "The registry", "high",
     "Set up auth (htpasswd or token) and TLS in the registry's configuration, or a proxy that asks.",
     "Whoever may push decides what every host that pulls from there runs."),
)  # fmt: skip
KINDS = tuple(kind for kind, *_others in _TABLE)


def _end_points(kinds: Iterable[str], loopback: bool) -> Callable[[Case], Iterable[Item]]:
    def over(case: Case) -> Iterator[Item]:
        for end_point in case.host("services"):
            if end_point["kind"] in kinds and _is_loopback(end_point["address"]) == loopback:
                name = f"{end_point['kind']} {end_point['address']}:{end_point['port']}"
                yield Item("socket", name, name, end_point)

    return over


def _is_loopback(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _lets_in(end_point: EndPoint) -> str | None:
    """`tcp DBSIZE: open` when strangers are let in. The last answer that says something decides: the first ones only
    ask what it is. Unread when none tells."""
    answers = read(end_point, "answers")
    for answer in reversed(answers):
        if answer["status"] in _OPEN:
            return f"{answer['scheme']} {answer['path']}: {answer['status']}"
        if answer["status"] in _REFUSED:
            return None
    if any(_WANTS_CERTIFICATE.search(answer["error"] or "") for answer in answers):
        return None
    reason = answers[-1]["error"] or f"it answers {answers[-1]['path']} with {answers[-1]['status']}"
    raise Unread(f"{end_point['kind']} at port {end_point['port']} tells nothing about credentials: {reason}")


def judges(kind: str, service: Service, case: Case) -> bool:
    """Whether the control of that kind tells if a service of the host lets strangers in."""
    sockets = {(socket["address"], socket["port"]) for socket in service.sockets}
    try:
        found = [
            end_point
            for end_point in case.host("services")
            if end_point["kind"] == kind and (end_point["address"], end_point["port"]) in sockets
        ]
        for end_point in found:
            _lets_in(end_point)
    except Unread:
        return False
    return bool(found)


def _judge(end_point: EndPoint, case: Case) -> Deviation | None:
    seen = _lets_in(end_point)
    return Deviation(seen, "refused", "asked without credentials") if seen else None


def _credentials(kind: str, name: str, severity: str, remedy: str, why: str) -> Control:
    def judge(end_point: EndPoint, case: Case) -> Deviation | None:
        return _judge(end_point, case)

    judge.__doc__ = why
    control: Control = scope("listeners", per_engine=False, over=_end_points((kind,), loopback=False))(
        f"listener.{kind}_authentication",
        f"{name} gives nothing to clients without credentials",
        severity,
        Remedy("restart", remedy),
        requirements=("D04-22",),
    )(judge)
    return control


CREDENTIALS = tuple(_credentials(*row) for row in _TABLE)


@scope("listeners", per_engine=False, over=_end_points(KINDS, loopback=True))(
    "listener.loopback_authentication",
    "Stores and registries that listen on loopback ask for credentials too",
    "low",
    Remedy(
        "restart", "Set up their authentication, or let them listen on a Unix socket with a group of its own."
    ),
    requirements=("D04-22",),
)
def loopback_authentication(end_point: EndPoint, case: Case) -> Deviation | None:
    """Every user of the host reaches loopback, every container with the host's network, and whoever finds a program
    here that fetches the URLs it is given."""
    return _judge(end_point, case)
