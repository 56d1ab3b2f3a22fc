# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that has fallen, beside one that has not: what it answers changes neither the report nor the authority."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hosts import play
from tests.hosts.host import Host
from tests.hosts.lying import AUDITED, LIAR, SETUP, lie

pytestmark = pytest.mark.images("trixie")

AUDIT = "bulwark.docker.audit"


class Fleet:
    """An inventory of a hostile host, which comes first, and a good one, with variables for both."""

    def __init__(self, evil: Host, good: Host, directory: Path) -> None:
        self.evil, self.good, self.directory = evil, good, directory

    def play(self, name: str, variables: dict[str, Any], *options: str) -> play.Played:
        (self.directory / "group_vars").mkdir(exist_ok=True)
        # A group of their own, and not all: it counts as it does for users.
        inventory = {
            "docker": {
                "hosts": {
                    "a-evil": {"ansible_host": self.evil.name, "ansible_python_interpreter": LIAR},
                    "b-good": {"ansible_host": self.good.name},
                },
                "vars": {"ansible_connection": play.DOCKER, **variables},
            }
        }
        path = self.directory / "inventory.yml"
        path.write_text(yaml.safe_dump(inventory), encoding="utf-8")
        return play.playbook(
            ["nobody"], name, {}, "--inventory", str(path), "--limit", "docker", *options, check=False
        )


@pytest.fixture(scope="module")
def good(machine: Any, host_image: str) -> Iterator[Host]:
    fresh = Host.create(machine, host_image)
    yield fresh
    fresh.destroy()


@pytest.fixture
def fleet(shared_host: Host, good: Host, tmp_path: Path) -> Fleet:
    return Fleet(shared_host, good, tmp_path)


def report_of(directory: Path) -> dict[str, Any]:
    return dict(json.loads((directory / "report.json").read_text(encoding="utf-8")))


def rows(report: dict[str, Any]) -> dict[str, str]:
    return {row["host"]: row["status"] for row in report["hosts"]}


def of(report: dict[str, Any], host: str) -> str:
    return json.dumps(
        [[row for row in report["hosts"] if row["host"] == host],
         [one for one in report["findings"] if one["host"] == host]]
    )  # fmt: skip


CHOSEN = {
    "compliance_report_fail_on": "none",
    "compliance_report_title": "SPOOFED",
    "compliance_report_formats": ["json"],
    "compliance_report_fail_on_unaudited": False,
}


GATHER = {"hosts": "docker", "gather_facts": True, "tasks": []}
CHECK = {"ansible.builtin.import_playbook": "bulwark.docker.check_options"}
WRITE = {"ansible.builtin.import_playbook": "bulwark.docker.write_report"}
WHOLE = {"ansible.builtin.import_playbook": AUDIT}
KEPT = {
    "hosts": "docker",
    "gather_facts": False,
    "tasks": [
        {"ansible.builtin.include_role": {"name": "bulwark.docker.compliance_audit", "tasks_from": "kept"}}
    ],
}
# When the host tells the facts -> by which module, in which plays, and what becomes of the host.
TOLD: dict[str, tuple[str, list[dict[str, Any]], str]] = {
    "by the audit": (AUDITED, [WHOLE], "audited"),
    "before the options are looked at": (SETUP, [GATHER, WHOLE], "audited"),
    "after that": (SETUP, [CHECK, GATHER, KEPT, WRITE], "failed"),
}


@pytest.mark.parametrize("when", TOLD)
def test_facts_change_neither_where_the_report_goes_nor_its_gate(fleet: Fleet, when: str) -> None:
    """S5: `compliance_report_fail_on` of a group of the inventory counts, and no fact does."""
    module, plays, status = TOLD[when]
    facts = {**CHOSEN, "compliance_report_directory": str(fleet.directory / "chosen")}
    if module == SETUP:
        lie(fleet.evil, {SETUP: [(["ansible_facts", key], value) for key, value in facts.items()]})
    else:
        lie(fleet.evil, {AUDITED: [(["ansible_facts"], facts)]})
    book = fleet.directory / "book.yml"
    book.write_text(json.dumps(plays), encoding="utf-8")
    directory = fleet.directory / "report"
    played = fleet.play(
        str(book), {"compliance_report_directory": str(directory), "compliance_report_fail_on": "high"}
    )
    assert played.rc == 2, played.stdout + played.stderr
    assert "failed with severity high or worse" in played.stdout
    assert not (fleet.directory / "chosen").exists()
    assert (directory / "report.html").exists()
    report = report_of(directory)
    assert report["title"] == "Docker host audit"
    assert rows(report) == {"a-evil": status, "b-good": "audited"}
    if status == "failed":
        message = next(row["message"] for row in report["hosts"] if row["host"] == "a-evil")
        assert "the host tells the fact compliance_report_" in message


