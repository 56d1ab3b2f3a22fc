# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seccomp profiles that the engine keeps as JSON among the security options of a container."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import foreign_json
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt

_ALLOWING = {"SCMP_ACT_ALLOW", "SCMP_ACT_LOG"}


def split(options: Sequence[str] | None) -> tuple[list[str], Any]:
    """(the options with "seccomp=json" for an inlined profile, what that profile says or None)."""
    kept = []
    profile = None
    for option in options or ():
        # Both separators are taken, "=" since engine 1.11.
        name, value = option[: len("seccomp")], option[len("seccomp=") :]
        if name == "seccomp" and value.lstrip().startswith("{"):
            profile = attempt(_profile, value)
            option = "seccomp=json"
        kept.append(option)
    return kept, profile


def _profile(text: str) -> dict[str, Any]:
    """The digest is that of the profile with sorted keys and no white space, however a file spells it."""
    profile = foreign_json.loads(text, "the seccomp profile")
    default = profile["defaultAction"]
    actions = {default, *(rule["action"] for rule in profile.get("syscalls") or ())}
    canonical = json.dumps(profile, sort_keys=True, separators=(",", ":"))
    return {
        "default_action": default,
        "allows_everything": actions <= _ALLOWING,
        "sha256": hashlib.sha256(canonical.encode()).hexdigest(),
    }
