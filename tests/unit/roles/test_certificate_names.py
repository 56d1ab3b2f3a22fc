# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""S4: which names the authority gives to whom, as plays of several hosts ask for them, and what it remembers."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.unit.roles import telling

ROOT = Path(__file__).parents[3]
KEY = ec.generate_private_key(ec.SECP256R1())
# Nobody connects to these hosts: all of it happens on the controller.
INVENTORY = """
[all]
dock1 ansible_host=192.0.2.1
dock2 ansible_host=192.0.2.2
dock3
dock4
"""
OWN = ["DNS:dock1", "IP:192.0.2.1"]

# One after the other: what is asked of which hosts, and what becomes of it, a part of the message or "signed".
STEPS: dict[str, tuple[list[str], dict[str, Any], list[str]]] = {
    "its own names": (["dock1"], {"names": OWN}, ["signed"]),
    "again": (["dock1"], {"names": OWN}, ["signed"]),
    "a name by the inventory": (
        ["dock2"],
        {"names": ["DNS:dock1", "DNS:dock2"]},
        ["DNS:dock1 belongs to dock1 by the inventory"],
    ),
    "the name of a host without a certificate": (
        ["dock2"],
        {"names": ["DNS:dock4"]},
        ["DNS:dock4 belongs to dock4 by the inventory"],
    ),
    "an address by the inventory": (
        ["dock2"],
        {"names": ["IP:192.0.2.1"]},
        ["IP:192.0.2.1 belongs to dock1 by the inventory"],
    ),
    "also not as a shared one": (
        ["dock2"],
        {"names": ["DNS:dock1"], "shared": ["DNS:dock1"]},
        ["DNS:dock1 belongs to dock1 by the inventory"],
    ),
    "a free name": (["dock1"], {"names": ["DNS:db.example"]}, ["signed"]),
    "that name": (["dock2"], {"names": ["DNS:db.example"]}, ["DNS:db.example is in a certificate of dock1"]),
    "that name as a shared one": (
        ["dock2"],
        {"names": ["DNS:db.example"], "shared": ["DNS:db.example"]},
        ["name it in certificate_authority_released"],
    ),
    "that name of a released host": (
        ["dock2"],
        {"names": ["DNS:db.example"], "released": ["dock1"]},
        ["signed"],
    ),
    "a shared name": (["dock1"], {"names": ["DNS:vip.example"], "shared": ["DNS:vip.example"]}, ["signed"]),
    "the shared name": (["dock2"], {"names": ["DNS:vip.example"], "shared": ["DNS:vip.example"]}, ["signed"]),
    "not shared by it": (
        ["dock3"],
        {"names": ["DNS:vip.example"]},
        ["DNS:vip.example is in a certificate of"],
    ),
    "any name": (["dock3"], {"names": ["DNS:*.example"]}, ["DNS:*.example stands for any host"]),
    "any name, as the operator says": (
        ["dock3"],
        {"names": ["DNS:*.example"], "shared": ["DNS:*.example"]},
        ["signed"],
    ),
    "one name for two at once": (
        ["dock3", "dock4"],
        {"names": ["DNS:race.example"]},
        ["may not have these names: DNS:race.example is in a certificate of dock", "signed"],
    ),
    "another authority by facts": (
        ["dock4"],
        {"names": ["DNS:dock4"], "facts": {"certificate_authority_directory": "chosen"}},
        ["the host tells the fact certificate_authority_directory"],
    ),
    "a damaged register": (
        ["dock1"],
        {"names": OWN, "directory": "damaged"},
        ["line 2 is none of a register"],
    ),
}


