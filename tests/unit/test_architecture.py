# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of docs/architecture.md, asked of every file of module_utils."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "plugins/module_utils"
PREFIX = "ansible_collections.bulwark.docker.plugins.module_utils"
MOST_LINES = 450
# Each has the name of its module.
FEATURES = ("daemon_config", "daemon_tls", "engine_files", "listening_services", "rootless", "userns_remap")
FILES = {
    ".".join(path.relative_to(HOUSE).with_suffix("").parts): path for path in sorted(HOUSE.rglob("*.py"))
}
# Imported by every module before anything else.
OUTSIDE = "compile_once"


def package(file: str) -> str:
    """`probes.host` for `probes.host.units`; a file beside the packages is one of its own."""
    return file.rpartition(".")[0] or file


@cache
def rules() -> dict[str, set[str]]:
    """{package: those that it may import}, by the table of the page."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|.*\| (.*?) ?\|$", page, re.MULTILINE)
    names = [(re.findall(r"`([\w.]+)`", row[0]), re.findall(r"`([\w.*]+)`", row[1])) for row in rows]
    known = [each for packages, _unused in names for each in packages]
    return {
        each: {
            one
            for name in allowed
            for one in known
            if one == name or (name.endswith("*") and one.startswith(name[:-1]))
        }
        for packages, allowed in names
        for each in packages
    }


@cache
def imports(file: str) -> frozenset[str]:
    """The files of module_utils that it imports, also inside of functions."""
    return frozenset(_imports(file))


def _imports(file: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(FILES[file].read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(PREFIX):
            continue
        module = str(node.module)[len(PREFIX) + 1 :]
        for name in node.names:
            whole = f"{module}.{name.name}".lstrip(".")
            yield whole if whole in FILES else module


def test_the_page_names_every_package() -> None:
    assert {package(file) for file in FILES} - {OUTSIDE} == set(rules())


@pytest.mark.parametrize("file", FILES)
def test_imports_go_one_way(file: str) -> None:
    own = package(file)
    if own == OUTSIDE:
        assert not imports(file)
        return
    others = {package(each) for each in imports(file)} - {own}
    assert others <= rules()[own], f"{file} imports {', '.join(sorted(others - rules()[own]))}"


def test_no_file_imports_in_a_circle() -> None:
    done: set[str] = set()

    def follow(file: str, way: tuple[str, ...]) -> None:
        assert file not in way, " -> ".join((*way, file))
        if file not in done:
            for each in imports(file):
                follow(each, (*way, file))
            done.add(file)

    for file in FILES:
        follow(file, ())


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_is_the_backend_of_its_module(feature: str) -> None:
    assert f"changes.{feature}.backend" in FILES
    module = (ROOT / f"plugins/modules/{feature}.py").read_text(encoding="utf-8")
    assert re.search(rf"{PREFIX}\.changes\.{feature}(?: import backend|\.backend import )", module)


def test_no_directory_has_the_name_of_a_file() -> None:
    """Ansible's loader would take the directory."""
    assert [str(path) for path in FILES.values() if path.with_suffix("").is_dir()] == []


@pytest.mark.parametrize("file", FILES)
def test_a_host_needs_the_standard_library_alone(file: str) -> None:
    for node in ast.walk(ast.parse(FILES[file].read_text(encoding="utf-8"))):
        names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert (
                name.startswith((PREFIX, "ansible.module_utils."))
                or name.partition(".")[0] in sys.stdlib_module_names
            ), f"{file} imports {name}"


@pytest.mark.parametrize("file", FILES)
def test_a_file_stays_short(file: str) -> None:
    assert len(FILES[file].read_text(encoding="utf-8").splitlines()) <= MOST_LINES
