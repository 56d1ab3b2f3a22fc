# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Automatic rollback: after every fault the engine is well, the same containers run, and /etc is as it was.

Two containers run all the time, one that nobody would start again. Numbers are those of the edge cases.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import states
from tests.hosts.auditing import library
from tests.hosts.host import Completed, Host

pytestmark = pytest.mark.images("bookworm", "trixie")

DRIVER = "/opt/bulwark-test/faulty.py"
# Not in the tree that has to stay as it is.
FAULT = "/run/fault"
UNIT = """[Service]
ExecStartPre=/bin/sh -c 'test ! -x {fault}/before || exec {fault}/before'
TimeoutStopSec=5
{more}"""
# What the unit does before each start of the engine with the new options, and only then.
WITH_NEW = """#!/bin/sh
grep -q fault=1 /etc/docker/daemon.json || exit 0
{script}
"""
# Beside the engine, out of reach of systemd's clearing up after ExecStartPre.
WATCHER = """systemd-run --quiet --collect --unit fault-watcher-$$ /bin/sh -c '
until pid=$(systemctl show --property MainPID --value docker.service) && [ "$pid" != 0 ]; do sleep 0.02; done
{script}'
"""
ANSWERED = "until curl --silent --unix-socket /run/docker.sock http://docker/version; do sleep 0.05; done; "
CONFIG = {
    "live-restore": True,
    "userland-proxy": False,
    "no-new-privileges": True,
    "log-opts": {"max-size": "10m"},
    "labels": ["fault=1"],
}
LIMITS = {"timeout": 20, "settle": 0.5}
FORMER = '{"live-restore": true,  "debug": true,\n"hosts": ["fd://"]}'


class Drill:
    """A host with an engine in use, as it is before each fault."""

    def __init__(self, host: Host, image: str) -> None:
        self.host = host
        self.image = image
        self.kind = ""
        self.base: dict[str, Any] = {}
        self.told: list[str] = []
        self.counts = {"injected": 0, "down": 0, "lost": 0, "changed": 0}
        host.put(DRIVER, Path(__file__).with_name("faulty.py").read_bytes())
        host.import_busybox()
        host.run("mkdir -p /srv/fault")

    def set_up(self, kind: str) -> None:
        """ "stock": as Debian installs it; "live": live-restore, and hosts instead of flags."""
        if self.kind == kind:
            return
        self.kind = kind
        host = self.host
        host.run(
            "systemctl reset-failed docker.socket docker.service; systemctl start docker.socket docker.service"
        )
        host.run("docker ps --all --quiet | xargs --no-run-if-empty docker rm --force")
        host.run(["rm", "-rf", states.DAEMON_JSON, "/var/lib/bulwark"])
        more = ""
        if kind == "live":
            host.put(states.DAEMON_JSON, FORMER, mode=0o640)
            more = "ExecStart=\nExecStart=/usr/sbin/dockerd --containerd=/run/containerd/containerd.sock\n"
        host.put(states.SERVICE_DROP_IN, UNIT.format(fault=FAULT, more=more))
        host.run(f"mkdir -p {FAULT}; systemctl daemon-reload")
        host.restart_docker()
        for name, policy in (("never", "no"), ("always", "always")):
            host.docker(
                "run", "--detach", "--name", name, "--restart", policy, "--stop-signal", "KILL",
                "busybox:test", "sleep", "100000",
            )  # fmt: skip
        self.rebase()

    def rebase(self) -> None:
        self.base = self.look()
        assert self.base["answers"], self.base
        assert sorted(self.base["containers"]) == ["always", "never"]
        assert (self.base["left"], self.base["open"]) == ([], [])

    def look(self) -> dict[str, Any]:
        return dict(json.loads(self.host.run(["python3", DRIVER, "look"]).stdout))

    def before_start(self, script: str) -> None:
        """What the unit does before each start with the new options."""
        self.host.put(f"{FAULT}/before", WITH_NEW.format(script=script), mode=0o755)

    def mend(self) -> None:
        """After a test that has found a fault of the product, the next one starts anew."""
        now = self.look()
        if any(now[name] != self.base[name] for name in self.base if name != "staged"):
            self.kind = ""

    def run(self, module: str, options: dict[str, Any], fault: dict[str, Any] | None = None) -> Completed:
        return self.host.run(
            ["env", f"PYTHONPATH={library(self.host)}", "python3", DRIVER, "run", module,
             json.dumps(fault or {})],
            stdin=json.dumps({"ANSIBLE_MODULE_ARGS": {**LIMITS, **options}}),
            check=False,
        )  # fmt: skip

    def configure(
        self, fault: dict[str, Any] | None = None, config: dict[str, Any] | None = None, **more: Any
    ) -> Completed:
        return self.run(
            "daemon_config", {"config": {**CONFIG, **(config or {})}, "apply": True, **more}, fault
        )

    def resolve(self, **more: Any) -> dict[str, Any]:
        return result(self.run("daemon_apply", {"state": "resolved", **more}))

    def assert_undone(self, done: Completed) -> dict[str, Any]:
        """The module says that it failed and all is as before, and it is."""
        told = result(done)
        self.assert_as_before()
        assert told.get("failed"), told
        # Without a transaction nothing was begun.
        assert told.get("rolled_back", not told["transaction"]) is True, told["msg"]
        assert "Not as before" not in told["msg"]
        return told

    def assert_as_before(self, place: str = "") -> None:
        self.counts["injected"] += 1
        now = self.look()
        well = now["answers"] and all(now[name] == self.base[name] for name in ("unit", "socket"))
        self.counts["down"] += not well
        same = now["containers"] == self.base["containers"]
        self.counts["lost"] += well and not same
        changed = sorted(
            path
            for path in {*now["tree"], *self.base["tree"]}
            if now["tree"].get(path) != self.base["tree"].get(path)
        )
        self.counts["changed"] += bool(changed)
        assert well, (place, {name: now[name] for name in now if name != "tree"})
        assert same, (place, now["containers"], self.base["containers"])
        assert changed == [], place
        for name in ("live_restore", "others", "left", "open"):
            assert now[name] == self.base[name], (place, name)


