# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `daemon_tls_client`: files and contexts with which real clients reach an engine, and nobody else does."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import docker  # type: ignore[import-untyped]
import pytest

from tests.hosts.auditing import audit, finding, verdict
from tests.hosts.host import Host
from tests.hosts.states import TLS, start_docker

PLAYBOOK = Path(__file__).with_name("tls_client.yml")
CLIENT = "/home/worker/.docker"
FILES = ("ca.pem", "cert.pem", "key.pem")

# An authority as certificate_authority takes one, and a server's certificate. $1: the directory, $2: the address.
_AUTHORITY = """
set -e
cd "$1"
new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $new -keyout ca-key.pem -out ca.pem -subj /CN=test-ca -days 3650 \\
    -addext keyUsage=critical,keyCertSign,cRLSign
openssl req $new -keyout key.pem -out request.pem -subj /CN=server
printf 'subjectAltName=IP:%s\\nextendedKeyUsage=serverAuth\\n' "$2" > extensions
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 30 \\
    -extfile extensions -out cert.pem
"""


@pytest.fixture
def endpoint(host: Host, tmp_path: Path) -> str:
    """The engine of the host with mutual TLS, by an authority in tmp_path: where it listens."""
    address = host.run("hostname -i").stdout.split()[0]
    subprocess.run(["sh", "-c", _AUTHORITY, "sh", tmp_path, address], check=True, capture_output=True)
    for name in FILES:
        host.put(f"{TLS}/{name}", (tmp_path / name).read_bytes(), 0o400)
    host.run("apt-get update && apt-get install --yes --no-install-recommends python3-cryptography")
    files = f"--tlscacert {TLS}/ca.pem --tlscert {TLS}/cert.pem --tlskey {TLS}/key.pem"
    start_docker(host, flags=f"-H fd:// -H tcp://{address}:2376 --tlsverify {files}")
    return f"tcp://{address}:2376"


def client(
    host: Host, authority: Path, endpoint: str, *flags: str, succeeds: bool = True, **options: Any
) -> str:
    """What Ansible says of the role for the account `worker`, with its proof from outside."""
    given = {
        "certificate_authority_directory": str(authority),
        "daemon_tls_client_user": "worker",
        "daemon_tls_client_contexts": [{"name": "web1", "host": endpoint}],
        "daemon_tls_client_endpoints": [endpoint],
        **options,
    }
    done = host.playbook(PLAYBOOK, given, *flags, check=False)
    assert (done.rc == 0) is succeeds, done.stdout + done.stderr
    assert "PRIVATE KEY" not in done.stdout + done.stderr
    return done.stdout


def sums(host: Host, *directories: str) -> dict[str, str]:
    """The hash of each of the three files, by its name; the same in all the directories."""
    found = [host.run(f"cd {place} && sha256sum {' '.join(FILES)}").stdout for place in directories]
    assert len(set(found)) == 1, found
    return {line.split()[1]: line.split()[0] for line in found[0].splitlines()}


def as_worker(host: Host, *arguments: str, check: bool = True) -> str:
    done = host.run(["env", "HOME=/home/worker", "docker", *arguments], user="worker", check=check)
    return done.stdout + done.stderr


@pytest.mark.images("trixie")
def test_client_reaches_the_engine_with_its_certificate_alone(
    host: Host, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # They would win over the CA that the Docker SDK is given.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    client(host, tmp_path, endpoint, "--check", "--diff")
    assert host.run(f"test -e {CLIENT}", check=False).rc != 0

    client(host, tmp_path, endpoint, "--diff")
    modes = host.run(
        f"stat --format='%n %a %U' {CLIENT} {' '.join(f'{CLIENT}/{name}' for name in FILES)}"
    ).stdout
    assert modes.replace(f"{CLIENT}/", "").split("\n") == [
        f"{CLIENT} 700 worker", "ca.pem 444 worker", "cert.pem 444 worker", "key.pem 400 worker", "",
    ]  # fmt: skip
    of_context = as_worker(host, "context", "inspect", "web1", "--format", "{{.Storage.TLSPath}}").strip()
    first = sums(host, CLIENT, f"{of_context}/docker")
    assert "26.1" in as_worker(host, "--context", "web1", "version", "--format", "{{.Server.Version}}")
    for name in FILES:
        (tmp_path / f"client-{name}").write_text(host.read(f"{of_context}/docker/{name}"), encoding="utf-8")
    assert sdk_ping(endpoint, tmp_path, certificate=True) is True
    with pytest.raises(OSError, match=r"(?i)alert certificate required"):
        sdk_ping(endpoint, tmp_path, certificate=False)
    seen = audit(host)
    for control in ("client.endpoint_verified", "client.key_private", "client.certificate_purpose"):
        assert verdict(seen, control, None) == "pass", finding(seen, control, None)

    again = client(host, tmp_path, endpoint)
    assert "changed=0" in again, again

    # Within the days before its end in which a certificate is replaced; and a name that somebody else uses.
    as_worker(
        host, "context", "create", "theirs", "--docker", "host=tcp://192.0.2.1:2375,skip-tls-verify=true"
    )
    contexts = [{"name": "web1", "host": endpoint}, {"name": "theirs", "host": endpoint}]
    refused = client(host, tmp_path, endpoint, succeeds=False, daemon_tls_client_contexts=contexts)
    assert "The context theirs of worker" in refused
    assert "192.0.2.1" in as_worker(host, "context", "inspect", "theirs")
    found = finding(audit(host), "client.endpoint_verified", None)
    assert (found["verdict"], "context theirs" in str(found)) == ("fail", True)
    client(host, tmp_path, endpoint, daemon_tls_client_renew_days=399, daemon_tls_client_days=400)
    renewed = sums(host, CLIENT, f"{of_context}/docker")
    assert {name for name in FILES if renewed[name] != first[name]} == {"cert.pem"}


def sdk_ping(endpoint: str, directory: Path, *, certificate: bool) -> bool:
    """The answer to the Docker SDK on the controller."""
    pair = (str(directory / "client-cert.pem"), str(directory / "client-key.pem")) if certificate else None
    tls = docker.tls.TLSConfig(client_cert=pair, ca_cert=str(directory / "client-ca.pem"), verify=True)
    connected = docker.DockerClient(base_url=endpoint, tls=tls, version="1.41", timeout=10)
    try:
        return bool(connected.ping())
    finally:
        connected.close()
