# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CA, certificate and key for the engine's TLS, judged before an engine gets them.

dockerd starts with a certificate that every client refuses, and does not start with one that does not match its
key: both are found here, while the old state still runs. The rules are knowledge/certificates.py's.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.ca_stores import PUBLIC_STORES
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.certificates import (
    ANY,
    OTHER,
    Certificate,
    covers,
    purpose,
    weakness,
)
from ansible_collections.bulwark.docker.plugins.module_utils.pki import certificates

# As the audit has them. Whoever signs for the public, or fills the store of this system, would be root here.
MOST_CAS = 10
_DAY = 86400
_ISSUE = "issue it first, or correct the path"


class Material(NamedTuple):
    """Paths on the host."""

    ca: str
    certificate: str
    key: str


class Seen(NamedTuple):
    """What the files hold, as `certificates` decodes it: None where a file is missing, an error mark where it is
    not understood, and nothing ([] or {}) where it holds other things.

    `ca_path` is the CA file without links, `ca_keys` are files on this host with the private key of one of its CAs.
    """

    material: Material
    ca: Any
    certificate: Any
    key: Any
    ca_path: str
    ca_keys: list[str]


def read(material: Material) -> Seen:
    """What the three files hold, and whether the CA's own key lies beside them. Raises Unreadable."""
    paths = {path for path in material if path}
    beside = certificates.neighbours(paths)
    found, keys = certificates.certificates([*paths, *beside])
    ca = found.get(material.ca, [])
    public_keys = {each["public_key"] for each in _listed(ca) if each["ca"]}
    return Seen(
        material,
        ca,
        found.get(material.certificate, []),
        keys.get(material.key, {}),
        os.path.realpath(material.ca),
        [path for path, key in keys.items() if key and key.get("public_key") in public_keys],
    )


def problems(seen: Seen, names: Collection[str], now: float) -> list[str]:
    """Why an engine must not get these files, a sentence each; [] when it may.

    `names` are the addresses and names by which clients reach it, `now` is in seconds since 1970.
    """
    return [
        *_files(seen),
        *_authority(seen, now),
        *_key(seen),
        *_certificate(seen, names, now),
        *_signature(seen, now),
    ]


def notices(seen: Seen, now: float, days: int = 30) -> list[str]:
    """What is not as it should be and keeps nobody from using the files: an end within `days`, the CA's key here."""
    return [*_ends(seen, now, days), *_purpose(seen), *_keys_of_the_ca(seen)]


def _files(seen: Seen) -> Iterator[str]:
    kinds = (
        (seen.material.ca, seen.ca, "CA certificate"),
        (seen.material.certificate, seen.certificate, "certificate"),
        (seen.material.key, seen.key, "private key"),
    )
    for path, held, kind in kinds:
        if held is None:
            yield f"{path} is not there, and dockerd does not start without its {kind}: {_ISSUE}"
        elif is_error(held):
            yield f"the {kind} in {path} is not understood, and dockerd would not start: {held['error']}; {_ISSUE}"
        elif not held:
            yield f"{path} holds no {kind} in PEM, and dockerd would not start: {_ISSUE}"


def _authority(seen: Seen, now: float) -> Iterator[str]:
    path, held = seen.material.ca, _listed(seen.ca)
    cure = "name the file of a private CA that signs for this purpose only"
    if len(held) > MOST_CAS:
        yield (
            f"{path} holds {len(held)} CAs, and a client of any of them would be root on this host: {cure} (it "
            "holds one, two while the CA is renewed)"
        )
        return
    if any(each.startswith(PUBLIC_STORES) for each in (os.path.normpath(path), seen.ca_path)):
        link = "" if seen.ca_path == os.path.normpath(path) else f" is {seen.ca_path}, which"
        yield (
            f"{path}{link} lies among the CAs that this system trusts for other purposes, and a client of any CA "
            f"in it would be root on this host: {cure}, outside of {', '.join(PUBLIC_STORES)}"
        )
    for each in held:
        if not each["ca"]:
            yield (
                f"{each['subject']} in {path} is no CA (CA:TRUE), and clients that trust it refuse the engine: "
                "lay the certificate of the CA there"
            )
        yield from _weak(path, each)
    if held and all(_outdated(each, now) for each in held):
        yield (
            f"no CA in {path} is valid now ({_outdated(held[0], now)}), and every client refuses the engine: renew "
            "the CA, or correct the clock of this host"
        )


def _key(seen: Seen) -> Iterator[str]:
    path, key = seen.material.key, seen.key
    if not key or is_error(key):
        return
    if key["encrypted"]:
        yield (
            f"the private key in {path} is encrypted, and dockerd does not start, for it cannot ask for the "
            "passphrase: store it without one, readable by root alone"
        )
        return
    leaf = _leaf(seen)
    if leaf and leaf["public_key"] != key["public_key"]:
        yield (
            f"{path} is not the key of the certificate in {seen.material.certificate}, and dockerd does not start "
            "(private key does not match public key): issue a certificate for this key, or lay its own key there"
        )


