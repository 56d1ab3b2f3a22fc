# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No host that was to be audited is lost on the way to the report."""

from __future__ import annotations

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
