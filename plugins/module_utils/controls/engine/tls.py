# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the engine's TLS: what its options demand of clients, its CA, its certificate and its key."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, error, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    PASS,
    Case,
    Deviation,
    Item,
    NotApplicable,
    Remedy,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.endpoints import (
    BY_ROLE,
    PLAIN,
    TLS_ALONE,
    VERIFIED,
    named,
    tcp_hosts,
    tcp_sockets,
    verification,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.engine_places import held
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.ca_stores import PUBLIC_STORES
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.certificates import (
    ANY,
    SERVER,
    Certificate,
    covers,
    purpose,
    weakness,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.engine_versions import engine_version
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    configured_value,
)

_DAY = 86400


def on_tcp_engine(case: Case) -> Iterable[Item]:
    """The engine, if it serves TCP or is set to."""
    engine = case.engine
    if not (read(engine, "endpoints") or any(tcp_hosts(case)) or any(tcp_sockets(case))):
        raise NotApplicable("the engine does not listen on TCP")
    return (Item("engine", engine["name"], engine["name"], engine),)


def on_tls_engine(case: Case) -> Iterable[Item]:
    """The engine, if its options switch TLS on."""
    if verification(case.engine) == PLAIN:
        raise NotApplicable("the engine is not set to TLS")
    return (Item("engine", case.engine["name"], case.engine["name"], case.engine),)


def server_certificates(case: Case) -> Iterator[Item]:
    """The certificates that the listeners serve; without a listener the one that tlscert names."""
    served = [
        (named(endpoint), read(endpoint, "tls")["certificate"])
        for endpoint in case.of_engine("endpoints")
        if read(endpoint, "tls")["certificate"]
    ]
    for name, certificate in served:
        yield Item("certificate", name, name, certificate)
    path = _path(case, "tlscert")
    if not served and path:
        for certificate in _certificates(case, path)[:1]:
            yield Item("certificate", path, path, certificate)


def ca_files(case: Case) -> Iterator[Item]:
    """The CA file of the engine, with all certificates in it."""
    path = _path(case, "tlscacert")
    if path:
        yield Item("certificate", path, path, _certificates(case, path))


def authority_and_server(case: Case) -> Iterator[Item]:
    """Each certificate in the CA file, and those that the listeners serve."""
    path = _path(case, "tlscacert")
    try:
        for certificate in _certificates(case, path) if path else ():
            name = f"{path}: {certificate['subject']}"
            yield Item("certificate", name, name, certificate)
    except Unread as problem:
        # What the listeners serve is judged all the same.
        yield Item("certificate", str(path), str(path), error(str(problem)))
    yield from server_certificates(case)


def _path(case: Case, option: str) -> str | None:
    asked = configured_value(case.engine, option)
    return posixpath.normpath(asked) if asked else None


def _certificates(case: Case, path: str) -> Sequence[Certificate]:
    return _held(case, "certificates", path) or ()


def _held(case: Case, section: str, path: str) -> Any:
    """What a PEM file holds of that section; None when it is missing or holds nothing of the kind."""
    if case.host("files", path) is None:
        return None
    return held(case, section, path)


control = scope("tls", per_engine=True, over=on_tls_engine)


@control(
    "tls.client_verification",
    "The options of the engine demand verified clients on TCP",
    "critical",
    Remedy("restart", "Set tlsverify to true in daemon.json, with tlscacert, tlscert and tlskey.", *BY_ROLE),
    requirements=("RT-09", "RT-10"),
    cis=("2.7",),
    level=1,
    over=on_tcp_engine,
)
def client_verification(engine: Mapping[str, Any], case: Case) -> Deviation | None:
    """tlsverify false accepts every client, also beside tls true. tls true alone demands certificates
    since 20.10, and on 19.03 and older of nobody: better to say what is meant."""
    mode = verification(engine)
    if mode == VERIFIED:
        return None
    if mode == TLS_ALONE and engine_version(engine) >= (20, 10):
        return Deviation(
            mode, VERIFIED, "demands certificates on this version; set tlsverify to say so", PASS
        )
    return Deviation(mode, VERIFIED, "flags and configuration file")


@control(
    "tls.own_ca",
    "Client certificates are accepted from the engine's own CA alone",
    "critical",
    Remedy("restart", "Set tlscacert to the file of a private CA.", *BY_ROLE),
    requirements=("RT-49",),
    parameters={"most_ca_names": 10},
)
def own_ca(engine: Mapping[str, Any], case: Case) -> Iterator[Deviation]:
    """tlsverify without tlscacert trusts every CA of the system's store: a certificate of any of them is
    root on this host (seen on 20.10 and 26.1)."""
    path = _path(case, "tlscacert")
    if path is None:
        yield Deviation("the system's store", "tlscacert", "tlscacert is not set")
    elif path.startswith(PUBLIC_STORES):
        yield Deviation(path, "the file of a private CA", "tlscacert")
    for endpoint in case.of_engine("endpoints"):
        tls = read(endpoint, "tls")
        names = tls["ca_names"]
        if names is None:
            continue
        # With the system's store dockerd asks for a certificate and names no CA (seen on 20.10, 26.1 and 28.5).
        if tls["certificate_requested"] and not names:
            yield Deviation("any CA", "one CA, two while it is renewed", f"handshake at {named(endpoint)}")
        elif len(names) > case.parameters["most_ca_names"]:
            yield Deviation(
                f"{len(names)} CAs", "one CA, two while it is renewed", f"handshake at {named(endpoint)}"
            )


@control(
    "tls.ca_certificate",
    "The CA file of the engine holds CA certificates",
    "high",
    Remedy(
        "restart", "Make a CA for this purpose (CA:TRUE) and lay only its certificate on the host.", *BY_ROLE
    ),
    requirements=("RT-02",),
    over=ca_files,
)
def ca_certificate(certificates: Sequence[Certificate], case: Case) -> Iterator[Deviation]:
    """A server's or client's certificate as CA cannot be renewed without a gap; what is no CA is refused
    by clients."""
    if not certificates:
        yield Deviation("no certificate", "a CA certificate")
    for certificate in certificates:
        if not certificate["ca"]:
            yield Deviation(f"{certificate['subject']} is no CA", "CA:TRUE")


@control(
    "tls.ca_key_elsewhere",
    "The private key of the CA is not on this host",
    "high",
    Remedy("manual", "Move the CA key to a machine that is no Docker host; if in doubt make a new CA."),
    requirements=("RT-03",),
    over=ca_files,
)
def ca_key_elsewhere(certificates: Sequence[Certificate], case: Case) -> Iterator[Deviation]:
    """Who reads it signs clients for every host of this CA. mkcert leaves it beside the certificates it
    makes."""
    public_keys = {certificate["public_key"] for certificate in certificates if certificate["ca"]}
    for path, key in sorted(case.host("keys").items()):
        if key is not None and read(key, "public_key") in public_keys:
            yield Deviation(path, "not on this host", "its public key is the CA's")


@control(
    "tls.key_pair",
    "Key, certificate and CA of the engine belong together",
    "high",
    Remedy(
        "restart", "Issue the certificate anew for the key, signed by the CA that tlscacert names.", *BY_ROLE
    ),
    requirements=("RT-09",),
)
def key_pair(engine: Mapping[str, Any], case: Case) -> Iterator[Deviation]:
    """Public keys are compared. A wrong pair keeps the next start from succeeding; a certificate of
    another CA starts, and is refused by every client."""
    paths = {option: _path(case, option) or "" for option in ("tlscert", "tlskey")}
    for option, path in paths.items():
        if not path:
            yield Deviation(f"{option} is not set", "a file", "flags and configuration file")
    if "" in paths.values():
        return
    certificates = _held(case, "certificates", paths["tlscert"])
    key = _held(case, "keys", paths["tlskey"])
    for option, found in (("tlscert", certificates), ("tlskey", key)):
        if not found:
            yield Deviation(
                "missing", f"a file with the {'certificate' if option == 'tlscert' else 'key'}", paths[option]
            )
    if not certificates or not key:
        return
    if key["encrypted"]:
        yield Deviation("encrypted", "a key without a passphrase: dockerd cannot ask for it", paths["tlskey"])
        return
    if certificates[0]["public_key"] != key["public_key"]:
        yield Deviation("another key's certificate", "a certificate of tlskey", paths["tlscert"])
    authority = _path(case, "tlscacert")
    if authority is not None and authority not in read(certificates[0], "signed_by"):
        yield Deviation("not signed by the CA", authority, paths["tlscert"])


@control(
    "tls.server_names",
    "The server certificate names the host in its SAN",
    "high",
    Remedy(
        "restart",
        "Reissue it with every name and address that clients use as subject alternative name "
        "(daemon_tls_extra_names).",
        *BY_ROLE,
    ),
    requirements=("RT-04",),
    over=server_certificates,
    parameters={"names": []},
)
def server_names(certificate: Certificate, case: Case) -> Deviation | None:
    """Go clients refuse a certificate that has its name in CN only; clients that then skip the check talk
    to anyone. Which names clients use is known to you alone: give them as names."""
    san = read(certificate, "san") or ()
    if not san:
        return Deviation(f"CN only: {certificate['subject']}", "subject alternative names")
    missing = [name for name in case.parameters["names"] if not covers(san, name)]
    return Deviation(san, missing, "names that clients use") if missing else None


@control(
    "tls.server_purpose",
    "The server certificate is made for servers",
    "medium",
    Remedy("restart", "Reissue it with the extended key usage serverAuth.", *BY_ROLE),
    requirements=("RT-05",),
    over=server_certificates,
)
def server_purpose(certificate: Certificate, case: Case) -> Deviation | None:
    """With clientAuth alone clients refuse it; without any usage it serves as a client's certificate too,
    which makes the server's key a key to the API."""
    usages = read(certificate, "eku")
    found = purpose(usages)
    if found == SERVER:
        return None
    return Deviation("any purpose" if found == ANY else usages, "serverAuth")


@control(
    "tls.strong_keys",
    "Keys and signatures of the engine's certificates are strong",
    "high",
    Remedy(
        "restart",
        "Reissue it with an EC key (P-256) or an RSA key of 3072 bits, signed with SHA-256.",
        *BY_ROLE,
    ),
    over=authority_and_server,
)
def strong_keys(certificate: Certificate, case: Case) -> Deviation | None:
    """A weak key of the CA or of the server can be computed from its certificate, and a signature by SHA-1
    or MD5 can be moved to a forged one. Go refuses most of them, so that a client either fails or is not the
    docker command."""
    found = weakness(read(certificate))
    return Deviation(found, "an EC key (P-256) or RSA of 3072 bits, SHA-256") if found else None


def _dated(case: Case) -> Iterator[Item]:
    """Every certificate in a file, and those that listeners serve although no file holds them any more."""
    in_files = set()
    for path, certificates in sorted(case.host("certificates").items()):
        if certificates:
            yield Item("certificate", path, path, certificates)
            in_files |= {_identity(one) for one in certificates} if isinstance(certificates, list) else set()
    for engine in case.host("engines"):
        listening = engine["endpoints"]
        for endpoint in listening if isinstance(listening, list) else ():
            served = endpoint["tls"].get("certificate")
            if served and _identity(served) not in in_files:
                name = f"served at {named(endpoint)}"
                yield Item("certificate", name, name, [served])


def _identity(certificate: Certificate) -> tuple[Any, Any]:
    return certificate.get("public_key"), certificate.get("not_after")


host_control = scope("tls", per_engine=False, over=_dated)


@host_control(
    "tls.certificates_current",
    "No certificate of engines and clients has expired or is about to",
    "high",
    Remedy(
        "restart", "Reissue it and restart the engine: a reload does not read certificates again.", *BY_ROLE
    ),
    requirements=("RT-07",),
    parameters={"warn_days": 30},
)
def certificates_current(certificates: Any, case: Case) -> Deviation | None:
    """The engine starts with an expired certificate without a word, and serves the old one until it
    restarts: only clients notice. Judged by the host's clock."""
    now = case.host("host", "time")
    for certificate in read(certificates):
        if None in (read(certificate, "not_before"), certificate["not_after"]):
            raise Unread(f"the dates of {certificate['subject']} were not understood")
    first = min(certificates, key=lambda certificate: certificate["not_after"])
    youngest = max(certificates, key=lambda certificate: certificate["not_before"])
    if youngest["not_before"] > now:
        return Deviation(
            f"valid in {_days(youngest['not_before'] - now)} days", "valid now", youngest["subject"]
        )
    left = first["not_after"] - now
    if left > case.parameters["warn_days"] * _DAY:
        return None
    state = f"{_days(left)} days left" if left >= 0 else f"expired {_days(-left)} days ago"
    return Deviation(state, f"more than {case.parameters['warn_days']} days", first["subject"])


def _days(seconds: float) -> int:
    return int(seconds // _DAY)