def result(done: Completed) -> dict[str, Any]:
    try:
        return dict(json.loads(done.stdout))
    except ValueError as error:
        raise AssertionError(f"The module gave no result:\n{done.stdout}{done.stderr}") from error


@pytest.fixture(scope="module")
def drilled(shared_host: Host, host_image: str) -> Drill:
    return Drill(shared_host, host_image)


@pytest.fixture
def drill(drilled: Drill, kind: str, record_property: Callable[[str, object], None]) -> Iterator[Drill]:
    """The host of the module, in the state that the test wants; without the fault afterwards."""
    before = dict(drilled.counts)
    drilled.set_up(kind)
    yield drilled
    drilled.host.run(
        f"rm -rf {FAULT}/*; systemctl stop 'fault-*.service' 2>/dev/null; umount /var/lib/bulwark /etc/docker",
        check=False,
    )
    record_property(
        "faults", [drilled.image, *(drilled.counts[name] - before[name] for name in drilled.counts)]
    )
    for line in drilled.told:
        record_property("places", line)
    drilled.told.clear()
    drilled.mend()


# Of the scope of a module, so that what needs the same state comes one after another.
STOCK = pytest.mark.parametrize("kind", ["stock"], scope="module")
BOTH = pytest.mark.parametrize("kind", ["stock", "live"], scope="module")


@BOTH
def test_e35_seccomp_profile_that_is_gone_at_the_start(drill: Drill) -> None:
    drill.host.put("/srv/fault/seccomp.json", '{"defaultAction": "SCMP_ACT_ALLOW"}')
    drill.before_start("rm -f /srv/fault/seccomp.json")
    told = drill.assert_undone(drill.configure(config={"seccomp-profile": "/srv/fault/seccomp.json"}))
    assert any("seccomp" in line for line in told["journal"])


@BOTH
def test_e30_authorization_plugin_that_is_gone_at_the_start(drill: Drill) -> None:
    drill.host.put("/usr/lib/docker/plugins/judge.spec", "unix:///run/judge.sock")
    drill.before_start("rm -f /usr/lib/docker/plugins/judge.spec")
    # It looks for the plugin again and again; the limit ends that.
    told = drill.assert_undone(drill.configure(config={"authorization-plugins": ["judge"]}, timeout=5))
    assert any("judge" in line for line in told["journal"])


@BOTH
def test_port_that_another_program_uses(drill: Drill) -> None:
    listener = "import socket, time; s = socket.create_server(('127.0.0.1', 9323)); time.sleep(600)"
    drill.host.run(["systemd-run", "--collect", "--unit", "fault-listener", "python3", "-c", listener])
    told = drill.assert_undone(drill.configure(config={"metrics-addr": "127.0.0.1:9323"}))
    assert any("address already in use" in line for line in told["journal"])


@BOTH
def test_engine_that_hangs_once_it_has_answered(drill: Drill) -> None:
    drill.before_start(WATCHER.format(script=f"{ANSWERED} kill -STOP $pid"))
    told = drill.assert_undone(drill.configure(timeout=5, settle=2))
    assert "answer" in told["msg"]


@BOTH
def test_engine_that_hangs_in_its_start(drill: Drill) -> None:
    drill.before_start(WATCHER.format(script="kill -STOP $pid"))
    told = drill.assert_undone(drill.configure(timeout=5))
    assert "did not end within 5 s" in told["msg"]


