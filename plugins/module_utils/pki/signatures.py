# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of CAs verify which certificates, by the `openssl` program."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, error
from ansible_collections.bulwark.docker.plugins.module_utils.base.limits import run
from ansible_collections.bulwark.docker.plugins.module_utils.pki import pem, x509

_SECONDS = 15
_SECONDS_IN_ALL = 30
_SECONDS_ALONE = 1
# Of one file; longer ones are the authorities of a whole system, and nobody asks who signed those.
_MOST_VERIFIED = 20
# Each is an open file of the program.
_AT_ONCE = 200
# The longest way from a certificate to its CA, and what may lie on it.
_MOST_SIGNERS = 50

Certificate = dict[str, Any]


class _Leaf(NamedTuple):
    """A certificate whose signers are looked for; `names` are theirs, `chain` is what may lie between."""

    der: bytes
    held: Certificate
    names: frozenset[Any]
    chain: tuple[bytes, ...]


def fill(files: Mapping[str, Sequence[bytes]], found: Mapping[str, Sequence[Certificate]]) -> None:
    """Set `signed_by` of each CERTIFICATE in `found`, whose DER is in `files`, to the paths of what verifies it.

    Only files that by the names in them may have signed it are tried. Dates are left out: an expired one has been
    signed as well. Where openssl does not tell in time, `signed_by` is the mark.
    """
    known = {path: [x509.names(der) for der in ders] for path, ders in files.items()}
    between: dict[Any, list[tuple[bytes, Any]]] = {}
    for path, ders in files.items():
        for der, names in zip(ders, known[path]) if len(ders) > 1 else ():
            between.setdefault(names.subject, []).append((der, names.issuer))
    leaves = [
        _Leaf(der, held, *_signers(names.issuer, between))
        for path, ders in files.items()
        for der, held, names in zip(ders[:_MOST_VERIFIED], found[path], known[path])
    ]
    end = time.monotonic() + _SECONDS_IN_ALL
    for path in sorted(files):
        if not any(held["ca"] or held["self_signed"] for held in found[path]):
            continue
        subjects, own = {names.subject for names in known[path]}, set(files[path])
        wanted = [leaf for leaf in leaves if leaf.der in own or subjects & leaf.names]
        for start in range(0, len(wanted), _AT_ONCE):
            _verify(path, files[path], wanted[start : start + _AT_ONCE], end)


def _signers(issuer: Any, between: Mapping[Any, Sequence[tuple[bytes, Any]]]) -> tuple[frozenset[Any], Any]:
    """(names of the issuer and of those above it, the certificates in between)."""
    names, waiting = {issuer}, [issuer]
    chain: list[bytes] = []
    while waiting and len(chain) < _MOST_SIGNERS:
        for der, above in between.get(waiting.pop(), ())[: _MOST_SIGNERS - len(chain)]:
            chain.append(der)
            if above not in names:
                names.add(above)
                waiting.append(above)
    return frozenset(names), tuple(chain)


def _verify(path: str, authorities: Sequence[bytes], leaves: Sequence[_Leaf], end: float) -> None:
    """All at once; one by one where that fails, so that a certificate that takes long costs itself alone."""
    try:
        verified = _verified(authorities, leaves, min(_SECONDS, end - time.monotonic()))
    except Unreadable:
        verified = []
        for leaf in leaves:
            try:
                seconds = min(_SECONDS_ALONE, end - time.monotonic())
                verified += _verified(authorities, [leaf], seconds)
            except Unreadable as problem:
                leaf.held["signed_by"] = error(f"whether {path} verifies it is not known: {problem}")
    for leaf in verified:
        if isinstance(leaf.held["signed_by"], list):
            leaf.held["signed_by"].append(path)


def _verified(authorities: Sequence[bytes], leaves: Sequence[_Leaf], seconds: float) -> list[_Leaf]:
    """Those that hold. The certificates reach openssl as files in memory, without the keys beside them."""
    if seconds <= 0:
        raise Unreadable("those before it took all the time there is")
    chain = list(dict.fromkeys(der for leaf in leaves for der in leaf.chain))
    with contextlib.ExitStack() as stack:
        laid = {stack.enter_context(_in_memory([leaf.der])): leaf for leaf in leaves}
        options = [
            "-no_check_time",
            "-partial_chain",
            "-CAfile",
            stack.enter_context(_in_memory(authorities)),
        ]
        if chain:
            options += ["-untrusted", stack.enter_context(_in_memory(chain))]
        handles = [int(name.rpartition("/")[2]) for name in (*laid, options[3], *options[5:])]
        ended = run(["openssl", "verify", *options, *laid], seconds, pass_fds=handles)
    told = (line[: -len(": OK")] for line in ended.out.splitlines() if line.endswith(": OK"))
    return [laid[name] for name in told if name in laid]


@contextlib.contextmanager
def _in_memory(ders: Sequence[bytes]) -> Iterator[str]:
    """The path by which a program that gets the open file reads the certificates as PEM."""
    with os.fdopen(os.memfd_create("certificates"), "wb") as stream:
        for der in ders:
            stream.write(pem.armored("CERTIFICATE", der).encode())
        stream.flush()
        yield f"/dev/fd/{stream.fileno()}"
