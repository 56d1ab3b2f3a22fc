# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How people on the host reach an engine: contexts of the client, and DOCKER_* variables of their shells."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import foreign_json
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import (
    Unreadable,
    attempt,
    error,
    is_error,
)
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Owner, acting_as
from ansible_collections.bulwark.docker.plugins.module_utils.base.limits import within_each
from ansible_collections.bulwark.docker.plugins.module_utils.base.reading import text
from ansible_collections.bulwark.docker.plugins.module_utils.base.redact import url
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.mounts import (
    NETWORK,
    mount_of,
    mounts,
)

_SECONDS = 5
# Homes belong to people who may fill them with anything.
_LIMIT = 256 * 1024
_MOST_CONTEXTS = 50
_LONGEST_VALUE = 500

_VARIABLES = (
    *("DOCKER_CERT_PATH", "DOCKER_CONTENT_TRUST", "DOCKER_CONTEXT"),
    *("DOCKER_HOST", "DOCKER_TLS", "DOCKER_TLS_VERIFY"),
)
_ASSIGNMENT = re.compile(
    rf"^[ \t]*(?P<export>(?:export|declare -x|typeset -x)[ \t]+)?(?P<name>{'|'.join(_VARIABLES)})="
    r"""(?:"(?P<double>[^"\n]*)"|'(?P<single>[^'\n]*)'|(?P<bare>[^\s;&|#]*))""",
    re.MULTILINE,
)
# The names may be exported in a line of their own, before or after.
_EXPORT = re.compile(r"^[ \t]*(?:export|declare -x|typeset -x)\b(.*)", re.MULTILINE)
_NAME = re.compile(rf"\b(?:{'|'.join(_VARIABLES)})\b")
_OF_THE_SYSTEM = ("etc/environment", "etc/profile", "etc/bash.bashrc", "etc/bashrc")
_OF_A_HOME = (".profile", ".bash_profile", ".bash_login", ".bashrc", ".zshenv", ".zprofile", ".zshrc")

Client = dict[str, Any]


def clients(accounts: Mapping[str, Any], root: Path = Path("/")) -> list[Client]:
    """All of snapshot["clients"] (docs/snapshot.md): the accounts that use a client, then the system's files.

    `accounts` is snapshot["accounts"]. Homes on file servers are not touched: one entry without a user stands
    for all of a mount. Raises Unreadable when the users are not known.
    """
    if is_error(accounts["users"]):
        raise Unreadable(accounts["users"]["error"])
    near, far = _homes(accounts["users"])
    found: list[Client] = []
    for users, seen in within_each(_SECONDS, _all, near, str(root)):
        found += [_entry(user, seen) for user in users] if is_error(seen) else seen
    for mount, count in far.items():
        unread = error(f"the homes of {count} accounts on {mount} were not read: it is a network file system")
        found.append(_entry({"name": None, "uid": None, "home": mount}, unread))
    variables = attempt(environment, [*(root / name for name in _OF_THE_SYSTEM), *_profiles(root)], root)
    if variables:
        everyone = _entry({"name": None, "uid": None, "home": None}, variables)
        found.append({**everyone, "current_context": None, "contexts": []})
    return found


def environment(paths: Iterable[Path], root: Path = Path("/")) -> dict[str, dict[str, str]]:
    """{name: {value, file}} of the exported variables of a client; the last file that sets one counts."""
    found = {}
    for path in paths:
        script = _held(path)
        exported = {name for line in _EXPORT.findall(script) for name in _NAME.findall(line)}
        for match in _ASSIGNMENT.finditer(script):
            name = match["name"]
            if match["export"] or path.name == "environment" or name in exported:
                value = match["double"] or match["single"] or match["bare"] or ""
                found[name] = {"value": url(value)[:_LONGEST_VALUE], "file": f"/{path.relative_to(root)}"}
    return dict(sorted(found.items()))


