# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of daemon.json: what dockerd would refuse for its type, and the short forms that it is spared.

The types are those of `config.Config` in moby 20.10.24 to 29.7.2, as tables say them in knowledge/daemon_options.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.daemon_options import KEYS

_SIZE = re.compile(r"\d+(\.\d+)* ?[kmgtp]?i?b?", re.IGNORECASE)


class _Scalar(NamedTuple):
    words: str
    fits: Callable[[Any], bool]
    # Whether a value that does not fit may be shown; a text may hold a password.
    shown: bool = False


_SCALARS = {
    # It does not look; but the keys within an object count as if they stood outside.
    "any": _Scalar("a plain value", lambda value: not isinstance(value, dict)),
    "bool": _Scalar("true or false", lambda value: isinstance(value, bool), True),
    "int": _Scalar(
        "a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool), True
    ),
    "object": _Scalar("an object", lambda value: isinstance(value, dict)),
    "size": _Scalar(
        'a size such as "64M"', lambda value: isinstance(value, str) and bool(_SIZE.fullmatch(value)), True
    ),
    "text": _Scalar("a text", lambda value: isinstance(value, str)),
}
# The fields of an object that have a type. Others dockerd refuses in those that _CLOSED names, else ignores.
_CLOSED = ("nri", "proxies")
_OBJECTS = {
    "limit": {"Name": "text", "Hard": "int", "Soft": "int"},
    "nri": {"enable": "bool", "plugin-path": "text", "plugin-config-path": "text", "socket-path": "text"},
    "pool": {"base": "text", "size": "int"},
    "proxies": {"http-proxy": "text", "https-proxy": "text", "no-proxy": "text"},
    "runtime": {"path": "text", "runtimeArgs": "[text]", "runtimeType": "text", "options": "object"},
}
_SHORT_LIMIT = re.compile(r"(-?[0-9]{1,18})(?::(-?[0-9]{1,18}))?")


def type_error(key: str, value: Any) -> str | None:
    """What dockerd would refuse in the value, as a sentence's end; None for a fitting one, null, a foreign key."""
    option = KEYS.get(key)
    return None if option is None else _misfit(option.kind, value, "")


def normalised(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """(the same as plain data in the form that dockerd takes, a sentence for each value of another type).

    Numbers and booleans in maps of texts (log-opts) become texts; a limit of default-ulimits may be given as
    1024, "1024:2048" or {soft, hard}.
    """
    notices: list[str] = []
    # Ansible hands over subclasses of dict, str and int.
    plain = json.loads(json.dumps(config))
    return {key: _converted(key, value, notices) for key, value in plain.items()}, notices


def converted(key: str, value: Any) -> Any:
    """One value as `normalised` gives it."""
    return _converted(key, value, [])


def _misfit(kind: str, value: Any, where: str) -> str | None:
    if value is None:
        return None
    if kind[0] == "[":
        if not isinstance(value, list):
            return _wants(where, "a list", value)
        parts = [(kind[1:-1], entry, f"{where}entry {number}") for number, entry in enumerate(value, 1)]
    elif kind[0] == "{":
        if not isinstance(value, dict):
            return _wants(where, "an object", value)
        parts = [(kind[1:-1], entry, f"{where}{name}") for name, entry in value.items()]
    elif kind in _OBJECTS:
        if not isinstance(value, dict):
            return _wants(where, "an object", value)
        fields = _OBJECTS[kind]
        foreign = sorted(value.keys() - fields.keys()) if kind in _CLOSED else []
        if foreign:
            return f"{where[:-1]} has no field {foreign[0]}, only {', '.join(fields)}".lstrip()
        parts = [(fields[name], entry, f"{where}{name}") for name, entry in value.items() if name in fields]
    else:
        scalar = _SCALARS[kind]
        return None if scalar.fits(value) else _wants(where, scalar.words, value, scalar.shown)
    misfits = (_misfit(part, entry, f"{place}.") for part, entry, place in parts)
    found = next((misfit for misfit in misfits if misfit), None)
    return found or (_bad_limit(value, where) if kind == "limit" else None)


def _bad_limit(limit: Mapping[str, Any], where: str) -> str | None:
    """dockerd takes it all the same, and then no container starts."""
    hard, soft = limit.get("Hard"), limit.get("Soft")
    if hard is None or soft is None:
        return f"{where[:-1]} wants Soft and Hard"
    if hard != -1 and not -1 < soft <= hard:
        return f"{where[:-1]} has a Soft limit of {soft} above its Hard limit of {hard}"
    return None


def _wants(where: str, words: str, value: Any, shown: bool = False) -> str:
    name = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list"}
    given = (
        json.dumps(value)
        if shown and not isinstance(value, (list, dict))
        else name.get(type(value), "an object")
    )
    return f"{where[:-1]} wants {words}, not {given}".lstrip()


def _converted(key: str, value: Any, notices: list[str]) -> Any:
    kind = KEYS[key].kind if key in KEYS else ""
    if not isinstance(value, dict):
        return value
    if kind == "{limit}":
        return {name: _limit(name, limit) for name, limit in value.items()}
    if kind == "{text}":
        return _texts(value, key, notices)
    if kind == "{{text}}":
        return {
            name: _texts(entry, f"{key}.{name}", notices) if isinstance(entry, dict) else entry
            for name, entry in value.items()
        }
    return value


def _texts(entries: Mapping[str, Any], where: str, notices: list[str]) -> dict[str, Any]:
    texts = {}
    for name, value in entries.items():
        texts[name] = value
        if isinstance(value, (bool, int, float)):
            texts[name] = json.dumps(value)
            notices.append(
                f'{where}.{name} is written as the text "{texts[name]}": dockerd takes no other type there'
            )
    return texts


def _limit(name: str, given: Any) -> Any:
    short = _SHORT_LIMIT.fullmatch(str(given)) if not isinstance(given, (bool, dict)) else None
    if short:
        soft, hard = int(short[1]), int(short[2] or short[1])
    elif isinstance(given, dict):
        fields = {field.lower(): value for field, value in given.items()}
        if not fields or not fields.keys() <= {"name", "hard", "soft"}:
            return given
        name = fields.get("name") or name
        soft, hard = (
            _number(fields.get(one, fields.get(other))) for one, other in (("soft", "hard"), ("hard", "soft"))
        )
    else:
        return given
    return {"Name": name, "Hard": hard, "Soft": soft}


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value) else value
