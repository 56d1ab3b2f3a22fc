# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every regular expression of the collection takes linear time, whatever the text is (S7)."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.hostile import SIZE, TooSlow, limited, texts, texts_for

_ROOT = Path(__file__).parents[2]
_PACKAGE = "ansible_collections.bulwark.docker"
_FLAGS = {
    name: int(getattr(re, name))
    for name in ("IGNORECASE", "MULTILINE", "DOTALL", "VERBOSE", "ASCII", "I", "M", "S")
}

_ALL_MATCHES = {"findall", "finditer", "split", "sub", "subn"}
_METHODS = {"search", "match", "fullmatch", *_ALL_MATCHES}


def _modules() -> Iterator[tuple[str, Path]]:
    for path in sorted((_ROOT / "plugins").rglob("*.py")):
        relative = path.relative_to(_ROOT)
        if "doc_fragments" not in relative.parts:
            yield ".".join((_PACKAGE, *relative.with_suffix("").parts)), relative


def _held(value: Any, depth: int = 5) -> Iterator[re.Pattern[Any]]:
    """The patterns in a value and in the containers that it consists of."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, dict):
        yield from _held((*value.keys(), *value.values()), depth)
    elif depth and isinstance(value, (tuple, list, set, frozenset)):
        for each in value:
            yield from _held(each, depth - 1)


def _written(path: Path) -> Iterator[tuple[re.Pattern[Any], str]]:
    """(pattern, how it is applied) of those given to re.match() and its like as they are needed."""
    for node in ast.walk(ast.parse((_ROOT / path).read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.args
            and node.func.attr not in ("escape", "purge")
        ):
            first = node.args[0]
            if isinstance(first, ast.JoinedStr):
                # What is put in are names of our own.
                source: Any = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "name" for part in first.values
                )
            elif isinstance(first, ast.Constant):
                source = first.value
            else:
                continue
            named = [
                each.attr
                for each in ast.walk(node)
                if isinstance(each, ast.Attribute) and each.attr in _FLAGS
            ]
            yield re.compile(source, sum({_FLAGS[name] for name in named})), node.func.attr


def _uses() -> dict[str, set[str]]:
    """{name of a pattern: how it is applied}, in all modules: names are alike only where patterns are."""
    found: dict[str, set[str]] = {}
    for _unused, path in _modules():
        for node in ast.walk(ast.parse((_ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in _METHODS and isinstance(node.value, ast.Name):
                found.setdefault(node.value.id, set()).add(node.attr)
    return found


def _all() -> dict[str, tuple[re.Pattern[Any], frozenset[str]]]:
    """Every pattern once, with the ways in which it may be applied."""
    found: dict[str, tuple[re.Pattern[Any], frozenset[str]]] = {}
    uses = _uses()
    for module_name, path in _modules():
        for name, value in vars(importlib.import_module(module_name)).items():
            for pattern in _held(value):
                ways = uses.get(name) if isinstance(value, re.Pattern) else None
                _add(found, path, pattern, ways or _METHODS)
        for pattern, way in _written(path):
            # Those with a name are known by that.
            if way in _METHODS or _named(path, pattern) not in found:
                _add(found, path, pattern, {way} & _METHODS or _METHODS)
    return found


def _add(
    found: dict[str, tuple[re.Pattern[Any], frozenset[str]]],
    path: Path,
    pattern: re.Pattern[Any],
    ways: Collection[str],
) -> None:
    name = _named(path, pattern)
    found[name] = pattern, found.get(name, (pattern, frozenset()))[1] | frozenset(ways)


def _named(path: Path, pattern: re.Pattern[Any]) -> str:
    return f"{path.stem}: {pattern.pattern!r}"[:90]


PATTERNS = _all()
# All have texts of their own, and these.
COMMON = tuple(texts(SIZE))


def test_patterns_are_found() -> None:
    assert len(PATTERNS) > 120


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_linear(name: str) -> None:
    pattern, ways = PATTERNS[name]
    for text in dict.fromkeys((*texts_for(pattern), *COMMON)):
        subject: Any = text.encode("utf-8") if isinstance(pattern.pattern, bytes) else text
        for way in ways - ({"search"} if ways & _ALL_MATCHES else set()):
            try:
                with limited():
                    _apply(pattern, "finditer" if way in _ALL_MATCHES else way, subject)
            except TooSlow:
                pytest.fail(f"{name} is not linear in {way}: {text[:80]!r}... {text[-10:]!r}")


def _apply(pattern: re.Pattern[Any], way: str, subject: Any) -> None:
    # A hundred thousand matches take their time as well.
    found = getattr(pattern, way)(subject)
    if way == "finditer":
        for _unused in found:
            pass


_SLOW = (
    r"\|\d+ (.*?)(?=(?:/\S+/)?sh )", r"-----BEGIN C-----\s+([a-z\s]+?)-----END", r"([\w.-]*pwd[\w.-]*)=x", r"^\s*a",
    r"\s+#", r"(a|aa)+$", r"\d+\.\d+", r"@.*\.",
)  # fmt: skip


def test_what_is_not_linear_is_found() -> None:
    """The patterns of the review, and others of their kinds."""
    for source in _SLOW:
        pattern = re.compile(source, re.MULTILINE)
        with pytest.raises(TooSlow):
            for text in texts_for(pattern):
                with limited():
                    pattern.search(text)
