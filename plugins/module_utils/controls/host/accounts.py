# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of accounts: who may use the engine of the system, and so is root."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Deviation,
    Item,
    NotApplicable,
    Remedy,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    configured_value,
)


def _members(case: Case) -> Iterable[Item]:
    """The accounts of the groups that may use an engine's socket, by their ids: two groups may share one."""
    gids = _socket_groups(case)
    groups = case.host("accounts", "groups")
    gids |= {group["gid"] for group in groups if group["name"] == "docker"}
    if not gids:
        raise NotApplicable("no group may use an engine of the system")
    found: dict[str, list[str]] = {}
    for group in groups:
        if group["gid"] in gids:
            for name in group["members"]:
                found.setdefault(name, []).append(group["name"])
    return [Item("account", name, name, (name, names)) for name, names in sorted(found.items())]


def _socket_groups(case: Case) -> set[int]:
    """The groups that own sockets of the system's engines and may write to them."""
    gids = set()
    for engine in case.host("engines"):
        fact = case.host("files").get(engine["socket"]) if engine["user"] is None else None
        if fact and "error" in fact:
            raise Unread(fact["error"])
        if fact and int(fact["mode"], 8) & 0o020:
            gids.add(fact["gid"])
        elif engine["user"] is None:
            name = configured_value(engine, "group")
            gids |= {group["gid"] for group in case.host("accounts", "groups") if group["name"] == name}
    # Root's own group gives nobody anything that root has not.
    return gids - {0}


@scope("accounts", per_engine=False, over=_members)(
    "account.engine_group",
    "Only trusted accounts may use the engine of the system",
    "high",
    Remedy(
        "live",
        "gpasswd -d ACCOUNT GROUP (usermod -g for a primary group); sessions keep it until they end. Give"
        " users rootless engines instead, or name who is meant to be root in `trusted`.",
    ),
    cis=("1.1.2",),
    level=1,
    parameters={"trusted": []},
)
def engine_group(member: tuple[str, list[str]], case: Case) -> Deviation | None:
    """Who may use the socket starts a container with the host's disk in it, and is root without a password.

    Accounts that have the group as their primary one are not listed in /etc/group, and count.
    """
    name, groups = member
    if name == "root" or any(fnmatchcase(name, pattern) for pattern in case.parameters["trusted"]):
        return None
    return Deviation(f"member of {', '.join(groups)}", "not a member, or trusted", "NSS, primary groups too")
