# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts and answers by which an account or a container wants to stop, blind or bloat the audit (S6, S7, S16, S17).

Each costs itself: what it is about is unknown, all else is judged, and the audit ends in time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.pki import pem

from tests.hosts import states
from tests.hosts.auditing import MODULES, audit, engine_of, finding, library, subjects, verdict
from tests.hosts.host import Host
from tests.unit.plugins.module_utils.probes.making import ALTERNATIVE, DNS, GENERALIZED, made, name

pytestmark = pytest.mark.images("trixie")

ACCOUNT, HOME = "mallory", "/home/mallory"
# Of an audit that takes 5 to 15 on such a host.
IN_TIME = 90
# Answers every connection with the same bytes; as a container has it, the port is the first argument too.
SERVER = """#!/usr/bin/python3
import socket, ssl, sys, threading
port, kind = int(sys.argv[1]), sys.argv[2]
ANSWERS = {
    "redis": None,
    "digits": b"HTTP/1.1 200 OK\\r\\nContent-Length: " + b"9" * 5000 + b"\\r\\n\\r\\n",
    "endless": b"HTTP/1.1 200 OK\\r\\n\\r\\n",
}
def serve(connection):
    try:
        if kind == "endless":
            connection = context.wrap_socket(connection, server_side=True)
        question = connection.recv(65536)
        answer = ANSWERS[kind]
        if kind == "redis":
            answer = b":0\\r\\n" if question.startswith(b"DBSIZE") else b"+PONG\\r\\n"
        connection.sendall(answer)
        while kind == "endless":
            connection.sendall(b"x" * 65536)
        connection.recv(1)
    except OSError:
        pass
    connection.close()
if kind == "endless":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/srv/tls.pem")
with socket.create_server(("0.0.0.0", port)) as server:
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""
# The most memory that the module, or a program that it runs, has had, in kilobytes, and the seconds.
MEASURED = """
import json, resource, subprocess, sys, time
begun = time.monotonic()
done = subprocess.run([sys.executable, "-m", sys.argv[1]], input=sys.stdin.read(), capture_output=True, text=True)
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"height": most, "seconds": time.monotonic() - begun, "result": json.loads(done.stdout)}))
"""
# Who else could have answered on the ports and services that are looked at.
KINDS = ("listener.*_authentication", "orchestrator.*")


@pytest.fixture(scope="module")
def attacked(shared_host: Host) -> Host:
    """A host with an ordinary account, a server of the attacker's choice, and an image."""
    shared_host.run(f"useradd --create-home {ACCOUNT}")
    shared_host.put("/srv/dockerd", SERVER, 0o755)
    shared_host.import_busybox()
    return shared_host


@pytest.fixture
def clean(attacked: Host) -> Iterator[Host]:
    """Without containers, listeners and files of the test after it."""
    yield attacked
    attacked.run("docker ps -aq | xargs -r docker rm -f")
    attacked.run(f"pkill -f '^(/usr/bin/)?python3 /srv/' ; rm -rf {HOME}/.docker /srv/tls.pem; true")


def listen(host: Host, port: int, kind: str, account: str = ACCOUNT) -> None:
    host.run(
        f"setpriv --reuid {account} --regid {account} --clear-groups /srv/dockerd {port} {kind} >/dev/null 2>&1 &"
    )
    host.run(f"until ss -tlnH 'sport = {port}' | grep -q .; do sleep 0.1; done")


