# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that openssl makes here, one row each: what is wrong with them, and what is said of it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_tls import material
from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_tls.material import Material

from tests.unit.plugins.module_utils.probes.laying import lay

DAY = 86400
NAMES = ("192.0.2.5", "2001:DB8:0::1", "Docker.Example")
EXTENSIONS = """\
[ca]
basicConstraints = critical, CA:TRUE
[server]
subjectAltName = DNS:docker.example, IP:192.0.2.5, IP:2001:db8::1
extendedKeyUsage = serverAuth
[no_purpose]
subjectAltName = DNS:docker.example, IP:192.0.2.5, IP:2001:db8::1
[client]
subjectAltName = DNS:docker.example, IP:192.0.2.5, IP:2001:db8::1
extendedKeyUsage = clientAuth
[no_name]
extendedKeyUsage = serverAuth
[other_names]
subjectAltName = DNS:*.example, DNS:192.0.2.5
extendedKeyUsage = serverAuth
"""
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
# Name of the certificate: key, section, days, CA; with a digest where it is not SHA-256.
CERTIFICATES = {
    "server": (EC, "server", 90, "ca"),
    "rsa": (("-newkey", "rsa:2048"), "server", 90, "ca"),
    "ed25519": (("-newkey", "ed25519"), "server", 90, "ca"),
    "soon": (EC, "server", 10, "ca"),
    "no_purpose": (EC, "no_purpose", 90, "ca"),
    "client": (EC, "client", 90, "ca"),
    "no_name": (EC, "no_name", 90, "ca"),
    "other_names": (EC, "other_names", 90, "ca"),
    "foreign": (EC, "server", 90, "other_ca"),
    "by_old": (EC, "server", 90, "old_ca"),
    "rsa1024": (("-newkey", "rsa:1024"), "server", 90, "ca"),
    "p224": (("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-224"), "server", 90, "ca"),
    "ed448": (("-newkey", "ed448"), "server", 90, "ca"),
    "sha1": (EC, "server", 90, "ca", "-sha1"),
}


def openssl(directory: Path, *words: str) -> None:
    subprocess.run(
        ["openssl", *words], cwd=directory, check=True, capture_output=True, stdin=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = lay(tmp_path_factory.mktemp("pki"), {"extensions": EXTENSIONS, "empty": "nothing\n"})
    # Away from what the engine gets, as the private key of a CA should be; and no file is named as a neighbour would
    # be, for each costs a process.
    (directory / "away").mkdir()

    def make(name, key, section, days, by=None, *digest):
        key_file = f"{name}.private" if by else f"away/{name}.private"
        openssl(directory, "req", "-new", *key, "-nodes", "-keyout", key_file, "-out", "request",
                "-subj", f"/CN={name}")  # fmt: skip
        signer = (
            ("-CA", f"{by}.cert", "-CAkey", f"away/{by}.private", "-CAcreateserial")
            if by
            else ("-signkey", key_file)
        )
        openssl(directory, "x509", "-req", "-in", "request", "-out", f"{name}.cert", "-days", str(days), *digest,
                "-extfile", "extensions", "-extensions", section, *signer)  # fmt: skip

    for name, days in (("ca", 3650), ("other_ca", 3650), ("old_ca", 50)):
        make(name, EC, "ca", days)
    for name, row in CERTIFICATES.items():
        make(name, *row)
    openssl(
        directory,
        "pkcs8",
        "-topk8",
        "-in",
        "server.private",
        "-out",
        "encrypted.private",
        "-passout",
        "pass:secret",
    )
    for name, parts in (
        ("renewed.cert", ("ca.cert", "other_ca.cert")),
        ("both.cert", ("ca.cert", "old_ca.cert")),
        ("not_all.cert", ("ca.cert", "client.cert")),
        ("bundle.cert", ("ca.cert",) * 11),
        ("chain.cert", ("server.cert", "ca.cert")),
    ):
        (directory / name).write_bytes(b"".join((directory / part).read_bytes() for part in parts))
    return directory


@pytest.fixture
def see(pki, monkeypatch):
    monkeypatch.chdir(pki)

    def see(ca="ca.cert", certificate="server.cert", key=None):
        return material.read(Material(ca, certificate, key or certificate.replace(".cert", ".private")))

    return see


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"certificate": "rsa.cert"},
        {"certificate": "ed25519.cert"},
        {"certificate": "no_purpose.cert"},
        {"certificate": "soon.cert"},
        {"certificate": "chain.cert", "key": "server.private"},
        {"ca": "renewed.cert"},
        {"ca": "renewed.cert", "certificate": "foreign.cert"},
    ],
)
def test_good_files(see, files) -> None:
    assert material.problems(see(**files), NAMES, time.time()) == []


