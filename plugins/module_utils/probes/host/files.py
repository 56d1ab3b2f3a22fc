# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as who may read and change them sees them: mode, owner, ACL, and the directories above."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import (
    ROOT,
    Owner,
    Place,
    acting_as,
)
from ansible_collections.bulwark.docker.plugins.module_utils.base.limits import within_each

_SECONDS = 5
_MOST_CHILDREN = 500
_TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFSOCK: "socket"}
# Tags of an entry of a POSIX ACL (linux/posix_acl.h), and its user or group in text.
_USER, _GROUP_OBJ, _GROUP, _MASK = 0x02, 0x04, 0x08, 0x10
_ABSENT = (errno.ENODATA, errno.EOPNOTSUPP)


def files(paths: Iterable[str | Place]) -> dict[str, Any]:
    """{path: FILE | null | error}. A directory named certs.d, or asked for with a slash at its end, gets
    `children`: the paths of all below it, each with its own FILE in the result. Keys end without a slash.

    A path alone is root's to look at, a Place is looked at with the ids of its owner: where an account's link leads to
    what the account may not see, the answer is that. Of several answers the first counts that is no error, root's
    before those of accounts. On a file server that hangs only the paths on it are lost.
    """
    by_owner: dict[Owner, set[str]] = {ROOT: set()}
    for each in paths:
        path, owner = each if isinstance(each, Place) else (each, ROOT)
        by_owner.setdefault(owner, set()).add(path)
    answers = within_each(_SECONDS, _look, sorted(by_owner.pop(ROOT)))
    of_accounts = [(owner, sorted(named)) for owner, named in sorted(by_owner.items())]
    for asked, seen in within_each(_SECONDS, _look_as, of_accounts):
        answers += [
            (named, seen if is_error(seen) else own)
            for (_owner, named), own in zip(asked, [seen] * len(asked) if is_error(seen) else seen)
        ]
    found: dict[str, Any] = {}
    for asked, seen in answers:
        lost = dict.fromkeys((path.rstrip("/") or "/" for path in asked), seen)
        for path, fact in (lost if is_error(seen) else seen).items():
            if path not in found or (is_error(found[path]) and not is_error(fact)):
                found[path] = fact
    return dict(sorted(found.items()))


def _look_as(of_accounts: list[tuple[Owner, list[str]]]) -> list[dict[str, Any]]:
    seen = []
    for owner, paths in of_accounts:
        with acting_as(owner):
            seen.append(_look(paths))
    return seen


