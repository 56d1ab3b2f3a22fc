# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""rootless on real hosts: the edge cases by their numbers in the research, and what it does to engines in use.

An edge case first shows on the host, where it can, that the state is what it claims to be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import files

from tests.hosts import states
from tests.hosts.auditing import run_module
from tests.hosts.host import BUSYBOX, Completed, Host
from tests.hosts.states import DAEMON_JSON, ROOTLESS_SOCKET, start_docker

pytestmark = pytest.mark.images("bookworm", "trixie")

STOP_CONTAINERS = "rootless_stop_containers"
HOME = "/home/worker"
DATA = f"{HOME}/.local/share/docker"
OWN_JSON = f"{HOME}/.config/docker/daemon.json"
CLIENT_JSON = f"{HOME}/.docker/config.json"
UNIT = f"{HOME}/{files.UNIT_FILE}"
CONTRIB = "/usr/share/docker.io/contrib"
PORT_START = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
PORTS_FILE = "/etc/sysctl.d/60-bulwark-rootless-ports.conf"
LINGER = "/var/lib/systemd/linger"
KITS = "pgrep --uid 1000 --full --list-full rootlesskit"
# Ended at once by the engine that stops it.
SLEEP = ("--stop-signal", "KILL", "busybox:test", "sleep", "100000")

_KEEP = "mkdir -p /root/found && cd /etc && cp -p passwd group shadow gshadow subuid subgid /root/found/"
_TIDY = f"""
for user in worker app; do
    id=$(id -u $user 2>/dev/null) || continue
    loginctl disable-linger $user
    systemctl stop user@$id.service
    rm -rf /run/user/$id/docker* /run/user/$id/dockerd-rootless
done
cd {HOME} && rm -rf .config .docker .local
! id app >/dev/null 2>&1 || userdel --remove app 2>/dev/null
rm -f /usr/local/bin/dockerd-rootless.sh /usr/bin/dockerd-rootless*.sh /etc/sysctl.d/60-bulwark* /etc/profile.d/bulwark*
mount | grep -q ' on /usr/sbin/xtables' && umount $(readlink -f /usr/sbin/iptables)
for path in /usr/bin/rootlesskit {CONTRIB}/dockerd-rootless-setuptool.sh; do
    [ -e $path ] || mv $path.aside $path
done
chmod u+s /usr/bin/newuidmap
setcap -r /usr/bin/rootlesskit 2>/dev/null
echo 0 > {PORT_START}
cp -p /root/found/* /etc/
set -e
systemctl --quiet unmask docker.service docker.socket
systemctl --quiet enable docker.service docker.socket
[ ! -e {DAEMON_JSON} ] || {{ rm {DAEMON_JSON}; systemctl stop docker.service docker.socket; }}
systemctl reset-failed
systemctl start docker.socket docker.service
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes >/dev/null
rm -rf /var/lib/bulwark
"""
# Whatever a run may have written, with the times; and the processes of both engines.
_LOOK = f"""
cd /; find etc home/worker var/lib/bulwark {LINGER} usr/bin/rootlesskit ! -type d ! -name lock ! -path '*/.local/*' \\
    -printf '%p %i %s %T@ %C@ %m %U:%G\\n' 2>/dev/null | sort
cat {PORT_START}
systemctl show --property=MainPID,ActiveState,UnitFileState docker.service docker.socket
pgrep --uid 1000 --exact dockerd
true
"""


@pytest.fixture
def rootless_host(shared_host: Host) -> Iterator[Host]:
    """The module's host, with Debian's own engine and the account worker; so it is again after the test."""
    shared_host.run(f"[ -d /root/found ] || {{ {_KEEP}; }}")
    yield shared_host
    shared_host.run(_TIDY)
    shared_host.wait_ready()


def ask(host: Host, *, check: bool = False, **options: Any) -> dict[str, Any]:
    """The module's result, as checked as these hosts need it."""
    given = {"user": "worker", "settle": 0.3, "timeout": 30, **options}
    return run_module(host, given, name="rootless", check=check, diff=True)


