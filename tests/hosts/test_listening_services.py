# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""listening_services on real hosts with real services: the edge cases by their numbers in the research, and the rest.

An edge case first shows on the host, where it can, that the state is what it claims to be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.auditing import MODULES, library, run_module
from tests.hosts.host import Completed, Host
from tests.hosts.test_faults import DRIVER, KILLED, result

pytestmark = pytest.mark.images("bookworm", "trixie")

PACKAGES = "rpcbind avahi-daemon exim4-daemon-light cups-daemon"
RPCBIND = ("rpcbind.service", "rpcbind.socket")
AVAHI = ("avahi-daemon.service", "avahi-daemon.socket")
SERVICES = (*RPCBIND, *AVAHI, "exim4.service", "cups.service", "cups.socket", "cups.path", "ssh.service")
VENDOR, ADMINISTRATOR = "/usr/lib/systemd/system", "/etc/systemd/system"
SSH_CONSENT = "listening_services_allow_ssh"
POINTS = "/run/points"
# How many places are tried where the module is killed; one image takes those between the other's.
TRIED = 2
KINDS = ["systemctl"]

_INSTALL = f"""
export DEBIAN_FRONTEND=noninteractive
# There is no ::1 on these hosts, for which exim would wait before it writes the process id by which it is stopped.
echo exim4-config exim4/dc_local_interfaces string 127.0.0.1 | debconf-set-selections
apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends {PACKAGES}
"""
# What the tests bring is called trial; of what is installed all runs.
_TIDY = f"""
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force >/dev/null
trial=$(cd {VENDOR} && ls -d {ADMINISTRATOR}/trial* trial* 2>/dev/null | xargs -rn1 basename)
if [ -n "$trial" ]; then
    systemctl list-units --all --plain --no-legend 'trial*' | cut --delimiter=' ' --fields=1 |
        xargs --no-run-if-empty systemctl stop
    rm -rf {VENDOR}/trial* {ADMINISTRATOR}/trial* {ADMINISTRATOR}/*.wants/trial* /usr/local/bin/trial* /run/trial*
fi
systemctl list-unit-files --state=masked --no-legend rpcbind* avahi* exim4* cups* | cut --delimiter=' ' --fields=1 |
    xargs --no-run-if-empty systemctl --quiet unmask
for unit in {" ".join(SERVICES)}; do
    systemctl --quiet is-enabled $unit 2>/dev/null || systemctl --quiet enable $unit 2>/dev/null
done
rm -rf {ADMINISTRATOR}/*.d/bulwark* /etc/systemd/resolved.conf.d /var/lib/bulwark
systemctl daemon-reload
systemctl reset-failed
systemctl start {" ".join(SERVICES)}
"""
# All that a change of units writes, and what runs.
_LOOK = f"""
find /etc/systemd /etc/rc?.d -printf '%p %y %l\\n' | sort
find /etc/systemd -type f -exec md5sum {{}} + | sort
for unit in {" ".join(SERVICES)} $(cd {VENDOR} && ls trial* 2>/dev/null | grep --invert-match @); do
    echo $unit $(systemctl is-active $unit) $(systemctl is-enabled $unit 2>/dev/null)
done
systemctl list-units --failed --plain --no-legend
true
"""
# With it also what was only written anew, or started again.
_EXACTLY = f"""
cd /; find etc var/lib/bulwark ! -type d ! -name lock -printf '%p %i %s %T@ %C@ %m %U:%G\\n' 2>/dev/null | sort
systemctl show --property=Id,MainPID,ActiveEnterTimestampMonotonic {" ".join(SERVICES)}
"""
_KNOCK = """
import socket
with socket.socket(type=socket.SOCK_DGRAM) as client:
    client.sendto(bytes(40), ("127.0.0.1", {port}))
"""
_CONNECT = "import socket; socket.create_connection(('127.0.0.1', {port}), 5)"


@pytest.fixture(scope="module")
def installed(shared_host: Host) -> Host:
    """The module's host with services that many distributions bring, as their packages leave them."""
    shared_host.run(_INSTALL)
    shared_host.put(DRIVER, Path(__file__).with_name("faulty.py").read_bytes())
    shared_host.import_busybox()
    return shared_host


@pytest.fixture
def services(installed: Host) -> Iterator[Host]:
    """That host; all of its services run again after the test."""
    yield installed
    installed.run(_TIDY)


