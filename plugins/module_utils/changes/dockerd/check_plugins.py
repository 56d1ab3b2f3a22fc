# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the plugins that a configuration names are there."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.bulwark.docker.plugins.module_utils.base import foreign_json, reading
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.problems import (
    DEFAULT_DATA_ROOT,
    Case,
    Found,
    Problem,
    strings,
)

SOCKET_DIRECTORY = "/run/docker/plugins"
SPEC_DIRECTORIES = ("/etc/docker/plugins", "/usr/lib/docker/plugins")


def authorization(case: Case) -> Found:
    """A reload with a missing one kills dockerd. Where a rootless engine looks for plugins is not known here."""
    for name in strings(case.settings.get("authorization-plugins")):
        if not case.context.rootless and not has_plugin(case, name):
            yield Problem(
                "authorization-plugins",
                f"the authorization plugin {name} is neither an enabled plugin of the engine nor in "
                f"{SOCKET_DIRECTORY} or {' or '.join(SPEC_DIRECTORIES)}: dockerd would end at once and not start "
                "again; install and start the plugin first, or remove it from authorization-plugins",
            )


def has_plugin(case: Case, name: str) -> bool:
    known = case.context.plugins
    managed = _plugins_on_disk(case) if known is None else known
    if _tagged(name) in map(_tagged, managed):
        return True
    spots = [
        (SOCKET_DIRECTORY, (".sock",)),
        *((directory, (".spec", ".json")) for directory in SPEC_DIRECTORIES),
    ]
    return any(
        case.context.place(f"{directory}/{base}{ending}").exists()
        for directory, endings in spots
        for base in (name, f"{name}/{name}")
        for ending in endings
    )


def _tagged(name: str) -> str:
    # Without the registry, which the engine leaves out of names from its default one.
    registry, _slash, rest = name.partition("/")
    short = rest if rest and "." in registry else name
    return short if ":" in short.rpartition("/")[2] else f"{short}:latest"


def _plugins_on_disk(case: Case) -> Iterator[str]:
    """The enabled ones, as a stopped engine has them in its data root (20.10 to 29)."""
    data_root = case.context.data_root or case.value("data-root", DEFAULT_DATA_ROOT)
    for file in sorted(case.context.place(data_root).glob("plugins/*/config.json")):
        try:
            plugin = foreign_json.loads(reading.content(file) or b"{}", str(file)).get("plugin", {})
            if plugin.get("Enabled"):
                yield str(plugin["Name"])
        except (Unreadable, AttributeError, KeyError):
            continue
