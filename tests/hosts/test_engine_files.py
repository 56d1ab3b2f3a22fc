# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""engine_files on real hosts: what is too wide is taken away at once, nothing else is touched, and all comes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.hosts.auditing import audit, run_module
from tests.hosts.host import Host
from tests.hosts.states import DAEMON_JSON, SERVICE_DROP_IN, SOCKET_DROP_IN, reset_docker, rootless

pytestmark = pytest.mark.images("bookworm", "trixie")

CERTIFICATES = "/etc/docker/certs.d/registry.example"
SOCKET = "/run/docker.sock"
CONTAINERD = "/run/containerd/containerd.sock"
STATE = "/var/lib/bulwark"
FILES = (
    "/etc/docker",
    DAEMON_JSON,
    SERVICE_DROP_IN,
    f"{CERTIFICATES}/client.key",
    f"{CERTIFICATES}/client.cert",
    f"{CERTIFICATES}/ca.crt",
    SOCKET,
    CONTAINERD,
    "/etc/default/docker",
)

# Python instead of setfacl, which is not on the hosts: user:worker:rw- (uid 1000).
_GIVE_LIST = """
import os, struct, sys
none = 0xFFFFFFFF
entries = [(1, 6, none), (2, 6, 1000), (4, 4, none), (16, 6, none), (32, 6, none)]
data = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
os.setxattr(sys.argv[1], "system.posix_acl_access", data)
"""
# Owner, mode and access list; then what tells whether anything was written.
_LOOK = """
import os, sys
for path in sys.argv[2:]:
    s = os.lstat(path)
    times = f" {s.st_mtime_ns} {s.st_ctime_ns}" if sys.argv[1] == "times" else ""
    lists = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    print(path, s.st_uid, s.st_gid, f"{s.st_mode & 0o7777:04o}", lists, times)
"""
_CARELESS = f"""
set -e
mkdir -p {CERTIFICATES}
echo '{{}}' > {DAEMON_JSON}; chown worker:worker {DAEMON_JSON}; chmod 0666 {DAEMON_JSON}
touch {CERTIFICATES}/client.key {CERTIFICATES}/client.cert {CERTIFICATES}/ca.crt
chmod 0644 {CERTIFICATES}/client.key {CERTIFICATES}/client.cert; chmod 0444 {CERTIFICATES}/ca.crt
chmod 0777 /etc/docker
mkdir -p ${{1%/*}}; printf '[Service]\\nEnvironment=A=b\\n' > $1; chmod 0666 $1
chmod 0666 {SOCKET} {CONTAINERD}
chmod 0664 /etc/default/docker
systemctl daemon-reload
"""


def look(host: Host, how: str = "", *paths: str) -> list[str]:
    return host.run(["python3", "-c", _LOOK, how, *(paths or FILES)]).stdout.splitlines()


def engine_files(host: Host, *, check: bool = False, **options: Any) -> dict[str, Any]:
    return run_module(host, options, name="engine_files", check=check, diff=True)


def shown(result: dict[str, Any], side: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in result["diff"][side].splitlines())


def failing(host: Host) -> dict[str, list[str]]:
    findings = audit(host, controls=["file.*"])["findings"]
    return {
        found["control"]: sorted({subject["name"] for subject in found["subjects"]})
        for found in findings
        if found["verdict"] not in ("pass", "not_applicable")
    }


@pytest.fixture
def careless(shared_host: Host) -> Iterator[Host]:
    """A host with everything too wide that can be."""
    shared_host.run(["sh", "-c", _CARELESS, "sh", SERVICE_DROP_IN])
    shared_host.run(["python3", "-c", _GIVE_LIST, DAEMON_JSON])
    yield shared_host
    shared_host.run(
        f"rm -rf {STATE} /etc/docker/certs.d {DAEMON_JSON} {SERVICE_DROP_IN} && systemctl daemon-reload"
    )
    shared_host.run("chmod 0755 /etc/docker && chmod 0644 /etc/default/docker")
    # The engine runs on: nothing here has reached it.
    shared_host.run(f"chmod 0660 {CONTAINERD} {SOCKET} && chgrp docker {SOCKET}")


def test_check_then_done_then_nothing_then_back(careless: Host) -> None:
    found = look(careless)
    times = look(careless, "times")
    assert {"file.engine_configuration", "file.engine_socket", "file.registry_keys"} <= set(failing(careless))

    planned = engine_files(careless, check=True)
    assert (planned["changed"], planned["check_mode"], planned["effect"]) == (True, True, "live")
    assert planned["transaction"] is None
    assert look(careless, "times") == times
    assert careless.run(["test", "-e", STATE], check=False).rc == 1

    done = engine_files(careless)
    assert done["changed"] and done["transaction"], done
    assert done["diff"] == planned["diff"]
    assert done["actions"] == planned["actions"]
    assert shown(done, "before")[DAEMON_JSON] == "worker:worker 0666 acl group::r-- user:worker:rw-"
    assert shown(done, "after") == {
        "/etc/default/docker": "root:root 0644",
        "/etc/docker": "root:root 0755",
        DAEMON_JSON: "root:root 0644",
        SERVICE_DROP_IN: "root:root 0644",
        f"{CERTIFICATES}/client.key": "root:root 0600",
        f"{CERTIFICATES}/client.cert": "root:root 0444",
        SOCKET: "root:docker 0660",
        CONTAINERD: "root:root 0660",
    }
    assert failing(careless) == {}
    assert careless.docker("version").rc == 0

    times = look(careless, "times", *FILES, STATE, f"{STATE}/lock", f"{STATE}/transactions")
    again = engine_files(careless)
    assert (again["changed"], again["effect"], again["actions"], again["transaction"]) == (
        False,
        "none",
        [],
        None,
    )
    assert look(careless, "times", *FILES, STATE, f"{STATE}/lock", f"{STATE}/transactions") == times

    planned = engine_files(careless, state="rolled_back", check=True)
    assert look(careless, "times", *FILES, STATE, f"{STATE}/lock", f"{STATE}/transactions") == times
    back = engine_files(careless, state="rolled_back")
    assert look(careless) == found
    assert (planned["changed"], back["changed"], back["transaction"]) == (True, True, done["transaction"])
    assert set(shown(planned, "after")) == set(shown(back, "after")) == set(shown(done, "after"))
    assert shown(back, "after") == shown(done, "before")
    assert engine_files(careless, state="rolled_back")["changed"] is False


def test_ansible_carries_it_there(careless: Host) -> None:
    planned = careless.module("bulwark.docker.engine_files", check=True, diff=True)
    assert planned["changed"]
    assert planned["diff"] == engine_files(careless, check=True)["diff"]


def test_a_stricter_mode_by_parameter_and_a_stricter_one_that_stays(careless: Host) -> None:
    careless.run(f"chmod 0600 {SERVICE_DROP_IN}")
    options: dict[str, Any] = {"parameters": {"file.engine_socket": {"mode": "0600"}}}
    done = engine_files(careless, **options)
    assert shown(done, "after")[SOCKET] == "root:docker 0600"
    assert SERVICE_DROP_IN not in shown(done, "after")
    assert engine_files(careless, **options)["changed"] is False


def test_the_unit_that_makes_the_socket_too_wide_is_named(careless: Host) -> None:
    careless.put(SOCKET_DROP_IN, "[Socket]\nSocketMode=0666\n")
    careless.run("systemctl daemon-reload && systemctl stop docker.service docker.socket")
    careless.run("systemctl start docker.socket docker.service")
    done = engine_files(careless)
    reset_docker(careless)
    assert shown(done, "after")[SOCKET] == "root:docker 0660"
    assert (
        f"docker.socket makes {SOCKET} anew at its next start with SocketMode=0666: set that in a drop-in of it."
        in done["notices"]
    )


def test_links_are_followed_only_where_root_alone_can_turn_them(careless: Host) -> None:
    careless.run("touch /srv/real.key && chmod 0644 /srv/real.key")
    careless.run(f"ln -sf /srv/real.key {CERTIFICATES}/linked.key")
    careless.run(f"mkdir {CERTIFICATES}/open && ln -s /etc/shadow {CERTIFICATES}/open/evil.key")
    careless.run(f"chmod 0777 {CERTIFICATES}/open")
    shadow = look(careless, "times", "/etc/shadow")
    done = engine_files(careless)
    assert shown(done, "after")["/srv/real.key"] == "root:root 0600"
    assert any(f"/srv/real.key (through {CERTIFICATES}/linked.key)" in each for each in done["actions"])
    assert [each["control"] for each in done["refused"]] == ["file.registry_keys"]
    assert f"{CERTIFICATES}/open/evil.key" in done["refused"][0]["message"]
    assert look(careless, "times", "/etc/shadow") == shadow
    assert any(f"{CERTIFICATES}/open (mode 0777" in each for each in done["notices"])
    careless.run("rm /srv/real.key")


def test_a_file_that_cannot_be_changed_costs_itself_alone(careless: Host) -> None:
    if careless.run(f"chattr +i {SERVICE_DROP_IN}", check=False).rc != 0:
        pytest.skip("the host cannot make files immutable")
    found = look(careless)
    try:
        done = engine_files(careless)
        again = engine_files(careless)
    finally:
        careless.run(f"chattr -i {SERVICE_DROP_IN}")
    refused = [f"{SERVICE_DROP_IN}: Operation not permitted; it keeps its owner and mode"]
    assert done["changed"]
    assert SERVICE_DROP_IN not in shown(done, "after")
    assert [each["message"] for each in done["refused"]] == refused
    assert [each["message"] for each in again["refused"]] == refused
    assert (again["changed"], again["transaction"]) == (False, None)
    assert careless.run(f"ls {STATE}/transactions").stdout.split() == [done["transaction"]]
    assert engine_files(careless, state="rolled_back")["changed"]
    assert look(careless) == found
    assert engine_files(careless)["changed"]
    assert failing(careless) == {}


def test_a_run_that_was_killed_is_undone_first(careless: Host) -> None:
    found = look(careless)
    assert engine_files(careless)["changed"]
    manifest = f"{STATE}/transactions/*/manifest.json"
    careless.run(f'sed -i \'s/"state": "committed"/"state": "open"/\' {manifest}')
    assert any("left open" in each for each in engine_files(careless, check=True)["notices"])
    done = engine_files(careless)
    assert done["changed"]
    assert any("left open" in each for each in done["notices"])
    assert failing(careless) == {}
    engine_files(careless, state="rolled_back")
    assert look(careless) == found


def test_a_rootless_engine_is_changed_as_its_user(shared_host: Host) -> None:
    home = "/home/worker/.config/docker"
    rootless(shared_host, {})
    shared_host.run(f"chmod 0777 {home} && chmod 0666 {home}/daemon.json")
    found = look(shared_host, "", home, f"{home}/daemon.json")
    done = engine_files(shared_host)
    assert shown(done, "after")[f"{home}/daemon.json"] == "worker:worker 0644"
    assert shown(done, "after")[home] == "worker:worker 0755"
    assert engine_files(shared_host)["changed"] is False
    engine_files(shared_host, state="rolled_back")
    assert look(shared_host, "", home, f"{home}/daemon.json") == found
    # A link of the user's that leads out of the home changes nothing there.
    shared_host.run(f"rm {home}/daemon.json && touch /srv/roots.json && chmod 0666 /srv/roots.json")
    shared_host.run(f"ln -s /srv/roots.json {home}/daemon.json")
    roots = look(shared_host, "times", "/srv/roots.json")
    done = engine_files(shared_host)
    assert not any("roots.json" in line or f"{home}/daemon.json" in line for line in done["actions"]), done
    assert look(shared_host, "times", "/srv/roots.json") == roots


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"parameters": {"file.engine_socket": {"mode": "rw"}}}, "'rw' of 'file.engine_socket'"),
        ({"parameters": {"container.memory": {}}}, "container.memory"),
        ({"parameters": {"file.none": {}}}, "file.none"),
        ({"timeout": -1}, "timeout"),
    ],
)
def test_options_that_are_wrong(shared_host: Host, options: dict[str, Any], words: str) -> None:
    failed = engine_files(shared_host, **options)
    assert failed["failed"]
    assert failed["msg"].startswith("Nothing was changed: ")
    assert words in failed["msg"]


def test_an_ordinary_user_can_change_nothing(careless: Host) -> None:
    failed = run_module(careless, {}, "worker", name="engine_files")
    assert failed["failed"]
    assert "root" in failed["msg"]
