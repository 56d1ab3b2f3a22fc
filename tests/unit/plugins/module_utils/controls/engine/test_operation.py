# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine's operation: running, warnings, counts, and what piles up."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.engine import operation

from tests.unit.builders.host import ENGINE, container, engine, image, rootless_engine, said, snapshot
from tests.unit.builders.judging import finding

STOPPED = {"state": "stopped", "pid": None}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "pass"),
        ({"engines": [engine(state="unresponsive")]}, "pass"),
        ({"engines": [engine(**STOPPED)]}, "fail"),
        (
            {"engines": [engine(**STOPPED)], "units": {"docker.service": {"enabled": "disabled"}}},
            "not_applicable",
        ),
        (
            {"engines": [engine(**STOPPED)], "units": {"docker.service": {"enabled": "masked"}}},
            "not_applicable",
        ),
        ({"engines": [engine(**STOPPED)], "units": {"error": "systemctl hangs"}}, "unknown"),
        ({"engines": [rootless_engine(**STOPPED)]}, "fail"),
        ({"engines": [rootless_engine(**STOPPED, user_unit={"enabled": False})]}, "not_applicable"),
        ({"engines": [{**rootless_engine(**STOPPED), "user_unit": None}]}, "not_applicable"),
        ({"engines": []}, "not_applicable"),
    ],
)
def test_an_enabled_engine_runs(changes, verdict):
    assert finding(operation.running, snapshot(changes))["verdict"] == verdict


@pytest.mark.parametrize(
    ("info", "verdict"),
    [
        ({"Warnings": None}, "pass"),
        ({"Warnings": []}, "pass"),
        ({"Warnings": ["WARNING: No swap limit support"]}, "fail"),
        ({"error": "no answer"}, "unknown"),
    ],
)
def test_warnings(info, verdict):
    assert finding(operation.warnings, snapshot({"engines": [engine(info=info)]}))["verdict"] == verdict


@pytest.mark.parametrize(
    ("info", "containers", "verdict"),
    [
        ({}, [container("web")], "pass"),
        ({"Containers": 5}, [container("web")], "fail"),
        ({"Containers": 3, "ContainersStopped": 2}, [container("web")], "pass"),
        ({"Containers": 4, "ContainersStopped": 3}, [container("web")], "fail"),
        ({}, {"error": "no answer"}, "unknown"),
    ],
)
def test_totals(info, containers, verdict):
    data = snapshot({"engines": [engine(info=info, containers=containers)]})
    assert finding(operation.container_totals, data)["verdict"] == verdict


def of_states(**counts):
    return [container(f"{state}{n}", state=state) for state, count in counts.items() for n in range(count)]


@pytest.mark.parametrize(
    ("containers", "verdict", "shown"),
    [
        (of_states(running=50, exited=10), "pass", ""),
        (of_states(exited=5, created=5, dead=1), "fail", "11 stopped"),
        (of_states(restarting=20, paused=20), "pass", ""),
        ([], "pass", ""),
        ({"error": "no answer"}, "unknown", ""),
    ],
)
def test_stopped_containers(containers, verdict, shown):
    found = finding(operation.container_sprawl, snapshot({"engines": [engine(containers=containers)]}))
    assert found["verdict"] == verdict
    assert shown in said(found)


@pytest.mark.parametrize(
    ("images", "verdict"),
    [
        ([image(f"app:{n}") for n in range(50)], "pass"),
        ([image(f"app:{n}", containers=[]) for n in range(20)], "pass"),
        ([image(f"app:{n}", containers=[], tags=[]) for n in range(21)], "fail"),
        ({"error": "no answer"}, "unknown"),
    ],
)
def test_unused_images(images, verdict):
    data = snapshot({"engines": [{**ENGINE, "images": images}]})
    assert finding(operation.image_sprawl, data)["verdict"] == verdict
