# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account, a container or a file server that wants to silence the audit, or to speak through it.

The numbers are those of the security review.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.bounds import bounded

from tests.hosts import full_backlog, states
from tests.hosts.auditing import audit, engine_of, finding, run_module, verdict
from tests.hosts.host import Host

pytestmark = pytest.mark.images("trixie")

HOME = "/home/worker"
DAEMON_JSON = f"{HOME}/.config/docker/daemon.json"
UNIT = f"{HOME}/.config/systemd/user/docker.service"
SECRET = "dXNlcjpzZWNyZXQ="
# A process of the account in a cgroup of this name below its own, which listens on that port.
LISTEN_IN = """
set -e
own=/sys/fs/cgroup/systemd$(sed -n 's/.*name=systemd://p' /proc/1/cgroup | sed 's,/init.scope$,,')
group=$own/user.slice/user-1000.slice/user@1000.service/$(printf "$1")
mkdir "$group"
sh -c 'echo $$ > "$0/cgroup.procs"; exec "$1" -m http.server --bind 127.0.0.1 --directory /usr/share "$2"' \\
    "$group" "$3" "$2" >/dev/null 2>&1 &
until ss --listening --tcp --numeric | grep -q ":$2 "; do sleep 0.1; done
"""


@pytest.fixture
def account(shared_host: Host) -> Iterator[Host]:
    """The module's host, on which the account has a home and its own systemd; without all of that afterwards."""
    shared_host.run("loginctl enable-linger worker; until [ -S /run/user/1000/bus ]; do sleep 0.1; done")
    yield shared_host
    shared_host.run("loginctl disable-linger worker; loginctl terminate-user worker", check=False)
    shared_host.run("pkill -KILL -u worker; while pgrep -u worker; do sleep 0.1; done; true")
    shared_host.run(f"find {HOME} -mindepth 1 -delete; until [ ! -e /run/user/1000 ]; do sleep 0.1; done")
    shared_host.run("docker ps --all --quiet | xargs --no-run-if-empty docker rm --force")


def lay(host: Host, path: str, content: str) -> None:
    """A file of the account's."""
    host.run(["sh", "-c", 'mkdir -p "${1%/*}" && cat > "$1"', "sh", path], user="worker", stdin=content)


def link(host: Host, path: str, target: str) -> None:
    host.run(f"mkdir -p '{Path(path).parent}' && ln -sfn '{target}' '{path}'", user="worker")


def marks(data: Any, where: str = "") -> dict[str, str]:
    """{place in the snapshot: why it was not read}"""
    if isinstance(data, dict) and set(data) == {"error"}:
        return {where: str(data["error"])}
    parts = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return {place: why for key, value in parts for place, why in marks(value, f"{where}/{key}").items()}


def sections_without(snapshot: dict[str, Any]) -> set[str]:
    """The sections that could not be read as a whole."""
    return {place[1:] for place in marks(snapshot) if place.count("/") == 1}


def listener(result: dict[str, Any], port: int) -> dict[str, Any]:
    (found,) = [each for each in result["snapshot"]["listeners"] if each["port"] == port]
    return dict(found)


def test_s9_a_path_that_is_none_costs_nobody_else(account: Host) -> None:
    lay(account, UNIT, "")
    settings = {
        "tlscacert": "/a\0b/c.pem",
        "tlskey": "/\0",
        "data-root": "/x\0",
        "hosts": ["unix:///run/user/1000/\0.sock", "unix:///run/user/1000/own.sock"],
    }
    lay(account, DAEMON_JSON, json.dumps(settings))
    result = audit(account)
    assert sections_without(result["snapshot"]) == set()
    assert engine_of(result, "rootless:worker")["config"]["settings"]["tlscacert"] == "/a\0b/c.pem"
    for control in ("daemon.answers", "file.engine_socket", "container.privileged"):
        assert (control, verdict(result, control, "system")) == (control, "pass")