def _certificate(seen: Seen, names: Collection[str], now: float) -> Iterator[str]:
    path, leaf = seen.material.certificate, _leaf(seen)
    if not leaf:
        return
    outdated = _outdated(leaf, now)
    if outdated:
        yield (
            f"the certificate in {path} {outdated}: dockerd starts with it, and every client refuses the engine; "
            "issue it anew, or correct the clock of this host"
        )
    missing = sorted(name for name in names if not covers(leaf["san"], name))
    if not leaf["san"]:
        yield (
            f"the certificate in {path} has no subject alternative name (CN only, {leaf['subject']}), and clients "
            f"refuse it: issue it with {', '.join(sorted(names)) or 'every name that clients use'}"
        )
    elif missing:
        yield (
            f"the certificate in {path} is for {', '.join(leaf['san'])}, and clients that use {', '.join(missing)} "
            "refuse the engine: issue it with these subject alternative names too"
        )
    if purpose(leaf["eku"]) == OTHER:
        yield (
            f"the certificate in {path} is made for {', '.join(leaf['eku'])} and not for servers, and clients "
            "refuse the engine: issue it with the extended key usage serverAuth"
        )
    yield from _weak(path, leaf)


def _signature(seen: Seen, now: float) -> Iterator[str]:
    path, leaf, held = seen.material.certificate, _leaf(seen), _listed(seen.ca)
    if not leaf or not held:
        return
    if is_error(leaf["signed_by"]):
        yield f"{leaf['signed_by']['error']}: install openssl, or run it again"
        return
    if seen.material.ca not in leaf["signed_by"]:
        yield (
            f"the certificate in {path} is signed by {leaf['issuer']} and not by a CA in {seen.material.ca}, and "
            "clients refuse the engine: issue it by that CA, or lay there the CA that signed it"
        )
        return
    signers = [each for each in held if each["subject"] == leaf["issuer"]]
    ended = [each for each in signers if _outdated(each, now)]
    # None valid at all has been said of the file.
    if ended and len(ended) == len(signers) < len(held):
        yield (
            f"the CA that signed the certificate in {path}, {leaf['issuer']}, {_outdated(ended[0], now)}, and clients "
            f"refuse the engine: issue it by a CA in {seen.material.ca} that is valid"
        )


def _weak(path: str, certificate: Certificate) -> Iterator[str]:
    found = weakness(certificate)
    if found:
        yield (
            f"the certificate of {certificate['subject']} in {path} {found}: issue it anew with an EC key (P-256) or "
            "an RSA key of 3072 bits, signed with SHA-256"
        )


def _outdated(certificate: Certificate, now: float) -> str:
    """Why it is not valid now, the rest of a sentence; "" when it is."""
    first, last = certificate["not_before"], certificate["not_after"]
    if first is None or last is None:
        return "has dates that cannot be read"
    if first > now:
        return f"is not valid yet (for {_days(first - now)} days)"
    if last < now:
        return f"has expired ({_days(now - last)} days ago)"
    return ""


def _ends(seen: Seen, now: float, days: int) -> Iterator[str]:
    dated = [(seen.material.certificate, each) for each in _listed(seen.certificate)[:1]]
    dated += [(seen.material.ca, each) for each in _listed(seen.ca)[:MOST_CAS]]
    for path, each in dated:
        outdated = _outdated(each, now)
        if outdated and path == seen.material.ca:
            yield f"the CA {each['subject']} in {path} {outdated}: take it out of the file"
        elif not outdated and each["not_after"] - now <= days * _DAY:
            left = _days(each["not_after"] - now)
            yield f"the certificate of {each['subject']} in {path} ends in {left} days: renew it"


def _purpose(seen: Seen) -> Iterator[str]:
    leaf = _leaf(seen)
    if leaf and purpose(leaf["eku"]) == ANY:
        usage = "no extended key usage" if leaf["eku"] is None else "anyExtendedKeyUsage"
        yield (
            f"the certificate in {seen.material.certificate} has {usage}, so that it serves as a client's too, and "
            "the engine's key is a key to its API: issue it with serverAuth"
        )


def _keys_of_the_ca(seen: Seen) -> Iterator[str]:
    for path in seen.ca_keys:
        yield (
            f"{path} holds the private key of the CA in {seen.material.ca}, and who reads it signs clients for every "
            "engine of this CA: move it to a machine that is no Docker host; if in doubt make a new CA"
        )


def _leaf(seen: Seen) -> Certificate | None:
    """The certificate that dockerd serves: the first of the file."""
    held = _listed(seen.certificate)
    return held[0] if held else None


def _listed(held: Any) -> Sequence[Certificate]:
    return held if isinstance(held, list) else ()


def _days(seconds: float) -> int:
    return int(seconds // _DAY)