def deep(levels: int) -> Any:
    value: Any = 0
    for _level in range(levels):
        value = [value]
    return value


# What one host answers -> what its message says, None where the rest of it is read.
ANSWERS: dict[str, tuple[list[tuple[list[Any], Any]], str | None]] = {
    "a wrong type": (
        [(["findings", 0, "control"], 0)],
        "result.findings[0].control is an integer where text",
    ),
    "no title": ([(["findings", 0, "title"], None)], "result.findings[0].title is null where text is to be"),
    "too deep": ([(["findings", 0, "message"], deep(400))], "is nested more than 32 deep"),
    "no number": ([(["findings", 0, "evidence"], float("inf"))], "cannot be read"),
    "a score of its own": ([(["score"], {"percent": 100, "passed": 10**12, "failed": 0, "waived": 0})], None),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_one_host_costs_the_report_nothing_of_the_others(fleet: Fleet, answer: str) -> None:
    """S8."""
    lies, reason = ANSWERS[answer]
    lie(fleet.evil, {AUDITED: lies})
    played = fleet.play(AUDIT, {"compliance_report_directory": str(fleet.directory)})
    report = report_of(fleet.directory)
    assert played.rc == (0 if reason is None else 2), played.stdout + played.stderr
    assert rows(report) == {"a-evil": "failed" if reason else "audited", "b-good": "audited"}
    evil, good = report["hosts"]
    assert reason is None or reason in evil["message"]
    assert len([one for one in report["findings"] if one["host"] == "b-good"]) > 50
    assert report["totals"]["score"]["percent"] < 100
    assert good["score"]["failed"] > 0
    assert "Docker host audit: score" in played.stdout


def test_a_host_writes_no_heading_over_the_findings_of_others(fleet: Fleet) -> None:
    """S12."""
    spoofed = [
        (["findings", number, key], value)
        for number in range(3)
        for key, value in {
            "title": "SPOOFED",
            "severity": "critical",
            "remedy": {
                "effect": "live",
                "role": "daemon_config",
                "variables": {"x": "SPOOFED"},
                "text": "SPOOFED",
            },
        }.items()
    ]
    lie(fleet.evil, {AUDITED: spoofed})
    played = fleet.play(AUDIT, {"compliance_report_directory": str(fleet.directory)})
    assert played.rc == 0, played.stdout + played.stderr
    assert rows(report_of(fleet.directory)) == {"a-evil": "audited", "b-good": "audited"}
    told = played.stdout + "".join(path.read_text() for path in fleet.directory.glob("report.*"))
    assert "SPOOFED" not in told


def test_a_host_neither_ends_a_waiver_nor_makes_one_up(fleet: Fleet) -> None:
    """S12: the day of a waiver is the controller's, and YAML may take it for a date."""
    expires = datetime.date(2099, 12, 31)
    waiver = {"control": "daemon.icc", "subject": "*", "reason": "r", "owner": "o", "expires": expires}
    told = {"reason": "Approved by CISO", "owner": "CISO", "expires": "2099-12-31"}
    subject = {
        "kind": "x", "id": "x", "name": "x", "verdict": "fail", "expected": None, "actual": None, "evidence": None,
        "waiver": {**told, "state": "active"},
    }  # fmt: skip
    waivers = [
        {**waiver, "expires": "2099-12-31", "state": "expired", "matched": 1},
        {"control": "*", "subject": "*", **told, "state": "active", "matched": 1},
    ]
    finding = {"verdict": "fail", "waived": True, "subjects": [subject]}
    lies: list[tuple[list[Any], Any]] = [
        (["waivers"], waivers),
        *((["findings", 0, key], value) for key, value in finding.items()),
    ]
    lie(fleet.evil, {AUDITED: lies})
    options = {"compliance_report_directory": str(fleet.directory), "compliance_audit_waivers": [waiver]}
    played = fleet.play(AUDIT, options)
    assert played.rc == 0, played.stdout + played.stderr
    report = report_of(fleet.directory)
    assert rows(report) == {"a-evil": "audited", "b-good": "audited"}
    (listed,) = report["waivers"]
    assert (listed["control"], listed["state"]) == ("daemon.icc", "active")
    assert "b-good" in listed["hosts"]
    waived = {(one["host"], one["control"]) for one in report["findings"] if one["waived"]}
    assert waived == {(host, "daemon.icc") for host in listed["hosts"]}
    assert "CISO" not in played.stdout + json.dumps(report)
