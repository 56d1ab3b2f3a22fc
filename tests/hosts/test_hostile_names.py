# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""S4: a host that calls itself by another one's name, and what it gets of the authority."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hosts import lying, play
from tests.hosts.host import Host
from tests.hosts.states import reset_docker

pytestmark = pytest.mark.images("trixie")

ROLE = "bulwark.docker.daemon_tls"
VICTIM, ELSEWHERE = "victim.example.com", "db.example.com"
CERTIFICATE = "/var/lib/bulwark/tls/cert.pem"
# A client of another host's certificate, of which only the register tells.
HELD = f"20991231000000Z own DNS:{ELSEWHERE} elsewhere\n"


@pytest.fixture(scope="module")
def renamed(shared_host: Host) -> Host:
    """A host with the names of another one: its own in /etc/hosts, and one that it is called."""
    shared_host.run("apt-get update && apt-get install --yes --no-install-recommends python3-cryptography")
    # The first line counts, and the file cannot be replaced in a container.
    shared_host.run(
        f"hostname {VICTIM} && {{ echo {shared_host.ip} {VICTIM} victim; cat /etc/hosts; }} > /tmp/hosts"
    )
    shared_host.run("cat /tmp/hosts > /etc/hosts")
    return shared_host


@pytest.fixture
def fallen(renamed: Host) -> Iterator[Host]:
    """That host for one test, after which it has neither certificates nor a listener."""
    yield renamed
    renamed.run("rm -rf /var/lib/bulwark /etc/docker/tls /run/bulwark-tls-proof")
    renamed.run(
        "systemctl disable --now docker-tcp.socket; rm -f /etc/systemd/system/docker-tcp.socket", check=False
    )
    renamed.run(
        "rm -rf /etc/systemd/system/docker.service.d /etc/docker/daemon.json && systemctl daemon-reload"
    )
    reset_docker(renamed)


class Authority:
    """An authority on the controller, an inventory with the fallen host and its victim, and plays of the role."""

    def __init__(self, host: Host, directory: Path) -> None:
        self.host, self.directory = host, directory
        self.path = directory / "ca"

    def play(self, **variables: Any) -> play.Played:
        given = {
            "daemon_tls_pki": "authority",
            "certificate_authority_directory": str(self.path),
            "daemon_tls_addresses": [self.host.ip],
            **variables,
        }
        fallen = {"ansible_connection": play.DOCKER, "ansible_host": self.host.name, "daemon_apply_settle": 1}
        hosts: dict[str, dict[str, Any]] = {"good": {**fallen, **given}, VICTIM: {}}
        inventory = self.directory / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"docker": {"hosts": hosts}}), encoding="utf-8")
        book = self.directory / "play.yml"
        role = {"ansible.builtin.include_role": {"name": ROLE}}
        # What is staged is not applied: it is about the certificate alone.
        tasks = [role, {"ansible.builtin.meta": "clear_host_errors"}]
        book.write_text(
            json.dumps([{"hosts": "good", "gather_facts": False, "tasks": tasks}]), encoding="utf-8"
        )
        return play.playbook(
            ["nobody"], str(book), {}, "--inventory", str(inventory), "--limit", "good", "--force-handlers",
            check=False,
        )  # fmt: skip

    def names(self) -> str:
        return self.host.run(f"openssl x509 -in {CERTIFICATE} -noout -ext subjectAltName").stdout


@pytest.fixture
def authority(fallen: Host, tmp_path: Path) -> Authority:
    return Authority(fallen, tmp_path)


def test_what_a_host_calls_itself_is_in_no_certificate(authority: Authority) -> None:
    assert VICTIM in authority.host.run("hostname --fqdn").stdout
    played = authority.play()
    assert played.rc == 0, played.stdout + played.stderr
    assert "DNS:good" in authority.names()
    assert f"IP Address:{authority.host.ip}" in authority.names()
    assert "victim" not in authority.names()
    register = (authority.path / "names.txt").read_text()
    names = [f"DNS:{authority.host.name}", "DNS:good", f"IP:{authority.host.ip}"]
    assert sorted(line.split()[2:] for line in register.splitlines()[1:]) == sorted(
        [name, "good"] for name in names
    )


