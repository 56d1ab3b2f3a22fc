# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The subordinate ids of the host's accounts, as several controls need them."""

from __future__ import annotations

from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Case
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.subids import Range, ranges


def subordinate_ranges(case: Case, kind: str) -> list[Range] | None:
    """The entries of /etc/subuid ("uid") or /etc/subgid ("gid") with accounts by name, None without the file.

    Unread when a line is malformed.
    """
    if case.host("accounts", "subids", kind) is None:
        return None
    names = {str(user["uid"]): str(user["name"]) for user in case.host("accounts", "users")}
    found = ranges(case.host("accounts"), kind)
    return [Range(names.get(held.owner, held.owner), held.start, held.count) for held in found]