def _homes(users: Iterable[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], dict[str, int]]:
    """The accounts with a home on this machine, one for each home; how many are on each network mount."""
    table = mounts()
    near: dict[str, Mapping[str, Any]] = {}
    far: dict[str, int] = {}
    for user in sorted(users, key=lambda user: (user["uid"], user["name"])):
        mount = mount_of(user["home"], table)
        if mount and mount["fstype"] in NETWORK:
            far[mount["target"]] = far.get(mount["target"], 0) + 1
        elif user["home"].startswith("/"):
            near.setdefault(user["home"].rstrip("/"), user)
    return list(near.values()), far


def _all(users: Iterable[Mapping[str, Any]], root: str) -> list[Client]:
    found = []
    for user in users:
        with acting_as(Owner(user["uid"], user["gid"])):
            found.append(_client(user, Path(root)))
    return [client for client in found if client]


def _client(user: Mapping[str, Any], root: Path) -> Client | None:
    """None for an account without a client's folder and without variables, or that may not enter its home itself.

    It is read with the account's ids: what its links lead to and it may not read is an error.
    """
    home = root / user["home"].strip("/")
    folder = home / ".docker"
    if os.getuid() != os.geteuid() and not os.access(home, os.X_OK, effective_ids=True):
        return None
    used = attempt(_is_there, folder)
    if is_error(used):
        return _entry(user, used)
    variables = attempt(environment, [home / name for name in _OF_A_HOME], root) if _is_there(home) else {}
    if not used and not variables:
        return None
    return {
        **_entry(user, variables),
        "current_context": attempt(_current_context, folder),
        "contexts": attempt(_contexts, folder, root),
    }


def _entry(user: Mapping[str, Any], read: Any) -> Client:
    """An account of which all three parts are `read`, such as the error that kept them from being read."""
    parts = dict.fromkeys(("current_context", "contexts", "environment"), read)
    return {"user": user["name"], "uid": user["uid"], "home": user["home"], **parts}


def _current_context(folder: Path) -> str | None:
    """Of config.json nothing else is taken: the rest of it is credentials for registries."""
    name = _json(folder / "config.json").get("currentContext")
    return name[:_LONGEST_VALUE] if isinstance(name, str) and name else None


def _contexts(folder: Path, root: Path) -> list[dict[str, Any]]:
    try:
        held = list(islice((folder / "contexts/meta").iterdir(), _MOST_CONTEXTS + 1))
    except FileNotFoundError:
        return []
    if len(held) > _MOST_CONTEXTS:
        raise Unreadable(f"{folder} holds more than {_MOST_CONTEXTS} contexts")
    return sorted((_context(meta, folder, root) for meta in held), key=lambda context: str(context["name"]))


def _context(meta: Path, folder: Path, root: Path) -> dict[str, Any]:
    described = _json(meta / "meta.json")
    endpoint = _mapping(_mapping(described.get("Endpoints")).get("docker"))
    tls = folder / "contexts/tls" / meta.name / "docker"
    return {
        "name": str(described.get("Name") or "")[:_LONGEST_VALUE],
        "host": url(str(endpoint.get("Host") or ""))[:_LONGEST_VALUE],
        "skip_tls_verify": endpoint.get("SkipTLSVerify") is True,
        "authority": _present(tls / "ca.pem", root),
        "certificate": _present(tls / "cert.pem", root),
    }


def _json(path: Path) -> Mapping[str, Any]:
    return _mapping(foreign_json.loads(_held(path) or "{}", str(path)))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _held(path: Path) -> str:
    """The text of a file, nothing when it is missing or empty.

    An empty one is not opened: files of /proc look empty, a home may link to one, and reading some hangs.
    """
    return (text(path, _LIMIT) or "") if _is_there(path) and path.stat().st_size else ""


def _present(path: Path, root: Path) -> str | None:
    return f"/{path.relative_to(root)}" if _is_there(path) else None


def _is_there(path: Path) -> bool:
    """Path.exists since Python 3.14 says False of what may not be looked at; this raises then."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _profiles(root: Path) -> list[Path]:
    return sorted((root / "etc/profile.d").glob("*.sh"))