@BOTH
def test_engine_that_dies_after_a_while(drill: Drill) -> None:
    drill.before_start(WATCHER.format(script=f"{ANSWERED} sleep 2; kill -KILL $pid"))
    told = drill.assert_undone(drill.configure(settle=5))
    assert "ended within 5 s" in told["msg"]


KILLED = 137
# How long an engine must stay up is not what these are about, and would be waited for three times at each place.
AT_ONCE = 0.05
KILL = ["api", "fsync", "mkdir", "rename", "rmdir", "systemctl", "unlink"]
WRITE = ["fsync", "mkdir", "mkstemp", "posix_fallocate", "rename", "write"]
# How a file is written; the places above them tell which one.
WRITERS = ("store.write", "atomic_files.")


def places(drill: Drill, kinds: list[str]) -> list[str]:
    """Where a run comes by that fails at its commit, and so does all and undoes all: calls with their callers."""
    path = f"{FAULT}/points"
    drill.assert_undone(drill.configure({"kinds": kinds, "undone": True, "points": path}))
    return list(dict.fromkeys(drill.host.read(path).splitlines()))


def share(drill: Drill, found: list[str], what: str, kinds: tuple[str, ...]) -> list[str]:
    """Those that are tried in this run, of those on both images with `kinds`.

    Together they come by each order to systemd, before it and after it, with the engine as Debian installs it; by each
    once with live-restore; by each other call of the program once; and so by each step of writing a file.
    """
    groups: dict[str, list[str]] = {}
    for place in found:
        groups.setdefault(_subject(place), []).append(place)
    runs = [(image, kind) for image in ("bookworm", "trixie") for kind in kinds]
    run = runs.index((drill.image, drill.kind))
    at_once = _at_once(found)
    orders = [
        [place for place in group if place not in at_once]
        for subject, group in groups.items()
        if subject.startswith("systemctl")
    ]
    others = [group for subject, group in groups.items() if not subject.startswith("systemctl")]
    others = others[run :: len(runs)]
    # The images differ little in where the orders come from, and each place there costs three starts of the engine.
    image = ("bookworm", "trixie").index(drill.image)
    if drill.kind == "stock":
        chosen = [place for group in orders for place in group][image::2]
    else:
        chosen = [group[-1] for group in orders if group][image::2]
    chosen += [group[run % len(group)] for group in others]
    drill.told.append(
        f"{drill.image} {drill.kind}: {what} at {len(chosen)} of {len(found)} places; {len(orders)} orders to systemd, "
        f"{len(others)} of {len(groups) - len(orders)} other calls"
    )
    return chosen


def _at_once(found: list[str]) -> set[str]:
    """Places after an order that another follows at once: to be killed there is to be killed before the next."""
    return {
        place
        for place, following in zip(found, found[1:])
        if " done: " in place and following.startswith("systemctl")
    }


def _subject(place: str) -> str:
    call, _colon, callers = place.partition(": ")
    names = callers.split(" > ")
    above = [name for name in names if not name.startswith(WRITERS)]
    kind = call.removesuffix(" done") if call.startswith(("systemctl", "api")) else ""
    return f"{kind}: {' > '.join(above)}"


@BOTH
def test_killed_at_any_step(drill: Drill) -> None:
    for place in share(drill, places(drill, KILL), "killed", ("stock", "live")):
        fault = {"what": "kill", "place": place, "kinds": KILL, "undone": True}
        done = drill.configure(fault, settle=AT_ONCE)
        assert done.rc == KILLED, (place, done)
        resolved = drill.resolve(settle=AT_ONCE)
        assert not resolved.get("failed"), (place, resolved["msg"])
        drill.assert_as_before(place)


@STOCK
def test_disk_full_at_any_write(drill: Drill) -> None:
    """Once, at each place that writes, also while undoing."""
    for place in share(drill, places(drill, WRITE), "full", ("stock",)):
        told = result(drill.configure({"what": "full", "place": place, "kinds": WRITE, "undone": True}))
        assert told["failed"], place
        if not told.get("rolled_back", True) or "stays open" in told["msg"]:
            # What could not be undone or noted because of the disk is made good by the next run.
            assert not drill.resolve().get("failed"), place
        drill.assert_as_before(place)


@BOTH
@pytest.mark.parametrize("disk", ["/var/lib/bulwark", "/etc/docker"])
def test_disk_that_gets_full_and_stays_so(drill: Drill, disk: str) -> None:
    """From the first write of daemon.json or of the journal on, and from some later ones, not a byte is left."""
    drill.host.run(["sh", "-ec", ON_A_SMALL_DISK, "sh", disk])
    numbers = {"stock": (1, 6, 11), "live": (3, 8, 15)}[drill.kind]
    for at in numbers:
        fault = {"what": "fill", "at": at, "kinds": ["rename"], "undone": True, "disk": disk}
        drill.assert_undone(drill.configure(fault))
    drill.host.run(["sh", "-ec", OFF_THE_SMALL_DISK, "sh", disk])
    drill.assert_as_before()


