# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes without a certificate, with real servers that want one or not."""

from __future__ import annotations

import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.limits import within
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import tls_handshake

from tests.unit.plugins.module_utils.probes.tcp_server import certificate, http, serving

PING = {"/_ping": http(200, b"OK")}


@pytest.fixture
def server(tmp_path: Path) -> ssl.SSLContext:
    return certificate(tmp_path)


@pytest.fixture
def demanding(server: ssl.SSLContext, tmp_path: Path) -> ssl.SSLContext:
    server.load_verify_locations(tmp_path / "cert.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    return server


def ask(port: int) -> dict[str, Any]:
    return tls_handshake.ask("127.0.0.1", port, "/_ping", 5)


def without_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEARCH", "/nonexistent")


def test_everybody_is_let_in(server: ssl.SSLContext) -> None:
    with serving(PING, server) as port:
        found = ask(port)
    served = found.pop("certificate")
    assert found == {
        "handshake": True,
        "version": "TLSv1.3",
        "status": 200,
        "error": None,
        "certificate_requested": False,
        "ca_names": [],
    }
    assert served["subject"] == "O=Test, CN=server"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_is_required(demanding: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    demanding.maximum_version = version
    with serving(PING, demanding) as port:
        found = ask(port)
    assert (found["status"], found["certificate_requested"]) == (None, True)
    # Under 1.3 the refusal follows the handshake.
    assert found["handshake"] is (version == ssl.TLSVersion.TLSv1_3)
    assert found["error"] == ("certificate required" if found["handshake"] else "handshake failure")
    assert found["certificate"]["subject"] == "O=Test, CN=server"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_the_names_of_the_cas_are_told(server: ssl.SSLContext, tmp_path: Path, version: str) -> None:
    files = ("-cert", "cert.pem", "-key", "key.pem", "-CAfile", "cert.pem")
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", *files, "-Verify", "1", version, "-www"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        # ACCEPT 127.0.0.1:34567
        line = next(line for line in process.stdout if line.startswith(b"ACCEPT 127"))
        found = ask(int(line.rpartition(b":")[2]))
        process.kill()
    assert found["ca_names"] == ["O=Test, CN=server"]
    assert (found["status"], found["certificate_requested"]) == (None, True)


def test_a_request_without_ca_names(server: ssl.SSLContext) -> None:
    """What dockerd with tlsverify and without tlscacert does: it trusts all CAs of the system."""
    server.verify_mode = ssl.CERT_OPTIONAL
    with serving(PING, server) as port:
        found = ask(port)
    assert (found["status"], found["certificate_requested"], found["ca_names"]) == (200, True, [])


def test_a_plain_server() -> None:
    with serving(http(200)) as port:
        found = ask(port)
    assert (found["handshake"], found["status"], found["certificate"]) == (False, None, None)
    assert found["error"] is not None


def test_without_openssl_python_asks(
    demanding: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_openssl(monkeypatch)
    with serving(PING, demanding) as port:
        found = ask(port)
    assert found == {
        "handshake": True,
        "version": "TLSv1.3",
        "status": None,
        "error": "certificate required",
        "certificate_requested": None,
        "ca_names": None,
        "certificate": None,
    }


def test_without_openssl_everybody_is_let_in(server: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    without_openssl(monkeypatch)
    with serving(PING, server) as port:
        found = ask(port)
    assert (found["handshake"], found["version"], found["status"]) == (True, "TLSv1.3", 200)


def test_a_handshake_that_nobody_answers() -> None:
    with serving(None) as port:
        found = tls_handshake.ask("127.0.0.1", port, "/_ping", 0.5)
    assert (found["handshake"], found["status"], found["error"]) == (False, None, "timed out")


def test_an_endless_answer_costs_neither_time_nor_memory(server: ssl.SSLContext) -> None:
    """S17: all that openssl printed was kept until its time was over, 626 MB of it."""

    def flood(_question: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 50_000_000

    before = _height()
    with serving(flood, server) as port:
        begun = time.monotonic()
        # In this process are the server and its answer too.
        found = within(20, _asked_in_a_child, port)
        assert time.monotonic() - begun < 5
    assert (found["status"], found["version"]) == (200, "TLSv1.3")
    assert found["height"] - before < 40


def _asked_in_a_child(port: int) -> dict[str, Any]:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return {**tls_handshake.ask("127.0.0.1", port, "/_ping", 10), "height": _height()}


def _height() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def test_an_answer_that_drips_is_known_by_its_head(server: ssl.SSLContext) -> None:
    """It used to be asked once more, by Python, which tells neither CA names nor certificate."""

    def slow(_question: bytes) -> bytes:
        time.sleep(2)
        return http(200)

    with serving(slow, server) as port:
        found = tls_handshake.ask("127.0.0.1", port, "/_ping", 0.5)
    assert (found["version"], found["status"], found["error"]) == ("TLSv1.3", None, "timed out")
    assert found["certificate"]["subject"] == "O=Test, CN=server"


def test_the_certificate_is_not_taken_from_a_name(tmp_path: Path) -> None:
    """S16: a subject that looks like PEM was decoded, and failed all end points of the engine."""
    subject = "/O=-----BEGIN CERTIFICATE-----A-----END CERTIFICATE-----/CN=-----BEGIN CERTIFICATE-----"
    with serving(PING, certificate(tmp_path, subject)) as port:
        found = ask(port)
    assert found["status"] == 200
    assert found["certificate"]["subject"].endswith("CN=-----BEGIN CERTIFICATE-----")