@pytest.mark.parametrize("name", ["the id", "hid\\013den", "hid\\302\\205den", "hid\\342\\200\\250den"])
def test_s13_a_process_that_an_account_names_after_a_container_is_the_accounts(
    account: Host, name: str
) -> None:
    account.import_busybox()
    account.docker("run", "--detach", "--name", "web", "--network", "host", "busybox:test", "sleep", "600")
    identity = account.docker("inspect", "--format", "{{.Id}}", "web").stdout.strip()
    named = identity if name == "the id" else name
    account.run(["sh", "-c", LISTEN_IN, "sh", named, "9991", "/usr/bin/python3"], user="worker")
    result = audit(account)
    found = listener(result, 9991)
    assert [(owner["uid"], owner["container"], owner["unit"]) for owner in found["owners"]] == [
        (1000, None, "user@1000.service")
    ]
    assert (found["container"], found["unit"]) == (None, None)
    (web,) = engine_of(result)["containers"]
    assert [(each["name"], each["count"]) for each in web["processes"]] == [("sleep", 1)]
    # Decisions about it go by the same.
    told = run_module(account, {"allow": [{"container": "web"}]}, name="listening_services")
    (seen,) = [each for each in told["listeners"] if each["port"] == 9991]
    assert (seen["container"], seen["owner_known"]) == (None, True), seen


def test_s13_a_shim_of_an_account_says_nothing(account: Host) -> None:
    account.import_busybox()
    account.docker("run", "--detach", "--name", "web", "--network", "host", "busybox:test", "sleep", "600")
    identity = account.docker("inspect", "--format", "{{.Id}}", "web").stdout.strip()
    words = f"-namespace moby -id {identity}"
    account.run(
        f"""cd {HOME} && cp /bin/sh containerd-shim-runc-v2
        printf '%s\\n' 'setsid python3 -m http.server --bind 127.0.0.1 9992 >/dev/null 2>&1 & sleep 600' > run
        setsid ./containerd-shim-runc-v2 run {words} >/dev/null 2>&1 &
        until ss --listening --tcp --numeric | grep -q ':9992 '; do sleep 0.1; done""",
        user="worker",
    )
    result = audit(account)
    assert listener(result, 9992)["container"] is None
    (web,) = engine_of(result)["containers"]
    assert [(each["name"], each["count"]) for each in web["processes"]] == [("sleep", 1)]


def test_s13_what_runs_in_a_container_is_still_the_containers(account: Host) -> None:
    """Other namespaces than the first process' do not take a process out of its container."""
    account.import_busybox()
    options = ("--network", "host", "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined")
    script = "unshare -m nc -l -p 9993 & exec sleep 600"
    account.docker("run", "--detach", "--name", "web", *options, "busybox:test", "sh", "-c", script)
    account.docker("exec", "--detach", "web", "nc", "-l", "-p", "9994")
    account.run("until ss --listening --tcp --numeric | grep -c ':999[34] ' | grep -q 2; do sleep 0.1; done")
    result = audit(account)
    (web,) = engine_of(result)["containers"]
    assert [(each["name"], each["count"]) for each in web["processes"]] == [("nc", 2), ("sleep", 1)]
    assert listener(result, 9993)["container"] == listener(result, 9994)["container"] == web["id"]


def test_s15_files_of_root_are_not_read_through_links_of_an_account(account: Host) -> None:
    account.put("/root/.docker/config.json", json.dumps({"auths": {"r.example": {"auth": SECRET}}}), 0o600)
    account.put("/root/ca.pem", states.as_text({"not": "for others"}), 0o600)
    account.run("chmod 0700 /root")
    lay(account, UNIT, "")
    link(account, DAEMON_JSON, "/root/.docker/config.json")
    link(account, f"{HOME}/.docker/config.json", "/root/.docker/config.json")
    link(account, f"{HOME}/.bashrc", "/root/.docker/config.json")
    link(account, f"{HOME}/.docker/ca.pem", "/root/ca.pem")
    result = audit(account)
    account.run("rm -r /root/.docker /root/ca.pem")
    assert SECRET not in json.dumps(result)
    assert "auths" not in json.dumps(result)
    assert "not read: " not in json.dumps(result)
    config = engine_of(result, "rootless:worker")["config"]
    assert "Permission denied" in json.dumps(config)
    (client,) = [each for each in result["snapshot"]["clients"] if each["user"] == "worker"]
    assert "Permission denied" in client["current_context"]["error"]
    assert "Permission denied" in client["environment"]["error"]
    assert "Permission denied" in result["snapshot"]["files"][f"{HOME}/.docker/ca.pem"]["error"]
    assert verdict(result, "daemon.configuration_file", "rootless:worker") == "unknown"
    assert verdict(result, "daemon.configuration_file", "system") != "unknown"


