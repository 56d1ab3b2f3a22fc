# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No host that was to be audited is lost on the way to the report."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.filter.audit_outcomes import audit_outcomes


class HostVars(dict[str, Any]):
    """As much of Ansible's hostvars as the filter uses."""

    def raw_get(self, host: str) -> Any:
        return self[host]


FINDINGS = {"findings": [], "schema": 1}


@pytest.mark.parametrize(
    ("registered", "status", "message"),
    [
        (FINDINGS, "audited", None),
        ({"unreachable": True, "msg": "no route"}, "unreachable", "no route"),
        ({"failed": True, "msg": "no Python"}, "failed", "no Python"),
        ({"failed": True}, "failed", "no message was given"),
        ({"skipped": True, "msg": "?"}, "failed", "?"),
        (None, "failed", "the audit ended before this host was looked at"),
    ],
)
def test_outcome_of_one_host(registered, status, message):
    variables: dict[str, Any] = {"compliance_audit_check": {}}
    if registered is not None:
        variables["compliance_audit_result"] = {**registered, "warnings": object()}
    (row,) = json.loads(audit_outcomes(HostVars(web1=variables), ["web1"]))
    assert (row["host"], row["status"], row["message"]) == ("web1", status, message)
    assert row["result"] == (registered if status == "audited" else None)


def test_rows_are_sorted_and_hosts_of_other_plays_left_out():
    started = {"compliance_audit_check": {}, "compliance_audit_result": FINDINGS}
    hostvars = HostVars(b=started, a=started, c={}, localhost={})
    rows = json.loads(audit_outcomes(hostvars, ["c", "b", "a", "b", "gone", "localhost"]))
    assert [row["host"] for row in rows] == ["a", "b"]


AUDITED = {"compliance_audit_check": {}, "compliance_audit_result": FINDINGS}
NONE: dict[str, Any] = {
    "message": None,
    "effect": "none",
    **{key: [] for key in ("actions", "costs", "refused", "skipped", "notices")},
    "transaction": None,
    "rolled_back": False,
}


def row(**variables: Any) -> dict[str, Any]:
    (found,) = json.loads(audit_outcomes(HostVars(web1={**AUDITED, **variables}), ["web1"]))
    return dict(found)


def test_what_the_play_chose_comes_with_the_row():
    """Dates of YAML become text."""
    waiver = {"control": "x", "expires": datetime.date(2026, 12, 31)}
    chosen = {
        "severities": {"x": "low"},
        "waivers": [waiver],
        "attestations": [],
        "date": "2026-11-22",
        "more": 1,
    }
    found = row(compliance_audit_chosen=chosen)
    assert {key: found[key] for key in set(found) - {"host", "status", "message", "result"}} == {
        "severities": {"x": "low"},
        "waivers": [{"control": "x", "expires": "2026-12-31"}],
        "attestations": [],
        "date": "2026-11-22",
    }


def test_an_audit_alone_has_no_change():
    assert set(row()) == {"host", "status", "message", "result"}


@pytest.mark.parametrize(
    ("registered", "kept"),
    [
        ({**FINDINGS, "warnings": object()}, True),
        ({"failed": True, **FINDINGS}, False),
        ({"unreachable": True, "msg": "no route"}, False),
        (None, False),
    ],
)
def test_the_audit_before_is_kept_where_it_is_one(registered, kept):
    assert row(compliance_audit_before=registered).get("before") == (FINDINGS if kept else None)


def test_results_of_all_roles_are_one_change():
    cost = {"kind": "containers_stop", "message": "1 container would stop", "subjects": ["web"]}
    refused = {"message": "images would be hidden", "consent": "x", "control": None}
    found = row(
        daemon_apply_resolved={"changed": True, "actions": ["rolled back what a dead run left"]},
        daemon_apply_result={
            "actions": ["write docker-tcp.socket", "restart docker.service"],
            "costs": [cost],
            "effect": "restart",
            "transaction": "t2",
            "rolled_back": False,
            "check_mode": False,
        },
        userns_remap_result={
            "refused": [refused],
            "costs": [cost],
            "transaction": "t1",
            "warnings": object(),
        },
        daemon_tls_result={"actions": ["write docker-tcp.socket"], "effect": "restart", "notices": ["kept"]},
        rootless_daemon_result={"actions": ["set labels"], "transaction": "t4"},
        rootless_result={"actions": ["enable linger of appuser"], "transaction": "t3"},
        daemon_config_files_result={"actions": ["chmod 0644 /etc/docker/daemon.json"], "effect": "live"},
        daemon_config_result={
            "actions": ["set icc", "set icc"],
            "effect": "reload",
            "costs": [cost],
            "left_alone": [{"key": "live-restore", "reason": "swarm"}],
            "notices": ["containers keep what they have"],
        },
    )
    assert found["change"] == {
        **NONE,
        "mode": "done",
        "effect": "restart",
        "actions": [
            "enable linger of appuser",
            "set labels",
            "chmod 0644 /etc/docker/daemon.json",
            "write docker-tcp.socket",
            "restart docker.service",
            "rolled back what a dead run left",
        ],
        "costs": [cost],
        "refused": [refused],
        "skipped": [{"key": "live-restore", "reason": "swarm"}],
        "notices": ["containers keep what they have", "kept"],
        "transaction": "t2",
    }