def ask(host: Host, *, check: bool = False, **options: Any) -> dict[str, Any]:
    return run_module(host, options, name="listening_services", check=check, diff=True)


def done(told: dict[str, Any]) -> dict[str, Any]:
    assert not told.get("failed"), told["msg"]
    return told


def only(action: str, *units: str, **more: Any) -> dict[str, Any]:
    """The options by which these units are denied, and nothing else."""
    return {"action": action, "deny_known": False, "deny": [{"unit": unit} for unit in units], **more}


def look(host: Host, *, exactly: bool = False) -> list[str]:
    """The units and their files; `exactly`: in a form that any writing and any start changes."""
    return host.run(_LOOK + (_EXACTLY if exactly else "")).stdout.splitlines()


def carried_out(host: Host, **options: Any) -> dict[str, Any]:
    """What a run told that changed something."""
    told = done(ask(host, **options))
    assert told["changed"] and told["transaction"], told
    return told


def planned_and_done(host: Host, **options: Any) -> dict[str, Any]:
    """What check mode tells, which writes nothing, is what is done then; done again it is nothing."""
    before = look(host, exactly=True)
    told = done(ask(host, check=True, **options))
    assert told["changed"] and told["transaction"] is None
    assert look(host, exactly=True) == before
    found = carried_out(host, **options)
    for key in ("changed", "actions", "refused", "notices", "diff", "left_alone"):
        assert found[key] == told[key], key
    after = look(host, exactly=True)
    again = done(ask(host, **options))
    assert (again["changed"], again["actions"], again["transaction"]) == (False, [], None)
    assert look(host, exactly=True) == after
    return found


def rolled_back(host: Host, before: list[str]) -> None:
    """What the module has done last it undoes, to the state `before`."""
    assert done(ask(host, action="rollback"))["changed"]
    assert look(host) == before


def refused(host: Host, *words: str, **options: Any) -> dict[str, Any]:
    """It fails with each of the words, and nothing is written."""
    before = look(host, exactly=True)
    told = ask(host, **options)
    assert told.get("failed") and not told["changed"] and not told["transaction"], told
    assert [word for word in words if word not in told["msg"]] == [], told["msg"]
    assert look(host, exactly=True) == before
    return told


def undone(host: Host, before: list[str], *words: str, **options: Any) -> None:
    """It begins, fails with each of the words, and leaves the state `before`."""
    told = ask(host, **options)
    assert told.get("failed") and told["rolled_back"] is True, told
    assert "The change failed and was undone" in told["msg"] and "Not as before" not in told["msg"]
    assert [word for word in words if word not in told["msg"]] == [], told["msg"]
    assert look(host) == before


def listens(host: Host, port: int, *kinds: str) -> list[str]:
    """The addresses at which something listens to that port of TCP and UDP, or of `kinds` ("t", "u")."""
    command = ["ss", "-H", f"-ln{''.join(kinds or ('t', 'u'))}", "sport", "=", f":{port}"]
    return sorted(line.split()[4].rpartition(":")[0] for line in host.run(command).stdout.splitlines())


def at(told: dict[str, Any], port: int, protocol: str = "tcp") -> list[dict[str, Any]]:
    """The listeners of the host there, of those that the module told."""
    return [
        each
        for each in told["listeners"]
        if (each["namespace"], each["protocol"], each["port"]) == ("host", protocol, port)
    ]


def decision(told: dict[str, Any], listener: str) -> dict[str, Any]:
    return next(each for each in told["decisions"] if each["listener"] == listener)


def put_units(host: Host, units: dict[str, str], folder: str = VENDOR) -> None:
    """Write those units and start each that is to start at boot."""
    for name, content in units.items():
        host.put(f"{folder}/{name}", content)
    own = [name for name, content in units.items() if "[Install]" in content]
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "--quiet", "enable", "--now", *own])


