# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controls of containers share: the selector of all of them and readers of their effective state."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Optional

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Control,
    Deviation,
    Item,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.go import is_on
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    effective,
    security_options,
)

Container = Mapping[str, Any]
Outcome = Optional[Deviation]

_MOST_LISTED, _LONGEST = 14, 60


def containers(case: Case) -> list[Item]:
    """Every container of the engine, also stopped and created ones. Ids are short, as docker shows them."""
    found = []
    for container in case.of_engine("containers"):
        short = container["id"][:12]
        found.append(Item("container", short, container["name"] or short, container))
    return found


control: Callable[..., Callable[[Callable[[Container, Case], Outcome]], Control]] = scope(
    "containers", per_engine=True, over=containers
)


def option(container: Container, name: str) -> Any:
    """A value of HostConfig."""
    return read(container, "host_config", name)


def security_option(container: Container, name: str) -> str | None:
    """The last value given for `name` in SecurityOpt, "" for the bare name, None without any.

    Docker takes `name=value` and `name:value`, and keeps the spelling (seen on 20.10 and 26.1).
    """
    given = None
    for entry in option(container, "SecurityOpt") or ():
        word, *value = re.split("[=:]", entry, maxsplit=1)
        if word == name:
            given = value[0] if value else ""
    return given


def remapped(case: Case) -> bool:
    """Whether the engine maps root of its containers to another user."""
    return case.rootless or "userns" in security_options(case.engine)


def shifted(container: Container, case: Case) -> bool:
    """Whether root of the container is another user of the host: by uid_map while it runs."""
    process = read(container, "process")
    if process is not None:
        return all(outside != 0 for _unused, outside, _unused in read(process, "uid_map"))
    return remapped(case) and (case.rootless or option(container, "UsernsMode") != "host")


def no_new_privileges(container: Container, case: Case) -> bool:
    """Whether the container's processes can gain no privileges by setuid files.

    The daemon's default is copied into a container when it is created, and inspect does not show it: for one
    that does not run it counts only when the daemon has had it since before.
    """
    process = read(container, "process")
    if process is not None:
        return bool(process["no_new_privs"])
    given = security_option(container, "no-new-privileges")
    if given is not None:
        return is_on(given)
    if not effective(case.engine, "no-new-privileges").value:
        return False
    created, started = container["created"], case.of_engine("started")
    if created is None or started is None or created < started:
        raise Unread("created before the engine started: what its default was then is not kept")
    return True


def users(container: Container) -> list[tuple[str, int, int]] | None:
    """(program, uid, gid) of the container's processes as the host sees them; None when it does not run."""
    if read(container, "process") is None:
        return None
    return [(process["name"], process["uid"], process["gid"]) for process in read(container, "processes")]


def configured_user(container: Container) -> tuple[str, str]:
    """(user, group) as the container was told, "" for what was not given; root is "0"."""
    user, _unused, group = (read(container, "config", "user") or "").partition(":")
    return ("0" if user in ("", "root") else user, "0" if group == "root" else group)


def unchecked(one: Mapping[str, Any]) -> Outcome:
    """What is wrong with the health check of a container or an image."""
    check = read(one, "config", "healthcheck")
    return None if check == "set" else Deviation("NONE" if check == "none" else "not set", None, None)


def mode_of(container: Container, key: str, case: Case) -> str:
    """A namespace mode of HostConfig; `container:<id>` is followed to the container that owns it."""
    seen = set()
    while True:
        mode = option(container, key) or ""
        kind, _unused, owner = mode.partition(":")
        if kind != "container" or owner in seen:
            return mode
        seen.add(owner)
        owners = [other for other in case.of_engine("containers") if owner in (other["id"], other["name"])]
        if not owners:
            return mode
        container = owners[0]


def allowed(name: str, patterns: Iterable[str]) -> bool:
    """Whether the name matches one of the shell patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def listed(values: Iterable[Any]) -> str:
    """The values in one short line: what comes from containers may be long and many."""
    texts = [text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..." for text in map(str, values)]
    more = f" and {len(texts) - _MOST_LISTED} more" if len(texts) > _MOST_LISTED else ""
    return ", ".join(texts[:_MOST_LISTED]) + more


_SECRET = re.compile(
    r"PASSW(?:OR)?D|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|(?:^|[_.-])(?:PASS|PWD)$"
    r"|(?:ACCESS|ACCOUNT|API|AUTH|ENCRYPTION|MASTER|PRIVATE|SHARED|SIGNING)[_.-]?KEY",
    re.IGNORECASE,
)

# Names of files, limits and switches, which hold no secret themselves.
_NO_SECRET = re.compile(
    r"(?:_FILE|_PATH|_DIR|_URL|_TTL|_EXPIRY|_EXPIRES|_EXPIRATION|_LIFETIME|_LENGTH|_NAME|_ENABLED|_POLICY)$"
    r"|ALLOW_EMPTY_PASSWORD|RANDOM_ROOT_PASSWORD|^(?:OLD)?PWD$",
    re.IGNORECASE,
)


def secret_names(names: Iterable[str], allow: Iterable[str]) -> list[str]:
    """Those of the names of variables or labels that speak of a secret."""
    patterns = list(allow)
    return sorted(
        {
            name
            for name in names
            if _SECRET.search(name) and not _NO_SECRET.search(name) and not allowed(name, patterns)
        }
    )
