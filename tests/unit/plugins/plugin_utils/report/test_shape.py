# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table by which results are checked says what docs/report.schema.json says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.bounds import Malformed
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.shape import DEFINITIONS, check

from tests.fuzz import mutations
from tests.unit.plugins import reports

SCHEMA = json.loads((Path(__file__).parents[5] / "docs" / "report.schema.json").read_text(encoding="utf-8"))
FINDING = build_report(reports.make_hosts(1, controls=3), "Audit")["findings"][0]


def bare(shape: Any) -> Any:
    """A shape without its descriptions."""
    if isinstance(shape, dict):
        return {
            key: bare(value)
            for key, value in shape.items()
            if key != "description" or not isinstance(value, str)
        }
    return [bare(value) for value in shape] if isinstance(shape, list) else shape


@pytest.mark.parametrize("name", sorted(set(DEFINITIONS) - {"told"}))
def test_a_definition_is_that_of_the_schema(name):
    assert DEFINITIONS[name] == bare(SCHEMA["$defs"][name])


def test_what_a_host_tells_of_itself_is_a_part_of_its_row():
    row = bare(SCHEMA["$defs"]["audited_host"])["properties"]
    for key, shape in DEFINITIONS["told"]["properties"].items():
        assert shape == row[key]


ENGINES = (
    "system", "system:docker@2", "system:a\\x2db", "rootless:*", "rootless:1000", "rootless:ada", "rootless:CORP-ada_1",
    "rootless:J.Ä+x@corp", "rootless:host$",
)  # fmt: skip
NO_ENGINES = (
    "", "System", "system:", "system: x", "rootless", "rootless:", "docker", "rootless:-e", "rootless:a b",
    "rootless:$x", "rootless:a$b", "rootless:a;b", "rootless:a'", "rootless:*a", "rootless:a:b", "rootless:a/b",
)  # fmt: skip


@pytest.mark.parametrize("name", [*ENGINES, *NO_ENGINES])
def test_names_of_engines(name):
    """S12: they become variables of roles."""
    sound = jsonschema.Draft202012Validator(SCHEMA["$defs"]["engine_name"]).is_valid(name)
    assert sound == (name in ENGINES)
    if sound:
        check(name, "engine_name", (None, "engine"))
    else:
        with pytest.raises(Malformed, match="engine is no name of an engine"):
            check(name, "engine_name", (None, "engine"))


def test_a_finding_is_refused_where_the_schema_refuses_it():
    """The small check and a library for JSON Schema agree. What is nested too deep does not come here."""
    schema = {"$ref": "#/$defs/finding", "$defs": SCHEMA["$defs"]}
    validator = jsonschema.Draft202012Validator(schema)
    for seed in mutations.seeds(500):
        finding = mutations.data(FINDING, seed)
        assert _sound(finding) == validator.is_valid(finding), f"FUZZ_SEED={seed}"


def _sound(finding: Any) -> bool:
    try:
        check(finding, "finding", (None, "finding"))
    except Malformed as error:
        assert str(error).startswith("finding")
        return False
    return True