def measured(host: Host, **options: Any) -> dict[str, Any]:
    arguments = {"ANSIBLE_MODULE_ARGS": {"profile": "strict", "snapshot": True, **options}}
    done = host.run(
        ["env", f"PYTHONPATH={library(host)}", "python3", "-c", MEASURED, f"{MODULES}.compliance_info"],
        stdin=json.dumps(arguments),
        timeout=IN_TIME + 60,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def unknown(result: dict[str, Any]) -> set[str]:
    return {f["control"] for f in result["findings"] if f["verdict"] == "unknown"}


def test_s6_a_listener_does_not_blind_the_judgement_of_others(clean: Host) -> None:
    before = unknown(audit(clean, controls=list(KINDS)))
    listen(clean, 6379, "redis", "root")
    listen(clean, 9090, "digits")
    clean.docker(
        "run", "--detach", "--publish", "5000:5000", "--volume", "/:/host:ro", "busybox:test",
        "chroot", "/host", "/srv/dockerd", "5000", "digits",
    )  # fmt: skip
    result = audit(clean, controls=list(KINDS))
    assert verdict(result, "listener.redis_authentication") == "fail"
    assert subjects(result, "listener.redis_authentication") == {"redis 0.0.0.0:6379": "fail"}
    assert unknown(result) <= before


# Sixty sockets that take a connection and never say a word, all in one process.
MUTE = """
import socket, sys, time
servers = [socket.create_server(("0.0.0.0", port), backlog=64) for port in range(30100, 30160)]
time.sleep(600)
"""


def test_s6_listeners_that_keep_silent_cost_themselves(clean: Host) -> None:
    """What was answered by the deadline stays, however many of an account's sockets were waited for."""
    listen(clean, 6379, "redis", "root")
    clean.put("/srv/mute", MUTE)
    clean.run(
        f"setpriv --reuid {ACCOUNT} --regid {ACCOUNT} --clear-groups python3 /srv/mute >/dev/null 2>&1 &"
    )
    clean.run("until ss -tlnH 'sport = 30159' | grep -q .; do sleep 0.1; done")
    begun = time.monotonic()
    result = audit(clean, controls=list(KINDS))
    assert time.monotonic() - begun < IN_TIME
    assert subjects(result, "listener.redis_authentication") == {"redis 0.0.0.0:6379": "fail"}
    assert isinstance(result["snapshot"]["services"], list)


def test_s11_open_files_of_an_account_do_not_take_the_time_of_the_audit(clean: Host) -> None:
    script = (
        "import os, resource, time; most = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
        " resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)); [os.dup(0) for _ in range(most - 10)];"
        " [os.fork() for _ in range(4)]; time.sleep(600)"
    )
    clean.run(
        [
            "sh",
            "-c",
            f"setpriv --reuid {ACCOUNT} --regid {ACCOUNT} --clear-groups python3 -c '{script}' </dev/null &",
        ]
    )
    clean.run(f"until [ $(pgrep --count --uid {ACCOUNT}) -ge 16 ]; do sleep 0.1; done")
    before = unknown(audit(clean))
    result = audit(clean, deadline=60)
    clean.run(f"pkill -KILL -u {ACCOUNT}; true")
    assert unknown(result) == before
    assert not [
        each for each in result["snapshot"].values() if isinstance(each, dict) and set(each) == {"error"}
    ]


def test_an_ordinary_user_still_asks_the_engine_of_the_system(clean: Host) -> None:
    """S14: who listens must be root, not who asks."""
    clean.run(f"usermod --append --groups docker {ACCOUNT}")
    result = audit(clean, user=ACCOUNT)
    clean.run(f"gpasswd --delete {ACCOUNT} docker")
    engine = engine_of(result)
    assert (engine["state"], engine["error"]) == ("running", None)
    assert engine["version"]["Version"].startswith("26.1.5")


def test_s7_arguments_and_blanks_do_not_keep_the_audit_from_ending(clean: Host) -> None:
    long = "$(head -c 100000 /dev/zero | tr '\\0' a)="
    script = f"printf '#!/bin/sh\\nsleep 600\\n' > /tmp/etcd; chmod +x /tmp/etcd; exec /tmp/etcd {long}"
    clean.docker(
        "run", "--detach", "--user", "12345", "--cap-drop", "ALL", "--tmpfs", "/tmp:exec,mode=1777", "busybox:test",
        "sh", "-c", script,
    )  # fmt: skip
    # And one of an account, outside of containers.
    clean.put("/srv/etcd", "#!/bin/sh\nsleep 600\n", 0o755)
    clean.run(f'setpriv --reuid {ACCOUNT} --clear-groups /srv/etcd "{long}" >/dev/null 2>&1 &')
    clean.run("until [ $(pgrep -cx etcd) = 2 ]; do sleep 0.1; done")
    clean.put(f"{HOME}/.docker/ca.pem", "-----BEGIN CERTIFICATE-----\n" + " " * 60_000)
    clean.put(f"{HOME}/.config/systemd/user/docker.service", "")
    clean.put(f"{HOME}/.config/docker/daemon.json", json.dumps({"labels": ["a" * 1_000_000]}))
    clean.run(f"chown -R {ACCOUNT}: {HOME}")
    begun = time.monotonic()
    result = audit(clean)
    seconds = time.monotonic() - begun
    clean.run("pkill -x etcd; true")
    clean.run(f"rm -rf {HOME}/.config")
    print(f"{seconds:.1f} s")
    assert seconds < IN_TIME
    running = [each for each in result["snapshot"]["engine_processes"] if each["name"] == "etcd"]
    assert len(running) == 2
    assert all(len("".join(each["argv"])) < 10_000 for each in running)


def test_s16_certificates_cost_themselves(clean: Host) -> None:
    forged = b"a\n            X509v3 Basic Constraints: \n                CA:TRUE"
    hostile = {
        "ca.pem": made(not_before=GENERALIZED(b"00000101000000Z")),
        "cert.pem": made(
            subject=name(b"x\n        Subject: CN=docker"),
            extensions=(ALTERNATIVE(DNS(forged), DNS(b"a, DNS:docker")),),
        ),
    }
    settings = {"hosts": ["fd://", "tcp://0.0.0.0:2376"], **states.certificates(clean)}
    states.start_docker(clean, json.dumps(settings), flags="")
    for file, der in hostile.items():
        clean.put(f"{HOME}/.docker/{file}", pem.armored("CERTIFICATE", der))
    clean.run(f"chown -R {ACCOUNT}: {HOME}")
    result = audit(clean)
    states.reset_docker(clean)
    held = result["snapshot"]["certificates"]
    assert held[f"{HOME}/.docker/ca.pem"][0]["not_before"] is None
    (cert,) = held[f"{HOME}/.docker/cert.pem"]
    assert not cert["ca"]
    assert len(cert["san"]) == 2
    assert "\n" not in cert["subject"]
    for control in ("tls.key_pair", "tls.server_names", "tls.own_ca"):
        assert (control, verdict(result, control)) == (control, "pass")
    current = finding(result, "tls.certificates_current")
    assert {s["name"]: s["verdict"] for s in current["subjects"]}[f"{HOME}/.docker/ca.pem"] == "unknown"


def test_s17_an_endless_answer_costs_little_memory(clean: Host) -> None:
    quiet = measured(clean)
    clean.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=x "
        "-keyout /srv/tls.key -out /srv/tls.crt 2>/dev/null && cat /srv/tls.key /srv/tls.crt > /srv/tls.pem"
    )
    for number in range(3):
        clean.docker(
            "run", "--detach", "--name", f"nested{number}", "--volume", "/:/host:ro", "busybox:test",
            "chroot", "/host", "/srv/dockerd", "2376", "endless",
        )  # fmt: skip
    clean.run("until [ $(pgrep -c dockerd) -ge 4 ]; do sleep 0.1; done; sleep 1")
    found = measured(clean)
    print({key: (quiet[key], found[key]) for key in ("height", "seconds")})
    containers = {each["name"]: each for each in engine_of(found["result"])["containers"]}
    (endpoint,) = containers["nested0"]["endpoints"]
    assert (endpoint["tls"]["version"], endpoint["tls"]["status"]) == ("TLSv1.3", 200)
    assert endpoint["tls"]["certificate"]["subject"] == "CN=x"
    assert found["height"] < 150 * 1024
    assert found["seconds"] < IN_TIME
