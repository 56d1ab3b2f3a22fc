# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and private keys in PEM files, and who signed whom.

What a certificate says is read here from its DER. Signatures and the public half of a key are the work of the
`openssl` program; without it both are unknown.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import (
    Unreadable,
    attempt,
    error,
    is_error,
)
from ansible_collections.bulwark.docker.plugins.module_utils.base.limits import run, within_each
from ansible_collections.bulwark.docker.plugins.module_utils.base.reading import text
from ansible_collections.bulwark.docker.plugins.module_utils.pki import pem, signatures, x509

_SECONDS_TO_READ = 5
_SECONDS_FOR_A_KEY = 5
_SECONDS_FOR_KEYS = 30
_LIMIT = 1024 * 1024
# Of all files in one directory, so that nobody's home takes the memory of all.
_DIRECTORY_LIMIT = 2 * _LIMIT
# The authorities of a whole system are some 150.
_MOST_CERTIFICATES = 1000
_LONGEST_KEY = 64 * 1024
_MOST_NEIGHBOURS = 50

Certificate = x509.Certificate


def certificates(paths: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the PEM files hold: ({path: [CERTIFICATE]}, {path: {public_key, encrypted}}) of docs/snapshot.md.

    A path that is missing or cannot be read is in both, as null or error; that of a key alone in the second. A file
    costs itself at most: never raises.
    """
    files: dict[str, Any] = {}
    for some, answer in within_each(_SECONDS_TO_READ, _files, sorted(set(paths))):
        files.update(dict.fromkeys(some, answer) if is_error(answer) else answer)
    found: dict[str, Any] = {}
    keys: dict[str, Any] = {}
    ders: dict[str, list[bytes]] = {}
    end = time.monotonic() + _SECONDS_FOR_KEYS
    for path, held in files.items():
        if held is None or is_error(held):
            found[path] = keys[path] = held
            continue
        if held["encrypted"] is not None:
            keys[path] = attempt(_key, path, held["key"], end)
        ders[path] = [base64.b64decode(each) for each in held["certificates"]]
        if ders[path]:
            found[path] = attempt(_decoded, path, ders[path])
        elif path not in keys:
            found[path] = error(f"{path} holds no PEM certificate")
    readable = {path: held for path, held in found.items() if isinstance(held, list)}
    filled = attempt(signatures.fill, {path: ders[path] for path in readable}, readable)
    if is_error(filled):
        for each in (each for held in readable.values() for each in held):
            each["signed_by"] = filled
    return dict(sorted(found.items())), dict(sorted(keys.items()))


def neighbours(paths: Iterable[str]) -> list[str]:
    """Other files beside these with the names of keys or certificates: where a CA's key is left behind.

    A directory that cannot be read has none: the files in it, which cannot be read either, are errors.
    """
    wanted = sorted(set(paths))
    directories = sorted({str(Path(path).parent) for path in wanted})
    answers = within_each(_SECONDS_TO_READ, _beside, directories)
    found = {path for _unused, answer in answers for path in ([] if is_error(answer) else answer)}
    return sorted(found.difference(wanted))


def decode(ders: Sequence[bytes]) -> list[Certificate]:
    """CERTIFICATE of each in DER, without `signed_by`. Raises Unreadable when one is none."""
    return [x509.certificate(der) for der in ders]


def _decoded(path: str, ders: Sequence[bytes]) -> list[Certificate]:
    try:
        return decode(ders)
    except Unreadable as problem:
        raise Unreadable(f"{path} holds {problem}") from problem


def _files(paths: Sequence[str]) -> dict[str, Any]:
    sizes: Counter[str] = Counter()
    return {path: attempt(_file, path, sizes) for path in paths}


def _file(path: str, sizes: Counter[str]) -> dict[str, Any] | None:
    """{certificates: [Base64], key: the PEM of a private key without passphrase or null, encrypted: null without key}.

    `sizes` has the bytes that were read from each directory.
    """
    content = text(path, _LIMIT)
    if content is None:
        return None
    directory = str(Path(path).parent)
    sizes[directory] += len(content)
    if sizes[directory] > _DIRECTORY_LIMIT:
        raise Unreadable(
            f"{path} is not read: the files in {directory} have more than {_DIRECTORY_LIMIT} bytes"
        )
    blocks = list(pem.blocks(content))
    held = [pem.der(block) for block in blocks if pem.is_certificate(block)]
    if len(held) > _MOST_CERTIFICATES:
        raise Unreadable(f"{path} holds more than {_MOST_CERTIFICATES} certificates")
    key = next((block for block in blocks if pem.is_key(block)), None)
    encrypted = None if key is None else pem.is_encrypted(key)
    return {
        "certificates": [base64.b64encode(each).decode() for each in held],
        "key": pem.text(key) if key is not None and not encrypted else None,
        "encrypted": encrypted,
    }


def _beside(directories: Sequence[str]) -> list[str]:
    return [
        path for directory in directories for path in attempt(_listed, directory) if isinstance(path, str)
    ]


def _listed(directory: str) -> list[str]:
    if not os.access(directory, os.R_OK | os.X_OK):
        return []
    held = (path for path in Path(directory).iterdir() if path.suffix in (".crt", ".key", ".pem"))
    return sorted(map(str, held))[:_MOST_NEIGHBOURS]


def _key(path: str, key: str | None, end: float) -> dict[str, Any]:
    """The digest of the public half; of an encrypted key nothing is known. It is read as it was seen, not by its path
    once more, which may lead elsewhere by now."""
    if key is None:
        return {"public_key": None, "encrypted": True}
    left = min(_SECONDS_FOR_A_KEY, end - time.monotonic())
    if left <= 0 or len(key) > _LONGEST_KEY:
        raise Unreadable(f"{path}: the private key is not read, as it or those before it take too long")
    ended = run(["openssl", "pkey", "-passin", "pass:", "-pubout"], left, key.encode())
    held = next((block for block in pem.blocks(ended.out) if block.label == "PUBLIC KEY"), None)
    if held is None or ended.status:
        raise Unreadable(f"{path}: openssl does not read the private key")
    return {"public_key": hashlib.sha256(pem.der(held)).hexdigest(), "encrypted": False}
