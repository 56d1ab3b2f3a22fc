# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a file lies, held by a handle of its directory: a path that leads elsewhere a moment later changes nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.bulwark.docker.plugins.module_utils.base import identity
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Place, acting_as
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.atomic_files import Unwritable

_FLAGS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Location:
    """A file behind links, which need not exist.

    path     where it really lies
    missing  the directories on the way that do not exist, the outermost first
    """

    def __init__(self, handle: int, missing: list[str], name: str) -> None:
        self._handle = handle
        self._missing = missing
        self._name = name
        folder = Path(f"/proc/self/fd/{handle}").readlink()
        self.missing = [str(folder.joinpath(*missing[: number + 1])) for number in range(len(missing))]
        self.path = str(folder.joinpath(*missing, name))

    @property
    def by_handle(self) -> str:
        """A path that leads to the file through the handle, once its directory exists."""
        return str(Path(f"/proc/self/fd/{self._handle}", *self._missing, self._name))

    def make_directories(self, mode: int = 0o755) -> None:
        """The directories on the way exist; those that are made get that mode, whatever the umask is. Raises
        Unwritable."""
        for shown in self.missing:
            name = self._missing[0]
            try:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=self._handle)
                    below = os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=self._handle)
                    Path(f"/proc/self/fd/{below}").chmod(mode)
                    os.close(below)
                below = os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=self._handle)
            except OSError as problem:
                raise Unwritable(f"{shown} cannot be made: {problem.strerror}") from problem
            os.close(self._handle)
            self._handle, self._missing = below, self._missing[1:]

    def close(self) -> None:
        """Let go of the handle."""
        os.close(self._handle)


@contextlib.contextmanager
def located(place: Place) -> Iterator[Location]:
    """The location behind the links of `place`, each followed as it is met, with the ids of the owner.

    Root follows a link only where root alone can turn it elsewhere. Raises Unwritable.
    """
    with acting_as(place.owner):
        found = _walk(place)
    try:
        yield found
    finally:
        found.close()


def real(place: Place) -> str:
    """The path behind the links. Raises Unwritable as located() does."""
    with located(place) as found:
        return found.path


def _walk(place: Place) -> Location:
    def refuse(directory: os.stat_result, link: os.stat_result, name: str) -> None:
        if place.owner.is_root and os.geteuid() == 0 and not identity.is_roots(directory, link):
            raise Unwritable(
                f"{place.path} leads through the symbolic link {name}, which others than root can turn elsewhere: put "
                "the file itself there"
            )

    try:
        handle, names = identity.walk(place.path, refuse)
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else problem
        raise Unwritable(f"{place.path} cannot be reached: {reason}") from problem
    return Location(handle, names[:-1], names[-1])
