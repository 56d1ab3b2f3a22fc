# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where keys and certificates of a host come from: they are made, renewed and exchanged as the role does it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import play
from tests.hosts.host import Host

pytestmark = pytest.mark.images("trixie")

ROLE = "bulwark.docker.daemon_tls"
SOURCE, PROOF = "/var/lib/bulwark/tls", "/run/bulwark-tls-proof"
FACTS = {"ansible.builtin.setup": {"gather_subset": ["!all", "!min", "network", "platform", "pkg_mgr"]}}


def certificates(name: str, **variables: Any) -> list[dict[str, Any]]:
    """The part of the role that brings certificates, and in the fact `seen` whether there is another one."""
    seen = "{{ seen | default({}) | combine({step: certificate_authority_signed_new | default(none)}) }}"
    return [
        {"ansible.builtin.include_role": {"name": ROLE, "tasks_from": "certificates"}, "vars": variables},
        {"ansible.builtin.set_fact": {"seen": seen}, "vars": {"step": name}},
    ]


def run(
    host: Host, directory: Path, tasks: list[dict[str, Any]], variables: Mapping[str, Any], *options: str
) -> play.Played:
    book = directory / "play.yml"
    tell = {"ansible.builtin.debug": {"msg": "seen={{ seen | default({}) | to_json | b64encode }}"}}
    tasks = [FACTS, *tasks, tell]
    book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    return host.playbook(book, variables, *options, check=False)


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("controller")


@pytest.fixture(scope="module")
def played(shared_host: Host, controller: Path) -> Iterator[tuple[Host, play.Played, play.Played]]:
    """The role on a fresh host in check mode, and then for a life of its certificate."""
    variables = {
        "daemon_tls_pki": "authority",
        "certificate_authority_directory": str(controller / "authority"),
        "daemon_tls_addresses": [shared_host.ip],
    }
    checked = run(shared_host, controller, certificates("check"), variables, "--check", "--diff")
    left = shared_host.run(f"ls -d {SOURCE} {PROOF}", check=False).stdout + "".join(
        map(str, controller.glob("auth*"))
    )
    assert left == ""
    lost = {"ansible.builtin.file": {"path": f"{SOURCE}/key.pem", "state": "absent"}}
    proof = {"ansible.builtin.include_role": {"name": ROLE, "tasks_from": "proof"}}
    tasks = [
        *certificates("made"),
        *certificates("again"),
        *certificates("another name", daemon_tls_extra_names=["vip.example"]),
        lost,
        *certificates("key lost", daemon_tls_extra_names=["vip.example"]),
        proof,
    ]
    yield shared_host, checked, run(shared_host, controller, tasks, variables)


def seen(run: play.Played) -> Any:
    found = run.stdout.split("seen=")[1].split('"')[0]
    return json.loads(base64.b64decode(found))


def text(host: Host, path: str) -> str:
    return host.run(f"openssl x509 -in {path} -noout -text").stdout


def test_check_mode_tells_what_would_be_made_and_makes_nothing(played):
    checked = played[1]
    assert checked.rc == 0, checked.stdout + checked.stderr
    assert "python3-cryptography would be installed" in checked.stdout


def test_another_certificate_is_made_for_each_reason_and_for_none_without(played):
    run = played[2]
    assert run.rc == 0, run.stdout + run.stderr
    assert seen(run) == {"made": True, "again": False, "another name": True, "key lost": True}


def test_the_certificate_is_one_of_a_server_with_its_names(played):
    host = played[0]
    found = text(host, f"{SOURCE}/cert.pem")
    assert f"DNS:{host.name.lower()}" in found
    assert "DNS:vip.example" in found
    assert f"IP Address:{host.ip}" in found
    assert "TLS Web Server Authentication" in found
    assert "TLS Web Client Authentication" not in found
    host.run(f"openssl verify -CAfile {SOURCE}/ca.pem -purpose sslserver {SOURCE}/cert.pem")


