# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A finding that a role puts right names the role and a variable that the role has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.bulwark.docker.plugins.module_utils.audit.catalogue import CATALOGUE
from ansible_collections.bulwark.docker.plugins.module_utils.controls.engine.settings import RULES
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Control

ROLES_DIRECTORY = Path(__file__).parents[5] / "roles"
ROLES = ("daemon_config", "daemon_tls", "daemon_tls_client", "listening_services", "rootless", "userns_remap")
# The requirement rows that keys of daemon.json, subordinate ids, modes of files, the PKI of the engine, a rootless
# engine, or units of services put right.
ROWS = {
    *("D01-13", "D01-24", "D01-26", "D01-27", "D03-02", "D04-30", "D04-35", "D07-05", "D10-01"),
    *("RT-01", "RT-02", "RT-04", "RT-05", "RT-07", "RT-08", "RT-09", "RT-10", "RT-11", "RT-12", "RT-13"),
    *(
        "RT-16",
        "RT-17",
        "RT-25",
        "RT-29",
        "RT-30",
        "RT-32",
        "RT-33",
        "RT-34",
        "RT-35",
        "RT-44",
        "RT-46",
        "RT-47",
    ),
    *("RT-49", "RT-50", "D04-01", "D04-09", "D04-11", "D04-12", "D04-21", "D04-23"),
}
BY_WHO_RUNS_IT = "a container keeps what it was created with; who runs it creates it anew"
BY_WHO_PLANS_IT = "which containers belong together is known to their owner alone"
BY_WHO_KNOWS_THE_CLIENTS = "the role takes addresses, and only its owner knows who has to reach the service"
NEEDS_A_DECISION = "the right value depends on what the host is for"
# Controls of those rows, and of daemon options, without a role -> why.
EXCEPTIONS = {
    "container.default_bridge": BY_WHO_PLANS_IT,
    "container.no_new_privileges": BY_WHO_RUNS_IT,
    "container.published_addresses": BY_WHO_RUNS_IT,
    "container.resource_limits": NEEDS_A_DECISION,
    "container.seccomp_profile": BY_WHO_RUNS_IT,
    "daemon.authorization_plugin": NEEDS_A_DECISION,
    "daemon.base_device_size": "the list storage-opts is given as a whole, and only its owner knows the rest of it",
    "daemon.central_logging": NEEDS_A_DECISION,
    "daemon.storage_driver": "images and volumes of the old driver are not seen then; they have to be saved first",
    "listener.access_restricted": BY_WHO_KNOWS_THE_CLIENTS,
    "listener.declared": BY_WHO_KNOWS_THE_CLIENTS,
    "listener.systemd_services": BY_WHO_KNOWS_THE_CLIENTS,
    "listener.wrapper_rules_obeyed": BY_WHO_KNOWS_THE_CLIENTS,
    "network.tenants_apart": BY_WHO_PLANS_IT,
}
# Variables that a user has to set -> their defaults, None for one without.
TO_BE_SET: dict[str, Any] = {
    "daemon_config_ip": "",
    "daemon_config_settings": {},
    "daemon_tls_pki": "none",
    "listening_services_action": "report",
    "rootless_privileged_ports": "none",
    "rootless_system_engine": "keep",
    "rootless_user": None,
}
WITH_ROLE = {name: control for name, control in CATALOGUE.items() if control.remedy.role}


def of_role(role: str, file: str) -> Any:
    return yaml.safe_load((ROLES_DIRECTORY / role / file).read_text(encoding="utf-8"))


def in_scope(control: Control) -> bool:
    return bool(ROWS & set(control.requirements)) or control.id in {rule.id for rule in RULES}


@pytest.mark.parametrize("control", WITH_ROLE.values(), ids=WITH_ROLE)
def test_a_remedy_names_a_role_and_variables_of_it(control):
    role = control.remedy.role
    assert role in ROLES
    options = of_role(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert set(control.remedy.variables) <= set(options)


@pytest.mark.parametrize("control", WITH_ROLE.values(), ids=WITH_ROLE)
def test_what_the_role_does_by_default_is_named_as_it_does_it(control):
    """Either the variable holds its default, or a part of it, or it is one that has to be set."""
    defaults = of_role(control.remedy.role, "defaults/main.yml")
    for name, value in control.remedy.variables.items():
        default = defaults.get(name)
        if name in TO_BE_SET:
            assert default == TO_BE_SET[name]
        elif isinstance(value, dict):
            assert {key: default.get(key) for key in value} == value
        else:
            assert default == value


def test_variables_without_a_role_are_none():
    assert [name for name, control in CATALOGUE.items() if control.remedy.variables] == [
        name for name in WITH_ROLE if CATALOGUE[name].remedy.variables
    ]


def test_what_a_role_can_fix_names_one():
    left = {name for name, control in CATALOGUE.items() if in_scope(control) and control.remedy.role is None}
    assert left == set(EXCEPTIONS)


@pytest.mark.parametrize("prefix", ["file.", "audit."])
def test_files_and_audit_rules_all_name_the_role(prefix):
    roles = {control.remedy.role for name, control in CATALOGUE.items() if name.startswith(prefix)}
    assert roles == {"daemon_config"}


@pytest.mark.parametrize("name", ["daemon.userns_remap", "userns.subordinate_ids"])
def test_remapping_names_its_role(name):
    assert CATALOGUE[name].remedy.role == "userns_remap"


def test_what_the_pki_of_the_engine_puts_right_names_its_role():
    found = {name for name, control in CATALOGUE.items() if control.remedy.role == "daemon_tls"}
    scopes = {name for name in CATALOGUE if name.startswith(("tls.", "listener.docker_"))}
    # The key of a CA is for people to take away.
    assert scopes - found == {"tls.ca_key_elsewhere"}
    assert found <= scopes


def test_only_controls_of_rootless_engines_name_the_role_rootless():
    found = {name for name, control in CATALOGUE.items() if control.remedy.role == "rootless"}
    assert found <= {name for name in CATALOGUE if name.startswith("rootless.")} | {"daemon.rootless_mode"}


def test_services_that_are_denied_by_default_name_the_role_that_stops_them():
    found = {name for name, control in CATALOGUE.items() if control.remedy.role == "listening_services"}
    assert found == {"listener.avahi", "listener.rpcbind", "listener.unneeded_service"}
