# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof of TLS against a real engine: mutual TLS holds, and every state that only looks like it is found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.hosts import states
from tests.hosts.auditing import library
from tests.hosts.host import Host
from tests.hosts.states import TLS, start_docker

pytestmark = pytest.mark.images("trixie")

CLIENT = "/root/client"
PORT = 2376
_FLAGS = "-H fd:// -H tcp://{}:2376"
_PROVE = """
import json, sys
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import handshakes, verify
try:
    print(json.dumps(handshakes.prove(handshakes.Proof.of(json.load(sys.stdin)), 10)))
except verify.Unwell as problem:
    print(json.dumps(str(problem)))
"""
# Another CA with a client, of which the host's programs know; and a server's certificate of our own CA that has ended.
_MORE = f"""
set -e
cd {CLIENT}
new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
mkdir -p other own
openssl req -x509 $new -keyout other/ca.key -out other/ca.pem -days 3 \\
    -subj '/O=Ämter, "Bulwark" & Co./CN=other = CA' -utf8 -addext keyUsage=critical,keyCertSign
openssl req $new -keyout other/key.pem -out request.pem -subj /CN=client
openssl x509 -req -in request.pem -CA other/ca.pem -CAkey other/ca.key -CAcreateserial -days 3 -out other/cert.pem
cp other/ca.pem /usr/local/share/ca-certificates/other.crt
update-ca-certificates
openssl req -x509 $new -keyout own/ca.key -out own/ca.pem -days 3 \\
    -subj '/O=Ämter, "Bulwark" & Co./CN=own = CA' -utf8 -addext keyUsage=critical,keyCertSign
printf 'subjectAltName=IP:127.0.0.1\\n' > extensions
openssl req $new -keyout own/key.pem -out request.pem -subj /CN=server
openssl x509 -req -in request.pem -CA own/ca.pem -CAkey own/ca.key -CAcreateserial -extfile extensions \\
    -not_before 20250101000000Z -not_after 20260101000000Z -out own/ended.pem
openssl x509 -req -in request.pem -CA own/ca.pem -CAkey own/ca.key -CAcreateserial -extfile extensions \\
    -days 3 -out own/cert.pem
cat {TLS}/ca.pem own/ca.pem > own/both.pem
"""


@pytest.fixture(scope="module")
def settings(shared_host: Host) -> dict[str, Any]:
    """daemon.json's keys of mutual TLS; beside their files there are another CA and an ended certificate."""
    found = states.certificates(shared_host)
    shared_host.run(_MORE)
    return found


def prove(host: Host, address: str = "127.0.0.1", **changed: Any) -> Any:
    """The notices, or the sentence of Unwell."""
    proof = {"endpoints": [[address, PORT]], "ca": f"{TLS}/ca.pem", "certificate": f"{TLS}/cert.pem"}
    words = ["env", f"PYTHONPATH={library(host)}", "python3", "-c", _PROVE]
    done = host.run(words, stdin=json.dumps({**proof, "client": CLIENT, **changed}))
    assert "PRIVATE KEY" not in done.stdout + done.stderr
    return json.loads(done.stdout)


# What may be expected of an engine that it does not do, and how that is told.
OTHER_FILES = [
    ({"address": "127.0.0.2"}, "IP address mismatch"),
    ({"ca": f"{CLIENT}/other/ca.pem"}, "and not of"),
    ({"ca": f"{CLIENT}/own/both.pem"}, "and not of"),
    ({"certificate": f"{CLIENT}/own/cert.pem"}, "serves a certificate of CN=server that is not the one in"),
    ({"client": f"{CLIENT}/other"}, f"refuses the client of {CLIENT}/other/cert.pem"),
    ({"client": "/nonexistent"}, "No such file"),
]


def test_mutual_tls_is_proved(shared_host: Host, settings: dict[str, Any]) -> None:
    start_docker(shared_host, settings, _FLAGS.format("0.0.0.0"))
    assert prove(shared_host) == []
    assert prove(shared_host, "0.0.0.0") == []
    (notice,) = prove(shared_host, client=None)
    assert "not proved here" in notice
    for changed, sentence in OTHER_FILES:
        assert sentence in prove(shared_host, **changed)
    assert shared_host.run("ls -d /tmp/bulwark-tls-*", check=False).stdout == ""


@pytest.mark.parametrize(
    ("served", "changed", "sentence"),
    [
        # A subject with what openssl quotes and escapes, and two CAs, as while one is renewed.
        (
            {"tlscacert": "own/both.pem", "tlscert": "own/ended.pem", "tlskey": "own/key.pem"},
            {"ca": f"{CLIENT}/own/both.pem", "certificate": f"{CLIENT}/own/ended.pem"},
            "certificate has expired",
        ),
        ({"tlscacert": None}, {}, "lets in clients of every CA of this system"),
        ({"tlsverify": False}, {}, "answers a client without a certificate, with 200"),
        (
            {"tlsverify": None, "tlscacert": None, "tlscert": None, "tlskey": None},
            {},
            "answers plain HTTP with 200",
        ),
    ],
    ids=["expired", "no tlscacert", "tlsverify false", "plain"],
)
def test_an_engine_that_only_looks_well(
    shared_host: Host,
    settings: dict[str, Any],
    served: dict[str, Any],
    changed: dict[str, str],
    sentence: str,
) -> None:
    paths = {key: f"{CLIENT}/{value}" if isinstance(value, str) else value for key, value in served.items()}
    start_docker(
        shared_host,
        {key: value for key, value in {**settings, **paths}.items() if value is not None},
        _FLAGS.format("127.0.0.1"),
    )
    assert sentence in prove(shared_host, **changed)
    if paths.get("tlscacert", "") is None and "tlsverify" not in paths:
        ask = f"curl -s --cacert {TLS}/ca.pem --cert {CLIENT}/other/cert.pem --key {CLIENT}/other/key.pem"
        assert shared_host.run(f"{ask} https://127.0.0.1:{PORT}/_ping").stdout == "OK"