def request(host: str, names: list[str]) -> str:
    alternatives: list[x509.GeneralName] = [
        x509.IPAddress(ip_address(name[3:])) if name.startswith("IP:") else x509.DNSName(name[4:])
        for name in names
    ]
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]))
        .add_extension(x509.SubjectAlternativeName(alternatives), False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    )
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def play(directory: Path, step: str) -> dict[str, Any]:
    """The step on its hosts; what became of it, and the register as it is then, are kept in the fact `outcomes`."""
    hosts, asked, _wanted = STEPS[step]
    role = {"name": "bulwark.docker.certificate_authority"}
    variables = {
        "certificate_authority_released": asked.get("released", []),
        "certificate_authority_sign_csr": "{{ requests[inventory_hostname] }}",
        "requests": {host: request(host, asked["names"]) for host in hosts},
        "certificate_authority_sign_subject": "{{ inventory_hostname }}",
        "certificate_authority_sign_names": asked["names"],
        "certificate_authority_sign_shared_names": asked.get("shared", []),
        "certificate_authority_sign_usage": "serverAuth",
        "certificate_authority_sign_days": 397,
    }
    if "directory" in asked:
        variables["certificate_authority_directory"] = str(directory / asked["directory"])

    def keep(value: str) -> dict[str, Any]:
        register = f"lookup('ansible.builtin.file', '{directory}/authority/names.txt')"
        outcomes = f"{{{{ outcomes | default({{}}) | combine({{step: [{value}, {register}]}}) }}}}"
        return {"ansible.builtin.set_fact": {"outcomes": outcomes}, "vars": {"step": step}}

    tasks: list[dict[str, Any]] = [
        {"told": {"facts": asked.get("facts", {})}},
        # It is made once.
        *([{"ansible.builtin.include_role": role}] if step == next(iter(STEPS)) else []),
        {"ansible.builtin.include_role": {**role, "tasks_from": "sign"}, "vars": variables},
        keep("'signed'"),
    ]
    return {
        "hosts": hosts,
        "gather_facts": False,
        "tasks": [{"block": tasks, "rescue": [keep("ansible_failed_result.msg")]}],
    }


# What all hosts have kept, at once: a task that copies takes longer than the one that signs.
WRITE = {
    "hosts": "localhost",
    "gather_facts": False,
    "tasks": [
        {
            "ansible.builtin.copy": {
                "content": "{{ dict(groups.all | zip(groups.all | map('extract', hostvars, 'outcomes'))) | to_json }}",
                "dest": "outcomes.json",
                "mode": "0600",
            }
        }
    ],
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("controller")
    telling.lay(path)
    (path / "inventory").write_text(INVENTORY)
    (path / "group_vars").mkdir()
    (path / "group_vars/all.json").write_text(
        json.dumps({"certificate_authority_directory": str(path / "authority")})
    )
    (path / "damaged").mkdir()
    (path / "damaged/names.txt").write_text("# x\nno register\n")
    (path / "play.yml").write_text(json.dumps([*(play(path, step) for step in STEPS), WRITE]))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory", "play.yml"],
        cwd=path, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return path


@pytest.fixture(scope="module")
def outcomes(directory: Path) -> dict[str, dict[str, list[str]]]:
    """By host and step, what became of it and the register as it was then."""
    return dict(json.loads((directory / "outcomes.json").read_text()))


@pytest.mark.parametrize("step", STEPS)
def test_step(step: str, outcomes: dict[str, dict[str, list[str]]]) -> None:
    hosts, _asked, wanted = STEPS[step]
    found = [outcomes[host][step][0] for host in hosts]
    for words in wanted:
        assert [outcome for outcome in found if words in outcome], found
    assert found.count("signed") == wanted.count("signed")


def test_the_register_says_whose_the_names_are(
    directory: Path, outcomes: dict[str, dict[str, list[str]]]
) -> None:
    """As it was after a host was released: nothing of it is left, and the file is nobody else's to read."""
    register = outcomes["dock2"]["that name of a released host"][1]
    lines = [line.split() for line in register.splitlines()[1:]]
    assert [line[1:] for line in lines] == [["own", "DNS:db.example", "dock2"]]
    assert stat.S_IMODE((directory / "authority/names.txt").stat().st_mode) == 0o600


def test_what_a_host_tells_writes_nothing_elsewhere(directory: Path) -> None:
    """S5: another directory of the authority by facts."""
    assert not (directory / "chosen").exists()
