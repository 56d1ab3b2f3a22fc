# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the audit finds of TLS: edge cases by their numbers, and engines in containers by their requirement rows.

Each test first shows on the host that the state is what it claims to be.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.hosts import states
from tests.hosts.auditing import audit, engine_of, finding, subjects, verdict
from tests.hosts.host import Host
from tests.hosts.states import TLS

pytestmark = pytest.mark.images("bookworm", "trixie")

ASK = ["curl", "--silent", "--insecure", "--max-time", "5"]
UNIT = "/etc/systemd/system/docker-odd.socket"
ODD = "[Unit]\n[Socket]\nListenStream=127.0.0.1:7712\nService=docker.service\n"


def serve(host: Host, settings: dict[str, Any], *addresses: str) -> None:
    """The engine serves TCP there, by default at 127.0.0.1:2376."""
    hosts = ["fd://", *(addresses or ("tcp://127.0.0.1:2376",))]
    states.start_docker(host, {"hosts": hosts, **settings}, flags="")


def answers(host: Host, url: str) -> bool:
    """Whether a client without a certificate gets an answer of the API."""
    return '"ApiVersion"' in host.run([*ASK, f"{url}/version"], check=False).stdout


def look(host: Host) -> dict[str, Any]:
    return audit(host, controls=["listener.docker_*", "tls.*"])


def actual(result: dict[str, Any], control: str) -> list[Any]:
    return [subject["actual"] for subject in finding(result, control)["subjects"]]


@pytest.mark.parametrize("more", [{}, {"tls": True}], ids=["alone", "beside tls true"])
def test_e65_tlsverify_false(shared_host: Host, more: dict[str, Any]) -> None:
    serve(shared_host, {**states.certificates(shared_host), "tlsverify": False, **more})
    assert answers(shared_host, "https://127.0.0.1:2376")
    result = look(shared_host)
    for control, found in (
        ("listener.docker_api_unauthenticated", "answers to TLS without a client certificate"),
        ("tls.client_verification", "tlsverify false"),
    ):
        assert (verdict(result, control), finding(result, control)["severity"]) == ("fail", "critical")
        assert actual(result, control) == [found]


def test_e66_tls_true_alone(shared_host: Host) -> None:
    settings = states.certificates(shared_host)
    del settings["tlsverify"]
    serve(shared_host, {**settings, "tls": True})
    assert not answers(shared_host, "https://127.0.0.1:2376")
    result = look(shared_host)
    for control in (
        "listener.docker_api_unauthenticated",
        "listener.docker_api_client_certificates",
        "tls.client_verification",
    ):
        assert (control, verdict(result, control)) == (control, "pass")
    (advice,) = finding(result, "tls.client_verification")["subjects"]
    assert "set tlsverify to say so" in advice["evidence"]


def test_e67_tlsverify_without_tlscacert(shared_host: Host) -> None:
    settings = states.certificates(shared_host)
    del settings["tlscacert"]
    serve(shared_host, settings)
    result = look(shared_host)
    assert (verdict(result, "tls.own_ca"), finding(result, "tls.own_ca")["severity"]) == ("fail", "critical")
    # By the configuration, and by the handshake.
    assert actual(result, "tls.own_ca") == ["the system's store", "any CA"]


def test_e69_name_in_cn_only(shared_host: Host) -> None:
    settings = states.certificates(shared_host)
    self_signed(shared_host, "cert.pem", "key.pem", "docker.example")
    serve(shared_host, settings)
    refusal = shared_host.run(
        ["docker", "--host", "tcp://127.0.0.1:2376", "--tlsverify", "--tlscacert", f"{TLS}/cert.pem",
         "--tlscert", "/root/client/cert.pem", "--tlskey", "/root/client/key.pem", "version"], check=False,
    )  # fmt: skip
    assert "SANs" in refusal.stderr
    result = look(shared_host)
    assert verdict(result, "tls.server_names") == "fail"
    assert actual(result, "tls.server_names") == ["CN only: CN=docker.example"]


def test_e74_key_of_the_ca_on_the_host(shared_host: Host) -> None:
    # The files alone tell; the engine needs no restart for that.
    shared_host.put(states.DAEMON_JSON, states.as_text(states.certificates(shared_host)))
    assert verdict(look(shared_host), "tls.ca_key_elsewhere") == "pass"
    self_signed(shared_host, "ca.pem", "rootCA-key.pem", "mkcert")
    result = look(shared_host)
    shared_host.run(["rm", f"{TLS}/rootCA-key.pem"])
    assert verdict(result, "tls.ca_key_elsewhere") == "fail"
    assert actual(result, "tls.ca_key_elsewhere") == [f"{TLS}/rootCA-key.pem"]


