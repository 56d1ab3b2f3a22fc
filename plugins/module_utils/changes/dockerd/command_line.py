# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command with which a unit would start dockerd the next time, and which file each of its words is from.

Read from the unit files: `systemctl show` tells the words but neither their files nor what variables hold.

An account writes the files of its own unit, and names others there. So they are read with its ids and within limits: of
time, of patterns, and of what comes of them.
"""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
import posixpath
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import identity, reading
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Owner
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import unit_syntax
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge import dockerd_flags

DEFAULT_CONFIG = "/etc/docker/daemon.json"
_PREFIXES = "@-:+!|"
# `snap run docker.dockerd` has its program behind two other words.
_PROGRAMS = ("dockerd", "docker.dockerd", "dockerd-rootless.sh")
# For all files of a unit together. Those of vendors have 2 kB and a dozen words; a pattern of theirs has one wildcard.
TIME_LIMIT = 10
_MOST_BYTES = 1024 * 1024
_MOST_FILES = 100
_MOST_WILDCARDS = 3
# Also of the command, once its variables are replaced.
_MOST_WORDS = 1000


class Source(NamedTuple):
    """Where a word is from: the file with the ExecStart= line, and the variable with the file that sets it."""

    file: str
    variable: str | None = None
    defined_in: str | None = None

    def __str__(self) -> str:
        if self.variable is None:
            return self.file
        return f"{self.file} via {self.variable} in {self.defined_in}"


class Word(NamedTuple):
    text: str
    source: Source


class CommandLine:
    """What a unit starts.

    words         program and arguments, expanded; none when the unit has no ExecStart=
    starts        the file of each ExecStart= that counts; systemd refuses a service with two
    missing       environment files that are not optional and not there: the unit fails to start
    unset         variables that the command names and nothing sets
    text          the value of the ExecStart= that counts, as its file has it
    """

    def __init__(
        self,
        words: tuple[Word, ...],
        starts: tuple[str, ...] = (),
        missing: tuple[str, ...] = (),
        unset: tuple[str, ...] = (),
        default_config: str = DEFAULT_CONFIG,
        text: str = "",
    ) -> None:
        self.words = words
        self.starts = starts
        self.missing = missing
        self.unset = unset
        self._default_config = default_config
        self.text = text

    @cached_property
    def _arguments_at(self) -> int:
        names = [posixpath.basename(word.text) for word in self.words[:3]]
        return next((place for place, name in enumerate(names) if name in _PROGRAMS), 0) + 1

    @property
    def program(self) -> str | None:
        """The path of the program that takes the flags."""
        return self.words[self._arguments_at - 1].text if self.words else None

    @property
    def arguments(self) -> list[str]:
        """The words after the program."""
        return [word.text for word in self.words[self._arguments_at :]]

    @cached_property
    def flags(self) -> dict[str, list[str]]:
        """Long name -> its values, in order."""
        return dockerd_flags.parse(self.arguments)

    def sources(self, flag: str) -> list[Source]:
        """Where the flag is given, each place once, in order."""
        found: list[Source] = []
        count = 0
        arguments = self.arguments
        for place in range(len(arguments)):
            now = len(dockerd_flags.parse(arguments[: place + 1]).get(flag, ()))
            source = self.words[self._arguments_at + place].source
            if now > count and source not in found:
                found.append(source)
            count = now
        return found

    def source(self, flag: str) -> str:
        """The same in words; empty when the flag is not given."""
        return " and ".join(map(str, self.sources(flag)))

    @property
    def hosts(self) -> list[str]:
        """The values of -H; `fd://` takes the sockets that systemd passes."""
        return self.flags.get("host", [])

    @property
    def given(self) -> bool:
        """Whether the command names its configuration file; a missing one then keeps dockerd from starting."""
        return "config-file" in self.flags

    @property
    def config_file(self) -> str:
        return self.flags["config-file"][-1] if self.given else self._default_config


def read(
    unit: Mapping[str, Any],
    owner: Owner,
    root: Path = Path("/"),
    default_config: str = DEFAULT_CONFIG,
    drop_ins: Mapping[str, str | None] | None = None,
) -> CommandLine:
    """The command of a unit as `units.units()` shows it, from its fragment and drop-ins as they lie there now.

    `owner` is whose unit it is, `root` the directory that stands for `/`. `drop_ins` are those that are about to be
    written with their text, or to be removed (None). Raises Unreadable when one of the files cannot be read, or all are
    beyond a limit.
    """
    found = identity.within(owner, TIME_LIMIT, _read, unit, root, dict(drop_ins or {}))
    words = tuple(Word(text, Source(*source)) for text, source in found["words"])
    starts, missing, unset = (tuple(found[name]) for name in ("starts", "missing", "unset"))
    return CommandLine(words, starts, missing, unset, default_config, found["text"])


def _read(unit: Mapping[str, Any], root: Path, texts: Mapping[str, str | None]) -> dict[str, Any]:
    service = _Service(root, texts)
    files = [file for file in unit.get("drop_ins") or () if file not in texts]
    files += [file for file, text in texts.items() if text is not None]
    if texts:
        # As systemd does, whatever directory they lie in.
        files.sort(key=posixpath.basename)
    for file in filter(None, (unit.get("fragment"), *files)):
        service.take(file)
    expansion = _Expansion(service)
    words = list(itertools.islice(expansion.words(), _MOST_WORDS + 1))
    if len(words) > _MOST_WORDS:
        raise Unreadable(f"{words[0].source.file}: a command of more than {_MOST_WORDS} words; shorten it")
    return {
        "words": words,
        "starts": [start.file for start in service.starts],
        "missing": service.missing,
        "unset": expansion.unset,
        "text": service.starts[-1].text if service.starts else "",
    }


class _Start(NamedTuple):
    """One ExecStart=, as it stands there, and its words without the prefixes of the program."""

    file: str
    text: str
    prefixes: str
    words: list[str]


def _command(text: str) -> tuple[str, list[str]]:
    """The prefixes and the words; raises ValueError for an open quote."""
    prefixes = text[: len(text) - len(text.lstrip(_PREFIXES))]
    words = [unit_syntax.without_specifiers(word) for word in unit_syntax.words(text[len(prefixes) :])]
    if "@" in prefixes:  # the second word is only what the process calls itself
        del words[1:2]
    return prefixes, [";" if word == "\\;" else word for word in words]


class _Service:
    """What the files of a unit say about its command."""

    def __init__(self, root: Path, texts: Mapping[str, str | None]) -> None:
        self._root = root
        self._texts = texts
        self.starts: list[_Start] = []
        self._assigned: list[tuple[str, str]] = []
        self._files: list[str] = []
        self.missing: list[str] = []
        self._bytes_left = _MOST_BYTES

    def take(self, file: str) -> None:
        readers = {
            "ExecStart": self._exec_start,
            "Environment": self._environment,
            "EnvironmentFile": self._environment_file,
        }
        for key, value in unit_syntax.settings(self._text(file) or "", "Service"):
            if key in readers:
                readers[key](file, value)

    def _exec_start(self, file: str, value: str) -> None:
        if not value:
            self.starts.clear()
            return
        # systemd ignores a line with an open quote.
        with contextlib.suppress(ValueError):
            self.starts.append(_Start(file, value, *_command(value)))

    def _environment(self, file: str, value: str) -> None:
        if value:
            self._assigned.append((file, value))
        else:
            self._assigned.clear()

    def _environment_file(self, _unused: str, value: str) -> None:
        if value:
            self._files.append(unit_syntax.without_specifiers(value))
        else:
            self._files.clear()

    def variables(self) -> dict[str, tuple[str, str]]:
        """name -> (value, the file that sets it). Files win over Environment=, later ones over earlier ones."""
        found = {}
        for file, value in self._assigned:
            # What stands before an open quote counts.
            with contextlib.suppress(ValueError):
                for word in unit_syntax.words(value):
                    name, separator, assigned = unit_syntax.without_specifiers(word).partition("=")
                    if separator:
                        found[name] = (assigned, file)
        for file, text in self._environment_files():
            for name, assigned in unit_syntax.environment_file(text).items():
                found[name] = (assigned, file)
        return found

    def _environment_files(self) -> Iterator[tuple[str, str]]:
        for entry in self._files:
            path = entry.lstrip("-")
            found = False
            for file in self._matching(path):
                text = self._text(file)
                if text is not None:
                    found = True
                    yield file, text
            if not found and not entry.startswith("-"):
                self.missing.append(path)

    def _matching(self, path: str) -> list[str]:
        if not glob.has_magic(path):
            return [path]
        if sum(map(glob.has_magic, path.split("/"))) > _MOST_WILDCARDS:
            raise Unreadable(
                f"EnvironmentFile={path}: wildcards at more than {_MOST_WILDCARDS} levels; name the files"
            )
        matches = glob.iglob(str(self._root / path.lstrip("/")))  # noqa: PTH207 (an absolute pattern)
        found = sorted(itertools.islice(matches, _MOST_FILES + 1))
        if len(found) > _MOST_FILES:
            raise Unreadable(
                f"EnvironmentFile={path}: more than {_MOST_FILES} files match; name those that count"
            )
        return [f"/{Path(match).relative_to(self._root)}" for match in found]

    def _text(self, path: str) -> str | None:
        if self._texts.get(path) is not None:
            return self._texts[path]
        place = self._root / path.lstrip("/")
        try:
            if os.path.realpath(place) == os.devnull:  # the file of a masked unit
                return ""
        except ValueError as problem:
            raise Unreadable(f"{path!r} cannot be the path of a file: {problem}; correct it") from problem
        text = reading.text(place)
        self._bytes_left -= len(text or "")
        if self._bytes_left < 0:
            raise Unreadable(
                f"{path} and what else the unit reads have more than {_MOST_BYTES} bytes; shorten it"
            )
        return text


class _Expansion:
    """The words of the last ExecStart= with variables replaced."""

    def __init__(self, service: _Service) -> None:
        self._starts = service.starts
        self._variables = service.variables()
        self._values = {name: value for name, (value, _unused) in self._variables.items()}
        self._left = _MOST_BYTES
        self.unset: list[str] = []

    def words(self) -> Iterator[Word]:
        if not self._starts:
            return
        file, _unused, prefixes, words = self._starts[-1]
        for place, word in enumerate(words):
            if place == 0 or ":" in prefixes:
                yield Word(word, Source(file))
            else:
                yield from self._expand(word, file)

    def _expand(self, word: str, file: str) -> Iterator[Word]:
        name = unit_syntax.separate_variable(word)
        names = [name] if name is not None else unit_syntax.variables_within(word)
        # Before it is done: a file may name the same long variable as often as it likes.
        self._left -= len(word) + sum(len(self._values.get(each, "")) for each in names)
        if self._left < 0:
            raise Unreadable(
                f"{file}: a command of more than {_MOST_BYTES} bytes with its variables; shorten it"
            )
        self.unset += [unset for unset in names if unset not in self._variables]
        known = next((name for name in names if name in self._variables), None)
        source = Source(file) if known is None else Source(file, known, self._variables[known][1])
        if name is None:
            yield Word(unit_syntax.expanded(word, self._values), source)
            return
        for part in unit_syntax.split_value(self._values.get(name, "")):
            yield Word(part, source)
