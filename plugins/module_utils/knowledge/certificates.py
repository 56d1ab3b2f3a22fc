# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients and daemons written in Go take of a certificate: its names, its purpose, its key and its signature.

Pure: a certificate is a CERTIFICATE of docs/snapshot.md. The audit and the module daemon_tls ask here alike.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

Certificate = Mapping[str, Any]

# The purposes that an extended key usage gives.
SERVER, ANY, OTHER = "server", "any", "other"
# The fewest bits by kind of key. dockerd 26.1 does not start with Ed448 and RSA-PSS, and with P-224 no handshake ends
# well.
_LEAST_BITS = {"EC": 256, "Ed25519": 256, "RSA": 2048}
_BROKEN_DIGESTS = ("md2", "md4", "md5", "sha1")


def covers(san: Sequence[str], name: str) -> bool:
    """Whether one of the subject alternative names (`DNS:a.example`, `IP:192.0.2.1`) stands for name or address.

    As clients in Go compare: addresses with IP entries only, `*` for exactly the leftmost label.
    """
    entries = [tuple(each.partition(":")[::2]) for each in san]
    address = address_of(name)
    if address:
        return any(kind == "IP" and address_of(value) == address for kind, value in entries)
    wanted = name.rstrip(".").lower()
    forms = {wanted, "*." + wanted.partition(".")[2]} if "." in wanted else {wanted}
    return any(kind == "DNS" and value.rstrip(".").lower() in forms for kind, value in entries)


def address_of(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that the text is, without brackets and the zone of a link; None for a name."""
    try:
        return ipaddress.ip_address(name.strip("[]").partition("%")[0])
    except ValueError:
        return None


def purpose(usages: Sequence[str] | None) -> str:
    """SERVER, ANY (of clients too, so that the server's key is a key to the API) or OTHER, which clients refuse."""
    if usages is None or "anyExtendedKeyUsage" in usages:
        return ANY
    return SERVER if "serverAuth" in usages else OTHER


def weakness(certificate: Certificate) -> str | None:
    """What is too weak about its key or its signature, to follow its name; None when nothing is."""
    kind, bits = certificate["key_type"], certificate["key_bits"]
    if kind not in _LEAST_BITS:
        return f"has a key of the kind {kind}, which dockerd and its clients do not take"
    if bits is not None and bits < _LEAST_BITS[kind]:
        return f"has a {kind} key of {bits} bits, too weak for dockerd or its clients"
    algorithm = certificate["signature_algorithm"]
    # Nobody checks what a root has signed itself with.
    if not certificate["self_signed"] and _is_broken(algorithm):
        return f"is signed with {algorithm}, which can be forged and which clients refuse"
    return None


def _is_broken(algorithm: str) -> bool:
    """`sha1WithRSAEncryption`, `ecdsa-with-SHA1`, `RSA-SHA1`."""
    return any(digest in algorithm.lower() for digest in _BROKEN_DIGESTS)