def test_s15_credentials_that_an_account_may_read_are_none_of_a_snapshot(account: Host) -> None:
    lay(account, UNIT, "")
    lay(account, DAEMON_JSON, json.dumps({"auths": {"r.example": {"auth": SECRET}}, "identitytoken": SECRET}))
    assert SECRET not in json.dumps(audit(account))


def test_s14_the_system_engine_is_not_taken_for_the_accounts(account: Host) -> None:
    account.import_busybox()
    account.docker("run", "--detach", "--name", "web", "busybox:test", "sleep", "600")
    lay(account, UNIT, "")
    link(account, states.ROOTLESS_SOCKET, "/run/docker.sock")
    result = audit(account)
    own = engine_of(result, "rootless:worker")
    assert own["state"] == "stopped"
    assert "uid 0 owns it" in own["error"]
    assert "web" not in json.dumps(own)
    assert [each["name"] for each in engine_of(result)["containers"]] == ["web"]


def test_s11_a_full_backlog_is_not_waited_for(account: Host) -> None:
    account.put("/tmp/full.py", full_backlog.PROGRAM)
    account.run(
        f"for name in docker.sock bus; do python3 /tmp/full.py /run/user/1000/$name 600 > {HOME}/$name & done;"
        f" until grep -q full {HOME}/docker.sock && grep -q full {HOME}/bus; do sleep 0.1; done",
        user="worker",
    )
    begun = time.monotonic()
    result = audit(account, timeout=2)
    assert time.monotonic() - begun < 30
    assert engine_of(result, "rootless:worker")["state"] == "unresponsive"
    assert verdict(result, "daemon.answers", "rootless:worker") == "fail"
    assert sections_without(result["snapshot"]) == set()
    assert verdict(result, "daemon.answers", "system") == "pass"


# Answers as an engine does, and at a length that none has.
LONG_WINDED = """
import http.server, json, os, socketserver, sys
LONG = sys.argv[1] == "name"
ID = "a" * 64
LISTED = [{"Id": ID, "State": "running"}] if LONG else [{"Id": "1", "State": ""}] * 20000
ANSWERS = {
    "/version": {"Version": "26.1.5", "ApiVersion": "1.45"},
    "/info": {"DockerRootDir": "/home/worker"},
    "/containers/json?all=1": LISTED,
    f"/containers/{ID}/json": {"Id": ID, "Name": "/" + "x" * 200_000, "State": {"Status": "running"}, "Config": {}},
}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps(ANSWERS.get(self.path, [])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_arguments):
        pass
    def address_string(self):
        return ""
socketserver.ThreadingUnixStreamServer.daemon_threads = True
socketserver.ThreadingUnixStreamServer("/run/user/1000/docker.sock", Handler).serve_forever()
"""


@pytest.mark.parametrize("kind", ["name", "list"])
def test_an_engine_that_answers_at_length_costs_itself(account: Host, kind: str) -> None:
    before = audit(account)
    account.put("/tmp/long.py", LONG_WINDED)
    account.run(
        f"python3 /tmp/long.py {kind} >/dev/null 2>&1 & until [ -S /run/user/1000/docker.sock ]; do sleep 0.1; done",
        user="worker",
    )
    result = audit(account)
    assert engine_of(result, "rootless:worker")["version"]["Version"] == "26.1.5"
    # The controller takes it, and so the host is no failed one.
    bounded({key: result[key] for key in ("findings", "summary") if key in result}, "result")
    assert len(json.dumps(result)) < 4 * len(json.dumps(before)) + 2_000_000
    assert verdict(result, "daemon.answers", "system") == "pass"


def test_a_published_port_of_a_rootless_container_is_its_own(host: Host) -> None:
    """S13: rootlesskit speaks for the account's containers, and for these alone."""
    states.rootless(host)
    states.rootless_docker(host, "import", "/usr/share/bulwark-test/busybox.tar", "busybox:test")
    published = ("--publish", "127.0.0.1:8080:80", "--stop-signal", "KILL")
    server = ("busybox:test", "httpd", "-f", "-p", "80")
    states.rootless_docker(host, "run", "--detach", "--name", "mine", *published, *server)
    host.run("python3 -m http.server 9991 >/dev/null 2>&1 &", user="worker")
    host.run("until ss -tlnH 'sport = 9991' | grep -q .; do sleep 0.1; done")
    result = audit(host)
    (mine,) = engine_of(result, "rootless:worker")["containers"]
    assert listener(result, 8080)["container"] == mine["id"]
    assert listener(result, 9991)["container"] is None


