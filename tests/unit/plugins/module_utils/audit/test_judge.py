# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How subjects make a verdict, findings make a score, and nothing unread ever passes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.audit.judge import findings_of, score_of
from ansible_collections.bulwark.docker.plugins.module_utils.audit.waivers import waive
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Control,
    Deviation,
    Item,
    NotApplicable,
    Remedy,
    scope,
)


def per_container(case: Case) -> list[Item]:
    return [Item("container", c["id"], c["name"], c) for c in case.of_engine("containers")]


@scope("containers", per_engine=True, over=per_container)(
    "container.example",
    "Example",
    "high",
    Remedy("manual", "Nothing."),
    requirements=("D01-02", "CAP-01"),
    cis=("2.9",),
    parameters={"wanted": "pass"},
)
def example(container: Any, case: Case) -> Any:
    """Why."""
    outcome = read(container, "outcome")
    if outcome == "not_applicable":
        raise NotApplicable("does not concern it")
    if outcome == "two":
        return [Deviation(1), Deviation(2)]
    if outcome == "late":
        return late()
    if outcome == "crash":
        return 1 / 0
    return None if outcome == case.parameters["wanted"] else Deviation(outcome, "pass", "here", outcome)


def late() -> Any:
    yield Deviation("seen")
    read({}, "never")


def snapshot(*outcomes: Any, **engine: Any) -> dict[str, Any]:
    containers = [
        {"id": f"{n:064x}", "name": f"c{n}", "outcome": outcome} for n, outcome in enumerate(outcomes)
    ]
    return {"engines": [{"name": "system", "user": None, "containers": containers, **engine}]}


def judged(data: dict[str, Any], control: Control = example, **parameters: Any) -> dict[str, Any]:
    (finding,) = findings_of(data, [control], {control.id: parameters}, {})
    return finding


@pytest.mark.parametrize(
    ("outcomes", "verdict", "message"),
    [
        ((), "pass", "There is nothing of this kind."),
        (("pass",), "pass", "Holds."),
        (("pass", "pass", "not_applicable"), "pass", "Holds for all 2."),
        (("not_applicable", "not_applicable"), "not_applicable", "does not concern it"),
        (("fail",), "fail", "c0: fail, expected pass."),
        (("fail", "pass"), "fail", "1 of 2: c0."),
        (("fail", "fail", "fail", "fail", {"error": "gone"}), "fail", "4 of 5: c0, c1, c2 and 1 more."),
        (("pass", {"error": "gone"}), "unknown", "1 of 2: c1."),
        (({"error": "gone"},), "unknown", "Not read: gone"),
        (("late",), "fail", "c0: seen."),
        (("crash",), "unknown", "Not read: the control itself failed: ZeroDivisionError: division by zero"),
        (("manual", "pass"), "manual", "1 of 2: c0."),
        (("two", "pass"), "fail", "1 of 2: c0."),
    ],
)
def test_the_worst_subject_gives_the_verdict(outcomes, verdict, message):
    finding = judged(snapshot(*outcomes))
    assert (finding["verdict"], finding["message"]) == (verdict, message)
    assert sum(finding["counts"].values()) == len(outcomes)


def test_a_failing_finding_always_shows_a_subject():
    finding = judged(snapshot("pass", "two"))
    assert [(s["name"], s["actual"]) for s in finding["subjects"]] == [("c1", 1), ("c1", 2)]


@pytest.mark.parametrize(
    ("data", "verdict", "engine"),
    [
        ({"engines": []}, "not_applicable", None),
        ({"engines": {"error": "no systemd"}}, "unknown", None),
        (snapshot(containers={"error": "dockerd does not answer"}), "unknown", "system"),
        ({"engines": [{"name": "system", "user": None}]}, "unknown", "system"),
    ],
)
def test_what_was_not_read_is_unknown_and_no_engine_is_not_applicable(data, verdict, engine):
    finding = judged(data)
    assert (finding["verdict"], finding["engine"]) == (verdict, engine)
    assert finding["subjects"] == []


def test_every_engine_is_judged_on_its_own():
    data = snapshot("fail")
    data["engines"].append({"name": "rootless:alice", "user": "alice", "containers": []})
    findings = findings_of(data, [example], {}, {"container.example": "low"})
    assert [(f["engine"], f["verdict"], f["severity"]) for f in findings] == [
        ("rootless:alice", "pass", "low"),
        ("system", "fail", "low"),
    ]


@pytest.mark.parametrize(
    ("user", "chosen", "severity"),
    [(None, {}, "critical"), ("alice", {}, "high"), ("alice", {"container.example": "critical"}, "critical")],
)
def test_root_of_a_rootless_engines_container_is_an_account(user, chosen, severity):
    data = snapshot("fail", user=user)
    (found,) = findings_of(data, [example._replace(severity="critical")], {}, chosen)
    assert found["severity"] == severity


def test_parameters_reach_the_control():
    assert judged(snapshot("fail"), wanted="fail")["verdict"] == "pass"


def test_references_are_derived():
    references = judged(snapshot())["references"]
    assert references == {
        "requirements": ["D01-02", "CAP-01"],
        "cis_1_6_0": ["2.9"],
        "cis_1_8_0": ["2.10"],
        "owasp": ["D01"],
    }


@pytest.mark.parametrize("path", [("a", "b"), ("a", "x"), ("list", 3), ("none", "x")])
def test_read_never_invents_a_value(path):
    with pytest.raises(Unread):
        read({"a": {"error": "gone"}, "list": [1], "none": None}, *path)


def test_read_gives_what_is_there():
    data = {"a": {"b": None, "error": "a key like any other"}}
    assert read(data, "a", "b") is None


def test_more_containers_never_raise_the_score():
    def percent(*outcomes: str) -> float:
        findings = findings_of(snapshot(*outcomes), [example, other], {}, {})
        waive(findings, [], "2026-11-22")
        return score_of(findings)["percent"]

    other = example._replace(id="container.other", judge=lambda container, case: Deviation("always"))
    for first in ("pass", "fail", "not_applicable"):
        for second in ("pass", "fail", "not_applicable"):
            scores = [percent(*[first, second, first][:n]) for n in range(4)]
            assert scores == sorted(scores, reverse=True)


def test_score_weighs_by_severity():
    base = {"waived": False, "subjects": [], "scope": "host"}
    score = score_of(
        [
            {**base, "verdict": "fail", "severity": "critical"},
            {**base, "verdict": "pass", "severity": "high"},
            {**base, "verdict": "pass", "severity": "high"},
            {**base, "verdict": "unknown", "severity": "critical"},
            {**base, "verdict": "not_applicable", "severity": "critical"},
            {**base, "verdict": "fail", "severity": "info"},
        ]
    )
    assert (score["percent"], score["passed"], score["failed"]) == (50.0, 8, 8)
    assert score["failed_by_severity"] == {"critical": 1, "high": 0, "medium": 0, "low": 0, "info": 1}


def test_a_score_of_nothing_is_no_number():
    assert score_of([])["percent"] is None