def server(port: int, program: str = "/usr/bin/busybox", more: str = "") -> str:
    """A web server's unit."""
    return (
        f"[Unit]\n{more}\n[Service]\nExecStart={program} httpd -f -p 0.0.0.0:{port} -h /srv\n"
        f"ExecStartPost=/bin/sh -c 'until ss -Hltn sport = :{port} | grep -q .; do sleep 0.02; done'\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )


def socket_unit(*lines: str) -> str:
    return "\n".join(["[Socket]", *lines, "[Install]", "WantedBy=sockets.target", ""])


SLEEPS = "[Service]\nExecStart=/usr/bin/sleep 100000\n"


# --- the edge cases ---


def test_e99_service_and_socket_are_closed_together(services: Host) -> None:
    host, before = services, look(services)
    # Alone it comes back.
    host.run(["systemctl", "stop", "rpcbind.service"])
    host.run(["python3", "-c", _KNOCK.format(port=111)])
    host.run("until systemctl is-active rpcbind.service; do sleep 0.1; done")

    told = carried_out(host, **only("disable", "rpcbind.service"))
    assert told["actions"] == [f"{order} rpcbind.socket, rpcbind.service" for order in ("stop", "disable")]
    assert listens(host, 111) == []
    host.run(["python3", "-c", _KNOCK.format(port=111)])
    host.run(["sleep", "0.3"])
    assert [host.run(["systemctl", "is-active", unit], check=False).stdout for unit in RPCBIND] == [
        "inactive\n"
    ] * 2
    assert listens(host, 111) == []
    rolled_back(host, before)
    assert listens(host, 111) == ["0.0.0.0", "0.0.0.0", "[::]", "[::]"]


def test_e101_masked_twice(services: Host) -> None:
    """Without any rule, rpcbind and avahi are denied."""
    host, before = services, look(services)
    told = planned_and_done(host, action="mask")
    assert [line for line in told["actions"] if line.startswith("mask")] == [
        "mask rpcbind.socket, rpcbind.service",
        "mask avahi-daemon.socket, avahi-daemon.service",
    ]
    states = host.run(["systemctl", "is-enabled", *RPCBIND, *AVAHI], check=False).stdout.split()
    assert states == ["masked"] * 4
    assert (listens(host, 111), listens(host, 5353)) == ([], [])
    assert done(ask(host, check=True, action="rollback"))["changed"]
    rolled_back(host, before)
    assert done(ask(host, action="rollback"))["changed"] is False


def test_e102_unit_file_of_the_administrator(services: Host) -> None:
    host = services
    put_units(host, {"trial.service": server(7102)}, ADMINISTRATOR)
    before = look(host)
    assert host.run(["systemctl", "mask", "trial.service"], check=False).rc != 0
    told = planned_and_done(host, **only("mask", "trial.service"))
    assert told["actions"] == ["stop trial.service", "disable trial.service"]
    assert told["notices"] == [
        "The file of trial.service lies in /etc/systemd/system, where mask would put its link: it is disabled, not "
        "masked."
    ]
    assert listens(host, 7102) == []
    rolled_back(host, before)
    assert listens(host, 7102) == ["0.0.0.0"]


def test_e103_secure_shell(services: Host) -> None:
    host, before = services, look(services)
    for rule in ({"unit": "ssh.service"}, {"port": 22}, {"process": "ssh*"}):
        told = refused(host, "the host is administered by it", action="stop", deny_known=False, deny=[rule])
        assert {each["consent"] for each in told["refused"]} == {SSH_CONSENT}
    # A pattern does not name it.
    refused(host, "exact name", **only("stop", "ssh*", allow_ssh=True))
    # A report stops nothing.
    told = done(ask(host, **only("report", "ssh.service")))
    assert decision(told, "tcp 0.0.0.0:22")["decision"] == "protected"
    carried_out(host, **only("stop", "ssh.service", allow_ssh=True))
    assert listens(host, 22) == []
    rolled_back(host, before)


def test_e105_socket_that_systemd_alone_holds(services: Host) -> None:
    host = services
    host.run(["systemctl", "stop", "rpcbind.service"])
    found = at(done(ask(host)), 111)
    assert [(each["address"], each["pid"], each["process"], each["unit"]) for each in found] == [
        (address, 1, "systemd", "rpcbind.socket") for address in ("0.0.0.0", "::")
    ]
    assert [each["triggers"] for each in found] == [["rpcbind.service"]] * 2
    told = carried_out(host, **only("stop", "rpcbind.socket"))
    assert told["actions"] == ["stop rpcbind.socket"]
    assert listens(host, 111) == []


def test_e106_program_that_is_deleted(services: Host) -> None:
    host = services
    program = "/usr/local/bin/trial/busybox"
    host.run(["install", "-D", "/usr/bin/busybox", program])
    put_units(host, {"trial.service": server(7106, program)})
    assert [each["program_deleted"] for each in at(done(ask(host)), 7106)] == [False]
    host.run(["rm", program])
    told = done(ask(host))
    assert [(each["program_deleted"], each["unit"]) for each in at(told, 7106)] == [(True, "trial.service")]
    assert not any(each["program_deleted"] for each in told["listeners"] if each["port"] != 7106)


def test_e107_process_outside_of_units(services: Host) -> None:
    host = services
    # Into the background by itself.
    host.run(["busybox", "httpd", "-p", "0.0.0.0:7107", "-h", "/srv"])
    told = done(ask(host, action="mask", deny_known=False, deny=[{"port": 7107}]))
    pid = at(told, 7107)[0]["pid"]
    assert at(told, 7107)[0]["unit"] is None
    assert decision(told, "tcp 0.0.0.0:7107")["decision"] == "report"
    reason = f"busybox, process {pid}, runs outside of service units"
    assert told["left_alone"] == [{"key": "tcp 0.0.0.0:7107", "reason": reason}]
    assert (told["changed"], listens(host, 7107)) == (False, ["0.0.0.0"])
    host.run(["kill", str(pid)])


def test_e109_dual_stack(services: Host) -> None:
    host = services
    only_v6 = socket_unit("ListenStream=7110", "BindIPv6Only=ipv6-only")
    put_units(
        host,
        {
            "trial-a.socket": socket_unit("ListenStream=7109", "BindIPv6Only=both"),
            "trial-a.service": SLEEPS,
            "trial-b.socket": only_v6,
            "trial-b.service": SLEEPS,
        },
    )
    assert (listens(host, 7109), listens(host, 7110)) == (["*"], ["[::]"])
    told = done(ask(host))
    found = {port: [(each["address"], each["v6only"]) for each in at(told, port)] for port in (7109, 7110)}
    assert found == {7109: [("::", False)], 7110: [("::", True)]}
    assert [each["v6only"] for each in at(told, 111)] == [None, True]


def test_e110_udp(services: Host) -> None:
    """The port of one protocol is not that of the other."""
    host = services
    put_units(
        host,
        {
            "trial-t.socket": socket_unit("ListenStream=0.0.0.0:7110"),
            "trial-t.service": SLEEPS,
            "trial-u.socket": socket_unit("ListenDatagram=0.0.0.0:7110"),
            "trial-u.service": SLEEPS,
        },
    )
    told = carried_out(host, action="stop", deny_known=False, deny=[{"protocol": "udp", "port": "7100-7110"}])
    assert told["actions"] == ["stop trial-u.socket"]
    assert [each["unit"] for each in at(told, 7110, "udp")] == ["trial-u.socket"]
    assert (listens(host, 7110, "u"), listens(host, 7110, "t")) == ([], ["0.0.0.0"])


def test_e111_listeners_of_containers(services: Host) -> None:
    host = services
    # The signal by which Docker asks it to end, the first process of a container ignores.
    run = ("run", "--detach", "--stop-signal", "KILL")
    inside = host.docker(*run, "--name", "web", "busybox:test", "httpd", "-f", "-p", "8080").stdout.strip()
    shares = host.docker(
        *run, "--name", "open", "--network", "host", "busybox:test", "httpd", "-f", "-p", "0.0.0.0:7111"
    ).stdout.strip()
    told = done(ask(host, action="mask", deny_known=False, deny=[{"port": 7111}, {"port": 8080}]))
    assert told["changed"] is False
    own = [each for each in told["listeners"] if each["namespace"] == "container"]
    assert {each["container"]["id"] for each in own} == {inside}
    assert {each["container"]["name"] for each in own} == {"web"}
    pid = host.docker("inspect", "--format", "{{.State.Pid}}", "web").stdout.strip()
    ports = host.run(
        f"cat /proc/{pid}/net/tcp /proc/{pid}/net/tcp6 /proc/{pid}/net/udp /proc/{pid}/net/udp6 | "
        'awk \'$4 == "0A" || $4 == "07" {print $2}\''
    ).stdout.split()
    assert sorted(each["port"] for each in own) == sorted(int(each.rpartition(":")[2], 16) for each in ports)

    found = at(told, 7111)
    assert [each["container"] for each in found] == [{"id": shares, "name": "open"}]
    assert decision(told, "tcp 0.0.0.0:7111")["decision"] == "container"
    assert told["left_alone"] == [{"key": "tcp 0.0.0.0:7111", "reason": "it belongs to the container open"}]
    assert listens(host, 7111) == ["0.0.0.0"]


def test_e113_without_root(services: Host) -> None:
    host = services
    told = run_module(host, {}, "worker", name="listening_services")
    assert not told.get("failed"), told["msg"]
    assert [(each["owner_known"], each["process"]) for each in at(told, 22)] == [(False, None)] * 2
    assert decision(told, "tcp 0.0.0.0:22")["decision"] in ("unattributed", "protected")
    for action in ("mask", "rollback"):
        told = run_module(host, {"action": action}, "worker", name="listening_services")
        assert told.get("failed") and "exception" not in told, told
        assert not told["changed"]


def test_e114_rebinding(services: Host) -> None:
    host = services
    lines = ("0.0.0.0:7070", "[::]:7070", "/run/trial.sock")
    unit = socket_unit(*(f"ListenStream={each}" for each in lines), "BindIPv6Only=ipv6-only")
    put_units(host, {"trial.socket": unit, "trial.service": SLEEPS})
    host.run(["systemctl", "start", "trial.service"])
    before = look(host)
    told = planned_and_done(
        host, deny_known=False, rebind=[{"unit": "trial.socket", "listen": ["127.0.0.1:7070"]}]
    )
    path = f"{ADMINISTRATOR}/trial.socket.d/bulwark-listen.conf"
    assert f"write {path}" in told["actions"]
    assert [each["before_header"] for each in told["diff"]] == [path]
    content = host.read(path).splitlines()
    assert [line for line in content if "Listen" in line] == [
        "ListenStream=",
        "ListenStream=/run/trial.sock",
        "ListenStream=127.0.0.1:7070",
    ]
    assert listens(host, 7070) == ["127.0.0.1"]
    assert host.run(["test", "-S", "/run/trial.sock"]).rc == 0
    assert host.run(["systemctl", "is-active", "trial.service"]).stdout == "active\n"
    rolled_back(host, before)
    assert listens(host, 7070) == ["0.0.0.0", "[::]"]
    # Taken by another, it cannot be bound.
    put_units(host, {"trial-other.service": server(7075)})
    before = look(host)
    taken = [{"unit": "trial.socket", "listen": ["127.0.0.1:7075"]}]
    undone(host, before, "trial.socket", deny_known=False, rebind=taken)
    assert listens(host, 7070) == ["0.0.0.0", "[::]"]


def test_restricting(services: Host) -> None:
    """Where cgroup v2 is there at all, even beside the older one, systemd filters by address."""
    host = services
    put_units(host, {"trial.service": server(7116)})
    before = look(host)
    own = host.run(["hostname", "-I"]).stdout.split()[0]
    reached = "curl --silent --max-time 1 --output /dev/null http://{}:7116"
    assert host.run(reached.format(own)).rc == 0
    told = carried_out(
        host, deny_known=False, restrict=[{"unit": "trial.service", "allow": ["192.0.2.0/24"]}]
    )
    path = f"{ADMINISTRATOR}/trial.service.d/bulwark-access.conf"
    assert told["actions"] == ["stop trial.service", f"write {path}", "start trial.service"]
    assert host.run(reached.format(own), check=False).rc == 28
    assert host.run(reached.format("127.0.0.1")).rc == 0
    rolled_back(host, before)
    assert host.run(reached.format(own)).rc == 0


def test_e115_instance_for_each_client(services: Host) -> None:
    host = services
    instance = "[Service]\nStandardInput=socket\nExecStart=/usr/bin/sleep 100000\n"
    put_units(
        host,
        {
            "trial.socket": socket_unit("ListenStream=0.0.0.0:7115", "Accept=yes"),
            "trial@.service": instance,
        },
    )
    before = look(host)
    for _client in range(2):
        host.run(["python3", "-c", _CONNECT.format(port=7115)])
    running = "systemctl list-units --plain --no-legend --state=active 'trial@*' | cut -d' ' -f1"
    host.run(f"until [ $({running} | wc -l) = 2 ]; do sleep 0.05; done")
    told = carried_out(host, **only("mask", "trial.socket"))
    assert told["actions"][0] == "stop trial.socket"
    assert told["actions"][1].count("trial@") == 2
    assert host.run(running).stdout == ""
    assert listens(host, 7115) == []
    # Whom they served is gone.
    rolled_back(host, before)
    assert listens(host, 7115) == ["0.0.0.0"]


# --- what else may be there ---


def test_listeners_are_all_that_listen(services: Host) -> None:
    host = services
    shown = {
        (line.split()[0], *re.sub(r"%\w+|[][]", "", line.split()[4]).replace("*", "::").rsplit(":", 1))
        for line in host.run(["ss", "-H", "-tulpn"]).stdout.splitlines()
    }
    told = done(ask(host))
    assert {(each["protocol"], each["address"], str(each["port"])) for each in told["listeners"]} == shown
    assert len(shown) > 8
    answers = ("stop", "localhost", "authentication", "restrict", "reviewed")
    assert all(each[question] for each in told["decisions"] for question in answers)


@pytest.mark.parametrize("action", ["disable", "mask"])
def test_mail_server(services: Host, action: str) -> None:
    """On bookworm systemd makes its unit of a script of SysV."""
    host, before = services, look(services)
    options: dict[str, Any] = {
        "action": action,
        "deny_known": False,
        "deny": [{"package": "exim4-daemon-light"}],
    }
    told = carried_out(host, **options)
    assert done(ask(host, **options))["actions"] == []
    assert told["actions"][-1] == f"{action} exim4.service"
    assert listens(host, 25) == []
    host.run(["systemctl", "daemon-reload"])
    links = host.run(
        ["find", "/etc/rc3.d", f"{ADMINISTRATOR}/multi-user.target.wants", "-name", "*exim4*"]
    ).stdout
    assert [link for link in links.split() if "/K" not in link] == []
    rolled_back(host, before)
    assert listens(host, 25) == ["127.0.0.1"]


def test_path_that_starts_a_service(services: Host) -> None:
    """It listens on loopback alone, which takes an explicit rule."""
    host, before = services, look(services)
    told = carried_out(host, **only("disable", "cups.service"))
    assert told["actions"][0] == "stop cups.path, cups.socket, cups.service"
    host.run(["touch", "/var/cache/cups/org.cups.cupsd"])
    assert listens(host, 631) == []
    rolled_back(host, before)
    assert listens(host, 631) == ["127.0.0.1"]


def test_unit_that_needs_what_is_denied(services: Host) -> None:
    host = services
    needs = f"[Unit]\nRequires=rpcbind.service\nAfter=rpcbind.service\n{SLEEPS}[Install]\nWantedBy=multi-user.target\n"
    put_units(host, {"trial.service": needs}, ADMINISTRATOR)
    before, pid = look(host), at(done(ask(host)), 111)[0]["pid"]
    told = carried_out(host, action="disable")
    assert [each["message"] for each in told["refused"]] == [
        "trial.service needs rpcbind.service and would stop with it: deny that as well, or allow rpcbind.service."
    ]
    assert at(done(ask(host)), 111)[0]["pid"] == pid
    assert (len(listens(host, 111)), listens(host, 5353)) == (4, [])
    assert host.run(["systemctl", "is-active", "trial.service"]).rc == 0
    rolled_back(host, before)
    # As the message says.
    told = carried_out(host, **only("disable", "trial.service", "rpcbind.service"))
    assert told["refused"] == []
    assert listens(host, 111) == []
    assert host.run(["systemctl", "is-active", "trial.service"], check=False).rc != 0
    rolled_back(host, before)


def test_service_that_comes_back(services: Host) -> None:
    """Somebody starts it again whenever it is gone. What was stopped before runs again, too."""
    host = services
    again = "/bin/sh -c 'while :; do systemctl start trial.service; sleep 0.05; done'"
    put_units(host, {"trial.service": server(7201)})
    put_units(
        host,
        {"trial-watch.service": f"[Service]\nExecStart={again}\n[Install]\nWantedBy=multi-user.target\n"},
    )
    before = look(host)
    undone(host, before, "trial.service", action="disable", deny=[{"unit": "trial.service"}])
    assert (len(listens(host, 111)), listens(host, 7201)) == (4, ["0.0.0.0"])


def test_d_bus_starts_it_again(services: Host) -> None:
    host = services
    told = carried_out(host, **only("stop", "avahi-daemon.service"))
    assert [line for line in told["notices"] if "org.freedesktop.Avahi" in line and "disable or mask" in line]
    assert listens(host, 5353) == []
    call = [
        "busctl",
        "call",
        "org.freedesktop.Avahi",
        "/",
        "org.freedesktop.Avahi.Server",
        "GetVersionString",
    ]
    host.run(call)
    assert listens(host, 5353) != []
    told = carried_out(host, **only("mask", "avahi-daemon.service"))
    assert told["notices"] == []
    assert host.run(call, check=False).rc != 0
    assert listens(host, 5353) == []


# Options that are wrong, and words of the error.
_WRONG: tuple[tuple[dict[str, Any], tuple[str, ...]], ...] = (
    ({"deny": [{"unit": "x.service", "colour": "red"}]}, ("deny[0]", "unknown key 'colour'")),
    ({"deny": [{"port": "ssh"}], "allow": [{}]}, ("deny[0].port: 'ssh' is no port", "allow[0]: name")),
    ({"deny": [{"port": 111}], "allow": [{"package": "rpcbind"}]}, ("allow[0] (package rpcbind)", "deny[0]")),
    ({"rebind": [{"unit": "cups.service", "listen": ["127.0.0.1:1"]}]}, ("only socket units",)),
    ({"rebind": [{"unit": "no.socket", "listen": ["127.0.0.1:1"]}]}, ("systemd has no unit no.socket",)),
    ({"restrict": [{"unit": "cups.service", "allow": ["all"]}]}, ("restrict[0].allow",)),
)


def test_options_that_are_wrong(services: Host) -> None:
    for options, words in _WRONG:
        refused(services, "Nothing was changed: ", *words, action="mask", **options)


def test_resolver(services: Host) -> None:
    """It stays, and no longer answers LLMNR."""
    host = services
    host.run("DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet systemd-resolved")
    refused(host, "the host looks names up by it", **only("stop", "systemd-resolved.service"))
    before = look(host)
    assert listens(host, 5355) != []
    rebind = [{"unit": "systemd-resolved.service", "llmnr": False}]
    told = carried_out(host, deny_known=False, rebind=rebind)
    assert told["actions"][-1] == "restart systemd-resolved.service"
    assert listens(host, 5355) == []
    assert len(listens(host, 53)) > 1
    rolled_back(host, before)
    assert listens(host, 5355) != []
    host.run(["systemctl", "--quiet", "disable", "--now", "systemd-resolved.service"])


def test_play_that_came_by_secure_shell(services: Host) -> None:
    host = services
    host.run(
        "mkdir -p -m 0700 /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519"
        " && cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys"
    )
    before = look(host, exactly=True)
    options = only("stop", "ssh.service", allow_ssh=True)
    come = host.run(
        ["ssh", "-o", "StrictHostKeyChecking=no", "127.0.0.1",
         f"PYTHONPATH={library(host)} python3 -m {MODULES}.listening_services"],
        stdin=json.dumps({"ANSIBLE_MODULE_ARGS": options}), check=False,
    )  # fmt: skip
    told = result(come)
    assert told.get("failed") and not told["changed"], told
    assert "the play itself came by it" in told["msg"]
    assert look(host, exactly=True) == before


# --- killed half-way ---


def drive(host: Host, name: str, options: dict[str, Any], fault: dict[str, Any] | None = None) -> Completed:
    """The module in the driver that makes the fault happen."""
    program = ["env", f"PYTHONPATH={library(host)}", "python3", DRIVER, "run", name, json.dumps(fault or {})]
    return host.run(program, stdin=json.dumps({"ANSIBLE_MODULE_ARGS": options}), check=False)


def test_change_that_is_killed(services: Host, host_image: str) -> None:
    """After the next run all units are as before."""
    host, before = services, look(services)
    options = only("mask", "rpcbind.service")
    told = result(
        drive(host, "listening_services", options, {"kinds": KINDS, "undone": True, "points": POINTS})
    )
    assert told["failed"] and told["rolled_back"] is True, told
    assert look(host) == before
    places = list(dict.fromkeys(host.read(POINTS).splitlines()))
    mine, step = ("bookworm", "trixie").index(host_image), len(places) / (2 * TRIED + 1)
    for number in range(TRIED):
        place = places[int((2 * number + mine + 1) * step)]
        killed = drive(
            host,
            "listening_services",
            options,
            {"what": "kill", "place": place, "kinds": KINDS, "undone": True},
        )
        assert killed.rc == KILLED, (place, killed)
        resolved = result(drive(host, "daemon_apply", {"state": "resolved", "settle": 0.05}))
        assert not resolved.get("failed"), (place, resolved["msg"])
        assert [each["left"] for each in resolved["resolved"]] == [[]], (place, resolved)
        assert look(host) == before, place
