# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role as a playbook runs it: an authority from its making over a rotation, what it signs and what it refuses."""

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
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT = Path(__file__).parents[3]
ROLE = "bulwark.docker.certificate_authority"
MAIN = {"certificate_authority_rotation", "certificate_authority_directory"}
NAMES = ["DNS:dock1.example", "IP:192.0.2.7"]
KEY = ec.generate_private_key(ec.SECP256R1())


def request(
    key: Any = KEY,
    names: tuple[str, ...] = ("dock1.example",),
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    ca: bool = False,
    subject: str = "dock1",
) -> str:
    """A certificate request as a host makes it, or as one that has fallen might."""
    alt_names: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .add_extension(
            x509.SubjectAlternativeName([*alt_names, x509.IPAddress(ip_address("192.0.2.7"))]), False
        )
        .add_extension(x509.ExtendedKeyUsage([usage]), False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), True)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


GOOD = request()
WIDER = {
    "certificate_authority_sign_csr": request(names=("dock1.example", "vip.example")),
    "certificate_authority_sign_names": [*NAMES, "DNS:vip.example"],
}
# What is asked of one authority after the other, in this order -> whether the certificate is another one than before,
# how many authorities are trusted, and the phase.
STEPS: dict[str, tuple[dict[str, Any], bool, int, str]] = {
    "made": ({"certificate_authority_sign_current": "no certificate"}, True, 1, "none"),
    "again": ({}, False, 1, "none"),
    "another name": (WIDER, True, 1, "none"),
    "ends soon": (
        {"certificate_authority_sign_days": 9999, "certificate_authority_sign_renew_days": 398},
        True,
        1,
        "none",
    ),
    "ends with its authority": ({"certificate_authority_sign_renew_days": 9999}, False, 1, "none"),
    "announced": ({"certificate_authority_rotation": "announce"}, False, 2, "announce"),
    "reissued": ({"certificate_authority_rotation": "reissue"}, True, 2, "reissue"),
    "begun again": ({"certificate_authority_rotation": "announce"}, False, 2, "reissue"),
    "finished": ({"certificate_authority_rotation": "finish"}, False, 1, "finish"),
    "closed": ({"certificate_authority_rotation": "close"}, False, 1, "none"),
}
PROTECTED = {
    "certificate_authority_directory": "protected",
    "certificate_authority_passphrase": "correct horse",
}
# What is refused -> a part of the message. Nothing is written.
REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "key alone": ({"certificate_authority_directory": "key alone"}, "has no certificate"),
    "certificate alone": ({"certificate_authority_directory": "certificate alone"}, "has no key"),
    "wrong key": ({"certificate_authority_directory": "wrong key"}, "is not the key of"),
    "reissue first": (
        {"certificate_authority_rotation": "reissue"},
        "run the phase announce on all hosts first",
    ),
    "client": (
        {"certificate_authority_sign_csr": request(usage=ExtendedKeyUsageOID.CLIENT_AUTH)},
        "it is not for serverAuth alone",
    ),
    "other name": (
        {"certificate_authority_sign_csr": request(names=("dock2.example",))},
        "it asks for the names DNS:dock2.example, IP:192.0.2.7 instead of",
    ),
    "other subject": (
        {"certificate_authority_sign_csr": request(subject="dock2")},
        "instead of the common name dock1",
    ),
    "authority": ({"certificate_authority_sign_csr": request(ca=True)}, "it wants to be an authority"),
    "weak key": (
        {"certificate_authority_sign_csr": request(rsa.generate_private_key(65537, 1024))},
        "its key is weak",
    ),
}


