# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions for a person: manual until attested, and only where they concern the host."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.audit.waivers import attest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.host.attested import MANUAL_CONTROLS

from tests.unit.builders.host import snapshot
from tests.unit.builders.judging import finding

BY_ID = {control.id: control for control in MANUAL_CONTROLS}
KUBELET = {"pid": 5, "name": "kubelet", "exe": "/usr/bin/kubelet", "container": None, "engine": None}
ASKED = snapshot({"engine_processes": [KUBELET]})


@pytest.mark.parametrize("control", MANUAL_CONTROLS, ids=BY_ID)
def test_a_question_that_an_attestation_answers(control):
    found = finding(control, ASKED)
    assert (found["verdict"], control.baseline) == ("manual", False)
    assert found["subjects"][0]["expected"].endswith("?")
    entry = {"control": control.id, "by": "eve", "date": "2026-05-01", "valid_until": "2026-12-31"}
    attest([found], [entry], "2026-05-28")
    assert found["verdict"] == "pass"
    expired = finding(control, ASKED)
    attest([expired], [entry], "2027-01-01")
    assert expired["verdict"] == "manual"


@pytest.mark.parametrize(
    ("control_id", "changes", "verdict"),
    [
        ("manual.trusted_base_images", {"engines": []}, "not_applicable"),
        ("manual.trusted_base_images", {"engines": {"error": "x"}}, "unknown"),
        ("manual.host_hardened", {"engines": []}, "manual"),
        ("manual.pod_security", {}, "not_applicable"),
        ("manual.network_scan", {"listeners": []}, "not_applicable"),
        ("manual.network_scan", {"listeners": {"error": "netlink"}}, "unknown"),
    ],
)
def test_only_where_it_applies(control_id, changes, verdict):
    assert finding(BY_ID[control_id], snapshot(changes))["verdict"] == verdict