def test_an_engine_under_another_name_is_found_by_its_socket(host: Host) -> None:
    states.rootless(host)
    host.run(
        f"""set -e; export XDG_RUNTIME_DIR=/run/user/1000; cp /usr/sbin/dockerd {HOME}/foo
        mkdir -p {UNIT}.d && printf '[Service]\\nEnvironment=DOCKERD={HOME}/foo\\n' > {UNIT}.d/name.conf
        systemctl --user daemon-reload; systemctl --user restart docker
        until docker --host unix://{states.ROOTLESS_SOCKET} version >/dev/null 2>&1; do sleep 0.1; done""",
        user="worker",
    )
    states.rootless_docker(host, "import", "/usr/share/bulwark-test/busybox.tar", "busybox:test")
    states.rootless_docker(host, "run", "--detach", "--name", "mine", "busybox:test", "sleep", "600")
    assert host.run("pgrep -u worker -x dockerd", check=False).rc == 1
    own = engine_of(audit(host), "rootless:worker")
    assert (own["state"], own["uid"], own["gid"]) == ("running", 1000, 1000)
    assert [each["name"] for each in own["containers"]] == ["mine"]
    assert own["containers"][0]["process"]["uid"] == 1000
    assert own["binary"]["path"] == f"{HOME}/foo"


def test_a_home_that_never_answers_costs_its_own_engine(account: Host) -> None:
    """S9: with a file system of its own in its home, as an account may mount one."""
    account.import_busybox()
    account.run("useradd --create-home other")
    account.run(f"mkdir -p {Path(UNIT).parent} && touch {UNIT}", user="worker")
    account.run(
        "mkdir -p ~other/.config/systemd/user && touch ~other/.config/systemd/user/docker.service"
        " && chown -R other: ~other"
    )
    account.put("/root/mute_fuse.py", Path(__file__).with_name("mute_fuse.py").read_bytes())
    account.run(f"systemd-run --unit mute python3 /root/mute_fuse.py {HOME}/.config")
    account.run("until grep -q ' /home/worker/.config ' /proc/mounts; do sleep 0.1; done")
    begun = time.monotonic()
    try:
        result = audit(account, deadline=100)
    finally:
        account.run(f"umount --lazy {HOME}/.config; systemctl stop mute; userdel --remove other", check=False)
    assert time.monotonic() - begun < 60
    assert sections_without(result["snapshot"]) == set()
    assert engine_of(result, "rootless:other")["config"]["exists"] is False
    assert verdict(result, "container.privileged", "system") == "pass"
    # What there is in that home is not told, and nothing about it passes.
    assert [e["name"] for e in result["snapshot"]["engines"]] == ["system", "rootless:other"]


def test_at_the_deadline_the_rest_is_unknown_for_that_reason(account: Host) -> None:
    account.import_busybox()
    account.run("for n in $(seq 25); do docker run --detach --name c-$n busybox:test sleep 600; done")
    begun = time.monotonic()
    result = audit(account, deadline=0.06)
    assert time.monotonic() - begun < 10
    why = "not read: the audit's deadline of 0.06 s had passed"
    assert why in marks(result["snapshot"]).values()
    by_control = {each["control"] for each in audit(account)["findings"]}
    assert {each["control"] for each in result["findings"]} == by_control
    unknown = [each for each in result["findings"] if each["verdict"] == "unknown"]
    assert any(why in json.dumps(each) for each in unknown)


def test_the_deadline_holds_where_no_signal_wakes_the_audit(account: Host) -> None:
    """A read from a file server that is gone waits in the kernel."""
    account.put("/root/mute_fuse.py", Path(__file__).with_name("mute_fuse.py").read_bytes())
    account.run(
        "mkdir -p /etc/audit/rules.d && systemd-run --unit mute python3 /root/mute_fuse.py /etc/audit/rules.d"
    )
    account.run("until grep -q ' /etc/audit/rules.d ' /proc/mounts; do sleep 0.1; done")
    begun = time.monotonic()
    try:
        result = audit(account, deadline=3)
    finally:
        account.run("umount --lazy /etc/audit/rules.d; systemctl stop mute; rm -r /etc/audit", check=False)
    assert time.monotonic() - begun < 15
    assert finding(result, "container.privileged")["verdict"] == "pass"
    assert result["snapshot"]["audit"] == {"error": "not read: the audit's deadline of 3 s had passed"}
