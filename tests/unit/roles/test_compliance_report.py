# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role as a playbook runs it: on the controller, in check mode too, and failing only after it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.plugins import reports

ROOT = Path(__file__).parents[3]
HOSTS = reports.make_hosts(3, controls=12)
AUDITED = [host for host in HOSTS if host["result"]]
HOSTILE = reports.make_hosts(3, controls=25, hostile=True)

# What is asked of the role, each in one play -> the message it fails with, or None.
CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "plain": ({}, None),
    "again": ({"compliance_report_directory": "plain"}, None),
    "list": ({"compliance_report_hosts": AUDITED}, None),
    "one format": ({"compliance_report_formats": ["html"]}, None),
    "missing": (
        {"compliance_report_hosts": json.dumps(HOSTS)},
        "1 of 3 hosts could not be audited: web002 (unreachable: ",
    ),
    "missing, allowed": (
        {"compliance_report_hosts": json.dumps(HOSTS), "compliance_report_fail_on_unaudited": False},
        None,
    ),
    "no host": ({"compliance_report_hosts": []}, "there is no host in the report"),
    "no list": ({"compliance_report_hosts": "{}"}, "hosts is no list of what became of the hosts"),
    "no data": ({"compliance_report_hosts": "x"}, "hosts was given what is not plain data"),
    "severity": ({"compliance_report_fail_on": "high"}, "failed with severity high or worse: "),
    "expression": ({"compliance_report_fail_on": "totals.score.percent < `100`"}, "holds: true"),
    "misspelt": ({"compliance_report_fail_on": "hgih"}, "reads hgih, but there is only"),
    "no directory": (
        {"compliance_report_directory": "/dev/null/reports"},
        "cannot be written to /dev/null/reports: Not a directory; give another directory",
    ),
    "format": ({"compliance_report_formats": ["pdf"]}, "pdf"),
    "sound gate": ({"tasks_from": "check", "compliance_report_fail_on": "waivers[?state=='expired']"}, None),
    "default gate": ({"tasks_from": "check"}, None),
    "unsound gate": (
        {"tasks_from": "check", "compliance_report_fail_on": "med"},
        "No host was contacted: compliance_report_fail_on is neither none nor a severity",
    ),
}


def include(directory: str, tasks_from: str = "main", **variables: Any) -> dict[str, Any]:
    return {
        "ansible.builtin.include_role": {
            "name": "bulwark.docker.compliance_report",
            "tasks_from": tasks_from,
        },
        "vars": {
            "compliance_report_hosts": json.dumps(AUDITED),
            "compliance_report_directory": directory,
            **variables,
        },
    }


def case(name: str) -> dict[str, Any]:
    """The role with what the case asks for, and what became of it in the fact `outcomes`."""

    def keep(value: str) -> list[dict[str, Any]]:
        outcomes = f"{{{{ outcomes | default({{}}) | combine({{case: {value}}}) }}}}"
        return [{"ansible.builtin.set_fact": {"outcomes": outcomes}, "vars": {"case": name}}]

    return {
        "block": [include(name, **CASES[name][0]), *keep("compliance_report_result | default({})")],
        "rescue": keep("{'message': ansible_failed_result.msg}"),
    }


def play(directory: Path, tasks: list[dict[str, Any]], *arguments: str, callback: str = "default") -> Any:
    """Run tasks on the controller, under a play whose connection and privilege escalation cannot work."""
    become = {"ansible_become_exe": "/nonexistent/sudo", "ansible_connection": "ssh"}
    playbook = [{"hosts": "localhost", "gather_facts": False, "become": True, "vars": become, "tasks": tasks}]
    (directory / "play.yml").write_text(yaml.safe_dump(playbook), encoding="utf-8")
    environment = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": callback,
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_FORCE_COLOR": "false",
    }
    program = Path(sys.executable).with_name("ansible-playbook")
    return subprocess.run(
        [program, directory / "play.yml", *arguments],
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all cases ran, each in a directory of its name."""
    path = tmp_path_factory.mktemp("cases")
    copy = {"content": "{{ outcomes | to_json }}", "dest": str(path / "outcomes.json"), "mode": "0600"}
    keep = {"ansible.builtin.copy": copy, "become": False, "vars": {"ansible_connection": "local"}}
    run = play(path, [*map(case, CASES), keep])
    assert run.returncode == 0, run.stdout + run.stderr
    return path


@pytest.fixture(scope="module")
def outcomes(directory: Path) -> Any:
    return json.loads((directory / "outcomes.json").read_text(encoding="utf-8"))


def files(directory: Path) -> list[tuple[str, int]]:
    return sorted((path.name, path.stat().st_mode & 0o7777) for path in directory.iterdir())


@pytest.mark.parametrize("name", CASES)
def test_a_case_passes_or_fails_with_its_message(outcomes, name):
    wanted = CASES[name][1]
    found = outcomes[name].get("message")
    assert found is None if wanted is None else wanted in found


def test_files_lie_below_where_the_play_was_started(directory):
    assert files(directory / "plain") == [
        ("report.html", 0o640),
        ("report.json", 0o640),
        ("report.md", 0o640),
    ]
    assert (directory / "plain").stat().st_mode & 0o7777 == 0o750
    assert files(directory / "one format") == [("report.html", 0o640)]


def test_a_report_changes_no_host(outcomes):
    assert [outcomes[name]["changed"] for name in ("plain", "again")] == [False, False]


def test_hosts_and_their_text_give_the_same_report(directory):
    found = [(directory / name / "report.json").read_bytes() for name in ("plain", "list")]
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["missing", "no host", "severity", "expression", "misspelt"])
def test_it_fails_after_the_report_is_written(directory, name):
    assert len(files(directory / name)) == 3


@pytest.mark.parametrize("name", ["sound gate", "default gate", "unsound gate"])
def test_the_check_of_a_gate_needs_no_report(directory, name):
    assert not (directory / name).exists()


def test_the_result_says_what_was_done(outcomes, directory):
    found = outcomes["plain"]
    assert found["files"] == [
        str(directory / "plain" / name) for name in ("report.json", "report.html", "report.md")
    ]
    assert found["totals"]["hosts"]["audited"] == 2
    assert found["gate"] == {"failed": False, "message": ""}
    assert found["summary"][0].startswith("Docker host audit: score ")


def test_an_audit_in_check_mode_has_its_report_and_its_summary(tmp_path):
    (tmp_path / "hosts.json").write_text(json.dumps(HOSTILE), encoding="utf-8")
    # What a lookup gives is no template, like what a module gives.
    hosts = {"compliance_report_hosts": f"{{{{ lookup('ansible.builtin.file', '{tmp_path}/hosts.json') }}}}"}
    run = play(
        tmp_path,
        [include("reports", compliance_report_fail_on_unaudited=False, **hosts)],
        "--check",
        "--diff",
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(files(tmp_path / "reports")) == 3
    assert "\nDocker host audit: score " in run.stdout
    assert f"\nReport    {tmp_path}/reports/report.html\n" in run.stdout
    assert {char for char in run.stdout + run.stderr if not char.isprintable()} == {"\n"}
    assert "{{ 7 * 191 }}" in (tmp_path / "reports" / "report.json").read_text(encoding="utf-8")


def test_a_callback_for_machines_stays_one_document(tmp_path):
    run = play(tmp_path, [include("reports")], callback="ansible.posix.json")
    results = [task["hosts"]["localhost"] for task in json.loads(run.stdout)["plays"][0]["tasks"]]
    assert [len(result["summary"]) > 3 for result in results if "summary" in result] == [True]
