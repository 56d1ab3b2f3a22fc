# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read: a control once, worst first, and equal observations once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.groups import (
    attested,
    by_control,
    entries,
    failing,
    named_subjects,
    remedy_text,
    subject_rows,
)

from tests.unit.plugins import reports

ONE, TWO, THREE = reports.catalogue(3)
LOW = next(control for control in reports.catalogue(40) if control["severity"] == "low")


def fail(control: dict[str, str], *names: str, **more: Any) -> dict[str, Any]:
    subjects = [reports.subject("container", name) for name in names]
    return {**reports.finding(control, "fail", subjects), **more}


def groups(*hosts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    entered = [reports.audited(f"web{number}", findings) for number, findings in enumerate(hosts)]
    return by_control(build_report(entered, "Audit"))


def test_controls_come_by_outcome_then_severity_then_number_of_hosts_then_name():
    found = groups(
        [reports.finding(ONE, "pass", []), fail(TWO, "a", engine="rootless:ada"), fail(LOW, "a")],
        [reports.finding(ONE, "unknown", []), fail(TWO, "a"), fail(LOW, "a")],
    )
    assert [(group["control"], group["outcome"], group["severity"]) for group in found] == [
        (TWO["control"], "fail", "critical"),
        (LOW["control"], "fail", "low"),
        (ONE["control"], "unknown", "critical"),
    ]


def test_a_control_that_failed_more_often_comes_first():
    found = groups([fail(ONE, "a"), fail(TWO, "a")], [fail(TWO, "a"), reports.finding(ONE, "pass", [])])
    assert [group["control"] for group in found] == [TWO["control"], ONE["control"]]


def test_a_waived_failure_is_not_a_failure_of_the_control():
    (group,) = groups([fail(ONE, "a", waived=True)], [reports.finding(ONE, "pass", [])])
    assert group["outcome"] == "waived"
    assert (group["outcomes"]["fail"], group["outcomes"]["waived"], group["outcomes"]["pass"]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("engines", "user"),
    [
        (["system", "rootless:evil"], None),
        (["rootless:ada", "rootless:evil"], None),
        (["rootless:ada"] * 2, "ada"),
    ],
)
def test_no_engine_of_one_host_stands_in_the_remedy_for_all(engines, user):
    """S12: what all have in common, or what the catalogue says without an account."""
    control = next(one for one in reports.catalogue(400) if one["control"] == "daemon.configuration_applied")
    (group,) = groups(*([fail(control, "a", engine=engine)] for engine in engines))
    assert group["remedy"]["role"] == "daemon_config"
    assert group["remedy"]["variables"].get("daemon_apply_user") == user


def test_remedies_of_a_control_that_is_not_in_the_catalogue_stand_for_no_other_host():
    (control,) = reports.catalogue(1000)[-1:]
    told: dict[str, Any] = {"effect": "manual", "role": None, "variables": {}}
    (group,) = groups(
        *([{**fail(control, "a"), "remedy": {**told, "text": text}}] for text in ("good", "evil"))
    )
    assert group["remedy"] is None


def test_hosts_that_say_the_same_are_one_entry():
    (group,) = groups(
        [fail(ONE, "a", "b")],
        [fail(ONE, "a", "b")],
        [fail(ONE, "c", "d")],
        [reports.finding(ONE, "pass", [])],
    )
    assert [(entry["outcome"], entry["hosts"]) for entry in entries(group["findings"])] == [
        ("fail", ["web0", "web1"]),
        ("fail", ["web2"]),
        ("pass", ["web3"]),
    ]


def test_subjects_with_the_same_observation_are_one_row():
    subjects = [
        reports.subject("container", "a"),
        reports.subject("container", "b"),
        reports.subject("container", "c", actual="other"),
        reports.subject("image", "a"),
        reports.subject("container", "d", waiver=reports.waiver()),
    ]
    assert [(row["kind"], row["names"]) for row in subject_rows(subjects)] == [
        ("container", ["a", "b"]),
        ("container", ["c"]),
        ("image", ["a"]),
        ("container", ["d"]),
    ]


def test_failing_subjects_are_those_without_an_active_waiver():
    subjects = [
        reports.subject("container", "open"),
        reports.subject("container", "accepted", waiver=reports.waiver()),
        reports.subject("container", "lapsed", waiver=reports.waiver("expired")),
        reports.subject("container", "unread", verdict="unknown"),
    ]
    assert [subject["name"] for subject in failing({"subjects": subjects})] == ["open", "lapsed"]


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (["web"], "container web"),
        (["web", "db", "cache", "queue", "mail"], "container web, db, cache and 2 more"),
        (["w" * 50], "container " + "w" * 17 + "..."),
        (["a\x1b[2J"], "container a<U+001B>[2J"),
    ],
)
def test_subjects_are_named_in_one_line(names, line):
    assert named_subjects([reports.subject("container", name) for name in names], 3, 20) == line


def test_a_change_of_kind_is_named():
    mixed = [
        reports.subject("container", "web"),
        reports.subject("image", "web:1"),
        reports.subject("image", "db:2"),
    ]
    assert named_subjects(mixed, 3, 20) == "container web, image web:1, db:2"


@pytest.mark.parametrize(
    ("name", "identifier", "shown"),
    [(None, "3f2a" * 16, "3f2a3f2a3f2a"), ("", "", "(unnamed)"), ("web", "3f", "web")],
)
def test_a_subject_without_a_name_goes_by_its_short_id(name, identifier, shown):
    subject = {**reports.subject("container", "x"), "name": name, "id": identifier}
    assert named_subjects([subject], 1, 20) == f"container {shown}"


@pytest.mark.parametrize(
    ("remedy", "line"),
    [
        (None, ""),
        ({"effect": "manual", "role": None, "variables": {}, "text": "Look\nat it."}, "Look<U+000A>at it."),
        (
            {"effect": "restart", "role": "userns_remap", "variables": {"b": True, "a": [1, 2]}, "text": "x"},
            "role bulwark.docker.userns_remap, a: 1, 2, b: true",
        ),
    ],
)
def test_a_remedy_is_a_role_with_variables_or_a_text(remedy, line):
    assert remedy_text(remedy) == line


def test_an_attestation_is_told_in_one_line():
    word = {"by": "Ada", "date": "2026-01-02", "valid_until": "2026-06-30", "note": None, "state": "active"}
    assert attested(word) == "attested by Ada on 2026-01-02, valid until 2026-06-30"
    lapsed = {**word, "note": "seen\non site", "state": "expired"}
    assert attested(lapsed) == "attested by Ada on 2026-01-02, expired on 2026-06-30: seen<U+000A>on site"
