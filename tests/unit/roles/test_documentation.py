# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role's argument specs, defaults, examples and README.md say the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from docs.generate_roles import ROLES, ROOT, defaults, markdown, page, specs, target

OF_ALL = pytest.mark.parametrize("role", ROLES)
EXAMPLES = [
    (role, entry, spec["examples"])
    for role in ROLES
    for entry, spec in specs(role).items()
    if "examples" in spec
]
VARIABLES = {name for role in ROLES for spec in specs(role).values() for name in spec["options"]}


def options(role: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for spec in specs(role).values():
        yield from spec["options"].items()


def test_there_are_roles():
    assert sorted(path.name for path in (ROOT / "roles").iterdir()) == ROLES


@OF_ALL
def test_the_readme_is_fresh(role):
    """Otherwise: make docs."""
    assert target(role).read_text(encoding="utf-8") == page(role)


@OF_ALL
def test_a_default_in_the_spec_is_that_of_the_role(role):
    given = defaults(role)
    for name, option in options(role):
        # An expression is described in words.
        default = None if "{{" in str(given.get(name)) else given.get(name)
        assert (name, option.get("default")) == (name, default)


@OF_ALL
def test_every_variable_with_a_default_is_in_the_spec(role):
    assert set(defaults(role)) <= {name for name, _option in options(role)}


@OF_ALL
def test_the_first_entry_point_is_main_and_has_an_example(role):
    assert next(iter(specs(role))) == "main"
    assert (role, "main") in {(each, entry) for each, entry, _text in EXAMPLES}


def uses(play: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(role, entry point, variables) of each role that a play uses."""
    variables = play.get("vars", {})
    for name in play.get("roles", []):
        yield name, "main", variables
    for task in play.get("tasks", []):
        if included := task.get("ansible.builtin.include_role"):
            yield included["name"], included.get("tasks_from", "main"), variables | task.get("vars", {})


@pytest.mark.parametrize(("role", "entry", "text"), EXAMPLES)
def test_an_example_uses_its_entry_point_with_valid_variables(role, entry, text):
    used = [each for play in yaml.safe_load(text) for each in uses(play)]
    assert (f"bulwark.docker.{role}", entry) in {(name, point) for name, point, _variables in used}
    for name, point, variables in used:
        assert set(variables) <= VARIABLES
        spec = specs(name.removeprefix("bulwark.docker."))[point]["options"]
        own = {key: value for key, value in variables.items() if key in spec}
        assert ArgumentSpecValidator(spec).validate(own).error_messages == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C(icc) is V(false).", "`icc` is `false`."),
        ("O(rootless_state=absent)", "`rootless_state=absent`"),
        ("O(bulwark.docker.daemon_tls#module:transport)", "`transport` of `bulwark.docker.daemon_tls`"),
        ("M(bulwark.docker.rootless)", "`bulwark.docker.rootless`"),
        ("P(bulwark.docker.outside_view#filter)", "`bulwark.docker.outside_view`"),
        ("P(bulwark.docker.rootless#role)", "[bulwark.docker.rootless](../rootless/README.md)"),
        ("RV(ignore:user)", "`user`"),
        ("C(docs/tls.md)", "[docs/tls.md](../../docs/tls.md)"),
        ("all of file.*, and [none]", r"all of file.\*, and \[none]"),
    ],
)
def test_markup_becomes_markdown(text, expected):
    assert markdown(text) == expected