WRONG = [
    (
        "missing ca",
        {"ca": "none.cert"},
        0,
        "none.cert is not there, and dockerd does not start without its CA",
    ),
    (
        "missing certificate",
        {"certificate": "none.cert", "key": "server.private"},
        0,
        "without its certificate",
    ),
    ("missing key", {"key": "none.private"}, 0, "none.private is not there"),
    ("no PEM", {"ca": "empty"}, 0, "the CA certificate in empty is not understood"),
    ("no key in it", {"key": "rsa.cert"}, 0, "rsa.cert holds no private key in PEM"),
    (
        "no certificate in it",
        {"certificate": "server.private"},
        0,
        "server.private holds no certificate in PEM",
    ),
    ("encrypted", {"key": "encrypted.private"}, 0, "the private key in encrypted.private is encrypted"),
    (
        "another key",
        {"key": "rsa.private"},
        0,
        "rsa.private is not the key of the certificate in server.cert",
    ),
    ("expired", {}, 100, "the certificate in server.cert has expired (10 days ago)"),
    ("not yet", {}, -10, "the certificate in server.cert is not valid yet"),
    ("CN only", {"certificate": "no_name.cert"}, 0, "no subject alternative name (CN only, CN=no_name)"),
    (
        "other names",
        {"certificate": "other_names.cert"},
        0,
        "clients that use 192.0.2.5, 2001:DB8:0::1 refuse",
    ),
    ("71 client's", {"certificate": "client.cert"}, 0, "is made for clientAuth and not for servers"),
    ("another CA", {"certificate": "foreign.cert"}, 0, "signed by CN=other_ca and not by a CA in ca.cert"),
    ("no CA", {"ca": "client.cert"}, 0, "CN=client in client.cert is no CA (CA:TRUE)"),
    ("not all CAs", {"ca": "not_all.cert"}, 0, "CN=client in not_all.cert is no CA (CA:TRUE)"),
    (
        "expired CAs",
        {"ca": "old_ca.cert", "certificate": "by_old.cert"},
        60,
        "no CA in old_ca.cert is valid now",
    ),
    (
        "expired signer",
        {"ca": "both.cert", "certificate": "by_old.cert"},
        60,
        "CN=old_ca, has expired (10 days",
    ),
    ("bundle", {"ca": "bundle.cert"}, 0, "bundle.cert holds 11 CAs"),
    ("rsa1024", {"certificate": "rsa1024.cert"}, 0, "a RSA key of 1024 bits, too weak"),
    ("p224", {"certificate": "p224.cert"}, 0, "a EC key of 224 bits, too weak"),
    ("ed448", {"certificate": "ed448.cert"}, 0, "a key of the kind Ed448"),
    ("sha1", {"certificate": "sha1.cert"}, 0, "is signed with ecdsa-with-SHA1"),
]


@pytest.mark.parametrize(
    ("files", "days", "sentence"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_wrong_files(see, files, days, sentence) -> None:
    found = material.problems(see(**files), NAMES, time.time() + days * DAY)
    assert [each for each in found if sentence in each], found


@pytest.mark.parametrize("days", [0, 60])
def test_one_cause_is_said_once(see, days) -> None:
    found = material.problems(
        see(ca="old_ca.cert" if days else "ca.cert", certificate="by_old.cert"),
        NAMES,
        time.time() + days * DAY,
    )
    assert len(found) == 1


def test_a_store_of_the_system(see) -> None:
    """By its own path, and behind a link."""
    seen = see()
    found = material.problems(seen._replace(ca_path="/etc/ssl/certs/x.cert"), NAMES, time.time())
    assert [each for each in found if each.startswith("ca.cert is /etc/ssl/certs/x.cert, which lies among")]
    moved = seen._replace(
        material=seen.material._replace(ca="/etc/pki//tls/x.cert"), ca_path="/etc/pki/tls/x.cert"
    )
    found = material.problems(moved, NAMES, time.time())
    assert found[0].startswith("/etc/pki//tls/x.cert lies among")


def test_notices(see) -> None:
    now = time.time()
    assert material.notices(see(), now) == []
    (soon,) = material.notices(see(certificate="soon.cert"), now)
    assert soon == "the certificate of CN=soon in soon.cert ends in 9 days: renew it"
    assert material.notices(see(certificate="soon.cert"), now, days=5) == []
    (ending,) = material.notices(see(ca="both.cert"), now + 40 * DAY)
    assert ending.startswith("the certificate of CN=old_ca in both.cert ends in 9 days")
    (ended,) = material.notices(see(ca="both.cert"), now + 55 * DAY)
    assert ended == "the CA CN=old_ca in both.cert has expired (5 days ago): take it out of the file"
    (any_purpose,) = material.notices(see(certificate="no_purpose.cert"), now)
    assert "no extended key usage" in any_purpose


def test_74_the_key_of_the_ca_beside_the_certificates(see, pki) -> None:
    beside = pki / "rootCA-key.pem"
    beside.write_bytes((pki / "away" / "ca.private").read_bytes())
    try:
        (notice,) = material.notices(see(), time.time())
    finally:
        beside.unlink()
    assert notice.startswith("rootCA-key.pem holds the private key of the CA in ca.cert")