def include(name: str, variables: dict[str, Any]) -> dict[str, Any]:
    """Both entry points with what the step asks for, and what became of it in the fact `outcomes`."""

    def role(tasks_from: str) -> dict[str, Any]:
        return {
            "ansible.builtin.include_role": {"name": ROLE, "tasks_from": tasks_from},
            "vars": {
                "certificate_authority_directory": "authority",
                "certificate_authority_sign_csr": GOOD,
                "certificate_authority_sign_subject": "dock1",
                "certificate_authority_sign_names": NAMES,
                "certificate_authority_sign_usage": "serverAuth",
                "certificate_authority_sign_days": 397,
                "certificate_authority_sign_current": "{{ certificate_authority_signed | default('') }}",
                **variables,
            },
        }

    def keep(value: str) -> dict[str, Any]:
        outcomes = f"{{{{ outcomes | default({{}}) | combine({{case: {value}}}) }}}}"
        return {"ansible.builtin.set_fact": {"outcomes": outcomes}, "vars": {"case": name}}

    kept = (
        "[certificate_authority_signed_new, certificate_authority_bundle | community.crypto.split_pem | length,"
        " certificate_authority_phase]"
    )
    # What is there is looked at by both; only main makes a step.
    steps = ["main"] if name == "made" or {*variables} & MAIN else []
    return {
        "block": [*map(role, [*steps, "sign"]), keep(kept)],
        "rescue": [keep("ansible_failed_result.msg")],
    }


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("controller")
    pem = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for name in ("key alone", "wrong key"):
        (path / name).mkdir()
        (path / name / "ca-key.pem").write_bytes(pem)
    return path


def play(directory: Path, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    keep = {"ansible.builtin.copy": {"content": "{{ outcomes }}", "dest": "outcomes.json", "mode": "0600"}}
    # Neither the connection nor the privilege escalation of the host is used.
    host = {"ansible_connection": "ssh", "ansible_become_exe": "/nonexistent/sudo"}
    book = [
        {"hosts": "localhost", "gather_facts": False, "become": True, "vars": host, "tasks": tasks},
        {"hosts": "localhost", "gather_facts": False, "tasks": [keep]},
    ]
    (directory / "play.yml").write_text(json.dumps(book))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml"],
        cwd=directory, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads((directory / "outcomes.json").read_text()))


@pytest.fixture(scope="module")
def outcomes(directory: Path) -> dict[str, Any]:
    others = ("certificate alone", "wrong key")
    local = {"become": False, "vars": {"ansible_connection": "local"}}
    lay = [
        {
            "ansible.builtin.copy": {
                "src": "authority/ca.pem",
                "dest": f"{directory}/{name}/",
                "mode": "0644",
            },
            **local,
        }
        for name in others
    ]
    return play(
        directory,
        [include(name, step[0]) for name, step in STEPS.items()]
        + lay
        + [include(name, refusal[0]) for name, refusal in REFUSALS.items()]
        + [include("protected", PROTECTED)],
    )


@pytest.mark.parametrize("name", STEPS)
def test_step(name: str, outcomes: dict[str, Any]) -> None:
    assert outcomes[name] == list(STEPS[name][1:])


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(name: str, outcomes: dict[str, Any]) -> None:
    assert REFUSALS[name][1] in outcomes[name]


def test_files(directory: Path, outcomes: dict[str, Any]) -> None:
    """Nobody but the user reads the key; the former authority's key is gone, its certificate kept."""
    authority = directory / "authority"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in authority.iterdir()}
    former = next(name for name in modes if name.startswith("ca-former-"))
    assert stat.S_IMODE(authority.stat().st_mode) == 0o700
    assert modes == {"ca-key.pem": 0o600, "ca.pem": 0o644, former: 0o644, "names.txt": 0o600}
    assert [path.name for path in (directory / "key alone").iterdir()] == ["ca-key.pem"]


def test_authority(directory: Path, outcomes: dict[str, Any]) -> None:
    """It may sign hosts and no authorities, and has another name than the former one."""
    authority = directory / "authority"
    new = x509.load_pem_x509_certificate((authority / "ca.pem").read_bytes())
    old = x509.load_pem_x509_certificate(next(authority.glob("ca-former-*")).read_bytes())
    constraints = new.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = new.extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.critical, constraints.value) == (True, x509.BasicConstraints(ca=True, path_length=0))
    assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign
    assert not usage.value.digital_signature
    assert new.subject != old.subject


def test_passphrase(directory: Path, outcomes: dict[str, Any]) -> None:
    """With a passphrase, the key is encrypted, and signs."""
    assert outcomes["protected"] == [True, 1, "none"]
    assert "ENCRYPTED" in (directory / "protected/ca-key.pem").read_text()
