# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the namespaces that a container shares with the host, also by way of another container."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.containers import namespaces as controls

from tests.unit.builders.containers import container, engine, holding, host_with, rootless_engine, stopped
from tests.unit.builders.judging import finding

BY_ID = {control.id: control for control in controls.SHARED}
KEYS = {
    "container.host_pid": "PidMode",
    "container.host_network": "NetworkMode",
    "container.host_ipc": "IpcMode",
    "container.host_uts": "UTSMode",
}
REMAPPED = {"SecurityOptions": ["name=userns"]}
SHIFTED = [[0, 100000, 65536]]


def verdict(control, snapshot):
    found = finding(control, snapshot)
    return found["subjects"][0]["actual"] if found["verdict"] == "fail" else found["verdict"]


@pytest.mark.parametrize(("name", "key"), KEYS.items())
@pytest.mark.parametrize("make", [container, stopped])
def test_a_shared_namespace(name, key, make):
    assert verdict(BY_ID[name], holding(make(host_config={key: "host"}))) == "host"
    assert verdict(BY_ID[name], holding(make(host_config={key: "private"}))) == "pass"


def test_a_namespace_shared_through_another_container():
    owner = container(id="a" * 64, name="owner", host_config={"PidMode": "host"})
    guest = container(id="b" * 64, name="guest", host_config={"PidMode": f"container:{'a' * 64}"})
    found = finding(BY_ID["container.host_pid"], holding(owner, guest))
    assert {subject["name"]: subject["actual"] for subject in found["subjects"]} == {
        "owner": "host",
        "guest": "host by another container",
    }


@pytest.mark.parametrize(
    ("name", "network", "expected"),
    [
        ("container.host_network", "--net=slirp4netns", "not_applicable"),
        ("container.host_network", "--net=host", "host"),
        # Since 29.5.
        ("container.host_network", "--detach-netns", "host"),
        ("container.host_network", "--detach-netns=false", "not_applicable"),
        ("container.host_pid", "--net=slirp4netns", "host"),
    ],
)
def test_a_rootless_engine(name, network, expected):
    one = container(host_config={KEYS[name]: "host"})
    snapshot = host_with(rootless_engine(one, rootlesskit={"argv": ["rootlesskit", network]}))
    assert verdict(BY_ID[name], snapshot) == expected


@pytest.mark.parametrize(
    ("one", "info", "expected"),
    [
        (container(), {}, "pass"),
        (container(host_config={"UsernsMode": "host"}), {}, "host"),
        (container(process={"uid_map": SHIFTED}), REMAPPED, "pass"),
        (container(host_config={"UsernsMode": "host"}), REMAPPED, "host"),
        # It ran before the engine was told to remap.
        (container(), REMAPPED, "host"),
        (container(process={"uid_map": {"error": "no permission"}}), REMAPPED, "unknown"),
        (stopped(), REMAPPED, "pass"),
        (stopped(host_config={"UsernsMode": "host"}), REMAPPED, "host"),
    ],
)
def test_opting_out_of_remapping(one, info, expected):
    assert verdict(controls.host_users, host_with(engine(one, info=info))) == expected