def done(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("failed"), (result.get("msg"), result.get("journal"))
    return result


def refused(host: Host, message: str, **options: Any) -> dict[str, Any]:
    """Refused with that message (a pattern), in check mode too, and nothing written."""
    before = look(host)
    for check in (True, False):
        result = ask(host, check=check, **options)
        assert result.get("failed") and not result["changed"], result
        assert re.search(message, result["msg"]), result["msg"]
        assert result["msg"].startswith("Nothing was changed:")
    assert look(host) == before
    return result


def planned_and_done(host: Host, **options: Any) -> dict[str, Any]:
    """What check mode tells, which writes nothing, is what is done then."""
    before = look(host)
    told = done(ask(host, check=True, **options))
    assert told["changed"] and look(host) == before
    result = done(ask(host, **options))
    for key in ("actions", "effect", "restart_required", "costs", "diff", "refused"):
        assert result[key] == told[key], key
    return result


def look(host: Host) -> str:
    return host.run(_LOOK).stdout


def own(host: Host, *arguments: str, check: bool = True) -> Completed:
    """The docker CLI of the account, as it finds its engine by itself."""
    return host.run(["env", f"HOME={HOME}", "docker", *arguments], user="worker", check=check)


def own_container(host: Host, name: str, *options: str) -> None:
    own(host, "import", BUSYBOX, "busybox:test")
    own(host, "run", "--detach", "--name", name, *options, *SLEEP)


def names(host: Host) -> list[str]:
    return sorted(host.docker("ps", "--format", "{{.Names}}").stdout.split())


def unit_states(host: Host, *units: str) -> dict[str, tuple[str, str]]:
    """{unit: (whether it runs, whether it is started at boot)}"""
    return {
        unit: (
            host.run(["systemctl", "is-active", unit], check=False).stdout.strip(),
            host.run(["systemctl", "is-enabled", unit], check=False).stdout.strip(),
        )
        for unit in units or ("docker.service", "docker.socket")
    }


def consents(result: dict[str, Any]) -> list[str]:
    return sorted(each["consent"] for each in result["refused"])


def exists(host: Host, path: str) -> bool:
    return host.run(["test", "-e", path], check=False).rc == 0


def in_use(host: Host) -> None:
    """Containers of the system's engine: one that nobody would start again, one that comes with the engine."""
    host.import_busybox()
    for name, policy in (("never", "no"), ("always", "always")):
        host.docker("run", "--detach", "--name", name, "--restart", policy, *SLEEP)


ON = {"docker.service": ("active", "enabled"), "docker.socket": ("active", "enabled")}
OFF = {"docker.service": ("inactive", "disabled"), "docker.socket": ("inactive", "disabled")}


# --- the edge cases ---


@pytest.mark.images("bookworm")
def test_e83_account_that_is_missing(rootless_host: Host) -> None:
    host = rootless_host
    refused(host, r"There is no account app: create it, or set create_user", user="app")
    host.run("mkdir /home/app && echo kept > /home/app/file")
    refused(host, r"/home/app is there already, though there is no account app", user="app", create_user=True)
    assert host.read("/home/app/file") == "kept\n"
    host.run("rm -r /home/app")
    result = planned_and_done(host, user="app", create_user=True)
    assert result["actions"][0] == "create the account app with its home"
    uid, home = host.run("getent passwd app").stdout.split(":")[2:6:3]
    assert (result["engine"]["uid"], home) == (int(uid), "/home/app")
    assert result["engine"]["container_root"] == int(uid)
    # An account without a password.
    assert host.run("getent shadow app").stdout.split(":")[1] == "!"
    assert host.run(["stat", "--format", "%U", "/home/app/.config/systemd/user"]).stdout == "app\n"
    done(ask(host, user="app", state="absent"))
    assert host.run("getent passwd app").rc == 0
    assert host.run("pgrep --uid app --exact dockerd", check=False).rc == 1


@pytest.mark.images("bookworm")
def test_e85_newuidmap_without_privilege(rootless_host: Host) -> None:
    rootless_host.run("chmod u-s /usr/bin/newuidmap")
    refused(rootless_host, r"/usr/bin/newuidmap cannot give worker its subordinate ids: .*chmod u\+s")


@pytest.mark.images("bookworm")
def test_e86_linger_is_absent(rootless_host: Host) -> None:
    host = rootless_host
    assert not exists(host, f"{LINGER}/worker") and not exists(host, "/run/user/1000/bus")
    result = done(ask(host))
    assert "enable linger of worker" in result["actions"]
    assert exists(host, f"{LINGER}/worker") and exists(host, "/run/user/1000/bus")
    # Nobody logs in after the boot.
    host.cut_power()
    host.run(f"until docker --host unix://{ROOTLESS_SOCKET} version; do sleep 0.1; done", timeout=30)


@pytest.mark.images("bookworm")
def test_e87_docker_io_without_the_extras(rootless_host: Host) -> None:
    host = rootless_host
    tool = f"{CONTRIB}/dockerd-rootless-setuptool.sh"
    assert host.run("command -v dockerd-rootless.sh", check=False).rc != 0
    host.run(f"mv {tool} {tool}.aside")
    done(ask(host))
    unit = host.read(UNIT)
    assert f"ExecStart={CONTRIB}/dockerd-rootless.sh\n" in unit
    assert f"Environment=PATH={CONTRIB}:" in unit
    assert own(host, "context", "show", check=False).stdout in ("rootless\n", "")
    assert "rootless" in own(host, "info", "--format", "{{json .SecurityOptions}}").stdout


@pytest.mark.images("trixie")
def test_e89_second_run_changes_nothing(rootless_host: Host) -> None:
    host = rootless_host
    host.run(f"echo 1024 > {PORT_START}")
    options: dict[str, Any] = {
        "system_engine": "stop",
        "privileged_ports": "sysctl",
        "port_driver": "slirp4netns",
        "client": ["context", "environment"],
    }
    planned_and_done(host, **options)
    shell = host.run(
        ["su", "--login", "worker", "--command", "docker info --format {{.Name}}; echo $DOCKER_HOST"]
    )
    assert shell.stdout.endswith(f"unix://{ROOTLESS_SOCKET}\n")
    before = look(host)
    again = done(ask(host, **options))
    assert (again["changed"], again["actions"], again["transaction"]) == (False, [], None)
    assert again["engine"]["container_root"] == 1000
    assert look(host) == before

    done(ask(host, state="absent"))
    before = look(host)
    again = done(ask(host, state="absent"))
    assert (again["changed"], again["actions"], again["transaction"]) == (False, [], None)
    assert look(host) == before
    assert host.read(PORT_START) == "1024\n" and not exists(host, PORTS_FILE)
    assert unit_states(host) == ON


@pytest.mark.images("trixie")
def test_e90_account_in_the_group_docker(rootless_host: Host) -> None:
    rootless_host.run("gpasswd --add worker docker")
    assert rootless_host.run("docker version", user="worker").rc == 0
    result = done(ask(rootless_host, check=True))
    assert any("worker is in the group docker, which is root" in notice for notice in result["notices"])


@pytest.mark.images("trixie")
def test_e91_socket_of_the_system_left_listening(rootless_host: Host) -> None:
    """As left by `systemctl disable --now docker`."""
    host = rootless_host
    host.run("systemctl --quiet disable docker.service && systemctl stop docker.service")
    assert unit_states(host, "docker.socket") == {"docker.socket": ("active", "enabled")}
    result = done(ask(host, system_engine="stop"))
    assert result["actions"][-3:] == [
        "disable docker.socket",
        "stop docker.socket",
        "remove the dead socket /run/docker.sock",
    ]
    assert not exists(host, "/run/docker.sock")
    assert host.docker("ps", check=False).rc != 0
    assert unit_states(host) == OFF
    # As it was: the socket alone.
    done(ask(host, state="absent"))
    assert unit_states(host) == {
        "docker.service": ("inactive", "disabled"),
        "docker.socket": ("active", "enabled"),
    }


def test_e93_port_80(rootless_host: Host) -> None:
    host = rootless_host
    host.run(f"echo 1024 > {PORT_START}")
    told = done(ask(host))
    assert any("Ports below 1024 cannot be published" in notice for notice in told["notices"])
    assert "cannot expose privileged port 80" in publish(host).stderr
    done(ask(host, privileged_ports="sysctl"))
    assert publish(host).stdout == "404"
    assert host.read(PORTS_FILE).endswith("= 0\n")

    host.run(f"rm {PORTS_FILE}; echo 1024 > {PORT_START}")
    assert "cannot expose privileged port 80" in publish(host).stderr
    done(ask(host, privileged_ports="capability"))
    assert publish(host).stdout == "404"
    assert host.read(PORT_START) == "1024\n"
    assert "cap_net_bind_service=ep" in host.run("getcap /usr/bin/rootlesskit").stdout
    done(ask(host, state="absent"))
    assert host.run("getcap /usr/bin/rootlesskit").stdout == ""


def publish(host: Host) -> Completed:
    """What the host gets from a container's web server at its own port 80, or why it is not published."""
    own(host, "import", BUSYBOX, "busybox:test")
    server = ("--publish", "80:80", "--stop-signal", "KILL", "busybox:test", "httpd", "-f", "-p", "80")
    run = own(host, "run", "--detach", "--name", "web", *server, check=False)
    asked = host.run("curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' http://127.0.0.1/",
                     check=False)  # fmt: skip
    own(host, "rm", "--force", "web")
    return asked if run.rc == 0 else run


def test_e94_limits_on_cgroup_v1(rootless_host: Host) -> None:
    host = rootless_host
    result = done(ask(host))
    assert result["preflight"]["cgroup_version"] == 1
    assert {"--memory", "--cpus", "--pids-limit"} <= set(result["preflight"]["ignored_limits"])
    assert any("--memory and --cpus are accepted and ignored" in notice for notice in result["notices"])
    assert result["engine"]["cgroup_driver"] == "none"
    own_container(host, "limited", "--memory", "64m")
    pid = own(host, "inspect", "--format", "{{.State.Pid}}", "limited").stdout.strip()
    memory = next(line for line in host.read(f"/proc/{pid}/cgroup").splitlines() if ":memory:" in line)
    limit = host.read(f"/sys/fs/cgroup/memory{memory.rpartition(':')[2]}/memory.limit_in_bytes")
    assert int(limit) > 1 << 40


def test_e97_absent_brings_the_host_back(rootless_host: Host) -> None:
    host = rootless_host
    in_use(host)
    result = refused(
        host, "stops 2 running containers of the system's engine: always, never", system_engine="stop"
    )
    assert consents(result) == [STOP_CONTAINERS]
    before = look(host)
    result = done(ask(host, system_engine="stop", when_refused="skip"))
    assert (result["changed"], consents(result)) == (False, [STOP_CONTAINERS])
    assert look(host) == before

    result = planned_and_done(host, system_engine="stop", stop_containers=True)
    assert result["preflight"]["system_containers"] == ["always", "never"]
    assert result["preflight"]["stays_behind"]["images"]["names"] == ["busybox:test"]
    assert unit_states(host) == OFF
    own_container(host, "web", "--volume", "data:/data")
    own(host, "exec", "web", "sh", "-c", "echo kept > /data/file; chown 7:7 /data/file")

    result = refused(host, "stops 1 running container of worker: web", state="absent")
    assert consents(result) == [STOP_CONTAINERS]
    result = planned_and_done(host, state="absent", stop_containers=True)
    assert f"{DATA} stays, with all images, containers and volumes of the engine." in result["notices"]
    assert unit_states(host) == ON and names(host) == ["always", "never"]
    assert not exists(host, f"{LINGER}/worker")
    assert not exists(host, f"{HOME}/.docker") and not exists(host, f"{HOME}/.config/systemd")
    kept = f"{DATA}/volumes/data/_data/file"
    assert host.read(kept) == "kept\n"
    assert host.run(["stat", "--format", "%u", kept]).stdout == "100006\n"

    # Its files are those of subordinate ids, which rootlesskit alone reaches with the account's rights.
    host.run("mv /usr/bin/rootlesskit /usr/bin/rootlesskit.aside")
    result = ask(host, state="absent", remove_data=True)
    assert result.get("failed") and "rootlesskit is not installed" in result["msg"]
    host.run("mv /usr/bin/rootlesskit.aside /usr/bin/rootlesskit")
    result = planned_and_done(host, state="absent", remove_data=True)
    assert result["actions"] == [f"remove {DATA} with all that the engine has"]
    assert not exists(host, DATA)
    assert names(host) == ["always", "never"]


@pytest.mark.images("trixie")
def test_e98_userns_remap_of_the_account(rootless_host: Host) -> None:
    host = rootless_host
    text = '{"userns-remap": "default", "log-level": "warn"}\n'
    host.put(OWN_JSON, text)
    host.run(f"chown --recursive worker: {HOME}/.config")
    done(ask(host))
    assert json.loads(host.read(OWN_JSON)) == {"log-level": "warn"}
    assert host.run(["stat", "--format", "%U", OWN_JSON]).stdout == "worker\n"
    done(ask(host, state="absent"))
    assert host.read(OWN_JSON) == text


# --- engines in use ---


@pytest.mark.images("bookworm")
def test_containers_that_live_restore_has_left(rootless_host: Host) -> None:
    host = rootless_host
    start_docker(host, {"live-restore": True})
    in_use(host)
    pid = host.docker("inspect", "--format", "{{.State.Pid}}", "never").stdout.strip()
    host.run("systemctl stop docker.socket docker.service")
    assert exists(host, f"/proc/{pid}")
    result = refused(
        host,
        "stops 2 running containers of the system's engine, which live-restore has left without an engine",
        system_engine="stop",
    )
    assert consents(result) == [STOP_CONTAINERS]
    planned_and_done(host, system_engine="stop", stop_containers=True)
    assert not exists(host, f"/proc/{pid}")
    assert unit_states(host) == OFF and not exists(host, "/run/docker.sock")


@pytest.mark.images("bookworm")
def test_system_engine_that_is_masked(rootless_host: Host) -> None:
    host = rootless_host
    done(ask(host, system_engine="mask"))
    assert unit_states(host) == dict.fromkeys(OFF, ("inactive", "masked"))
    assert host.docker("ps", check=False).rc != 0
    before = look(host)
    assert done(ask(host, system_engine="mask"))["changed"] is False
    assert look(host) == before
    done(ask(host, state="absent"))
    assert unit_states(host) == ON


@pytest.mark.images("bookworm")
def test_option_that_is_added_to_an_engine_in_use(rootless_host: Host) -> None:
    host = rootless_host
    done(ask(host))
    own_container(host, "web")
    result = refused(host, "stops 1 running container of worker: web", port_driver="slirp4netns")
    assert consents(result) == [STOP_CONTAINERS]
    former = done(ask(host))["engine"]["pid"]
    result = planned_and_done(host, port_driver="slirp4netns", stop_containers=True)
    assert result["effect"] == "restart"
    assert result["actions"][-2:] == ["restart worker/docker.service", "start the containers (1)"]
    assert result["engine"]["pid"] != former
    assert "--port-driver=slirp4netns" in host.run(KITS).stdout
    assert own(host, "ps", "--format", "{{.Names}}").stdout == "web\n"

    # An engine that does not start any more.
    host.put("/usr/local/bin/dockerd-rootless.sh", "#!/bin/sh\nexit 1\n", mode=0o755)
    unit = host.read(UNIT)
    result = ask(host, stop_containers=True)
    assert result.get("failed") and result["rolled_back"] is True, result
    assert "The change failed and was undone" in result["msg"]
    assert host.read(UNIT) == unit
    assert "--port-driver=slirp4netns" in host.run(KITS).stdout
    assert own(host, "ps", "--format", "{{.Names}}").stdout == "web\n"
    done(ask(host, state="absent", stop_containers=True))
    assert unit_states(host) == ON and not exists(host, UNIT)


@pytest.mark.images("bookworm")
def test_iptables_that_is_unusable(rootless_host: Host) -> None:
    host = rootless_host
    host.put("/tmp/iptables", "#!/bin/sh\necho no nat >&2; exit 3\n", mode=0o755)
    host.run("mount --bind /tmp/iptables $(readlink -f /usr/sbin/iptables)")
    result = refused(host, "iptables does not work for an engine of worker: no nat.*rootless_iptables")
    assert consents(result) == ["rootless_iptables"]
    done(ask(host, iptables=False))
    assert "dockerd-rootless.sh --iptables=false\n" in host.read(UNIT)


@pytest.mark.images("trixie")
def test_engine_that_others_have_set_up(rootless_host: Host) -> None:
    host = rootless_host
    states.rootless(host)
    unit, pid = host.read(UNIT), host.run("pgrep --uid 1000 --exact dockerd").stdout
    before = look(host)
    result = done(ask(host))
    assert (result["changed"], result["actions"]) == (False, [])
    assert look(host) == before
    result = done(ask(host, port_driver="slirp4netns"))
    assert result["actions"][0].startswith(f"write ~worker/{files.DROP_IN}")
    assert host.read(UNIT) == unit
    assert host.run("pgrep --uid 1000 --exact dockerd").stdout != pid
    assert "--port-driver=slirp4netns" in host.run(KITS).stdout
    done(ask(host, state="absent"))
    assert (host.read(UNIT), exists(host, f"{HOME}/{files.DROP_IN}")) == (unit, False)
    assert "--port-driver=builtin" in host.run(KITS).stdout
    result = planned_and_done(host, state="absent")
    assert any("was not set up by this module" in notice for notice in result["notices"])
    assert not exists(host, UNIT) and exists(host, f"{LINGER}/worker")
    assert host.run("pgrep --uid 1000 --exact dockerd", check=False).rc == 1


@pytest.mark.images("bookworm")
def test_daemon_config_and_rolling_back(rootless_host: Host) -> None:
    host = rootless_host
    done(ask(host))
    wish = {"user": "worker", "config": {"log-level": "warn"}, "apply": True, "settle": 0.3}
    assert done(run_module(host, wish, name="daemon_config"))["transaction"]
    assert json.loads(host.read(OWN_JSON)) == {"log-level": "warn"}
    assert "rootless" in own(host, "info", "--format", "{{json .SecurityOptions}}").stdout
    # Data of the account's own making is no hindrance for what leads back.
    assert done(ask(host))["changed"] is False
    back = {"user": "worker", "state": "rolled_back", "settle": 0.3}
    assert done(run_module(host, back, name="daemon_apply"))["changed"]
    assert not exists(host, OWN_JSON)
    done(ask(host, client=["context", "environment"]))
    result = run_module(host, back, name="daemon_apply")
    assert result.get("failed") and not result["changed"]
    assert "rootless_state: absent, which brings the host back" in result["msg"]


@pytest.mark.images("trixie")
def test_what_the_client_keeps_stays(rootless_host: Host) -> None:
    host = rootless_host
    known = {"auths": {"store.example": {"auth": "bm90OnNlY3JldA=="}}}
    host.put(CLIENT_JSON, json.dumps(known), mode=0o600)
    host.run(f"chown --recursive worker: {HOME}/.docker")
    done(ask(host))
    assert json.loads(host.read(CLIENT_JSON)) == {**known, "currentContext": "rootless"}
    assert host.run(["stat", "--format", "%a %U", CLIENT_JSON]).stdout == "600 worker\n"
    done(ask(host, state="absent"))
    assert json.loads(host.read(CLIENT_JSON)) == known
    assert host.run(["stat", "--format", "%a %U", CLIENT_JSON]).stdout == "600 worker\n"
