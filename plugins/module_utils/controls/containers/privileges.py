# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the user that a container runs as and of the ways to more privileges."""

from __future__ import annotations

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Deviation,
    NotApplicable,
    Remedy,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.containers import (
    Container,
    Outcome,
    configured_user,
    control,
    listed,
    no_new_privileges,
    option,
    shifted,
    users,
)


@control(
    "container.privileged",
    "No container runs privileged",
    "critical",
    Remedy("recreate", "Run it without --privileged; add the single device or capability that it needs."),
    requirements=("D01-02", "RT-19"),
    cis=("5.5",),
    level=1,
)
def privileged(container: Container, case: Case) -> Outcome:
    """All capabilities, all devices, no seccomp: its root is the host's. A stopped one can start again."""
    if not option(container, "Privileged"):
        return None
    policy = (option(container, "RestartPolicy") or {}).get("Name") or "no"
    return Deviation(True, False, f"{container['state']}, restart policy {policy}")


@control(
    "container.root_user",
    "No process of a container is root on the host",
    "high",
    Remedy("recreate", "Set USER in the image or run it with --user UID:GID; or remap users in the engine."),
    requirements=("D01-01", "D01-21", "D01-22", "D01-23", "CAP-18"),
    cis=("4.1",),
    level=1,
)
def root_user(container: Container, case: Case) -> Outcome:
    """Who escapes from root of a container is root of the host. The uid that the host sees counts.

    An entrypoint that drops root passes once nothing runs as root. A container that does not run is judged by
    the user it is given, where a name other than root counts as not root.
    """
    running = users(container)
    if running is not None:
        roots = sorted({name for name, uid, _unused in running if uid == 0})
        return Deviation(f"root: {listed(roots)}", None, None) if roots else None
    if configured_user(container)[0] == "0" and not shifted(container, case):
        return Deviation("root", None, "Config.User")
    return None


@control(
    "container.root_group",
    "No process of an unprivileged container belongs to the group root",
    "medium",
    Remedy("recreate", "Run it with --user UID:GID, both above 0."),
    requirements=("D01-08",),
)
def root_group(container: Container, case: Case) -> Outcome:
    """A bare UID that the image does not know runs with group 0, and reads what that group may read.

    Containers of root are the subject of container.root_user.
    """
    running = users(container)
    if running is None:
        user, group = configured_user(container)
        if user == "0" or shifted(container, case):
            raise NotApplicable("root, or not the host's root group")
        if not group:
            raise Unread(f"the group of user {user} is known when it runs")
        return Deviation("group 0", None, "Config.User") if group == "0" else None
    others = [(name, gid) for name, uid, gid in running if uid != 0]
    if not others:
        raise NotApplicable("runs as root")
    grouped = {name for name, gid in others if gid == 0}
    if container["process"]["uid"] != 0 and 0 in container["process"]["groups"]:
        grouped.add("first process")
    return Deviation(f"group 0: {listed(sorted(grouped))}", None, None) if grouped else None


# container.root_user says what matters; a named user is common and mostly sound.
@control(
    "container.numeric_user",
    "Every container is given a numeric user that is not root",
    "medium",
    Remedy("recreate", "Run it with --user UID:GID, or write numbers in USER."),
    requirements=("RT-23",),
    baseline=False,
)
def numeric_user(container: Container, case: Case) -> Outcome:
    """A name is looked up in the image's passwd file, where it may turn out to be anyone."""
    user, _unused = configured_user(container)
    if _number(user):
        return None
    return Deviation(listed([read(container, "config", "user") or "none"]), None, "Config.User")


def _number(user: str) -> int | None:
    """The user ID; an image may hold any text."""
    return int(user) if user.isascii() and user.isdigit() and len(user) < len(str(2**32)) + 1 else None


# Official images run as system users (70, 101, 999): an ordinary host without remapping has such containers.
@control(
    "container.host_account",
    "No container runs as an account or a system user of the host",
    "medium",
    Remedy("recreate", "Run it with a user ID that no account has, above 999; or remap users in the engine."),
    requirements=("D01-17",),
    baseline=False,
)
def host_account(container: Container, case: Case) -> Outcome:
    """Who escapes has the files and processes of the account with the same number."""
    running = users(container)
    if running is not None:
        uids = {user[1] for user in running}
    else:
        number = _number(configured_user(container)[0])
        uids = set() if number is None or shifted(container, case) else {number}
    uids -= {0, case.engine["uid"] if case.rootless else 0}
    if not uids:
        raise NotApplicable("runs as root, or as nobody the host knows")
    accounts = {one["uid"]: one["name"] for one in case.host("accounts", "users") if one["uid"] in uids}
    system = case.host("accounts", "login_defs").get("SYS_UID_MAX", 999)
    accounts = {**{uid: "system" for uid in uids if uid <= system}, **accounts}
    taken = [f"{uid} ({name})" for uid, name in sorted(accounts.items())]
    return Deviation(listed(taken), None, None) if taken else None


@control(
    "container.no_new_privileges",
    "No container can gain privileges by setuid files",
    "high",
    Remedy("recreate", "Run it with --security-opt no-new-privileges, or make that the engine's default."),
    requirements=("D04-30",),
    cis=("5.26",),
    level=1,
)
def new_privileges(container: Container, case: Case) -> Outcome:
    """One forgotten setuid file makes any user of the container its root. NoNewPrivs of the process counts.

    A change of the engine's default reaches only containers that are created afterwards.
    """
    return None if no_new_privileges(container, case) else Deviation(False, None, None)


@control(
    "container.exec_privileged",
    "No privileged exec session runs in a container",
    "high",
    Remedy("live", "End the session; grant what it needs to a container of its own."),
)
def exec_privileged(container: Container, case: Case) -> Outcome:
    """docker exec --privileged gives one process all capabilities, whatever the container was confined to."""
    execs = read(container, "execs") or ()
    sessions = [one["user"] or "root" for one in execs if one["privileged"] and one["running"]]
    return Deviation(f"as {listed(sessions)}", None, "ExecIDs") if sessions else None
