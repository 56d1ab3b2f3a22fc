# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of daemon.json brought together, and compared by what they mean to dockerd."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.option_types import converted
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.daemon_options import KEYS

Settings = dict[str, Any]


def merge(settings: Mapping[str, Any], config: Mapping[str, Any], state: str, list_merge: str) -> Settings:
    """The settings with `config`, which `option_types.normalised` has seen.

    present  objects are merged deeply; a list takes the place of the old one, or with list_merge "append" lends
             it the entries that it has not yet; null removes the key
    absent   the keys of `config` go; of an object with entries only those keys, and it goes when none is left
    exact    `config` alone

    Existing keys keep their place, and their value where the new one means the same; new ones follow.
    """
    if state == "absent":
        return _without(settings, config)
    if state == "exact":
        wanted = _merged({}, config, "replace")
        order = [*(key for key in settings if key in wanted), *(key for key in wanted if key not in settings)]
        merged = {key: wanted[key] for key in order}
    else:
        known = {key: _plain(key, value) if key in config else value for key, value in settings.items()}
        merged = _merged(known, config, list_merge)
    return {
        key: settings[key] if key in settings and same(key, settings[key], value) else value
        for key, value in merged.items()
    }


def same(key: str, left: Any, right: Any) -> bool:
    """Whether two values of a key mean the same to dockerd. null, [] and {} mean what a missing key does.

    true is not 1 and not "true", and 1 is not 1.0, which dockerd refuses for a whole number.
    """
    return _meaning(key, left) == _meaning(key, right)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """key -> (old, new) of the keys that changed in meaning; None for a missing one."""
    return {
        key: (before.get(key), after.get(key))
        for key in [*before, *(key for key in after if key not in before)]
        if not same(key, before.get(key), after.get(key))
    }


def canonical(value: Any) -> str:
    """A text that only equal JSON values of equal types share."""
    return json.dumps(value, sort_keys=True)


def _meaning(key: str, value: Any) -> str | None:
    if value is None or value == [] or value == {}:
        return None
    if isinstance(value, list) and not (key in KEYS and KEYS[key].ordered):
        return canonical(sorted(map(canonical, value)))
    return canonical(_fields(key, value))


def _fields(key: str, value: Any) -> Any:
    """Limits with their fields as we write them: Go's decoder does not tell `hard` from `Hard`."""
    if key != "default-ulimits" or not isinstance(value, dict):
        return value
    return {
        name: {field.capitalize(): entry for field, entry in limit.items()}
        if isinstance(limit, dict)
        else limit
        for name, limit in value.items()
    }


def _plain(key: str, value: Any) -> Any:
    return converted(key, _fields(key, value))


def _merged(old: Mapping[str, Any], new: Mapping[str, Any], list_merge: str) -> Settings:
    result = dict(old)
    for key, value in new.items():
        before = result.get(key)
        if isinstance(value, dict):
            value = _merged(before if isinstance(before, dict) else {}, value, list_merge)
        elif isinstance(value, list) and isinstance(before, list) and list_merge == "append":
            value = _appended(before, value)
        if value in ({}, []) and before in (None, {}, []):
            continue
        if value is None or value == {}:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def _appended(old: list[Any], new: list[Any]) -> list[Any]:
    result, known = list(old), set(map(canonical, old))
    for entry in new:
        if canonical(entry) not in known:
            known.add(canonical(entry))
            result.append(entry)
    return result


def _without(old: Mapping[str, Any], unwanted: Mapping[str, Any]) -> Settings:
    result = dict(old)
    for key, value in unwanted.items():
        rest = {}
        if value and isinstance(value, dict) and isinstance(result.get(key), dict):
            rest = _without(_fields(key, result[key]), value)
        if rest:
            result[key] = rest
        else:
            result.pop(key, None)
    return result
