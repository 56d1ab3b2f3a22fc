# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account that wants to blind the audit, or to have it speak for others. Numbers as in the security review."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hosts.auditing import audit, run_module
from tests.hosts.host import Host
from tests.hosts.test_hostile_accounts import FULL

pytestmark = pytest.mark.images("trixie")

HOME = "/home/worker"
OWN_JSON = f"{HOME}/.config/docker/daemon.json"
UNIT = f"{HOME}/.config/systemd/user/docker.service"
SLEEP = ("busybox:test", "sleep", "100000")
# An engine of worker's that is set up and does not run: an empty unit is enough.
SET_UP = f"mkdir -p $(dirname {UNIT}) $(dirname {OWN_JSON}); touch {UNIT}"
TIDY = f"""
pkill --uid 1000 sleep; pkill --uid 1000 python3; pkill --uid 1000 containerd-shim
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force >/dev/null
systemctl stop user@1000.service; loginctl disable-linger worker
cd {HOME} && rm -rf .config .docker .local secret.json
true
"""


@pytest.fixture
def worker(shared_host: Host) -> Iterator[Host]:
    """A host with an account that may do what it likes, and a container of the system's engine."""
    shared_host.import_busybox()
    shared_host.docker("run", "--detach", "--name", "web", *SLEEP)
    shared_host.run("loginctl enable-linger worker; systemctl start user@1000.service")
    yield shared_host
    shared_host.run(TIDY)


def as_worker(host: Host, script: str) -> str:
    return host.run(["sh", "-ec", f"cd {HOME}; {script}"], user="worker").stdout


def container_id(host: Host, name: str) -> str:
    return host.docker("inspect", "--format", "{{.Id}}", name).stdout.strip()


def own_cgroup(host: Host, name: str) -> str:
    """A cgroup of worker's own systemd, made by worker."""
    base = host.run(
        "cut --delimiter=: --fields=3 /proc/$(pgrep --uid 1000 --exact systemd | head -n 1)/cgroup"
    ).stdout
    below = next(line for line in base.splitlines() if line.endswith("/init.scope")).rpartition("/")[0]
    path = f"/sys/fs/cgroup/systemd{below}/{name}"
    done = host.run(["mkdir", path], user="worker", check=False)
    if done.rc != 0:
        # As on a host whose systemd delegates it.
        host.run(["mkdir", path])
        host.run(["chown", "-R", "worker:worker", path])
    return path


def started_in(host: Host, cgroup: str, *command: str) -> int:
    """The pid of a process of worker's in that cgroup."""
    words = " ".join(f"'{word}'" for word in command)
    pid = int(as_worker(host, f"setsid {words} >/dev/null 2>&1 </dev/null & echo $!"))
    host.run(["sh", "-c", 'echo "$1" > "$2/cgroup.procs"', "sh", str(pid), cgroup])
    return pid


