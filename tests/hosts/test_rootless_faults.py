# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""rootless that is killed or fails half-way: afterwards the host is as before, with its engines and their containers.

What must be the same: /etc, the account's home but for the data of its engine, units, linger, both engines, and which
containers they run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.auditing import library
from tests.hosts.host import BUSYBOX, Completed, Host
from tests.hosts.test_faults import DRIVER, KILLED, result

pytestmark = pytest.mark.images("bookworm", "trixie")

LIMITS = {"user": "worker", "timeout": 30, "settle": 0.05}
STOP = {"system_engine": "stop", "stop_containers": True, "privileged_ports": "sysctl"}
TAKE = {"state": "absent", "stop_containers": True}
KINDS = ["api", "loginctl", "rename", "systemctl", "unlink"]
POINTS = "/run/points"
# How many places are tried, evenly spread.
TRIED = 6
SLEEP = ("--stop-signal", "KILL", "busybox:test", "sleep", "100000")
OWN = ("env", "HOME=/home/worker", "docker")

# With 20.10 it has its id beside its configuration.
_ENGINES = re.compile(r"/\.local|/\.config/docker")

_STATE = """
ls /var/lib/systemd/linger
cat /proc/sys/net/ipv4/ip_unprivileged_port_start
pgrep --uid 1000 --count --exact dockerd
[ ! -S /run/user/1000/docker.sock ] || docker --host unix:///run/user/1000/docker.sock ps --format '{{.Names}}' | sort
true
"""


class Drill:
    """A host with an engine in use, and how it is before each fault."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.base: dict[str, Any] = {}

    def run(self, options: dict[str, Any], fault: dict[str, Any] | None = None) -> Completed:
        return self._module("rootless", {**LIMITS, **options}, fault)

    def resolve(self) -> dict[str, Any]:
        return result(self._module("daemon_apply", {"state": "resolved", "settle": 0.05}, None))

    def _module(self, name: str, options: dict[str, Any], fault: dict[str, Any] | None) -> Completed:
        program = ["env", f"PYTHONPATH={library(self.host)}", "python3", DRIVER, "run", name]
        return self.host.run(
            [*program, json.dumps(fault or {})],
            stdin=json.dumps({"ANSIBLE_MODULE_ARGS": options}),
            check=False,
        )

    def look(self) -> dict[str, Any]:
        found = dict(json.loads(self.host.run(["python3", DRIVER, "look", "/home/worker"]).stdout))
        # What its engine has made.
        found["tree"] = {path: facts for path, facts in found["tree"].items() if not _ENGINES.search(path)}
        # They were stopped, and have run again under other process ids.
        found["containers"] = found["containers"] and sorted(found["containers"])
        found["state"] = self.host.run(_STATE).stdout.split()
        del found["staged"]
        return found

    def assert_as_before(self, place: str = "") -> None:
        now = self.look()
        tree, former = now["tree"], self.base["tree"]
        changed = sorted(path for path in {*tree, *former} if tree.get(path) != former.get(path))
        assert changed == [], place
        assert now == self.base, place

    def places(self, options: dict[str, Any]) -> list[str]:
        """Some of the places where a run comes by that fails at its commit, and so does all and undoes all."""
        # Some are passed with the account's rights.
        self.host.run(["install", "--mode=0666", "/dev/null", POINTS])
        told = result(self.run(options, {"kinds": KINDS, "undone": True, "points": POINTS}))
        assert told["failed"] and told["rolled_back"] is True, told
        self.assert_as_before("at the commit")
        found = list(dict.fromkeys(self.host.read(POINTS).splitlines()))
        return [found[len(found) * (2 * number + 1) // (2 * TRIED)] for number in range(TRIED)]

    def kill_at_some(self, options: dict[str, Any]) -> None:
        for place in self.places(options):
            done = self.run(options, {"what": "kill", "place": place, "kinds": KINDS, "undone": True})
            assert done.rc == KILLED, (place, done)
            resolved = self.resolve()
            assert not resolved.get("failed"), (place, resolved["msg"])
            assert [each["left"] for each in resolved["resolved"]] == [[]], (place, resolved)
            self.assert_as_before(place)


@pytest.fixture(scope="module")
def drilled(shared_host: Host) -> Drill:
    host = shared_host
    host.put(DRIVER, Path(__file__).with_name("faulty.py").read_bytes())
    host.import_busybox()
    for name, policy in (("never", "no"), ("always", "always")):
        host.docker("run", "--detach", "--name", name, "--restart", policy, *SLEEP)
    # As on hosts that are no containers.
    host.run("echo 1024 > /proc/sys/net/ipv4/ip_unprivileged_port_start")
    host.run("mkdir -p /home/worker/.config/docker", user="worker")
    return Drill(host)


@pytest.fixture
def drill(drilled: Drill) -> Iterator[Drill]:
    """The host of the module, without a rootless engine."""
    drilled.base = drilled.look()
    assert drilled.base["containers"] == ["always", "never"]
    assert drilled.base["state"] == ["1024", "0"]
    yield drilled
    drilled.host.run("rm -f /usr/local/bin/dockerd-rootless.sh")


@pytest.mark.images("bookworm")
def test_set_up_that_is_killed(drill: Drill) -> None:
    drill.kill_at_some(STOP)


@pytest.mark.images("trixie")
def test_taking_away_that_is_killed(drill: Drill) -> None:
    """The system's engine is off, and the account's has two containers."""
    host, before = drill.host, drill.base
    assert not result(drill.run(STOP)).get("failed")
    host.run([*OWN, "import", BUSYBOX, "busybox:test"], user="worker")
    for name, policy in (("web", "no"), ("db", "always")):
        host.run([*OWN, "run", "--detach", "--name", name, "--restart", policy, *SLEEP], user="worker")
    drill.base = drill.look()
    assert drill.base["state"] == ["worker", "0", "1", "db", "web"]
    drill.kill_at_some(TAKE)
    assert not result(drill.run(TAKE)).get("failed")
    drill.base = before
    drill.assert_as_before()


@pytest.mark.images("trixie")
def test_engine_that_does_not_start(drill: Drill) -> None:
    drill.host.put("/usr/local/bin/dockerd-rootless.sh", "#!/bin/sh\necho it is broken\nexit 1\n", mode=0o755)
    told = result(drill.run(STOP))
    assert told["failed"] and told["rolled_back"] is True, told
    assert "The change failed and was undone" in told["msg"] and "Not as before" not in told["msg"]
    assert any("it is broken" in line for line in told["journal"])
    drill.assert_as_before()


@pytest.mark.images("bookworm")
def test_system_engine_that_cannot_be_masked(drill: Drill) -> None:
    """systemd does not mask what has its unit in /etc; by then the containers were stopped."""
    host = drill.host
    host.run(
        "cp /usr/lib/systemd/system/docker.service /etc/systemd/system/; systemctl --quiet reenable docker.service"
    )
    drill.base = drill.look()
    told = result(drill.run({**STOP, "system_engine": "mask"}))
    assert told["failed"] and told["rolled_back"] is True, told
    assert "mask docker.service" in told["msg"] and "Not as before" not in told["msg"]
    drill.assert_as_before()
    host.run("rm /etc/systemd/system/docker.service; systemctl --quiet reenable docker.service")
