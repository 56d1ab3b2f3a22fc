# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, groups, subordinate ids and lingering users."""

from __future__ import annotations

import grp
import pwd
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt
from ansible_collections.bulwark.docker.plugins.module_utils.base.limits import run, within
from ansible_collections.bulwark.docker.plugins.module_utils.base.reading import text

_SECONDS = 20
# Asked for by name as well: a directory service may answer for a name and still list nobody.
_ASKED = ("docker", "dockremap")
_LOGIN_DEFS = re.compile(r"^[ \t]*((?:SYS_|SUB_)?[UG]ID_(?:MIN|MAX|COUNT))[ \t]+(\w+)", re.MULTILINE)
_GETSUBIDS = re.compile(r"^\d+: (.+) (\d+) (\d+)$", re.MULTILINE)

Range = dict[str, Any]


def accounts(subid_owners: Iterable[str] = (), root: Path = Path("/")) -> dict[str, Any]:
    """All of snapshot["accounts"] (docs/snapshot.md).

    Where subordinate ids come from another source than files, they are asked for `subid_owners`, dockremap
    and the lingering users: no source lists them all.
    """
    known = attempt(within, _SECONDS, _names)
    lingering = attempt(linger, root)
    owners = {*_ASKED, *subid_owners, *(lingering if isinstance(lingering, list) else ())}
    return {
        "users": known.get("users", known),
        "groups": known.get("groups", known),
        "login_defs": attempt(login_defs, root),
        "subids": attempt(subids, sorted(owners - {"docker"}), root),
        "linger": lingering,
    }


def _names() -> dict[str, list[dict[str, Any]]]:
    """What NSS tells: the users, and the groups with their members by primary group too."""
    users = {user.pw_name: user for user in reversed([*pwd.getpwall(), *_asked(pwd.getpwnam)])}
    groups = {group.gr_name: group for group in reversed([*grp.getgrall(), *_asked(grp.getgrnam)])}
    primary: dict[int, set[str]] = {}
    for user in users.values():
        primary.setdefault(user.pw_gid, set()).add(user.pw_name)
    return {
        "users": [
            {
                "name": name,
                "uid": user.pw_uid,
                "gid": user.pw_gid,
                "home": user.pw_dir,
                "shell": user.pw_shell,
            }
            for name, user in sorted(users.items())
        ],
        "groups": [
            {
                "name": name,
                "gid": group.gr_gid,
                "members": sorted({*group.gr_mem, *primary.get(group.gr_gid, ())}),
            }
            for name, group in sorted(groups.items())
        ],
    }


def _asked(by_name: Callable[[str], Any]) -> list[Any]:
    found = []
    for name in _ASKED:
        try:
            found.append(by_name(name))
        except KeyError:
            continue
    return found


def login_defs(root: Path = Path("/")) -> dict[str, int] | None:
    """The limits of ids from login.defs(5); the last line of a name counts. None without the file."""
    found = text(root / "etc/login.defs") or text(root / "usr/etc/login.defs")
    if found is None:
        return None
    return {name: int(value, 0) for name, value in sorted(_LOGIN_DEFS.findall(found))}


def linger(root: Path = Path("/")) -> list[str]:
    """Users whose services run without a login; systemd writes unusual characters of the names as \\xNN."""
    directory = root / "var/lib/systemd/linger"
    if not directory.is_dir():
        return []
    names = (path.name for path in directory.iterdir())
    return sorted(re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), name) for name in names)


def subids(owners: Sequence[str], root: Path = Path("/")) -> dict[str, Any]:
    """{source, uid, gid}: the ranges of all owners from files, of `owners` from another source."""
    source = re.search(r"^[ \t]*subid:[ \t]*(\w+)", text(root / "etc/nsswitch.conf") or "", re.MULTILINE)
    if source and source[1] != "files":
        asked = {
            kind: attempt(_by_getsubids, owners, options) for kind, options in (("uid", []), ("gid", ["-g"]))
        }
        return {"source": source[1], **asked}
    return {"source": "files", **{kind: attempt(_ranges, root / f"etc/sub{kind}") for kind in ("uid", "gid")}}


def _ranges(path: Path) -> list[Range] | None:
    """The file read as strictly as dockerd does: one bad line, whoever's it is, stops userns-remap."""
    lines = text(path)
    if lines is None:
        return None
    ranges = []
    for number, line in enumerate(lines.splitlines(), 1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        fields = re.fullmatch(r"([^:]+):([0-9]{1,18}):([0-9]{1,18})", entry)
        if not fields:
            raise Unreadable(f"{path} line {number} is not owner:start:count: {entry[:200]!r}")
        ranges.append({"owner": fields[1], "start": int(fields[2]), "count": int(fields[3])})
    return _sorted(ranges)


def _by_getsubids(owners: Sequence[str], options: Sequence[str]) -> list[Range]:
    """One process per owner; it ends with status 1 for an owner without ranges."""
    ranges = []
    for owner in owners:
        for name, start, count in _GETSUBIDS.findall(run(["getsubids", *options, owner], _SECONDS).out):
            ranges.append({"owner": name, "start": int(start), "count": int(count)})
    return _sorted(ranges)


def _sorted(ranges: list[Range]) -> list[Range]:
    return sorted(ranges, key=lambda entry: (entry["start"], entry["count"], entry["owner"]))