def test_a_host_that_is_trusted_gets_no_name_of_another_one(authority: Authority) -> None:
    refused = authority.play(daemon_tls_names_from_facts=True)
    assert refused.rc == 2
    for name in (VICTIM, "victim"):
        assert f"DNS:{name} belongs to {VICTIM} by the inventory" in refused.stdout
    assert authority.host.run(f"test -e {CERTIFICATE}", check=False).rc != 0


def test_nor_one_that_is_in_a_certificate_of_another_one(authority: Authority) -> None:
    authority.path.mkdir(mode=0o700)
    (authority.path / "names.txt").write_text(HELD)
    asked = {"daemon_tls_names": ["good", ELSEWHERE]}
    refused = authority.play(**asked)
    assert refused.rc == 2
    assert f"DNS:{ELSEWHERE} is in a certificate of elsewhere until 2099-12-31" in refused.stdout
    released = authority.play(**asked, certificate_authority_released=["elsewhere"])
    assert released.rc == 0, released.stdout + released.stderr
    assert f"DNS:{ELSEWHERE}" in authority.names()
    assert "elsewhere" not in (authority.path / "names.txt").read_text()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("daemon_tls_extra_names", [ELSEWHERE]),
        ("certificate_authority_directory", "/nonexistent"),
        ("daemon_tls_exchange_directory", "/nonexistent"),
    ],
)
def test_nor_by_facts(authority: Authority, variable: str, value: Any) -> None:
    """S5: names and places on the controller that a module's answer brings as facts."""
    lying.lie(authority.host, {lying.SETUP: [(["ansible_facts", variable], value)]})
    pki = "external" if "exchange" in variable else "authority"
    played = authority.play(ansible_python_interpreter=lying.LIAR, daemon_tls_pki=pki)
    assert played.rc == 2
    assert f"the host tells the fact {variable}, which is a variable of" in played.stdout
    assert authority.host.run(f"test -e {CERTIFICATE}", check=False).rc != 0


def test_an_address_that_only_the_host_knows_is_not_listened_on(authority: Authority) -> None:
    played = authority.play(daemon_tls_addresses=[])
    assert played.rc == 2
    assert f"would listen on {authority.host.ip}, which only the host itself tells" in played.stdout
    trusted = authority.play(daemon_tls_addresses=[], daemon_tls_names_from_facts=True)
    assert f"DNS:{VICTIM} belongs to" in trusted.stdout


def test_an_endpoint_of_another_host_is_not_asked_and_is_no_context(
    fallen: Host, host: Host, tmp_path: Path
) -> None:
    """Whoever proves the host would show its certificate elsewhere, and its context would lead there."""
    elsewhere = f"tcp://{host.ip}:2376"
    lying.lie(fallen, {"modules.daemon_tls": [(["endpoints"], [elsewhere])]})
    shared = {
        "daemon_tls_pki": "authority",
        "certificate_authority_directory": str(tmp_path / "ca"),
        "daemon_tls_addresses": [fallen.ip],
        "daemon_tls_client_hosts": "client",
        "daemon_tls_client_user": "worker",
        "compliance_audit_hosts": "good",
        "daemon_apply_settle": 1,
    }
    hosts = {
        "good": {"ansible_host": fallen.name, "ansible_python_interpreter": lying.LIAR},
        "client": {"ansible_host": host.name},
    }
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"docker": {"hosts": hosts}}), encoding="utf-8")
    played = play.playbook(
        ["nobody"],
        "bulwark.docker.tls",
        shared,
        "--inventory",
        str(inventory),
        "--limit",
        "docker",
        check=False,
    )
    assert played.rc == 2
    assert (
        f"the host says that its engine listens on {elsewhere}, which is none of its names" in played.stdout
    )
    assert "The change was undone." in played.stdout
    assert elsewhere not in host.run("cat /home/worker/.docker/contexts/meta/*/meta.json", check=False).stdout
