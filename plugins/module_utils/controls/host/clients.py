# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the Docker clients on the host: contexts, DOCKER_HOST, and the certificates and keys they
use."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Deviation,
    Item,
    Remedy,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.engine_places import held

Client = Mapping[str, Any]


def clients(case: Case) -> Iterator[Item]:
    """The accounts that use a docker client, and the files that set one for everybody."""
    for client in case.host("clients"):
        name = client["user"] or client["home"] or "everybody"
        yield Item("account", name, name, client)


control = scope("tls", per_engine=False, over=clients)


@control(
    "client.endpoint_verified",
    "Clients reach engines on TCP only with verified TLS",
    "medium",
    Remedy(
        "live",
        "Make a context with --docker host=tcp://...,ca=...,cert=...,key=..., or set DOCKER_TLS_VERIFY=1.",
    ),
    requirements=("RT-15",),
)
def endpoint_verified(client: Client, case: Case) -> list[Deviation]:
    """DOCKER_HOST with tcp:// and no DOCKER_TLS_VERIFY speaks plain HTTP; a context that skips the check
    gives its commands, and what they carry, to whoever answers."""
    found = []
    for context in read(client, "contexts"):
        verified = context["certificate"] and not context["skip_tls_verify"]
        if context["host"].startswith("tcp:") and not verified:
            found.append(
                Deviation(context["host"], "TLS with a verified server", f"context {context['name']}")
            )
    variables = read(client, "environment")
    host = variables.get("DOCKER_HOST")
    # Any value but the empty one switches the check on.
    if host and host["value"].startswith("tcp:") and not variables.get("DOCKER_TLS_VERIFY", {}).get("value"):
        found.append(Deviation(host["value"], "DOCKER_TLS_VERIFY", host["file"]))
    return found


def _directories(client: Client) -> list[str]:
    """Where the client's keys lie: ~/.docker, the folders of its contexts, DOCKER_CERT_PATH."""
    found = {posixpath.join(client["home"], ".docker")} if client["user"] else set()
    certificates = (context["certificate"] for context in read(client, "contexts"))
    found |= {posixpath.dirname(path) for path in certificates if path}
    given = read(client, "environment").get("DOCKER_CERT_PATH")
    return sorted(found | ({given["value"]} if given else set()))


@control(
    "client.key_private",
    "Client keys are readable by their owner alone",
    "medium",
    Remedy(
        "live",
        "chmod 0600 the key and give it to its user; keep ca.pem and cert.pem writable by the user alone.",
    ),
    requirements=("RT-14",),
)
def key_private(client: Client, case: Case) -> list[Deviation]:
    """A client's key is root on every host that trusts its CA; a foreign ca.pem makes it talk to a foreign
    engine."""
    found = []
    for path, most in _files(client):
        file = held(case, "files", path)
        if file is None:
            continue
        if file["uid"] not in (0, client["uid"]):
            found.append(Deviation(f"owner {file['owner']}", client["user"] or "root", path))
        if int(file["mode"], 8) & 0o777 & ~most:
            found.append(Deviation(f"mode {file['mode']}", f"mode {most:04o} or stricter", path))
    return found


def _files(client: Client) -> Iterator[tuple[str, int]]:
    for directory in _directories(client):
        for name, most in (("key.pem", 0o600), ("cert.pem", 0o644), ("ca.pem", 0o644)):
            yield posixpath.join(directory, name), most


@control(
    "client.certificate_purpose",
    "Client certificates are made for clients and signed by the CA beside them",
    "medium",
    Remedy(
        "live", "Reissue the certificate with the extended key usage clientAuth, signed by the engine's CA."
    ),
    requirements=("RT-06", "RT-14"),
)
def certificate_purpose(client: Client, case: Case) -> list[Deviation]:
    """The engine refuses a certificate that is for servers only ("bad certificate"); one for any purpose can
    pose as a server to other clients."""
    found = []
    for directory in _directories(client):
        path, authority = posixpath.join(directory, "cert.pem"), posixpath.join(directory, "ca.pem")
        certificates, authorities = (held(case, "certificates", name) for name in (path, authority))
        if not certificates:
            continue
        usages = certificates[0]["eku"]
        if usages is None or "clientAuth" not in usages:
            found.append(Deviation(usages or "any purpose", "clientAuth", path))
        if authorities and authority not in read(certificates[0], "signed_by"):
            found.append(Deviation("not signed by the CA", authority, path))
    return found
