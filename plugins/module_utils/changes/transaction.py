# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change as a transaction: what it changes is journalled, with its before-image, before it is changed.

States: `open` until it is committed or undone. One that is found open belongs to a run that died.
"""

from __future__ import annotations

import base64
import contextlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes import atomic, host_settings
from ansible_collections.bulwark.docker.plugins.module_utils.changes.service import STOP_SECONDS, ServiceError
from ansible_collections.bulwark.docker.plugins.module_utils.changes.store import (
    Store,
    give_reserve,
    read_json,
    write,
    write_json,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes import limits
from ansible_collections.bulwark.docker.plugins.module_utils.probes.errors import Unreadable

SCHEMA = 1
KEPT = 10
OPEN, COMMITTED, ROLLED_BACK = "open", "committed", "rolled_back"
_SECONDS = 30

Entry = dict[str, Any]


class Transaction:
    """One transaction, by its folder in the store. Every method that changes the host journals first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = read_json(folder / "manifest.json") or {}

    @classmethod
    def begin(cls, store: Store, about: dict[str, Any]) -> Transaction:
        """A new open transaction; `about` is what its manifest tells beside the entries."""
        return cls(
            store.new({"schema": SCHEMA, "state": OPEN, "created": int(time.time()), **about, "entries": []})
        )

    @property
    def id(self) -> str:
        """Its name, which sorts by age."""
        return self.folder.name

    @property
    def state(self) -> str:
        """OPEN, COMMITTED or ROLLED_BACK."""
        return str(self.manifest.get("state"))

    @property
    def entries(self) -> list[Entry]:
        """The journal, in the order of the changes."""
        found: list[Entry] = self.manifest["entries"]
        return found

    def notes(self, kind: str) -> list[Entry]:
        """The entries of one kind."""
        return [entry for entry in self.entries if entry["kind"] == kind]

    def note(self, kind: str, **data: Any) -> None:
        """Journal something that is not undone by itself: it is on disk when this returns."""
        self._append({"kind": kind, **data})

    def write_file(
        self,
        path: str,
        content: bytes,
        fresh: atomic.Image,
        owner: tuple[int, int] = (0, 0),
        in_place: bool = False,
    ) -> None:
        """Replace the file behind `path`; it keeps owner, mode and extended attributes.

        A new one gets those of `fresh`. `owner` are the ids to write with: those of the user whose home it lies in.
        `in_place` as for atomic.replace().
        """
        with atomic.acting_as(*owner):
            target = atomic.real(path)
            before = atomic.look(target)
        self._journal_directories(target, owner)
        self._journal_file(target, before, content, owner)
        with atomic.acting_as(*owner):
            _make_directories(Path(target).parent)
            image = before[1]._replace(times_ns=None) if before else fresh
            atomic.replace(target, content, image, in_place)

    def remove_file(self, path: str, owner: tuple[int, int] = (0, 0)) -> None:
        """Remove the file behind `path`."""
        with atomic.acting_as(*owner):
            target = atomic.real(path)
            before = atomic.look(target)
        if before:
            self._journal_file(target, before, None, owner)
            with atomic.acting_as(*owner):
                atomic.remove(target)

    def remove_directory(self, path: str, owner: tuple[int, int] = (0, 0)) -> None:
        """Remove a directory in which nothing is; one that holds something stays."""
        found = Path(path)
        try:
            with atomic.acting_as(*owner):
                seen = found.lstat()
                if not stat.S_ISDIR(seen.st_mode) or any(found.iterdir()):
                    return
            mode = stat.S_IMODE(seen.st_mode)
            self._append({"kind": "removed_directory", "path": path, "owner": list(owner), "mode": mode})
            with atomic.acting_as(*owner):
                found.rmdir()
        except OSError as problem:
            raise atomic.Unwritable(f"{path} cannot be removed: {problem.strerror}") from problem

    def set_permissions(
        self,
        path: str,
        uid: int,
        gid: int,
        mode: int,
        acl: bool,
        owner: tuple[int, int] = (0, 0),
        inode: int | None = None,
    ) -> None:
        """Give what is at `path` that owner and mode; without `acl` its access lists go.

        No link is followed, neither at the end nor on the way. `owner` as for `write_file`; with `inode` it must still
        be that file.
        """
        with atomic.acting_as(*owner):
            handle = _open_node(path)
        try:
            seen = os.fstat(handle)
            if inode not in (None, seen.st_ino):
                raise atomic.Unwritable(f"{path} was replaced by somebody else just now: run it again")
            lists = _access_lists(handle)
            entry = {
                "kind": "permissions",
                "path": path,
                "owner": list(owner),
                "inode": [seen.st_dev, seen.st_ino],
                "before": [seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)],
                "after": [uid, gid, mode],
                "acl": _encoded(lists),
            }
            self._append(entry)
            with atomic.acting_as(*owner):
                for name in () if acl else lists:
                    os.removexattr(_by_handle(handle), name)
                _give(handle, uid, gid, mode)
        except OSError as problem:
            raise atomic.Unwritable(f"{path}: {problem.strerror}; it keeps its owner and mode") from problem
        finally:
            os.close(handle)

    def create_account(self, name: str) -> None:
        """A system account with a group of the same name, without home, shell and password."""
        # Not journalled: undoing would delete it.
        if _is_account(name):
            raise atomic.Unwritable(f"account {name} cannot be created: it is there already")
        self._append({"kind": "account", "name": name})
        done = limits.run(
            ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
             "--shell", "/usr/sbin/nologin", name],
            _SECONDS,
        )  # fmt: skip
        if done.status != 0:
            raise atomic.Unwritable(f"account {name} cannot be created: useradd: {done.err.strip()}")

    def create_login(self, name: str) -> None:
        """An ordinary account with a home and a group of the same name, without a password."""
        if _is_account(name):
            raise atomic.Unwritable(f"account {name} cannot be created: it is there already")
        # Undoing removes the home, and the mail with it: never what was there before.
        taken = next((path for path in places_of_login(name) if os.path.lexists(path)), None)
        if taken:
            raise atomic.Unwritable(f"account {name} cannot be created: {taken} is there already")
        self._append({"kind": "login", "name": name})
        done = limits.run(
            ["useradd", "--user-group", "--create-home", "--shell", "/bin/bash", name], _SECONDS
        )
        if done.status != 0:
            raise atomic.Unwritable(f"account {name} cannot be created: useradd: {done.err.strip()}")

    def set(self, what: str, key: str, value: Any) -> list[str]:
        """One of host_settings.SETTINGS; returns what it leaves as it is, a sentence each."""
        before = host_settings.read(what, key)
        self._append({"kind": "setting", "what": what, "key": key, "before": before, "after": value})
        return host_settings.write(what, key, value)

    def reread(self, key: str, restart: bool) -> None:
        """systemd reads the files of that unit (host_settings.service_of) anew; so it does when what comes after is
        undone, and with `restart` the unit restarts with them then."""
        self._append({"kind": "reread", "key": key, "restart": restart})
        _read_anew(key)

    def commit(self, **about: Any) -> None:
        """The change holds. From now on only an explicit order undoes it."""
        self._save(state=COMMITTED, **about)
        give_reserve(self.folder)

    def undo(self, but: str | None = None) -> list[str]:
        """Undo the entries in reverse order, all but those of the file `but`, which a later call undoes.

        Returns a sentence for each thing that was left as it is, because others changed it meanwhile.
        Undoing twice is harmless, so a run that died while undoing is no special case. What was undone stays as others
        make it since; only what the transaction itself has written since is undone again. Raises Unwritable, after all
        else was undone, with what cannot be undone now; it stays open then.
        """
        left, failed = list(self.manifest.get("left", ())), []
        give_reserve(self.folder)
        due = [
            entry
            for entry in self.entries
            if entry["kind"] in _UNDO
            and not entry.get("undone")
            and (entry["kind"], entry.get("path")) != ("file", but)
        ]
        for entry in reversed(due):
            try:
                sentence = _UNDO[entry["kind"]](entry, self.folder)
            except (OSError, Unreadable, atomic.Unwritable) as problem:
                # The others come back all the same.
                failed.append(str(problem))
                continue
            entry["undone"] = True
            if sentence and sentence not in left:
                left.append(sentence)
        if failed:
            raise atomic.Unwritable("; ".join(failed))
        self.manifest["left"] = left
        if due:
            # Should it be undone once more, that is harmless too.
            with contextlib.suppress(atomic.Unwritable):
                self._save()
        return left

    def closed(self, **about: Any) -> None:
        """All is as it was before."""
        self._save(state=ROLLED_BACK, **about)

    def foreign_changes(self) -> list[str]:
        """Files that somebody changed after the commit, so that undoing would lose that."""
        return [
            entry["path"]
            for entry in self.notes("file")
            if _current(entry["path"]) not in (entry["written"][-1], entry["before"])
        ]

    def before(self, entry: Entry) -> bytes | None:
        """The content of a file entry's before-image, None when there was no file."""
        return (self.folder / entry["image"]).read_bytes() if entry["image"] else None

    def _journal_directories(self, target: str, owner: tuple[int, int]) -> None:
        missing = [each for each in Path(target).parents if not each.is_dir()]
        for each in reversed(missing):
            self._append({"kind": "directory", "path": str(each), "owner": list(owner)})

    def _journal_file(
        self,
        path: str,
        before: tuple[bytes, atomic.Image] | None,
        content: bytes | None,
        owner: tuple[int, int],
    ) -> None:
        after = None if content is None else atomic.digest(content)
        for entry in self.notes("file"):
            if entry["path"] == path:
                # Changed a second time by the same transaction: the first before-image is what undo restores.
                entry["written"].append(after)
                entry["undone"] = False
                self._save()
                return
        image = ""
        if before:
            image = f"image-{len(self.entries):03d}"
            write(self.folder / image, before[0])
        self._append(
            {
                "kind": "file",
                "path": path,
                "owner": list(owner),
                "image": image,
                "before": atomic.digest(before[0]) if before else None,
                "facts": _facts(before[1]) if before else None,
                "written": [after],
            }
        )

    def _append(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._save()

    def _save(self, **about: Any) -> None:
        manifest = {**self.manifest, **about}
        write_json(self.folder / "manifest.json", manifest)
        self.manifest = manifest


def unfinished(store: Store) -> list[Transaction]:
    """The open transactions, the newest first: the order in which they are undone."""
    return [found for found in reversed(_all(store)) if found.state == OPEN]


def last_committed(store: Store, engine: str) -> Transaction | None:
    """The newest transaction of that engine that was committed, and was neither undone since nor undoes another."""
    return next(
        (
            found
            for found in reversed(_all(store))
            if found.state == COMMITTED
            and found.manifest.get("engine") == engine
            and not found.manifest.get("undoes")
        ),
        None,
    )


def last_undone(store: Store, engine: str) -> str | None:
    """The id of the transaction that was undone by order, where nothing has been committed since."""
    own = [
        found for found in _all(store) if found.manifest.get("engine") == engine and found.state == COMMITTED
    ]
    return own[-1].manifest.get("undoes") if own else None


def prune(store: Store) -> None:
    """Keep the last KEPT of those that are closed."""
    closed = [found for found in _all(store) if found.state != OPEN]
    for found in closed[:-KEPT]:
        store.discard(found.folder)


def _all(store: Store) -> list[Transaction]:
    return [Transaction(folder) for folder in store.folders()]


def _undo_file(entry: Entry, folder: Path) -> str | None:
    path, owner = entry["path"], tuple(entry["owner"])
    with atomic.acting_as(*owner):
        atomic.sweep(path)
        current = _current(path)
        if current == entry["before"]:
            return None
        if current not in entry["written"]:
            return f"{path} was changed by somebody else since, and is left as it is"
    content = (folder / entry["image"]).read_bytes() if entry["image"] else None
    with atomic.acting_as(*owner):
        if content is None:
            atomic.remove(path)
        else:
            atomic.replace(path, content, _image(entry["facts"]), in_place=True)
    return None


def _undo_directory(entry: Entry, folder: Path) -> str | None:
    with atomic.acting_as(*tuple(entry["owner"])):
        try:
            Path(entry["path"]).rmdir()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:
            return f"{entry['path']} stays: {problem.strerror}"
    return None


def _undo_removed_directory(entry: Entry, folder: Path) -> str | None:
    path = Path(entry["path"])
    with atomic.acting_as(*tuple(entry["owner"])):
        path.mkdir(exist_ok=True)
        path.chmod(entry["mode"])
    return None


def _undo_permissions(entry: Entry, folder: Path) -> str | None:
    with atomic.acting_as(*tuple(entry["owner"])):
        try:
            handle = _open_node(entry["path"])
        except atomic.Unwritable:
            return f"{entry['path']} is gone"
        try:
            if not _is_ours(os.fstat(handle), entry):
                return f"{entry['path']} was changed by somebody else since, and is left as it is"
            _give(handle, *entry["before"])
            lists = _access_lists(handle)
            for name, value in _decoded(entry["acl"]).items():
                if lists.get(name) != value:
                    os.setxattr(_by_handle(handle), name, value)
        finally:
            os.close(handle)
    return None


def _is_ours(seen: os.stat_result, entry: Entry) -> bool:
    """Whether owner and mode are as setting or undoing them has left them, at the end or where it was killed.

    Our own writing replaces files and keeps owner and mode. A file with several names may be a foreign one that
    somebody has linked there to get it.
    """
    before, after = entry["before"], entry["after"]
    # chown takes setuid bits away before chmod comes.
    modes = {mode & bits for mode in (before[2], after[2]) for bits in (0o7777, 0o1777)}
    same = [seen.st_dev, seen.st_ino] == entry["inode"] or seen.st_nlink == 1 or stat.S_ISDIR(seen.st_mode)
    return (
        same and [seen.st_uid, seen.st_gid] in (before[:2], after[:2]) and stat.S_IMODE(seen.st_mode) in modes
    )


def _undo_lock(entry: Entry, folder: Path) -> str | None:
    atomic.remove_dead_lock(entry["path"], empty=True)
    return None


def _undo_account(entry: Entry, folder: Path) -> str | None:
    name = entry["name"]
    if not _is_account(name):
        return None
    done = limits.run(["userdel", name], _SECONDS)
    return f"account {name} stays: userdel: {done.err.strip()}" if done.status != 0 else None


def _undo_login(entry: Entry, folder: Path) -> str | None:
    name = entry["name"]
    if not _is_account(name):
        return None
    # Its own systemd may have been started.
    limits.run(["loginctl", "terminate-user", name], _SECONDS)
    done = limits.run(["userdel", "--remove", name], _SECONDS)
    # 12: the home could not be removed.
    return (
        f"account {name} stays: userdel: {done.err.strip()}"
        if _is_account(name) or done.status == 12
        else None
    )


def _undo_setting(entry: Entry, folder: Path) -> str | None:
    return "; ".join(host_settings.undo(entry["what"], entry["key"], entry["before"])) or None


def _undo_reread(entry: Entry, folder: Path) -> str | None:
    _read_anew(entry["key"])
    # It ran before, and may have failed since.
    if entry["restart"]:
        try:
            host_settings.service_of(entry["key"]).restart(STOP_SECONDS)
        except ServiceError as problem:
            raise atomic.Unwritable(str(problem)) from problem
    return None


def _read_anew(unit: str) -> None:
    try:
        host_settings.reread(unit)
    except ServiceError as problem:
        raise atomic.Unwritable(str(problem)) from problem


def places_of_login(name: str) -> list[str]:
    """What `useradd` would make for a new account: its home, and the file of its mail."""
    shown = limits.run(["useradd", "--defaults"], _SECONDS).out
    known = dict(line.partition("=")[::2] for line in shown.splitlines())
    return [f"{known.get('HOME') or '/home'}/{name}", f"/var/mail/{name}"]


def _is_account(name: str) -> bool:
    return limits.run(["getent", "passwd", name], _SECONDS).status == 0


_UNDO: dict[str, Callable[[Entry, Path], str | None]] = {
    "account": _undo_account,
    "directory": _undo_directory,
    "file": _undo_file,
    "lock": _undo_lock,
    "login": _undo_login,
    "permissions": _undo_permissions,
    "removed_directory": _undo_removed_directory,
    "reread": _undo_reread,
    "setting": _undo_setting,
}


def _make_directories(path: Path) -> None:
    for each in reversed([path, *path.parents]):
        if each.is_dir():
            continue
        try:
            each.mkdir()
            # Whatever the umask of the run is.
            each.chmod(0o755)
        except OSError as problem:
            raise atomic.Unwritable(f"{each} cannot be made: {problem.strerror}") from problem


def _current(path: str) -> str | None:
    seen = atomic.look(path)
    return atomic.digest(seen[0]) if seen else None


def _facts(image: atomic.Image) -> dict[str, Any]:
    return {**image._asdict(), "xattrs": _encoded(image.xattrs)}


def _image(facts: dict[str, Any]) -> atomic.Image:
    times = facts["times_ns"]
    return atomic.Image(
        facts["mode"], facts["uid"], facts["gid"], _decoded(facts["xattrs"]), (times[0], times[1])
    )


def _encoded(xattrs: dict[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(value).decode() for name, value in xattrs.items()}


def _decoded(xattrs: dict[str, str]) -> dict[str, bytes]:
    return {name: base64.b64decode(value) for name, value in xattrs.items()}


def _open_node(path: str) -> int:
    """Step by step: on the way, too, a link may lead elsewhere."""
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open("/", flags)
    try:
        for name in Path(path).parts[1:]:
            below = os.open(name, flags, dir_fd=handle)
            os.close(handle)
            handle = below
    except OSError as problem:
        os.close(handle)
        raise atomic.Unwritable(f"{path}: {problem.strerror}") from problem
    if stat.S_ISLNK(os.fstat(handle).st_mode):
        os.close(handle)
        raise atomic.Unwritable(f"{path} is a symbolic link: change what it leads to")
    return handle


def _give(handle: int, uid: int, gid: int, mode: int) -> None:
    seen = os.fstat(handle)
    if (seen.st_uid, seen.st_gid) != (uid, gid):
        os.chown(_by_handle(handle), uid, gid)
    # After the owner: chown takes setuid bits away. What is so already may lie where nothing can be changed.
    if stat.S_IMODE(os.fstat(handle).st_mode) != mode:
        _by_handle(handle).chmod(mode)


def _by_handle(handle: int) -> Path:
    """What chown and the like take for a file that was opened by O_PATH."""
    return Path(f"/proc/self/fd/{handle}")


def _access_lists(handle: int) -> dict[str, bytes]:
    try:
        names = [name for name in os.listxattr(_by_handle(handle)) if name.startswith("system.posix_acl")]
        return {name: os.getxattr(_by_handle(handle), name) for name in names}
    except OSError:
        return {}