ON_A_SMALL_DISK = """
mkdir -p -m 700 "$1" /srv/aside && cp -a "$1/." /srv/aside
mode=$(stat --format %a "$1")
mount -t tmpfs -o size=1m,mode="$mode" tmpfs "$1"
cp -a /srv/aside/. "$1"
"""
OFF_THE_SMALL_DISK = 'umount "$1" && rm -rf /srv/aside'


@BOTH
@pytest.mark.parametrize("after", ["systemctl reload done", "rename", "systemctl restart done"])
def test_told_to_end_in_the_middle(drill: Drill, after: str) -> None:
    """SIGHUP, as from a lost connection, and SIGTERM."""
    kinds = ["rename", "systemctl"]
    found = places(drill, kinds)
    place = next((each for each in found if each.startswith(f"{after}: ") and "apply._change" in each), "")
    if not place:
        pytest.skip("with live-restore in force there is no reload")
    told = drill.assert_undone(drill.configure({"what": "signal", "place": place, "kinds": kinds}))
    assert "ended by signal 15" in told["msg"]


@BOTH
def test_e37_rollback_that_fails_is_made_good_later(drill: Drill) -> None:
    drill.host.put(f"{FAULT}/before", "#!/bin/sh\nexit 1\n", mode=0o755)
    told = result(drill.configure())
    assert told["failed"], told
    assert told["rolled_back"] is False
    assert f"/var/lib/bulwark/transactions/{told['transaction']}" in told["msg"]
    now = drill.look()
    assert now["tree"] == drill.base["tree"]
    assert [Path(folder).name for folder in now["open"]] == [told["transaction"]]
    again = drill.resolve()
    assert again["failed"], again
    drill.host.run(["rm", f"{FAULT}/before"])
    resolved = drill.resolve()
    assert [each["transaction"] for each in resolved["resolved"]] == [told["transaction"]], resolved
    drill.assert_as_before()


@BOTH
def test_s18_the_run_after_a_killed_one_does_what_it_says(drill: Drill) -> None:
    """What the killed one has left is undone before anything is planned on it."""
    kinds = ["systemctl"]
    place = next(each for each in places(drill, kinds) if each.startswith("systemctl restart: "))
    assert drill.configure({"what": "kill", "place": place, "kinds": kinds}).rc == KILLED
    again = result(drill.configure())
    assert not again.get("failed") and again["changed"], again
    assert any("left open by a run that died; it was undone" in notice for notice in again["notices"]), again
    assert "fault=1" in drill.host.docker("info", "--format", "{{.Labels}}").stdout
    assert "fault=1" in drill.host.read(states.DAEMON_JSON)
    assert sorted(drill.look()["containers"]) == ["always", "never"]
    assert result(drill.configure())["changed"] is False


@BOTH
def test_power_cut_before_the_restart(drill: Drill) -> None:
    """The host boots with the new file, which nobody has proved; the journal is open."""
    kinds = ["systemctl"]
    found = places(drill, kinds)
    place = next(each for each in found if each.startswith("systemctl restart: "))
    assert drill.configure({"what": "kill", "place": place, "kinds": kinds}).rc == KILLED
    drill.host.cut_power()
    assert drill.look()["live_restore"] is True
    drill.host.docker("start", "never")
    booted = drill.look()
    resolved = drill.resolve()
    assert len(resolved["resolved"]) == 1, resolved
    assert resolved["resolved"][0]["left"] == []
    # What runs since the boot runs on, and all else is as before the cut.
    drill.base["containers"] = booted["containers"]
    drill.assert_as_before()


@STOCK
@pytest.mark.parametrize("fails", ["useradd", "ids"])
def test_account_that_is_made_before_something_fails(drill: Drill, fails: str) -> None:
    options = {"allow_data_switch": True, "stop_containers": True, "apply": True}
    fault: dict[str, Any] = {}
    if fails == "useradd":
        drill.host.put("/usr/local/sbin/useradd", '#!/bin/sh\n/usr/sbin/useradd "$@"; exit 1\n', mode=0o755)
    else:
        # Three times for the journal, then for /etc/subuid.
        fault = {"what": "full", "at": 4, "kinds": ["mkstemp", "useradd"], "after": "useradd done"}
    told = drill.assert_undone(drill.run("userns_remap", options, fault))
    drill.host.run("rm -f /usr/local/sbin/useradd")
    assert {"useradd": "account dockremap cannot be created", "ids": "/etc/subuid cannot be written"}[
        fails
    ] in told["msg"]
