# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reason not to use a configuration, and what the checks that find one look at."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Owner
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.command_line import CommandLine
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.daemon_options import FLAGS

DEFAULT_DATA_ROOT = "/var/lib/docker"


class Problem(NamedTuple):
    """One reason not to use the settings: the key it is about, and cause and way out in a sentence."""

    key: str
    message: str


class Context(NamedTuple):
    """What the checks must know of the engine and its host.

    config_path        the file that the settings are for
    owner              whose engine it is: with these ids the checks look at what the settings name
    major              of the engine that will start; None when not known
    swarm              whether it is part of a swarm
    plugins            names of its *enabled* managed plugins, with or without `:latest`; None: read from its
                       data root, as an engine that does not answer cannot be asked
    data_root          where its data lies now; None when not known
    allow_data_switch  whether the user agreed to a data root that holds other data
    hard_limits        the engine's own limits by the names of ulimits, {} where it may raise them
    coming             files that are laid before the engine starts
    root               the directory that stands for `/`
    """

    config_path: str
    owner: Owner
    major: int | None = None
    swarm: bool = False
    plugins: Collection[str] | None = None
    data_root: str | None = None
    allow_data_switch: bool = False
    hard_limits: Mapping[str, int] = {}
    coming: Collection[str] = ()
    root: Path = Path("/")

    @property
    def rootless(self) -> bool:
        """Whether it is an account's own."""
        return not self.owner.is_root

    def before(self, major: int) -> bool:
        return self.major is not None and self.major < major

    def since(self, major: int) -> bool:
        return self.major is not None and self.major >= major

    def place(self, path: str) -> Path:
        """A path as dockerd resolves it, which runs in `/`."""
        return self.root / path.lstrip("/")


class Case(NamedTuple):
    """The settings that would be the whole configuration file, with the flags that would stand beside them."""

    settings: Mapping[str, Any]
    command: CommandLine
    context: Context

    def value(self, key: str, default: Any = None) -> Any:
        """What the file says, or else the last of the flags; of a boolean flag a boolean."""
        if self.settings.get(key) is not None:
            return self.settings[key]
        given = self.command.flags.get(FLAGS.get(key, key))
        return default if not given else {"true": True, "false": False}.get(given[-1], given[-1])

    def in_file(self, *keys: str) -> bool:
        """Whether the settings have one of the keys: what flags do alone is not about them."""
        return any(self.settings.get(key) is not None for key in keys)

    @property
    def path(self) -> str:
        return self.context.config_path


Found = Iterator[Problem]


def strings(value: Any) -> list[str]:
    """The entries of a list; what has another type is for dockerd to refuse."""
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []
