# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""userns_remap on real hosts: the edge cases by their numbers in the research, and a whole cycle with data.

An edge case first shows on the host, where it can, that the state is what it claims to be.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.userns_remap import preflight

from tests.hosts import states
from tests.hosts.auditing import audit, engine_of, finding, run_module, verdict
from tests.hosts.host import Host
from tests.hosts.states import DAEMON_JSON, SERVICE_DROP_IN, start_docker

pytestmark = pytest.mark.images("bookworm", "trixie")

SUBUID, SUBGID = "/etc/subuid", "/etc/subgid"
NEEDED = 65536
ALLOW_DATA_SWITCH = "userns_remap_allow_data_switch"
STOP_CONTAINERS = "userns_remap_stop_containers"
CONSENTS = {"allow_data_switch": True, "stop_containers": True}
CONTROLS = ("daemon.userns_remap", "userns.subordinate_ids", "userns.ranges_apart")

_ACCOUNTS = "passwd group shadow gshadow subuid subgid nsswitch.conf login.defs"
_KEEP = f"mkdir -p /root/found && cd /etc && cp -p {_ACCOUNTS} /root/found/"
_TIDY = f"""
set -e
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes >/dev/null
images=$(ls -A /var/lib/docker/image/overlay2/imagedb/content/sha256)
if [ -e {DAEMON_JSON} ] || [ -e {SERVICE_DROP_IN} ] || [ "$images" ]; then
    rm -f {DAEMON_JSON} {SERVICE_DROP_IN}
    systemctl daemon-reload
    systemctl stop docker.socket docker.service
    rm -rf /var/lib/docker/* /home/closed
    systemctl reset-failed docker.socket docker.service
    systemctl start docker.socket docker.service
fi
rm -rf /var/lib/bulwark {SUBUID}.lock {SUBGID}.lock /usr/local/sbin/getsubids /srv/mounts
cp -p /root/found/* /etc/
"""
# Whatever a run may have written, with the times; and the process of the engine.
_LOOK = """
cd /var/lib; find /etc bulwark -type f ! -name lock -printf '%p %i %s %T@ %C@ %m %U:%G\\n' 2>/dev/null | sort
systemctl show --property=MainPID,ActiveEnterTimestamp docker.service
"""


@pytest.fixture
def remap_host(shared_host: Host) -> Iterator[Host]:
    """The module's host, with an empty engine of Debian's own; so it is again after the test."""
    shared_host.run(f"[ -d /root/found ] || {{ {_KEEP}; }}")
    yield shared_host
    shared_host.run(_TIDY)
    shared_host.wait_ready()


def switch(host: Host, *, check: bool = False, **options: Any) -> dict[str, Any]:
    """The module's result; applied at once unless told otherwise, as checked as these hosts need it."""
    given = {"apply": True, "settle": 0.5, "timeout": 30, **options}
    return run_module(host, given, name="userns_remap", check=check, diff=True)


def done(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("failed"), (result.get("msg"), result.get("journal"))
    return result


def refused(host: Host, message: str, **options: Any) -> dict[str, Any]:
    """Refused with that message (a pattern), in check mode too, and nothing written."""
    before = look(host)
    for check in (True, False):
        result = switch(host, check=check, **options)
        assert result.get("failed") and not result["changed"], result
        assert re.search(message, result["msg"]), result["msg"]
        assert result["msg"].startswith("Nothing was changed:")
    assert look(host) == before
    return result


def look(host: Host) -> str:
    return host.run(_LOOK).stdout


def put(host: Host, path: str, lines: str) -> None:
    """These lines of dockremap's or others', behind those that the file has."""
    host.run(["sh", "-c", 'printf "%s\\n" "$1" >> "$2"', "sh", lines, path])


def entries(host: Host, path: str, owner: str = "dockremap") -> list[str]:
    return [line for line in host.read(path).splitlines() if line.startswith(f"{owner}:")]


def start_of(host: Host, path: str = SUBUID, owner: str = "dockremap") -> int:
    (entry,) = entries(host, path, owner)
    assert entry.endswith(f":{NEEDED}")
    return int(entry.split(":")[1])


def maps(host: Host) -> bool:
    return "name=userns" in host.docker("info", "--format", "{{json .SecurityOptions}}").stdout


def id_maps(host: Host) -> tuple[str, str]:
    """uid_map and gid_map of a new container."""
    host.import_busybox()
    host.docker("run", "--detach", "--name", "look", "busybox:test", "sleep", "600")
    shown = host.run("cd /proc/$(docker inspect -f '{{.State.Pid}}' look) && cat uid_map gid_map").stdout
    host.docker("rm", "--force", "look")
    uid_map, gid_map = (" ".join(line.split()) for line in shown.splitlines())
    return uid_map, gid_map


def is_empty(host: Host) -> bool:
    """Whether the engine has neither images nor containers: what was run for a look is gone."""
    return not host.docker("images", "--all", "--quiet").stdout + host.docker("ps", "--all", "--quiet").stdout


def consents(result: dict[str, Any]) -> list[str]:
    return sorted(each["consent"] for each in result["refused"])


# --- the edge cases ---


@pytest.mark.images("bookworm", "trixie", "sid")
def test_e45_first_switch_of_an_empty_host(remap_host: Host) -> None:
    result = done(switch(remap_host))
    start = start_of(remap_host)
    assert result["changed"] and result["transaction"]
    assert result["actions"] == [
        "create the system account dockremap",
        f"give dockremap the subordinate ids {start}:{NEEDED}",
        'userns-remap: not set -> "default"',
        "restart docker.service",
    ]
    assert (result["costs"], result["refused"]) == ([], [])
    assert start_of(remap_host, SUBGID) == start
    assert maps(remap_host) and is_empty(remap_host)
    assert id_maps(remap_host) == (f"0 {start} {NEEDED}",) * 2
    before = look(remap_host)
    assert done(switch(remap_host))["changed"] is False
    assert look(remap_host) == before
    judged = audit(remap_host, controls=list(CONTROLS))
    assert {control: verdict(judged, control) for control in CONTROLS} == dict.fromkeys(CONTROLS, "pass")


def test_e46_account_without_ranges(remap_host: Host) -> None:
    remap_host.run("useradd --system --user-group dockremap")
    assert entries(remap_host, SUBUID) == entries(remap_host, SUBGID) == []
    result = done(switch(remap_host))
    assert "create the system account dockremap" not in result["actions"]
    assert start_of(remap_host) == start_of(remap_host, SUBGID)
    assert maps(remap_host)


def test_e47_only_the_group_ids_are_missing(remap_host: Host) -> None:
    remap_host.run("useradd --system --user-group dockremap")
    put(remap_host, SUBUID, f"dockremap:400000:{NEEDED}")
    before = remap_host.read(SUBUID)
    done(switch(remap_host))
    assert start_of(remap_host, SUBGID) == 400000
    assert remap_host.read(SUBUID) == before
    assert id_maps(remap_host) == (f"0 400000 {NEEDED}",) * 2


def test_e49_range_over_a_real_user(remap_host: Host) -> None:
    assert remap_host.run("id --user worker").stdout == "1000\n"
    remap_host.run("useradd --system --user-group dockremap")
    for path in (SUBUID, SUBGID):
        put(remap_host, path, f"dockremap:1000:{NEEDED}")
    refused(remap_host, r"/etc/subuid: dockremap:1000:65536 covers the ids of .*worker", **CONSENTS)


def test_e50_range_too_small(remap_host: Host) -> None:
    remap_host.run("useradd --system --user-group dockremap")
    for path in (SUBUID, SUBGID):
        put(remap_host, path, "dockremap:400000:1000")
    refused(remap_host, r"/etc/subuid has 1000 ids for dockremap, and images use 65536", **CONSENTS)


@pytest.mark.parametrize(("value", "user"), [("default", "dockremap"), ("root", "root")])
def test_e51_configured_but_off(remap_host: Host, value: str, user: str) -> None:
    if value == "default":
        remap_host.run("useradd --system --user-group dockremap")
        for path in (SUBUID, SUBGID):
            put(remap_host, path, f"dockremap:0:{NEEDED}")
    start_docker(remap_host, {"userns-remap": value})
    assert not maps(remap_host)
    judged = audit(remap_host, controls=["daemon.userns_remap"])
    assert verdict(judged, "daemon.userns_remap") == "fail"
    (subject,) = finding(judged, "daemon.userns_remap")["subjects"]
    assert f"says {value}: configured but off" in subject["evidence"]
    refused(remap_host, "userns-remap .*configured but off", remap_user=value, **CONSENTS)


def test_e53_no_file_of_subordinate_ids(remap_host: Host) -> None:
    remap_host.run(f"rm {SUBUID} {SUBGID}")
    done(switch(remap_host))
    for path in (SUBUID, SUBGID):
        assert remap_host.run(["stat", "--format", "%a %U:%G", path]).stdout == "644 root:root\n"
        assert remap_host.read(path) == f"dockremap:{start_of(remap_host)}:{NEEDED}\n"
    assert maps(remap_host)


def test_e54_group_of_another_name(remap_host: Host) -> None:
    remap_host.run("useradd --system --user-group mapper && groupadd --system others")
    # An entry of the group's name, which dockerd does not look at.
    put(remap_host, SUBGID, f"others:900000:{NEEDED}")
    result = done(switch(remap_host, remap_user="mapper:others"))
    assert any("The group others does not matter" in notice for notice in result["notices"])
    start = start_of(remap_host, SUBGID, "mapper")
    assert start_of(remap_host, SUBUID, "mapper") == start
    assert entries(remap_host, SUBGID, "others") == [f"others:900000:{NEEDED}"]
    assert json.loads(remap_host.read(DAEMON_JSON)) == {"userns-remap": "mapper:others"}
    assert id_maps(remap_host) == (f"0 {start} {NEEDED}",) * 2


def test_e55_user_with_a_number_for_a_name(remap_host: Host) -> None:
    # useradd does not take such a name; directory services have it.
    put(remap_host, "/etc/passwd", "4242:x:4242:4242::/nonexistent:/usr/sbin/nologin")
    put(remap_host, "/etc/group", "4242:x:4242:")
    for path in (SUBUID, SUBGID):
        put(remap_host, path, f"4242:400000:{NEEDED}")
    refused(remap_host, r"4242 has a number for a name.*moby#42003", remap_user="4242", **CONSENTS)


def test_e57_running_containers_under_live_restore(remap_host: Host) -> None:
    start_docker(remap_host, {"live-restore": True})
    remap_host.import_busybox()
    remap_host.docker(
        "run", "--detach", "--stop-timeout", "1", "--name", "web", "busybox:test", "sleep", "600"
    )
    pid = remap_host.docker("inspect", "--format", "{{.State.Pid}}", "web").stdout
    result = refused(remap_host, "live-restore would leave 1 running container .*web", allow_data_switch=True)
    assert consents(result) == [STOP_CONTAINERS]
    assert remap_host.docker("inspect", "--format", "{{.State.Pid}}", "web").stdout == pid


def test_e58_bind_mounts_of_root_alone(remap_host: Host) -> None:
    modes = {"secret": "0700", "shared": "0755", "open": "0777"}
    for name, mode in modes.items():
        remap_host.run(f"mkdir -p --mode={mode} /srv/mounts/{name}")
    remap_host.import_busybox()
    for name, given in (("secret", ""), ("shared", ""), ("read", ":ro"), ("open", "")):
        source = f"/srv/mounts/{'shared' if name == 'read' else name}:/mount{given}"
        remap_host.docker("create", "--name", name, "--volume", source, "busybox:test", "true")
    told = done(switch(remap_host, check=True, **CONSENTS))["preflight"]["broken"]
    assert {each["container"]: each["reason"] for each in told} == {
        "secret": "it cannot read its mount /srv/mounts/secret (owner 0, mode 0700) any more",
        "shared": "it cannot write to its mount /srv/mounts/shared (owner 0, mode 0755) any more",
    }


def test_e59_data_root_below_a_closed_directory(remap_host: Host) -> None:
    remap_host.run("mkdir --mode=0700 /home/closed")
    start_docker(remap_host, {"data-root": "/home/closed/docker"})
    refused(remap_host, r"/home/closed/docker lies below /home/closed \(0700\).*chmod o\+x", **CONSENTS)


def test_e61_rootless_engine(host: Host) -> None:
    states.rootless(host)
    config = "/home/worker/.config/docker/daemon.json"
    for check in (True, False):
        wish = {"user": "worker", "config": {"userns-remap": "default"}}
        result = run_module(host, wish, name="daemon_config", check=check)
        assert result.get("failed") and "rootless engine is in a user namespace already" in result["msg"]
        assert host.run(["test", "-e", config], check=False).rc == 1
    assert "rootless" in states.rootless_docker(host, "info", "--format", "{{json .SecurityOptions}}")


def test_e62_image_store_of_containerd(remap_host: Host) -> None:
    """Refused by 29 alone, which no image here has: judged is this host's engine, told to be one."""
    start_docker(remap_host, {"features": {"containerd-snapshotter": False}})
    engine = engine_of(audit(remap_host, controls=["daemon.userns_remap"]))
    engine["config"]["settings"]["features"]["containerd-snapshotter"] = True
    engine["version"]["Version"] = "29.0.0"
    told = preflight.preflight(engine, 100000, None, lambda path: 0o755)
    (sentence,) = told.refused
    assert f"containerd-snapshotter is switched on by features in {DAEMON_JSON}" in sentence


def test_e63_subordinate_ids_of_a_directory_service(remap_host: Host) -> None:
    """No such service on these hosts: a program in the place of getsubids answers. dockerd reads the files alone."""
    remap_host.run("useradd --system --user-group dockremap")
    script = (
        f'#!/bin/sh\n[ "$1" = -g ] && shift\n[ "$1" = dockremap ] && echo "0: dockremap 700000 {NEEDED}"\n'
    )
    remap_host.put("/usr/local/sbin/getsubids", script, mode=0o755)
    put(remap_host, "/etc/nsswitch.conf", "subid: directory")
    line = f"dockremap:700000:{NEEDED}"
    refused(remap_host, f"/etc/subuid lacks what getsubids tells.*add the line {line}", **CONSENTS)
    for path in (SUBUID, SUBGID):
        put(remap_host, path, line)
    done(switch(remap_host))
    assert entries(remap_host, SUBUID) == entries(remap_host, SUBGID) == [line]
    assert id_maps(remap_host) == (f"0 700000 {NEEDED}",) * 2


# --- the whole ---


def test_whole_cycle_with_data(remap_host: Host) -> None:
    host = remap_host
    start_docker(host, {"live-restore": True})
    host.import_busybox()
    write = ["--volume", "data:/data", "busybox:test", "sh", "-c", "echo kept > /data/file"]
    host.docker("run", "--name", "stopped", *write)
    host.docker("run", "--detach", "--stop-timeout", "1", "--name", "running", "busybox:test", "sleep", "600")

    result = refused(host, f"{ALLOW_DATA_SWITCH}.*{STOP_CONTAINERS}")
    assert consents(result) == [ALLOW_DATA_SWITCH, STOP_CONTAINERS]
    before = look(host)
    result = done(switch(host, when_refused="skip"))
    assert (result["changed"], consents(result)) == (False, [ALLOW_DATA_SWITCH, STOP_CONTAINERS])
    assert look(host) == before

    done(switch(host, **CONSENTS))
    start = start_of(host)
    assert maps(host) and is_empty(host)
    assert id_maps(host)[0] == f"0 {start} {NEEDED}"
    host.docker("run", "--rm", "--volume", "mapped:/data", *write[2:-1], "echo mapped > /data/file")
    before = look(host)
    assert done(switch(host, **CONSENTS))["changed"] is False
    assert look(host) == before

    result = refused(host, ALLOW_DATA_SWITCH, state="absent", stop_containers=True)
    assert consents(result) == [ALLOW_DATA_SWITCH]
    result = done(switch(host, state="absent", **CONSENTS))
    tree = f"/var/lib/docker/{start}.{start}"
    assert any(notice.startswith(f"{tree} stays on disk (") for notice in result["notices"])
    assert not maps(host)
    assert host.docker("ps", "--all", "--format", "{{.Names}}").stdout.split() == ["running", "stopped"]
    assert host.docker("images", "--all", "--format", "{{.Repository}}").stdout == "busybox\n"
    assert read_volume(host, "data") == "kept\n"
    assert host.read(f"{tree}/volumes/mapped/_data/file") == "mapped\n"
    assert host.run("getent passwd dockremap").stdout and start_of(host, SUBGID) == start

    result = done(switch(host, **CONSENTS))
    assert result["preflight"]["returns"] == tree
    assert start_of(host) == start
    assert read_volume(host, "mapped") == "mapped\n"


def read_volume(host: Host, name: str) -> str:
    return host.docker("run", "--rm", "--volume", f"{name}:/data", "busybox:test", "cat", "/data/file").stdout


@pytest.mark.parametrize(
    "when", ["ExecStartPre=", "ExecStartPost=/bin/sleep 1\nExecStartPost="], ids=["at once", "later"]
)
def test_failed_switch_leaves_nothing(remap_host: Host, when: str) -> None:
    """dockerd that does not start, or is ended after it has begun to work in the new data root."""
    host = remap_host
    start_docker(host, '{"live-restore":true ,\n\t"labels": [ ]}\n')
    condition = f"{when}/bin/sh -c '! grep -q userns-remap {DAEMON_JSON}'"
    host.put(SERVICE_DROP_IN, f"[Service]\n{condition}\n")
    host.run("systemctl daemon-reload")
    host.import_busybox()
    host.docker("run", "--detach", "--stop-timeout", "1", "--name", "web", "busybox:test", "sleep", "600")
    files = ["sha256sum", DAEMON_JSON, SUBUID, SUBGID, "/etc/passwd", "/etc/group"]
    before = host.run(files).stdout
    result = switch(host, **CONSENTS)
    assert result.get("failed") and result["rolled_back"] is True
    assert "The change failed and was undone" in result["msg"]
    assert host.run(files).stdout == before
    assert host.run("getent passwd dockremap", check=False).rc == 2
    assert not maps(host)
    assert host.docker("ps", "--all", "--format", "{{.Names}} {{.State}}").stdout == "web running\n"
    assert host.docker("images", "--all", "--format", "{{.Repository}}").stdout == "busybox\n"
    assert run_module(host, {"state": "resolved"}, name="daemon_apply")["changed"] is False


def test_what_resolving_leaves_is_told_once(remap_host: Host) -> None:
    """A run that was killed right before its commit, and an edit of what it has written."""
    host = remap_host
    done(switch(host, **CONSENTS))
    host.run(
        'sed -i \'s/"state": "committed"/"state": "open"/\' /var/lib/bulwark/transactions/*/manifest.json'
    )
    put(host, SUBUID, "other:900000000:65536")
    told = done(run_module(host, {"state": "resolved", "settle": 0.5}, name="daemon_apply"))
    left = f"{SUBUID} was changed by somebody else since, and is left as it is"
    assert [each["left"].count(left) for each in told["resolved"]] == [1]
    assert told["notices"].count(left) == 1
    assert not maps(host)


def test_check_mode_tells_the_plan(remap_host: Host) -> None:
    host = remap_host
    host.import_busybox()
    host.run("mkdir -p --mode=0700 /srv/mounts/secret")
    for name, *options in (
        ("network", "--network", "host"),
        ("processes", "--pid", "host"),
        ("privileged", "--privileged"),
        ("socket", "--volume", "/run/docker.sock:/run/docker.sock"),
        ("mount", "--volume", "/srv/mounts/secret:/secret"),
        ("fine",),
    ):
        host.docker("create", "--name", name, *options, "busybox:test", "sleep", "600")
    fill = ["sh", "-c", "head -c 1000000 /dev/zero > /data/file; exec sleep 600"]
    host.docker(
        "run",
        "--detach",
        "--stop-timeout",
        "1",
        "--name",
        "web",
        "--volume",
        "data:/data",
        "busybox:test",
        *fill,
    )
    before = look(host)
    told = done(switch(host, check=True, **CONSENTS))
    assert told["changed"] and look(host) == before
    broken = {each["container"]: each["reason"] for each in told["preflight"]["broken"]}
    assert broken == {
        "network": "it shares the host's network, which is refused with userns-remap",
        "processes": "it shares the host's processes, which is refused with userns-remap",
        "privileged": "it is privileged, which is refused with userns-remap unless it runs with --userns host",
        "socket": "it reaches /run/docker.sock by its mount of /run/docker.sock, which will not let it in any more",
        "mount": "it cannot read its mount /srv/mounts/secret (owner 0, mode 0700) any more",
    }
    assert told["preflight"]["running"] == ["web"]
    hidden = told["preflight"]["hidden"]
    assert hidden["volumes"]["count"] == 1 and hidden["volumes"]["size"] >= 1000000
    assert hidden["images"]["names"] == ["busybox:test"] and hidden["images"]["size"] > 1000000
    assert [each["kind"] for each in told["costs"]] == ["containers_stop", "data_hidden", "recreate"]
    # Staged, not applied: the plan of a run that writes.
    staged = done(switch(host, apply=False, **CONSENTS))
    for key in ("actions", "effect", "restart_required", "costs", "diff"):
        assert staged[key] == told[key], key
    assert staged["preflight"]["broken"] == told["preflight"]["broken"]


@pytest.mark.images("trixie")
def test_file_that_dockerd_refuses(remap_host: Host) -> None:
    """20.10 cannot be asked before it is restarted."""
    remap_host.put(DAEMON_JSON, json.dumps({"log-level": "loud"}))
    refused(remap_host, f"{DAEMON_JSON}: dockerd refuses it: .*loud", **CONSENTS)


def test_malformed_line_of_somebody_else(remap_host: Host) -> None:
    put(remap_host, SUBUID, "# the next one has no count\nforeign:300000")
    refused(remap_host, r"/etc/subuid line \d+ .*'foreign:300000'", **CONSENTS)


@pytest.mark.parametrize("holder", ["live", "dead"])
def test_lock_of_usermod_is_waited_for(remap_host: Host, holder: str) -> None:
    """Held for some seconds by a process that lives; one whose process is gone does not count."""
    lives = "sleep 6; rm {0}" if holder == "live" else "true"
    hold = f"sh -c 'printf $$ > {SUBUID}.lock; {lives.format(SUBUID + '.lock')}' >/dev/null 2>&1 &"
    remap_host.run(hold)
    began = time.monotonic()
    done(switch(remap_host))
    assert (time.monotonic() - began > 5) or holder == "dead"
    assert remap_host.run(["test", "-e", f"{SUBUID}.lock"], check=False).rc == 1
    assert maps(remap_host)


@pytest.mark.images("trixie")
def test_lock_of_usermod_that_stays(remap_host: Host) -> None:
    remap_host.run(f"sh -c 'printf $$ > {SUBGID}.lock; exec sleep 60' >/dev/null 2>&1 &")
    files = ["sha256sum", SUBUID, SUBGID, "/etc/passwd", "/etc/group"]
    before = remap_host.run(files).stdout
    result = switch(remap_host)
    assert result.get("failed") and result["rolled_back"] is True
    assert (
        f"{SUBGID} is locked: another program edits it; if none does, remove {SUBGID}.lock" in result["msg"]
    )
    assert remap_host.run(files).stdout == before
    assert not maps(remap_host)


def test_key_is_not_for_daemon_config(remap_host: Host) -> None:
    before = look(remap_host)
    for check in (True, False):
        wish = {"config": {"userns-remap": "default"}}
        result = run_module(remap_host, wish, name="daemon_config", check=check)
        assert result.get("failed") and "set it with bulwark.docker.userns_remap" in result["msg"]
    assert look(remap_host) == before
