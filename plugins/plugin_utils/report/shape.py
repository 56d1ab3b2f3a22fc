# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shapes of what a report holds of a host, and the check of a value against one.

DEFINITIONS are those of docs/report.schema.json that depend on what a host returns, in the words of JSON Schema; a
unit test holds them equal. The controller need not have a library for JSON Schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.bounds import Malformed, where
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.vocabulary import SEVERITIES, VERDICTS

Shape = Any

_PREFIX = "#/$defs/"
_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}
_NAMES = {
    "null": "null", "boolean": "a boolean", "integer": "an integer", "number": "a number", "string": "text",
    "array": "a list", "object": "a dictionary",
}  # fmt: skip
# Names of accounts as useradd of Debian takes them, less what a shell reads otherwise than it stands there; * stands
# for the engines of all accounts where nobody knows which there are.
_ENGINE = r"^(system(:[A-Za-z0-9:_.\\@-]+)?|rootless:(\*|[A-Za-z0-9_\u0080-\uffff][A-Za-z0-9_.@+\u0080-\uffff-]*\$?))$"
_DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
# What a text that does not fit is not.
_FORMS = {_DATE: "date of the form 2026-12-31", _ENGINE: "name of an engine, such as system or rootless:ada"}
_SHOWN = 60
# Of whatever is counted.
MOST = 1_000_000_000


def _ref(name: str) -> Shape:
    return {"$ref": _PREFIX + name}


def _or_null(name: str) -> Shape:
    return {"oneOf": [{"type": "null"}, _ref(name)]}


def _object(properties: dict[str, Shape]) -> Shape:
    """One that has all of these keys and no other."""
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _counts(names: tuple[str, ...], of: Shape) -> Shape:
    return {
        "type": "object",
        "required": list(names),
        "propertyNames": of,
        "additionalProperties": _ref("count"),
    }


_STATES = {"enum": ["active", "expired"]}
_STRING = {"type": "string"}
_NAME = {"type": "string", "minLength": 1}

DEFINITIONS: dict[str, Shape] = {
    "count": {"type": "integer", "minimum": 0, "maximum": MOST},
    "text": {"type": ["string", "null"]},
    "texts": {"type": "array", "items": _STRING},
    "date": {"type": "string", "pattern": _DATE},
    "severity": {"enum": list(SEVERITIES)},
    "verdict": {"enum": list(VERDICTS)},
    "counts": _counts(VERDICTS, _ref("verdict")),
    "engine_name": {"type": "string", "pattern": _ENGINE},
    "engine": _object(
        {
            "name": _ref("engine_name"),
            "state": _ref("text"),
            "version": _ref("text"),
            "containers": {"type": ["integer", "null"], "minimum": 0, "maximum": MOST},
        }
    ),
    "finding": {
        **_object(
            {
                "host": _NAME,
                "control": _NAME,
                "catalogued": {"type": "boolean"},
                "title": _STRING,
                "severity": _ref("severity"),
                "verdict": _ref("verdict"),
                "engine": _or_null("engine_name"),
                "message": _STRING,
                "scope": _STRING,
                "waived": {"type": "boolean"},
                "counts": _ref("counts"),
                "subjects": {"type": "array", "items": _ref("subject")},
                "attestation": _or_null("attestation"),
                "remedy": _or_null("remedy"),
                "references": {
                    "type": "object",
                    "required": ["requirements", "cis_1_6_0", "cis_1_8_0", "owasp"],
                    "additionalProperties": _ref("texts"),
                },
            }
        ),
        "if": {"properties": {"waived": {"const": True}}},
        "then": {"properties": {"verdict": {"const": "fail"}}},
    },
    "subject": _object(
        {
            "kind": _STRING,
            "id": _ref("text"),
            "name": _ref("text"),
            "verdict": _ref("verdict"),
            "expected": True,
            "actual": True,
            "evidence": True,
            "waiver": _or_null("accepted"),
        }
    ),
    "accepted": _object({"reason": _STRING, "owner": _STRING, "expires": _ref("date"), "state": _STATES}),
    "attestation": _object(
        {
            "by": _STRING,
            "date": _ref("date"),
            "valid_until": _ref("date"),
            "note": _ref("text"),
            "state": _STATES,
        }
    ),
    "remedy": _object(
        {
            "effect": {"enum": ["live", "reload", "restart", "recreate", "manual"]},
            "role": _ref("text"),
            "variables": {"type": "object"},
            "text": _ref("text"),
        }
    ),
    # Part of audited_host: what a host tells of itself.
    "told": _object(
        {
            "profile": _STRING,
            "hostname": _ref("text"),
            "os": _ref("text"),
            "kernel": _ref("text"),
            "engines": {"type": "array", "items": _ref("engine")},
            "privileged": {"type": "boolean"},
            "collected": _ref("text"),
        }
    ),
}


