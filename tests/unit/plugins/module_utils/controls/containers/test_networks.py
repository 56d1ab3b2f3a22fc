# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of networks: whose containers meet on one."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.containers import networks as controls

from tests.unit.builders.containers import container, holding
from tests.unit.builders.judging import finding


def of_tenant(number, tenant, *joined):
    labels = {"bulwark.tenant": tenant} if tenant else {}
    return container(id=f"{number:064x}", name=f"c{number}", config={"labels": labels}, networks=list(joined))


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([], {}),
        ([of_tenant(1, "a", "shop"), of_tenant(2, "a", "shop"), of_tenant(3, None, "shop")], {}),
        ([of_tenant(1, "a", "shop"), of_tenant(2, "b", "bridge")], {}),
        ([of_tenant(1, "b", "shop"), of_tenant(2, "a", "shop", "bridge")], {"shop": "a, b"}),
    ],
)
def test_tenants(containers, expected):
    found = finding(controls.tenants_apart, holding(*containers))
    assert {subject["name"]: subject["actual"] for subject in found["subjects"]} == expected
    assert found["verdict"] == ("fail" if expected else "pass")


def test_a_label_that_names_the_project():
    both = [
        container(id=f"{number:064x}", config={"labels": {"com.docker.compose.project": f"p{number}"}})
        for number in (1, 2)
    ]
    found = finding(controls.tenants_apart, holding(*both), labels=["com.docker.compose.project"])
    assert found["subjects"][0]["actual"] == "p1, p2"


@pytest.mark.parametrize("part", ["networks", "containers"])
def test_what_could_not_be_read_is_unknown(part):
    snapshot = holding(container(), **{part: {"error": "does not answer"}})
    assert finding(controls.tenants_apart, snapshot)["verdict"] == "unknown"