def _look(paths: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    looker = Looker()
    for asked in paths:
        path = asked.rstrip("/") or "/"
        found[path] = attempt(looker.file, path)
        if asked.endswith(("/", "/certs.d")) and found[path] and found[path].get("type") == "directory":
            children = attempt(_below, path)
            found[path]["children"] = children
            if isinstance(children, list):
                found.update({child: attempt(looker.file, child) for child in children})
    return found


class Looker:
    """Looks at files; remembers names of ids and the directories above, which many files share."""

    def __init__(self) -> None:
        self._users: dict[int, str | None] = {}
        self._groups: dict[int, str | None] = {}
        self._directories: dict[str, dict[str, Any] | None] = {}

    def file(self, path: str) -> dict[str, Any] | None:
        """FILE of docs/snapshot.md; None when nothing is there, or a symbolic link leads nowhere."""
        try:
            link = stat.S_ISLNK(os.lstat(path).st_mode)
            seen = os.stat(path)  # noqa: PTH116 (a Path costs more than the call)
        except (FileNotFoundError, NotADirectoryError):
            return None
        real = os.path.realpath(path)
        return {
            "type": _TYPES.get(stat.S_IFMT(seen.st_mode), "other"),
            "mode": _octal(seen),
            "uid": seen.st_uid,
            "gid": seen.st_gid,
            "owner": self.user(seen.st_uid),
            "group": self.group(seen.st_gid),
            "size": seen.st_size,
            "modified": int(seen.st_mtime),
            "device": f"{os.major(seen.st_dev)}:{os.minor(seen.st_dev)}",
            "inode": seen.st_ino,
            "target": real if link else None,
            "acl": self.acl(real, seen),
            "parents": self.weak_parents(path, real),
            "children": [],
        }

    def acl(self, path: str, seen: os.stat_result) -> list[str]:
        """The entries beyond the mode as getfacl writes them, with the permissions in force (mask applied).

        The group's own entry is one of them where the mode shows the mask instead.
        """
        entries = self._entries(path, "access", "", f"group::{_permissions(seen.st_mode >> 3)}")
        if stat.S_ISDIR(seen.st_mode):
            entries += self._entries(path, "default", "default:", None)
        return entries

    def _entries(self, path: str, kind: str, prefix: str, known: str | None) -> list[str]:
        try:
            raw = os.getxattr(path, f"system.posix_acl_{kind}")
        except OSError as problem:
            if problem.errno in _ABSENT:
                return []
            raise
        entries = list(struct.iter_unpack("<HHI", raw[4:]))
        mask = next((bits for tag, bits, _unused in entries if tag == _MASK), 7)
        texts = []
        for tag, bits, number in entries:
            if tag == _USER:
                texts.append(f"user:{self.user(number) or number}:{_permissions(bits & mask)}")
            elif tag == _GROUP:
                texts.append(f"group:{self.group(number) or number}:{_permissions(bits & mask)}")
            elif tag == _GROUP_OBJ:
                texts.append(f"group::{_permissions(bits & mask)}")
        return sorted(prefix + entry for entry in texts if entry != known)

    def weak_parents(self, path: str, real: str) -> list[dict[str, Any]]:
        """The directories above the name and above what it leads to that someone but root can change."""
        above = {directory for name in (path, real) for directory in _above(name)}
        for directory in above - set(self._directories):
            self._directories[directory] = self._weak(directory)
        return [weak for directory in sorted(above) for weak in [self._directories[directory]] if weak]

    def _weak(self, directory: str) -> dict[str, Any] | None:
        """Sticky directories of root are not weak: there only the owner of a file can replace it."""
        seen = os.stat(directory)  # noqa: PTH116
        acl = self.acl(directory, seen)
        granted = any(entry.startswith(("user:", "group:")) and entry[-2] == "w" for entry in acl)
        sticky = seen.st_mode & stat.S_ISVTX
        if seen.st_uid == 0 and (sticky or not (granted or seen.st_mode & 0o022)):
            return None
        return {"path": directory, "mode": _octal(seen), "uid": seen.st_uid, "gid": seen.st_gid, "acl": acl}

    def user(self, number: int) -> str | None:
        """The name of a user, None when nobody has the id."""
        return _name(self._users, number, lambda uid: pwd.getpwuid(uid).pw_name)

    def group(self, number: int) -> str | None:
        """The name of a group, None when none has the id."""
        return _name(self._groups, number, lambda gid: grp.getgrgid(gid).gr_name)


def _name(known: dict[int, str | None], number: int, look_up: Callable[[int], str]) -> str | None:
    if number not in known:
        try:
            known[number] = look_up(number)
        except KeyError:
            known[number] = None
    return known[number]


def _above(path: str) -> Iterator[str]:
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        yield path


def _below(directory: str) -> list[str]:
    """Everything below the directory; symbolic links to directories are not entered."""
    found: list[str] = []
    for parent, directories, names in os.walk(directory, onerror=_refuse):
        found.extend(f"{parent}/{name}" for name in (*directories, *names))
        if len(found) > _MOST_CHILDREN:
            raise Unreadable(f"{directory} holds more than {_MOST_CHILDREN} files")
    return sorted(found)


def _refuse(problem: OSError) -> None:
    raise problem


def _octal(seen: os.stat_result) -> str:
    return f"{stat.S_IMODE(seen.st_mode):04o}"


def _permissions(bits: int) -> str:
    return "".join(letter if bits & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