def test_the_proof_is_one_of_a_client_for_an_hour(played):
    host = played[0]
    assert "TLS Web Client Authentication" in text(host, f"{PROOF}/cert.pem")
    host.run(f"openssl verify -CAfile {SOURCE}/ca.pem -purpose sslclient {PROOF}/cert.pem")
    host.run(f"! openssl x509 -in {PROOF}/cert.pem -noout -checkend 3600")


def test_only_root_reads_the_keys(played):
    modes = played[0].run(f"stat -c '%a %U:%G %n' {SOURCE} {SOURCE}/* {PROOF} {PROOF}/*").stdout.splitlines()
    assert modes == [
        f"700 root:root {SOURCE}",
        f"444 root:root {SOURCE}/ca.pem",
        f"444 root:root {SOURCE}/cert.pem",
        f"400 root:root {SOURCE}/key.pem",
        f"700 root:root {PROOF}",
        f"400 root:root {PROOF}/cert.pem",
        f"400 root:root {PROOF}/key.pem",
    ]


def test_no_key_travels(played, controller):
    """Edge case 74, from the other side: neither the host's key on the controller, nor the authority's on the host."""
    host, checked, run = played
    keys = {line for path in (SOURCE, PROOF) for line in host.read(f"{path}/key.pem").splitlines()[1:-1]}
    here = "".join(path.read_text() for path in controller.rglob("*") if path.is_file())
    told = checked.stdout + checked.stderr + run.stdout + run.stderr
    assert [line for line in keys if line in here + told] == []
    secret = (controller / "authority/ca-key.pem").read_text().splitlines()[1]
    assert secret not in told
    assert (
        host.run(
            f"grep -rlF -- '{secret}' /var/lib/bulwark /etc/docker /run/bulwark* /root /tmp", check=False
        ).stdout
        == ""
    )


def test_an_authority_elsewhere_signs_what_lies_in_the_exchange_directory(played, controller):
    """Edge case 70: a certificate without a wanted name is asked for anew."""
    host = played[0]
    exchange = controller / "exchange"
    waits = {
        "daemon_tls_pki": "external",
        "daemon_tls_exchange_directory": str(exchange),
        "daemon_tls_addresses": [host.ip],
    }
    skip = {**waits, "daemon_tls_when_refused": "skip"}
    tell = {"ansible.builtin.debug": {"msg": "waits={{ __daemon_tls_waits }}"}}
    sign = {
        "ansible.builtin.command": {"argv": [str(controller / "sign")]},
        "delegate_to": "localhost",
        "vars": {"ansible_connection": "local"},
    }
    ca = controller / "authority"
    (controller / "sign").write_text(
        f"#!/bin/sh\nopenssl x509 -req -in {exchange}/{host.name}.csr -CA {ca}/ca.pem -CAkey {ca}/ca-key.pem"
        f" -copy_extensions copy -days 90 -out {exchange}/{host.name}.pem && cp {ca}/ca.pem {exchange}\n"
    )
    (controller / "sign").chmod(0o755)
    tasks = [*certificates("csr"), tell, sign, *certificates("signed"), tell,
             *certificates("lacks a name", daemon_tls_extra_names=["other.example"]), tell]  # fmt: skip
    run_ = run(host, controller, tasks, skip)
    assert run_.rc == 0, run_.stdout + run_.stderr
    told = [
        line.split("waits=")[1].rstrip('"') for line in run_.stdout.splitlines() if '"msg": "waits=' in line
    ]
    assert f"{exchange}/{host.name}.pem is not there; have {exchange}/{host.name}.csr signed" in told[0]
    assert told[1] == ""
    assert f"{host.name}.pem lacks DNS:other.example" in told[2]
    assert host.read(f"{SOURCE}/cert.pem").strip() == (exchange / f"{host.name}.pem").read_text().strip()
    failed = run(host, controller, certificates("fails", daemon_tls_extra_names=["other.example"]), waits)
    assert failed.rc != 0
    assert "lacks DNS:other.example; have" in failed.stdout + failed.stderr
