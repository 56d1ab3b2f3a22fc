# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a JMESPath expression reads, checked against the shape of a report.

JMESPath takes a misspelt key for null, so that a gate with one would never close. Here it is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.audit.catalogue import CATALOGUE
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.vocabulary import (
    CHANGE_EFFECTS,
    MODES,
    SCHEMA,
    VERDICTS,
)

try:
    import jmespath  # type: ignore[import-untyped]
    from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]
    from jmespath.functions import Functions  # type: ignore[import-untyped]
except ImportError:
    jmespath = None

_DAY = "2026-01-01"
# What a play accepts is in the catalogue.
_CONTROL = next(iter(CATALOGUE))
_WAIVER = {"control": _CONTROL, "subject": "*", "reason": "x", "owner": "x", "expires": _DAY}
_SUBJECT = {
    **dict.fromkeys(("kind", "id", "name", "expected", "actual", "evidence"), ""),
    "verdict": VERDICTS[0],
}
_FINDING = {
    **dict.fromkeys(("title", "message", "scope"), ""),
    "engine": "system",
    "control": _CONTROL,
    "severity": "info",
    "verdict": VERDICTS[0],
    "counts": {},
    "subjects": [_SUBJECT],
    "remedy": {"effect": "manual", "role": None, "variables": {}, "text": None},
    "references": {},
}
_RESULT = {
    "schema": SCHEMA,
    "profile": "",
    "findings": [_FINDING],
    "host": {
        **dict.fromkeys(("name", "os", "kernel", "collected")),
        "privileged": True,
        "engines": [{"name": "system", **dict.fromkeys(("state", "version", "containers"))}],
    },
}
_CHANGE = {
    "mode": MODES[0],
    "effect": CHANGE_EFFECTS[0],
    "actions": [""],
    "costs": [{"kind": "", "message": "", "subjects": [""]}],
    "refused": [{"message": ""}],
    "skipped": [{"key": "", "reason": ""}],
    "notices": [""],
}
_HOST = {
    "host": "host",
    "status": "audited",
    "message": None,
    "result": _RESULT,
    "waivers": [_WAIVER],
    "date": _DAY,
}
# One host with one of everything; None stands for a value of any kind.
_SHAPE = build_report([{**_HOST, "before": _RESULT, "change": _CHANGE}], title="")
_SHAPE["findings"][0]["remedy"]["variables"] = None
# What fails is not attested as well.
_SHAPE["findings"][0]["attestation"] = dict.fromkeys(("by", "date", "valid_until", "note", "state"))


class ExpressionError(ValueError):
    """The expression is no JMESPath or reads what no report has; the text goes on after "the expression"."""


def check_expression(text: str) -> None:
    """Raise ExpressionError unless the text is a JMESPath expression over a report."""
    if jmespath is None:
        raise ExpressionError("needs the Python package jmespath, which is not installed on the controller")
    try:
        tree = jmespath.compile(text).parsed
    except JMESPathError as error:
        raise ExpressionError(f"is not JMESPath: {str(error).splitlines()[0]}") from error
    _walk(tree, _SHAPE)


def evaluate(text: str, report: dict[str, Any]) -> Any:
    """The value of a checked expression over the report; raises ExpressionError where it has none."""
    try:
        return jmespath.search(text, report)
    except JMESPathError as error:
        raise ExpressionError(f"cannot be evaluated on this report: {error}") from error


def _walk(node: dict[str, Any], shape: Any) -> Any:
    """The shape of what the node yields on a value of the given shape."""
    return _VISITORS.get(node["type"], _each)(node, shape)


def _field(node: dict[str, Any], shape: Any) -> Any:
    if not isinstance(shape, dict):
        return None
    if node["value"] not in shape:
        raise ExpressionError(f"reads {node['value']}, but there is only {', '.join(sorted(shape))}")
    return shape[node["value"]]


def _chain(node: dict[str, Any], shape: Any) -> Any:
    for child in node["children"]:
        shape = _walk(child, shape)
    return shape


def _projection(node: dict[str, Any], shape: Any) -> Any:
    items, each = node["children"]
    return [_walk(each, _element(_walk(items, shape)))]


def _filter(node: dict[str, Any], shape: Any) -> Any:
    items, each, condition = node["children"]
    element = _element(_walk(items, shape))
    _walk(condition, element)
    return [_walk(each, element)]


def _flatten(node: dict[str, Any], shape: Any) -> Any:
    items = _walk(node["children"][0], shape)
    element = _element(items)
    return element if isinstance(element, list) else items


def _function(node: dict[str, Any], shape: Any) -> Any:
    if node["value"] not in Functions.FUNCTION_TABLE:
        raise ExpressionError(f"calls {node['value']}(), which JMESPath does not have")
    return _each(node, shape)


def _each(node: dict[str, Any], shape: Any) -> Any:
    for child in node["children"]:
        _walk(child, shape)


def _element(shape: Any) -> Any:
    return shape[0] if isinstance(shape, list) and shape else None


_VISITORS: dict[str, Callable[[dict[str, Any], Any], Any]] = {
    "current": lambda node, shape: shape,
    "expref": lambda node, shape: None,
    "field": _field,
    "filter_projection": _filter,
    "flatten": _flatten,
    "function_expression": _function,
    "identity": lambda node, shape: shape,
    "index": lambda node, shape: _element(shape),
    "index_expression": _chain,
    "literal": lambda node, shape: None,
    "pipe": _chain,
    "projection": _projection,
    "slice": lambda node, shape: shape,
    "subexpression": _chain,
    "value_projection": lambda node, shape: _walk(node["children"][0], shape) and None,
}
