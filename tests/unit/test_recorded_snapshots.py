# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of real hosts (`python -m tests.hosts.record`) judged: the verdicts they must give.

Each host is as Debian installs it, with the six containers of tests/hosts/record.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.audit.catalogue import CATALOGUE
from ansible_collections.bulwark.docker.plugins.module_utils.audit.compliance import audit

SNAPSHOTS = Path(__file__).with_name("snapshots")
ENGINES = {"bookworm": "20.10.24", "trixie": "26.1.5", "sid": "28.5.2"}
OPTIONS: dict[str, Any] = {
    "profile": "strict",
    "controls": [],
    "parameters": {},
    "severities": {},
    "waivers": [],
    "attestations": [],
}

# Of controls over containers: those that fail. None of these is unknown.
ALL = {"default", "hardened", "network", "privileged", "published", "socket"}
CONTAINERS = {
    "container.added_capabilities": {"privileged"},
    "container.all_capabilities": {"privileged"},
    "container.capability_allow_list": ALL - {"hardened"},
    "container.cpu_limit": ALL - {"hardened"},
    "container.critical_capabilities": {"privileged"},
    "container.default_bridge": ALL - {"network"},
    "container.devices": {"privileged"},
    "container.engine_socket": {"privileged", "socket"},
    "container.exec_privileged": set(),
    "container.health_check": ALL - {"hardened"},
    # It runs with the number of the host's account `worker`.
    "container.host_account": {"hardened"},
    "container.host_ipc": set(),
    "container.host_network": {"network"},
    "container.host_pid": set(),
    "container.image_digest": ALL,
    "container.mount_propagation": set(),
    "container.no_new_privileges": ALL - {"hardened"},
    "container.numeric_user": ALL - {"hardened"},
    "container.privileged": {"privileged"},
    "container.published_addresses": {"published"},
    "container.published_low_ports": set(),
    "container.read_only_root": ALL - {"hardened"},
    "container.resource_limits": ALL - {"hardened"},
    "container.restart_policy": {"privileged"},
    "container.root_user": ALL - {"hardened"},
    "container.seccomp": {"privileged"},
    "container.secrets_in_environment": {"published"},
    "container.sensitive_mounts": {"privileged"},
    "container.system_paths": {"privileged"},
    "container.undeclared_listeners": set(),
}
VERDICTS = {
    "account.engine_group": "pass",
    "audit.dockerd": "not_applicable",
    "container.apparmor": "not_applicable",
    "container.selinux": "not_applicable",
    "daemon.answers": "pass",
    "daemon.cgroup_namespace": "fail",
    "daemon.configuration_applied": "pass",
    "daemon.icc": "fail",
    "daemon.iptables": "pass",
    "daemon.limits_effective": "pass",
    "daemon.live_restore": "fail",
    "daemon.log_rotation": "fail",
    "daemon.logging": "pass",
    "daemon.no_new_privileges": "fail",
    "daemon.seccomp_profile": "pass",
    "daemon.supported": "fail",
    "daemon.userland_proxy": "fail",
    "daemon.userns_remap": "fail",
    "file.config_directory": "pass",
    "file.docker_service_unit": "pass",
    "file.engine_configuration": "not_applicable",
    "file.engine_socket": "pass",
    "file.sysconfig_docker": "not_applicable",
    "host.cgroup_v2": "fail",
    "host.data_root_mount": "pass",
    "host.docker_user_rules": "fail",
    "host.firewall_default": "fail",
    "host.lsm_enforcing": "fail",
    "image.health_check": "fail",
    "image.setuid_files": "pass",
    "image.tools": "fail",
    "image.user": "fail",
    "listener.attributed": "pass",
    "listener.docker_api_unauthenticated": "pass",
    "listener.sshd": "fail",
    "manual.trusted_base_images": "manual",
    "rootless.service": "not_applicable",
    "swarm.in_use": "pass",
    "swarm.managers": "not_applicable",
    "tls.client_verification": "not_applicable",
    "userns.ranges_apart": "pass",
}


@pytest.fixture(scope="module", params=ENGINES)
def snapshot(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(json.loads((SNAPSHOTS / f"{request.param}.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def findings(snapshot: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {finding["control"]: finding for finding in audit(snapshot, OPTIONS, "2026-11-22")["findings"]}


def test_no_control_fails_itself_and_all_could_be_judged(findings: dict[str, dict[str, Any]]) -> None:
    assert set(findings) == set(CATALOGUE)
    unknown = {control: one["message"] for control, one in findings.items() if one["verdict"] == "unknown"}
    assert unknown == {}


def test_containers(findings: dict[str, dict[str, Any]]) -> None:
    failing = {
        control: {subject["name"] for subject in findings[control]["subjects"]} for control in CONTAINERS
    }
    assert failing == CONTAINERS
    verdicts = {control: findings[control]["verdict"] for control in CONTAINERS}
    assert verdicts == {control: "fail" if names else "pass" for control, names in CONTAINERS.items()}


def test_host_and_engine(findings: dict[str, dict[str, Any]]) -> None:
    assert {control: findings[control]["verdict"] for control in VERDICTS} == VERDICTS


@pytest.mark.parametrize(("image", "version"), ENGINES.items())
def test_each_host_runs_its_engine(image: str, version: str) -> None:
    recorded = json.loads((SNAPSHOTS / f"{image}.json").read_text(encoding="utf-8"))
    assert recorded["engines"][0]["version"]["Version"].startswith(version)


@pytest.mark.parametrize("image", ENGINES)
def test_value_of_a_secret_was_not_recorded(image: str) -> None:
    text = (SNAPSHOTS / f"{image}.json").read_text(encoding="utf-8")
    assert "DB_PASSWORD" in text
    assert "kept-out" not in text
