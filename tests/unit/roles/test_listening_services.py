# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The view from outside as a playbook runs it: which address is scanned, from where, and how it is compared."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.roles import telling

ROOT = Path(__file__).parents[3]
# Nobody connects to these hosts: what is asked of them is told beforehand.
HOSTS: dict[str, dict[str, Any]] = {
    "by-ssh": {"ansible_host": "127.0.0.1"},
    "in-docker": {"ansible_connection": "community.docker.docker", "ansible_host": "no-address.invalid"},
    "trusted": {
        "ansible_connection": "community.docker.docker",
        "listening_services_scan_address": "{{ ansible_facts.default_ipv4.address }}",
    },
    "tells-address": {"facts": {"listening_services_scan_address": "127.0.0.1"}},
    "tells-origin": {"ansible_host": "127.0.0.1", "facts": {"listening_services_scan_from": "by-ssh"}},
    "chosen": {"ansible_host": "no-address.invalid", "listening_services_scan_address": "127.0.0.1"},
    "foreign": {"listening_services_scan_address": "192.0.2.1"},
    "from-nowhere": {"listening_services_scan_from": "elsewhere"},
    "too-many": {"ansible_host": "127.0.0.1", "listening_services_scan_ports": ["1-3000"]},
}
FACTS = {
    "all_ipv4_addresses": ["127.0.0.1"],
    "all_ipv6_addresses": [],
    "default_ipv4": {"address": "127.0.0.1"},
    "cacheable": True,
}
REFUSED = {
    # S5: the controller does not scan what a host names.
    "in-docker": "in-docker was not scanned, because the inventory tells no address of it; set",
    "tells-address": "the host tells the fact listening_services_scan_address",
    "tells-origin": "the host tells the fact listening_services_scan_from",
    "foreign": "listening_services_scan_address: 192.0.2.1 is no address of this host.",
    "from-nowhere": "from-nowhere is not scanned from elsewhere: both have to be hosts of the inventory",
    "too-many": "The scan did not take place: ports: these are 3002, and max_ports allows 2000.",
}


def listener(port: int) -> dict[str, Any]:
    where = {"protocol": "tcp", "address": "0.0.0.0", "port": port, "scope": "wildcard", "namespace": "host"}
    return {**where, "v6only": None, "unit": "web.service", "container": None}


def play(ports: dict[str, int]) -> dict[str, Any]:
    """Each host with its view, or what refused it, in the fact `outcome`."""
    inside = {"listeners": [listener(ports["open"]), listener(ports["closed"])], "decisions": []}
    role = {"name": "bulwark.docker.listening_services"}
    return {
        "hosts": "all",
        "gather_facts": False,
        "vars": {"listening_services_result": inside},
        "tasks": [
            {"ansible.builtin.set_fact": FACTS},
            # As the module of a hostile host would: these are facts, and no variables of the play.
            {"told": {"facts": "{{ facts | default({}) }}"}},
            {
                "block": [
                    # The whole of the role, which ends before its first look at the host.
                    {"ansible.builtin.include_role": role, "when": "inventory_hostname == 'from-nowhere'"},
                    {"ansible.builtin.include_role": {**role, "tasks_from": "outside"}},
                    {"ansible.builtin.set_fact": {"outcome": "{{ listening_services_outside }}"}},
                ],
                "rescue": [{"ansible.builtin.set_fact": {"outcome": "{{ ansible_failed_result.msg }}"}}],
            },
            {
                "ansible.builtin.copy": {
                    "content": "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars)"
                    " | map(attribute='outcome'))) | to_json }}",
                    "dest": "{{ playbook_dir }}/outcomes.json",
                    "mode": "0600",
                },
                "delegate_to": "localhost",
                "run_once": True,
            },
        ],
    }


@pytest.fixture(scope="module")
def ports():
    with (
        socket.create_server(("127.0.0.1", 0)) as known,
        socket.create_server(("127.0.0.1", 0)) as unknown,
        socket.socket() as closed,
    ):
        closed.bind(("127.0.0.1", 0))
        names = ("open", "unexplained", "closed")
        yield {name: one.getsockname()[1] for name, one in zip(names, (known, unknown, closed), strict=True)}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory, ports) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("outside")
    common = {
        "listening_services_scan_from": "localhost",
        "listening_services_scan_ports": [str(ports["unexplained"])],
    }
    hosts = {name: {**common, **values} for name, values in HOSTS.items()}
    telling.lay(folder)
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    (folder / "play.yml").write_text(yaml.safe_dump([play(ports)]))
    subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "-i",
            folder / "inventory.yml",
            folder / "play.yml",
        ],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        cwd=folder,
        check=True,
        timeout=300,
        stdout=subprocess.DEVNULL,
    )
    found: dict[str, Any] = json.loads((folder / "outcomes.json").read_text())
    return found


@pytest.mark.parametrize("host", [host for host in HOSTS if host not in REFUSED])
def test_the_host_is_scanned_and_compared(outcomes, ports, host):
    view = outcomes[host]
    assert [entry["port"] for entry in view["open_not_allowed"]] == [ports["open"]]
    assert [(entry["port"], entry["seen"]) for entry in view["filtered"]] == [(ports["closed"], "closed")]
    assert view["unexplained"] == [ports["unexplained"]]


@pytest.mark.parametrize("host", REFUSED)
def test_what_is_not_scanned(outcomes, host):
    assert REFUSED[host] in outcomes[host]
