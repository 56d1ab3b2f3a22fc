# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What daemon.json shall say: the user's configuration, taken or refused as a whole, and what fills the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.merge import (
    canonical,
    merge,
    same,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.option_types import (
    normalised,
    type_error,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.daemon_options import (
    FIRST_MAJOR,
    FLAGS,
    KEYS,
    ignored_keys,
    why_refused,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.engine_versions import numbers
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import OPTIONS

# The log drivers that keep files of their own, and take max-size and max-file.
_LOGS_TO_FILES = ("json-file", "local")
# dockerd's default hangs on the host (here on its version of cgroups), so the value has to be said.
_DEFAULT_VARIES = ("default-cgroupns-mode",)

Flags = Mapping[str, "str | Sequence[str]"]


class Plan(NamedTuple):
    """The settings to write, and what has to be said about them.

    skipped  {key, reason} of what was to fill the rest and does not suit
    refused  sentences; with any of them the settings must not be written
    """

    settings: dict[str, Any]
    skipped: list[dict[str, str]]
    notices: list[str]
    refused: list[str]


def plan(
    settings: Mapping[str, Any],
    flags: Flags,
    version: str | None,
    *,
    config: Mapping[str, Any],
    state: str = "present",
    list_merge: str = "replace",
    baseline: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    unwanted: Mapping[str, Sequence[Any]] | None = None,
    unsuitable: Mapping[str, str] | None = None,
) -> Plan:
    """What `settings`, those of the file, become. Each counts before the next:

    config    as `merging.merge` takes it; a key that the engine refuses, or a wrong type, is refused
    unwanted  key -> values that leave the file (entries, in a list), so that dockerd's default counts
    baseline  key -> value, where the engine takes the key and no flag gives it
    defaults  key -> value, where nobody says anything about the key

    null in the last two leaves a key alone. `flags` are those of dockerd's command line by their keys in the file,
    `unsuitable` keys -> a sentence why neither baseline nor defaults may set them here. Without `version` the keys
    that only some engines take are left out of the last two.
    """
    wanted, notices = normalised(config)
    base, base_notices = normalised(baseline or {})
    rest, rest_notices = normalised(defaults or {})
    major = next(iter(numbers(version or "")), None)
    refused = [] if state == "absent" else list(_refusals(wanted, major, version))
    refused += _refusals(base, None, None)
    refused += _refusals(rest, None, None)
    result = merge(settings, wanted, state, list_merge)
    for key, values in (unwanted or {}).items():
        if key in result and key not in wanted:
            notices += _take_out(result, key, values)
    fill = [(key, value) for key, value in base.items() if value is not None]
    fill += [(key, value) for key, value in rest.items() if base.get(key) is None and key not in result]
    skipped = []
    # Last, since the driver may be among them.
    for key, value in sorted(fill, key=lambda item: item[0] == "log-opts"):
        if value is None or key in wanted or _is_default(result, flags, key, value):
            continue
        reason = (unsuitable or {}).get(key) or _why_not(result, flags, major, version, key)
        if reason:
            skipped.append({"key": key, "reason": reason})
        else:
            result = merge(result, {key: value}, "present", "replace")
    return Plan(result, skipped, notices + base_notices + rest_notices, refused)


def _refusals(config: Mapping[str, Any], major: int | None, version: str | None) -> Iterator[str]:
    engine = f" (engine {version})" if version else ""
    for key, value in config.items():
        if value is None:
            continue
        why = why_refused(key, major)
        meant = ignored_keys([key]).get(key)
        misfit = type_error(key, value)
        if why:
            yield f"{key}: {why}{engine}"
        elif meant:
            yield f"{key}: is ignored by dockerd, which reads '{meant}'"
        elif misfit:
            yield f"{key}: {misfit}"


def _take_out(settings: dict[str, Any], key: str, values: Sequence[Any]) -> Iterator[str]:
    found = settings[key]
    if isinstance(found, list):
        bad = set(map(canonical, values))
        gone = [entry for entry in found if canonical(entry) in bad]
        left = [entry for entry in found if canonical(entry) not in bad]
    else:
        gone, left = [value for value in values if same(key, found, value)], []
    if not gone:
        return
    if left:
        settings[key] = left
    else:
        del settings[key]
    yield f"{key}: {', '.join(map(_words, gone))} is taken out"


def _is_default(settings: Mapping[str, Any], flags: Flags, key: str, value: Any) -> bool:
    """Whether the value is in force without being written: by a flag, or because nobody says otherwise."""
    if key in flags:
        given = flags[key]
        if isinstance(value, list):
            return same(key, value, [given] if isinstance(given, str) else list(given))
        return _words(value) == _last(given)
    if settings.get(key) is not None or key not in OPTIONS or key in _DEFAULT_VARIES:
        return False
    option = OPTIONS[key]
    meant = option.alias.get(value, value) if isinstance(value, str) else value
    return same(key, meant, option.default)


def _why_not(
    settings: Mapping[str, Any], flags: Flags, major: int | None, version: str | None, key: str
) -> str | None:
    option, refusal = KEYS.get(key), why_refused(key, major)
    if refusal:
        return f"{key} {refusal} (engine {version})"
    if major is None and option and (option.since > FIRST_MAJOR or option.until):
        return f"the engine's version is not known, and not every one takes {key}"
    if key in flags:
        return f"--{FLAGS.get(key, key)} is on dockerd's command line, and the file must not name it as well"
    if key == "log-opts":
        driver = settings.get("log-driver") or _last(flags.get("log-driver", "json-file"))
        if driver not in _LOGS_TO_FILES:
            return f"the log driver is {driver}, whose options are others"
    return None


def _last(given: str | Sequence[str]) -> str:
    return given if isinstance(given, str) else given[-1]


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
