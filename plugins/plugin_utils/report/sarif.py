# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as SARIF 2.1.0: a rule per control, a result per failure; what is waived is suppressed."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.groups import (
    by_control,
    remedy_text,
    subject_name,
)
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.text import show, visible

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}
# What code scanning sorts by, on the scale of CVSS.
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0", "info": "0.5"}
_REFERENCES = (
    ("cis_1_6_0", "CIS 1.6.0 "),
    ("cis_1_8_0", "CIS 1.8.0 "),
    ("owasp", "OWASP "),
    ("requirements", ""),
)


# Brackets and braces in a message make links and placeholders.
_LITERAL = str.maketrans({"\\": "\\\\", "[": "\\[", "]": "\\]", "{": "{{", "}": "}}"})


def _message(text: str) -> dict[str, str]:
    return {"text": visible(text).translate(_LITERAL)}


def sarif(report: dict[str, Any]) -> str:
    """The report as a SARIF log with one run. A host that was not audited makes the run an unsuccessful one."""
    groups = by_control(report)
    run = {
        "tool": {"driver": {"name": "bulwark.docker", "rules": [_rule(group) for group in groups]}},
        "invocations": [_invocation(report["hosts"])],
        "results": [
            _result(finding, index)
            for index, group in enumerate(groups)
            for finding in group["findings"]
            if finding["verdict"] == "fail"
        ],
    }
    return (
        json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, allow_nan=False) + "\n"
    )


def _rule(group: dict[str, Any]) -> dict[str, Any]:
    tags = [prefix + show(one) for key, prefix in _REFERENCES for one in group["references"][key]]
    return {
        "id": show(group["control"]),
        "shortDescription": _message(group["title"]),
        "help": _message(remedy_text(group["remedy"]) or group["title"]),
        "defaultConfiguration": {"level": _LEVELS[group["severity"]]},
        "properties": {
            "security-severity": _SCORES[group["severity"]],
            "tags": list(dict.fromkeys(["security", show(group["scope"]), *tags])),
        },
    }


def _invocation(hosts: list[dict[str, Any]]) -> dict[str, Any]:
    missing = [host for host in hosts if host["status"] != "audited"]
    return {
        "executionSuccessful": not missing,
        "toolExecutionNotifications": [
            {"level": "error", "message": _message(f"{host['host']} is {host['status']}: {host['message']}")}
            for host in missing
        ],
    }


def _result(finding: dict[str, Any], rule: int) -> dict[str, Any]:
    """One failure; its fingerprint stays the same from one audit to the next."""
    key = json.dumps([finding["host"], finding["control"], finding["engine"]])
    result = {
        "ruleId": show(finding["control"]),
        "ruleIndex": rule,
        "level": _LEVELS[finding["severity"]],
        "message": _message(f"{finding['host']}: {finding['message']}"),
        "locations": [_location(finding)],
        "partialFingerprints": {"bulwark/v1": hashlib.sha256(key.encode()).hexdigest()},
    }
    if finding["waived"]:
        result["suppressions"] = [_suppression(finding)]
    return result


def _location(finding: dict[str, Any]) -> dict[str, Any]:
    """The host takes the place of a file; the failing subjects are what lies in it."""
    failed = [subject for subject in finding["subjects"] if subject["verdict"] == "fail"]
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(finding["host"].encode("utf-8", "replace"), safe="")}
        },
        "logicalLocations": [
            {"name": subject_name(subject), "kind": show(subject["kind"])} for subject in failed
        ],
    }


def _suppression(finding: dict[str, Any]) -> dict[str, Any]:
    suppressed = {"kind": "external", "status": "accepted"}
    waiver = next((subject["waiver"] for subject in finding["subjects"] if subject["waiver"]), None)
    if waiver is None:
        return suppressed
    justification = visible(f"{waiver['reason']} ({waiver['owner']}, until {waiver['expires']})")
    return {**suppressed, "justification": justification}