def check(value: Any, name: str, place: Any) -> None:
    """Raise Malformed, with the path, unless the value has the shape of that name.

    `place` is the path to the value as `bounds.where` reads it: (the place above or None, key or index).
    """
    _check(value, DEFINITIONS[name], place)


def _check(value: Any, shape: Shape, place: Any) -> None:
    if shape is True:
        return
    if "$ref" in shape:
        _check(value, DEFINITIONS[shape["$ref"].removeprefix(_PREFIX)], place)
        return
    if "oneOf" in shape:
        # There is only the choice between null and something.
        if value is not None:
            _check(value, shape["oneOf"][1], place)
        return
    for keyword in shape:
        if keyword in _KEYWORDS:
            _KEYWORDS[keyword](value, shape, place)
    if "if" in shape and _fits(value, shape["if"], place):
        _check(value, shape["then"], place)


def _fits(value: Any, shape: Shape, place: Any) -> bool:
    try:
        _check(value, shape, place)
    except Malformed:
        return False
    return True


def _type(value: Any, shape: Shape, place: Any) -> None:
    kinds = shape["type"] if isinstance(shape["type"], list) else [shape["type"]]
    for kind in kinds:
        if isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool)):
            return
    raise Malformed(
        f"{where(place)} is {kind_of(value)} where {' or '.join(map(_NAMES.__getitem__, kinds))} is to be"
    )


def kind_of(value: Any) -> str:
    """What the value is, in words."""
    for kind, types in _TYPES.items():
        if isinstance(value, types) and (kind == "boolean" or not isinstance(value, bool)):
            return _NAMES[kind]
    return f"a {type(value).__name__}"


def _words(value: Any, shape: Shape, place: Any) -> None:
    allowed = shape.get("enum") or [shape["const"]]
    # True and 1 are equal, and no words.
    if not any(type(value) is type(one) and value == one for one in allowed):
        raise Malformed(
            f"{where(place)} is {value!r:.{_SHOWN}} and not one of {', '.join(map(str, allowed))}"
        )


def _range(value: Any, shape: Shape, place: Any) -> None:
    if value is not None and not shape["minimum"] <= value <= shape.get("maximum", value):
        raise Malformed(f"{where(place)} is out of range: {value!r:.{_SHOWN}}")


def _empty(value: Any, shape: Shape, place: Any) -> None:
    if len(value) < shape["minLength"]:
        raise Malformed(f"{where(place)} is empty")


def _pattern(value: Any, shape: Shape, place: Any) -> None:
    # \Z and not $: a line break at the end is no part of it.
    if not re.fullmatch(shape["pattern"].strip("^$"), value, re.ASCII):
        raise Malformed(f"{where(place)} is no {_FORMS[shape['pattern']]}: {value!r:.{_SHOWN}}")


def _required(value: Any, shape: Shape, place: Any) -> None:
    for key in shape["required"]:
        if key not in value:
            raise Malformed(f"{where(place)} has no {key}")


def _properties(value: Any, shape: Shape, place: Any) -> None:
    known, others = shape.get("properties", {}), shape.get("additionalProperties", True)
    for key, one in value.items() if isinstance(value, dict) else ():
        if "propertyNames" in shape:
            _check(key, shape["propertyNames"], place)
        if key in known:
            _check(one, known[key], (place, key))
        elif others is False:
            raise Malformed(f"{where((place, key))} is not among {', '.join(known)}")
        else:
            _check(one, others, (place, key))


def _elements(value: Any, shape: Shape, place: Any) -> None:
    for number, one in enumerate(value):
        _check(one, shape["items"], (place, number))


def _others(value: Any, shape: Shape, place: Any) -> None:
    if "properties" not in shape:
        _properties(value, shape, place)


# In the order of the shape, which begins with the type: what comes later relies on it.
_KEYWORDS: dict[str, Callable[[Any, Shape, Any], None]] = {
    "type": _type,
    "enum": _words,
    "const": _words,
    "minimum": _range,
    "minLength": _empty,
    "pattern": _pattern,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _others,
    "items": _elements,
}