def test_e75_address_without_a_port(shared_host: Host) -> None:
    serve(shared_host, states.certificates(shared_host), "tcp://127.0.0.1")
    assert "HTTPS server" in shared_host.run([*ASK, "http://127.0.0.1:2375/version"]).stdout
    result = look(shared_host)
    assert subjects(result, "listener.docker_api_port_named") == {"tcp://127.0.0.1": "fail"}
    assert actual(result, "listener.docker_api_port_named") == ["2375"]
    # The number of the port says nothing: it speaks TLS there.
    assert verdict(result, "listener.docker_api_unauthenticated") == "pass"


def test_e79_plain_listeners_on_odd_ports(shared_host: Host) -> None:
    shared_host.put(UNIT, ODD)
    shared_host.run(
        "systemctl daemon-reload; systemctl stop docker.service; systemctl start docker-odd.socket"
    )
    states.start_docker(shared_host, {}, flags="-H fd:// -H tcp://127.0.0.1:7711 --tls=false")
    assert [answers(shared_host, f"http://127.0.0.1:{port}") for port in (7711, 7712)] == [True, True]
    result = look(shared_host)
    shared_host.run(f"systemctl stop docker.service docker-odd.socket; rm {UNIT}; systemctl daemon-reload")
    shared_host.restart_docker()
    control = "listener.docker_api_unauthenticated"
    assert subjects(result, control) == {"127.0.0.1:7711": "fail", "127.0.0.1:7712": "fail"}
    assert [subject["evidence"] for subject in finding(result, control)["subjects"]] == [
        "status 200, opened by dockerd",
        "status 200, opened by docker-odd.socket",
    ]


def self_signed(host: Host, certificate: str, key: str, name: str) -> None:
    """A certificate in TLS that names its subject in CN only, with its key beside it."""
    host.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", f"{TLS}/{key}", "-out", f"{TLS}/{certificate}", "-subj", f"/CN={name}", "-days", "365"]
    )  # fmt: skip


def test_rt20_rt22_engines_in_containers(shared_host: Host) -> None:
    states.certificates(shared_host)
    states.start_docker(shared_host, {}, flags="-H fd://")
    shared_host.import_busybox()
    # Nothing on the host has a way into it.
    shared_host.docker("network", "create", "--internal", "inner")
    files = [f"--tls{option}=/certs/{name}.pem" for option, name in
             (("cacert", "ca"), ("cert", "cert"), ("key", "key"))]  # fmt: skip
    states.nested_engine(shared_host, "plain", "inner", "--host=tcp://0.0.0.0:4711", "--tls=false")
    states.nested_engine(
        shared_host, "anyone", "inner", "--host=tcp://0.0.0.0:2376", "--tlsverify=false", *files
    )
    states.nested_engine(shared_host, "asking", "bridge", "--host=tcp://0.0.0.0:2376", "--tlsverify", *files)
    states.nested_engine(shared_host, "local", "inner", "--host=tcp://127.0.0.1:2375", "--tls=false")
    url = "http://plain:4711/version"
    got = shared_host.docker("run", "--rm", "--network", "inner", "busybox:test", "wget", "-qO-", url).stdout
    result = audit(shared_host, controls=["container.nested_*", "container.writable_certificates"])
    names = ("plain", "anyone", "asking", "local")
    shared_host.docker("rm", "--force", "--volumes", *names)
    shared_host.docker("network", "rm", "inner")
    assert '"ApiVersion"' in got
    found = {s["name"]: s["actual"] for s in finding(result, "container.nested_engine_tls")["subjects"]}
    assert found == {
        "plain": "plain HTTP at [::]:4711",
        "anyone": "TLS without a client certificate at [::]:2376",
    }
    (asked,) = next(c for c in engine_of(result)["containers"] if c["name"] == "asking")["endpoints"]
    assert asked["tls"]["ca_names"] == ["CN=test-ca"]
    assert subjects(result, "container.nested_engine_network") == {"asking": "fail"}
    assert verdict(result, "container.nested_engine") == "fail"


def test_rt21_client_certificates_in_containers(shared_host: Host) -> None:
    shared_host.import_busybox()
    mounts = {
        "writes": "/root/client:/certs/client",
        "reads": "/root/client:/certs/client:ro",
        "volume": "certificates:/certs/client",
        "elsewhere": f"{TLS}:/srv/docker",
        "key": f"{TLS}/key.pem:/key",
    }
    settings = states.certificates(shared_host)
    shared_host.put(states.DAEMON_JSON, states.as_text(settings))
    for name, mount in mounts.items():
        shared_host.docker("create", "--name", name, "--volume", mount, "busybox:test", "true")
    result = audit(shared_host, controls=["container.writable_certificates"])
    shared_host.docker("rm", "--volumes", *mounts)
    wrong = sorted(set(mounts) - {"reads"})
    assert subjects(result, "container.writable_certificates") == dict.fromkeys(wrong, "fail")
