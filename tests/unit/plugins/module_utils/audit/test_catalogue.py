# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue is complete: ids, references, coverage of the requirement and CIS rows, the generated page."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.audit.catalogue import (
    CATALOGUE,
    PROFILES,
    choose,
    option_errors,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    EFFECTS,
    SEVERITIES,
    cis_id_in_1_8_0,
)

from docs.generate import TARGET, page

ROWS = Path(__file__).parents[3] / "rows"


def rows(name: str) -> list[dict[str, str]]:
    with (ROWS / name).open(encoding="utf-8") as stream:
        return list(csv.DictReader(line for line in stream if not line.startswith("#")))


@pytest.mark.parametrize("control", CATALOGUE.values(), ids=CATALOGUE)
def test_every_control_is_well_formed(control):
    assert control.id.count(".") == 1
    assert control.id == control.id.lower()
    assert control.severity in SEVERITIES
    assert control.remedy.effect in EFFECTS
    assert control.title and not control.title.endswith(".")
    assert control.remedy.text.endswith(".")
    assert control.doc.endswith(".")
    assert (control.level is not None) == bool(control.cis_1_6_0 or control.cis_1_8_0)


def test_every_requirement_row_is_covered():
    covered = {row for control in CATALOGUE.values() for row in control.requirements}
    known = {row["id"] for row in rows("requirements.csv")}
    wanted = {row["id"] for row in rows("requirements.csv") if row["automation"] != "fact only"}
    assert wanted - covered == set()
    assert covered - known == set()


def test_every_cis_row_of_sections_1_to_5_and_7_is_covered():
    covered = {row for control in CATALOGUE.values() for row in control.cis_1_6_0}
    wanted = {row["id"] for row in rows("cis.csv") if not row["id"].startswith("6.")}
    assert wanted - covered == set()


def test_every_cis_row_has_the_level_of_the_benchmark():
    levels = {row["id"]: int(row["level"]) for row in rows("cis.csv")}
    wrong = {
        control.id: control.level
        for control in CATALOGUE.values()
        if control.cis_1_6_0
        and control.level != min(levels[row] for row in control.cis_1_6_0 if row in levels)
    }
    assert wrong == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [("1.1.3", "1.1.3"), ("2.6", "2.6"), ("2.7", "2.8"), ("2.18", "2.19"), ("5.31", "5.31")],
)
def test_cis_ids_move_by_one_after_2_7(old, new):
    assert cis_id_in_1_8_0(old) == new


def test_profiles_contain_what_they_say():
    ids = {name: {control.id for control in choose(name)} for name in PROFILES}
    assert ids["cis_level_1"] < ids["cis_level_2"] < ids["strict"]
    assert ids["baseline"] < ids["strict"]
    assert ids["strict"] == set(CATALOGUE)
    assert {control.id for control in choose("baseline", ["container.priv*"])} == {"container.privileged"}


@pytest.mark.parametrize(
    ("parameters", "severities", "patterns", "sentence"),
    [
        ({"no.such": {}}, {}, [], "parameters: there is no control 'no.such'"),
        ({"container.privileged": 1}, {}, [], "takes a dictionary"),
        ({"container.privileged": {"colour": 1}}, {}, [], "has no parameter 'colour'"),
        ({}, {"no.such": "low"}, [], "severities: there is no control 'no.such'"),
        ({}, {"container.privileged": "bad"}, [], "severities: 'bad' of 'container.privileged'"),
        ({}, {}, ["nothing.*"], "controls: 'nothing.*' matches no control"),
    ],
)
def test_wrong_options_are_named(parameters, severities, patterns, sentence):
    (error,) = option_errors(parameters, severities, patterns)
    assert sentence in error


def test_the_page_of_controls_is_current():
    assert TARGET.read_text(encoding="utf-8") == page(), "docs/controls.md is stale: run `make docs`"
