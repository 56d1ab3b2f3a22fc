# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PEM files of engines and clients: those of an account are read, and handed to openssl, with its ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline, identity
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Owner, Place
from ansible_collections.bulwark.docker.plugins.module_utils.pki import certificates

# For all files of one account.
_SECONDS = 20
# Of the audit's time, for those of all accounts together.
_SHARE = 0.1


def read(places: Iterable[Place]) -> dict[str, Any]:
    """{certificates: {path: ...}, keys: {path: ...}} of docs/snapshot.md, of these files and of others beside them.

    Who signed a certificate is looked for among the files of the same owner.
    """
    by_owner: dict[Owner, list[str]] = {}
    for place in sorted(places):
        by_owner.setdefault(place.owner, []).append(place.path)
    found: dict[str, dict[str, Any]] = {"certificates": {}, "keys": {}}
    # Root's answers come first, and an account's never replace what is known.
    answers = [(paths, attempt(_read, paths)) for owner, paths in by_owner.items() if owner.is_root]
    with deadline.share(_SHARE, "the PEM files of accounts"):
        answers += [
            (paths, attempt(identity.within, owner, _SECONDS, _read, paths))
            for owner, paths in by_owner.items()
            if not owner.is_root
        ]
    for paths, answer in answers:
        parts = dict.fromkeys(found, dict.fromkeys(paths, answer)) if is_error(answer) else answer
        for name, known in found.items():
            for path, held in parts[name].items():
                if path not in known or (is_error(known[path]) and not is_error(held)):
                    known[path] = held
    return {name: dict(sorted(known.items())) for name, known in found.items()}


def _read(paths: list[str]) -> dict[str, Any]:
    beside = attempt(certificates.neighbours, paths)
    wanted = paths if is_error(beside) else [*paths, *beside]
    held, keys = certificates.certificates(wanted)
    return {"certificates": held, "keys": keys}
