# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of a report as a playbook uses them; their documented examples run and give what they say."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from tests.unit.plugins import reports

ROOT = Path(__file__).parents[4]
NAMES = ("report", "report_gate", "report_gate_check", "report_html", "report_markdown", "report_summary")
HOSTS = reports.make_hosts(3, controls=20)


def module(name: str) -> Any:
    return importlib.import_module(f"ansible_collections.bulwark.docker.plugins.filter.{name}")


def call(name: str) -> Any:
    return module(name).FilterModule().filters()[name]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    found: dict[str, Any] = call("report")(HOSTS)
    return found


def test_a_report_is_made_of_hosts_or_of_their_text(report):
    assert call("report")(json.dumps(HOSTS)) == report
    assert report["title"] == "Docker host audit"
    assert call("report")([], "Audit", "2026-11-22")["generated"] == "2026-11-22"


@pytest.mark.parametrize(
    ("hosts", "sentence"), [({}, "list of hosts, not dict"), ([{}], "no host name"), ("x", "not plain data")]
)
def test_what_are_no_hosts_is_refused(hosts, sentence):
    with pytest.raises(AnsibleFilterError, match=sentence):
        call("report")(hosts)


def test_every_form_is_made_of_a_report(report):
    assert call("report_html")(report).startswith("<!DOCTYPE html>")
    assert call("report_markdown")(report).startswith("# Docker host audit\n")
    assert call("report_summary")(report, ["/tmp/report.html"], 1)[-1] == "Report    /tmp/report.html"
    assert call("report_gate")(report)["failed"]
    assert not call("report_gate")(report, fail_on_unaudited=False)["failed"]


@pytest.mark.parametrize("name", ["report_html", "report_markdown", "report_summary", "report_gate"])
def test_what_is_no_report_is_refused_by_the_filter_s_name(name):
    with pytest.raises(AnsibleFilterError, match=f"{name} needs a report"):
        call(name)({"schema": 7})


def test_the_examples_run(tmp_path):
    tasks = [task for name in NAMES for task in yaml.safe_load(module(name).EXAMPLES)]
    for task in tasks:
        task.update(register="result", ignore_errors=True)
    (tmp_path / "play.yml").write_text(
        yaml.safe_dump([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}])
    )
    environment = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
    }
    run = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            tmp_path / "play.yml",
            "-e",
            f"ansible_python_interpreter={sys.executable}",
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    outcomes = {
        task["task"]["name"]: task["hosts"]["localhost"]
        for task in json.loads(run.stdout)["plays"][0]["tasks"]
    }
    assert [name for name, outcome in outcomes.items() if outcome.get("failed")] == [
        "Fail when a host was not audited or has a failed control of severity high or worse"
    ]
    assert outcomes["Show how many hosts could not be audited"]["msg"]["unreachable"] == 1
    assert (
        "Docker host audit: score none, 0 of 1 host audited"
        in outcomes["Show the summary of a report"]["msg"]
    )
    assert outcomes["Show a report as Markdown"]["msg"].startswith("# Docker host audit\n")
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")