PLANNED = "reload docker.service with live-restore, so that running containers (2) outlive it"
STOPS = {"kind": "containers_stop", "message": "The restart stops 2 containers", "subjects": ["a", "b"]}
HIDES = {"kind": "data_hidden", "message": "The engine would hide 3 images", "subjects": []}


def test_what_was_applied_counts_and_not_what_was_planned():
    """F3: with userns_remap in the same restart there is no such reload, and the containers stop."""
    found = row(
        daemon_config_result={"actions": ["set icc", PLANNED], "effect": "reload", "changed": True},
        userns_remap_result={
            "actions": ["restart docker.service"],
            "effect": "restart",
            "costs": [STOPS, HIDES],
        },
        daemon_apply_result={
            "actions": ["set icc", "restart docker.service"],
            "effect": "live",
            "transaction": "t",
        },
    )["change"]
    assert (found["actions"], found["effect"]) == (["set icc", "restart docker.service"], "live")
    # What it hides only the module knows that has looked.
    assert found["costs"] == [HIDES]


@pytest.mark.parametrize(
    "applied", [{}, {"daemon_apply_result": {"failed": True, "msg": "down", "rolled_back": True}}]
)
def test_what_was_planned_counts_where_nothing_was_applied(applied):
    found = row(daemon_config_result={"actions": [PLANNED], "effect": "reload", "costs": [STOPS]}, **applied)[
        "change"
    ]
    assert (found["actions"], found["effect"], found["costs"]) == ([PLANNED], "reload", [STOPS])


def test_a_list_of_skipped_keys_is_read_as_well():
    entry = {"key": "live-restore", "reason": "swarm"}
    assert row(daemon_config_result={"skipped": [entry]})["change"]["skipped"] == [entry]


def test_results_of_a_loop_are_results():
    results = [{"actions": ["a"]}, {"skipped": True}, {"actions": ["b"], "check_mode": True}]
    assert row(daemon_apply_result={"results": results})["change"] == {
        **NONE,
        "mode": "check",
        "actions": ["a", "b"],
    }


@pytest.mark.parametrize("registered", [None, {"skipped": True, "changed": False}, "?", {"results": []}])
def test_a_task_that_did_not_run_is_no_change(registered):
    assert "change" not in row(daemon_config_result=registered)


@pytest.mark.parametrize(
    ("variables", "mode", "message"),
    [
        ({"daemon_config_result": {}}, "done", None),
        ({"daemon_config_result": {"check_mode": True}, "userns_remap_result": {}}, "check", None),
        ({"daemon_tls_result": {"failed": True, "msg": "no key"}}, "failed", "no key"),
        ({"harden_failure": {"msg": "no space"}}, "failed", "no space"),
        ({"harden_failure": {}}, "failed", "no message was given"),
        ({"daemon_config_result": {"failed": True, "msg": "line 3"}}, "failed", "line 3"),
        ({"daemon_config_result": {"unreachable": True, "msg": "gone"}}, "failed", "gone"),
        (
            {"daemon_apply_result": {"failed": True, "msg": "undone"}, "harden_failure": {"msg": "a task"}},
            "failed",
            "undone",
        ),
        (
            {
                "userns_remap_result": {"failed": True, "check_mode": True},
                "harden_failure": {"msg": "a task"},
            },
            "failed",
            "a task",
        ),
    ],
)
def test_mode_and_message(variables, mode, message):
    change = row(**variables)["change"]
    assert (change["mode"], change["message"]) == (mode, message)


def test_what_was_rolled_back_says_so():
    result = {"failed": True, "msg": "docker.service failed; undone", "rolled_back": True, "transaction": "t"}
    found = row(daemon_apply_result=result)
    assert found["status"] == "audited"
    assert found["change"]["rolled_back"] is True
    assert found["change"]["transaction"] == "t"


def test_a_transaction_that_is_not_the_engines_is_rolled_back_too_and_not_the_one_to_undo():
    found = row(rootless_result={"failed": True, "msg": "undone", "rolled_back": True, "transaction": "t"})
    assert found["change"]["rolled_back"] is True
    assert found["change"]["transaction"] is None


def test_a_host_that_is_lost_after_the_change_has_its_change():
    found = row(
        compliance_audit_result={"unreachable": True, "msg": "no route"},
        compliance_audit_before=FINDINGS,
        daemon_config_result={"actions": ["set icc"]},
    )
    assert found["status"] == "unreachable"
    assert found["before"] == FINDINGS
    assert found["change"]["actions"] == ["set icc"]