def engine(result: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (each for each in result["snapshot"]["engines"] if each["name"] == name)
    return dict(found)


def verdicts(result: dict[str, Any], engine: str | None = "system") -> dict[str, str]:
    return {each["control"]: each["verdict"] for each in result["findings"] if each["engine"] == engine}


def test_s9_a_path_that_is_none_costs_that_path(worker: Host) -> None:
    before = verdicts(audit(worker))
    as_worker(worker, SET_UP)
    worker.put(
        "/tmp/daemon.json", json.dumps({"tlscacert": "/a\0b/c.pem", "tlskey": "x\0y", "data-root": "/\0"})
    )
    as_worker(worker, f"cat /tmp/daemon.json > {OWN_JSON}")
    result = audit(worker)
    assert verdicts(result) == before
    snapshot = result["snapshot"]
    assert not any(set(snapshot[part]) == {"error"} for part in ("files", "certificates", "keys", "accounts"))


@pytest.mark.parametrize("cgroup", ["id", "vertical tab"])
def test_s13_a_name_of_a_cgroup_proves_nothing(worker: Host, cgroup: str) -> None:
    """A listener of the account is that account's, whatever it calls its cgroup."""
    web = container_id(worker, "web")
    path = own_cgroup(worker, web if cgroup == "id" else "hid\x0bden")
    pid = started_in(worker, path, "python3", "-m", "http.server", "9991")
    for _try in range(50):
        if worker.run("ss --tcp --listening --numeric --no-header sport = :9991").stdout:
            break
        time.sleep(0.1)
    result = audit(worker)
    (listener,) = (each for each in result["snapshot"]["listeners"] if each["port"] == 9991)
    assert listener["container"] is None
    assert [(each["pid"], each["uid"], each["container"]) for each in listener["owners"]] == [
        (pid, 1000, None)
    ]
    (seen,) = engine(result, "system")["containers"]
    assert [each["name"] for each in seen["processes"]] == ["sleep"]
    # What may be done about it is decided by whose it is.
    told = run_module(worker, {"allow": [{"container": "web"}]}, name="listening_services")
    (decision,) = (each for each in told["decisions"] if each["listener"].endswith("9991"))
    assert decision["decision"] not in ("allowed", "container"), decision
    worker.run(["kill", str(pid)])


def test_s13_a_process_that_is_called_a_shim(worker: Host) -> None:
    """It tells of the containers of its own account alone."""
    web = container_id(worker, "web")
    as_worker(worker, "cp /usr/bin/dash /tmp/containerd-shim-runc-v2")
    command = f"/tmp/containerd-shim-runc-v2 -c 'sleep 1234; true' -namespace moby -id {web}"
    as_worker(worker, f"setsid {command} >/dev/null 2>&1 </dev/null &")
    assert worker.run("pgrep --uid 1000 containerd-shim").stdout
    (seen,) = engine(audit(worker), "system")["containers"]
    assert [(each["uid"], each["count"]) for each in seen["processes"]] == [(0, 1)]


def test_s14_a_link_to_the_socket_of_another_engine(worker: Host) -> None:
    worker.run("usermod --append --groups docker worker")
    as_worker(worker, f"{SET_UP}; ln -sf /run/docker.sock /run/user/1000/docker.sock")
    found = engine(audit(worker), "rootless:worker")
    assert found["state"] == "stopped"
    assert set(found["containers"]) == {"error"}
    worker.run("gpasswd --delete worker docker; rm /run/user/1000/docker.sock")


def test_s15_links_to_files_of_root(worker: Host) -> None:
    """Nothing of a file that only root may read gets into a snapshot by a link in a home."""
    secret = {"auths": {"registry.example": {"auth": "c2VjcmV0OnNlY3JldA=="}}, "currentContext": "of-root"}
    worker.put("/root/secret.json", json.dumps(secret), mode=0o600)
    as_worker(worker, f"{SET_UP}; ln -sf /root/secret.json {OWN_JSON}")
    as_worker(worker, "mkdir -p .docker; ln -sf /root/secret.json .docker/config.json")
    result = audit(worker)
    shown = json.dumps(result)
    assert "c2VjcmV0" not in shown and "registry.example" not in shown and "of-root" not in shown
    assert "Permission denied" in engine(result, "rootless:worker")["config"]["error"] + str(
        engine(result, "rootless:worker")["config"]
    )
    (client,) = (each for each in result["snapshot"]["clients"] if each["user"] == "worker")
    assert "Permission denied" in client["current_context"]["error"]


def test_s15_credentials_in_a_readable_file(worker: Host) -> None:
    as_worker(worker, SET_UP)
    worker.put(
        "/tmp/daemon.json", json.dumps({"auths": {"r": {"auth": "c2VjcmV0"}}, "identitytoken": "c2VjcmV0"})
    )
    as_worker(worker, f"cat /tmp/daemon.json > {OWN_JSON}")
    assert "c2VjcmV0" not in json.dumps(audit(worker))


def test_s11_a_full_backlog(worker: Host) -> None:
    as_worker(worker, SET_UP)
    worker.put("/tmp/full.py", FULL)
    for name in ("docker.sock", "bus2"):
        as_worker(
            worker, f"setsid python3 /tmp/full.py /run/user/1000/{name} 120 >/dev/null 2>&1 </dev/null &"
        )
    time.sleep(0.5)
    begun = time.monotonic()
    result = audit(worker)
    assert time.monotonic() - begun < 60
    assert set(engine(result, "rootless:worker")["containers"]) == {"error"}
    assert len(engine(result, "system")["containers"]) == 1


def test_deadline(worker: Host) -> None:
    """What is not read by then is unknown with that reason; the result is whole and comes in time."""
    whole = verdicts(audit(worker))
    begun = time.monotonic()
    result = audit(worker, deadline=0.05)
    assert time.monotonic() - begun < 20
    assert set(verdicts(result)) <= set(whole)
    assert len(result["findings"]) == len({(each["control"], each["engine"]) for each in result["findings"]})
    reasons = [each["message"] for each in result["findings"] if each["verdict"] == "unknown"]
    assert any("not read: the audit's deadline of 0.05 s had passed" in reason for reason in reasons)
    # What was not read is no pass.
    lost = [each["control"] for each in result["findings"] if each["message"] in reasons]
    assert len(lost) > 20
    assert run_module(worker, {"deadline": 0})["failed"] is True
