# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account that attacks the modules which run as root: by its programs, links, sockets and files.

The numbers are those of the security review. What a test looks for is what root would have done; that the engine of the
account still works, or is refused with a sentence, is the other half.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import files

from tests.hosts import full_backlog
from tests.hosts.auditing import run_module
from tests.hosts.configuring import apply, changed, config
from tests.hosts.host import Host
from tests.hosts.test_rootless import (
    CLIENT_JSON,
    HOME,
    LINGER,
    OWN_JSON,
    UNIT,
    ask,
    done,
    exists,
    names,
    own,
    own_container,
    rootless_host,
)

__all__ = ["rootless_host"]

pytestmark = pytest.mark.images("trixie")

RECORD = "/var/lib/bulwark/rootless/worker.json"
META = f"{HOME}/{files.CONTEXT_FILE}"
# It starts the engine as the real one does, and tells who ran it.
PROGRAM = f"""#!/bin/sh
echo "$(id -u) $*" >> {HOME}/ran
case " $* " in
    *" --validate "*|*" --version "*) exec /usr/sbin/dockerd "$@" ;;
    *) exec /usr/share/docker.io/contrib/dockerd-rootless.sh "$@" ;;
esac
"""
# Puts a link in the place of a file and the file back, as often as it can, for as long as it is told.
SWAP = """
import os, sys, time
path, target, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
with open(path) as stream:
    content = stream.read()
end = time.monotonic() + seconds
while time.monotonic() < end:
    os.symlink(target, path + ".link")
    os.replace(path + ".link", path)
    with open(path + ".file", "w") as stream:
        stream.write(content)
    os.replace(path + ".file", path)
"""
# In the place of dockerd: it lists one container, and does not stop it.
ENGINE = """
import http.server, json, os, socketserver
ANSWERS = {"/version": {}, "/info": {}, "/containers/json": LISTED}
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        path = self.path.partition("?")[0]
        body = json.dumps(ANSWERS.get(path, {"message": "I stay"})).encode()
        self.send_response(200 if path in ANSWERS else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = answer
    def address_string(self):
        return "client"
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    pass
path = "/run/user/1000/docker.sock"
if os.path.lexists(path):
    os.remove(path)
Server(path, Answer).serve_forever()
"""

# Gives a file back the mode that everybody can write with, as soon as it has another one.
WIDEN = """
import os, sys
while True:
    if os.stat(sys.argv[1]).st_mode & 0o777 != 0o666:
        os.chmod(sys.argv[1], 0o666)
"""


@pytest.fixture
def worker(rootless_host: Host) -> Iterator[Host]:
    """A host with a rootless engine of worker's; nothing of the attack stays."""
    done(ask(rootless_host))
    yield rootless_host
    rootless_host.run(
        f"rm -rf {HOME}/bin {HOME}/ran {HOME}/real /var/tmp/w /etc/cron.d/pwn /etc/profile.d/pwn.sh /root/precious; "
        f"chown -R worker:worker {HOME}; echo > /etc/default/docker; chmod 644 /etc/default/docker"
    )


def as_worker(host: Host, script: str, check: bool = True) -> Any:
    environment = "export XDG_RUNTIME_DIR=/run/user/1000 HOME=/home/worker; cd; "
    return host.run(["sh", "-ec", environment + script], user="worker", check=check)


def started(host: Host, program: str, *words: str) -> None:
    """Run a Python program of worker's beside the test."""
    host.put("/tmp/attack.py", program)
    command = " ".join(f"'{word}'" for word in words)
    as_worker(host, f"setsid python3 /tmp/attack.py {command} >/tmp/attack.log 2>&1 </dev/null & sleep 0.3")


def owned_by_root(host: Host) -> list[str]:
    """What root owns in the account's home."""
    return host.run(f"find {HOME} -xdev -user root -not -path '*/.local/share/docker/*'").stdout.split()


def test_s1_a_program_of_the_account_never_runs_as_root(worker: Host) -> None:
    """The unit of the account names its own dockerd: a plan, a change and a rollback run it as the account."""
    host = worker
    as_worker(host, "mkdir bin")
    host.put(f"{HOME}/bin/dockerd", PROGRAM, mode=0o755)
    as_worker(
        host,
        f"sed -i 's|^ExecStart=.*|ExecStart={HOME}/bin/dockerd|' {UNIT}; "
        "systemctl --user daemon-reload; systemctl --user restart docker.service",
    )
    assert own(host, "version", "--format", "{{.Server.Version}}").stdout
    planned = config(host, {"debug": True}, user="worker", check=True)
    assert changed(planned)["actions"]
    changed(config(host, {"debug": True}, user="worker", apply=True))
    assert json.loads(host.read(OWN_JSON))["debug"] is True
    changed(apply(host, state="rolled_back", user="worker"))
    ran = [line.split() for line in host.read(f"{HOME}/ran").splitlines()]
    assert {words[0] for words in ran} == {"1000"}
    # It was asked, and by the module.
    assert any("--validate" in words for words in ran)


def test_s2_a_record_leads_root_through_no_link_of_the_account(worker: Host) -> None:
    host = worker
    done(ask(host, state="absent", stop_containers=True))
    # The account's client files lie elsewhere, with a text of its own in the place of the context.
    where = "/var/tmp/w/" + META.partition(".docker/")[2]
    as_worker(
        host, f"mkdir -p $(dirname {where}); rm -rf .docker; ln -s /var/tmp/w .docker; echo evil > {where}"
    )
    done(ask(host))
    recorded = json.loads(host.read(RECORD))["steps"]
    (step,) = (each for each in recorded if each["key"].endswith("/meta.json"))
    assert (step["key"], step["account"]) == (where, ["worker", 1000, 1000])
    as_worker(host, f"rm {where}; ln -s /etc/cron.d/pwn {where}")
    result = ask(host, state="absent", stop_containers=True)
    assert not exists(host, "/etc/cron.d/pwn")
    assert owned_by_root(host) == []
    # It cannot be brought back with the account's rights, so all is undone, and the sentence names the path.
    assert result.get("failed") and "/etc/cron.d" in result["msg"], result
    assert result["rolled_back"] is True, result


def test_s2_a_record_deletes_nothing_of_roots(worker: Host) -> None:
    host = worker
    done(ask(host, state="absent", stop_containers=True))
    where = "/var/tmp/w/" + META.partition(".docker/")[2]
    as_worker(host, "rm -rf .docker; mkdir -p /var/tmp/w; ln -s /var/tmp/w .docker")
    done(ask(host))
    host.run(
        "mkdir -m 700 /root/precious; echo precious > /root/precious/file; chmod 600 /root/precious/file"
    )
    as_worker(host, f"rm {where}; ln -s /root/precious/file {where}")
    ask(host, state="absent", stop_containers=True)
    assert host.read("/root/precious/file") == "precious\n"


def test_s2_a_record_of_before_is_read_with_the_rights_of_the_account(worker: Host) -> None:
    """Of schema 1, in which a path had no owner: root's are those alone that the role writes."""
    host = worker
    as_worker(host, "mkdir -p /var/tmp/w; ln -s /etc/cron.d/pwn /var/tmp/w/meta.json")
    former = [
        {"step": "linger", "key": "worker", "value": False},
        {"step": "home_file", "key": f"~worker/{files.UNIT_FILE}", "content": None, "mode": 420},
        {"step": "enabled", "key": "worker/docker.service", "value": False},
        {"step": "running", "key": "worker/docker.service", "value": False},
        {"step": "file", "key": "/var/tmp/w/meta.json", "content": "* * * * * root true\n"},
        {"step": "file", "key": files.SYSCTL_FILE, "content": None},
        {"step": "context", "key": "worker", "value": None},
    ]
    host.put(RECORD, json.dumps({"schema": 1, "user": "worker", "steps": former}), mode=0o600)
    result = ask(host, state="absent", stop_containers=True)
    assert result.get("failed") and "/etc/cron.d" in result["msg"], result
    assert not exists(host, "/etc/cron.d/pwn")
    host.run("rm /var/tmp/w/meta.json")
    done(ask(host, state="absent", stop_containers=True))
    assert not exists(host, UNIT) and not exists(host, f"{LINGER}/worker")
    assert host.run("stat --format %U /var/tmp/w/meta.json").stdout == "worker\n"


def test_s3_rolling_back_follows_no_link_of_the_account(worker: Host) -> None:
    """The account swaps its daemon.json with a link to one of root's directories as often as it can meanwhile."""
    host = worker
    label = "a=$(id > /root-was-here)"
    as_worker(host, f"mkdir -p .config/docker; echo '{json.dumps({'labels': [label]})}' > {OWN_JSON}")
    as_worker(host, "systemctl --user restart docker.service")
    changed(config(host, {"debug": True}, user="worker", apply=True))
    as_worker(host, "mv .config/docker real; ln -s $HOME/real .config/docker")
    for _try in range(3):
        started(host, SWAP, f"{HOME}/real/daemon.json", "/etc/profile.d/pwn.sh", "4")
        apply(host, state="rolled_back", user="worker", timeout=10)
        apply(host, state="resolved", timeout=10)
        time.sleep(4)
        assert not exists(host, "/etc/profile.d/pwn.sh")
        assert owned_by_root(host) == []
    assert not host.run("ls /root-was-here", check=False).stdout


@pytest.mark.parametrize(
    ("content", "reason"),
    [("[" * 200_000, "is JSON with more values than are read"), ("{,}", "is no JSON")],
    ids=["deep", "broken"],
)
def test_s10_a_file_in_a_home_blocks_nobody_else(
    worker: Host, tmp_path: Path, content: str, reason: str
) -> None:
    host = worker
    # As a run that was killed right before its commit leaves it.
    host.run(
        'sed -i \'s/"state": "committed"/"state": "open"/\' /var/lib/bulwark/transactions/*/manifest.json'
    )
    host.put("/tmp/config.json", content)
    as_worker(host, f"cat /tmp/config.json > {CLIENT_JSON}")
    told = changed(config(host, {"debug": True}, apply=True))
    (notice,) = (each for each in told["notices"] if "is open still" in each)
    assert f"{CLIENT_JSON} {reason}" in notice
    assert host.docker("info", "--format", "{{.Debug}}").stdout == "true\n"
    # What else there was to undo is undone.
    assert not exists(host, UNIT) and not exists(host, f"{LINGER}/worker")
    # All roles that change an engine begin with that of daemon_apply.
    book = tmp_path / "play.yml"
    tasks = [{"ansible.builtin.include_role": {"name": "bulwark.docker.daemon_config"}}]
    book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    variables = {"daemon_config_settings": {"debug": False}, "daemon_apply_settle": 0.5}
    host.playbook(book, variables)
    assert host.docker("info", "--format", "{{.Debug}}").stdout == "false\n"
    failed = host.playbook(book, {**variables, "daemon_apply_user": "worker"}, check=False)
    assert failed.rc != 0 and f"{CLIENT_JSON} {reason}" in failed.stdout
    told = apply(host, state="resolved")
    assert not told.get("failed") and notice in told["notices"], told
    for result in (apply(host, state="resolved", user="worker"), ask(host)):
        assert result.get("failed") and f"{CLIENT_JSON} {reason}" in result["msg"], result
    as_worker(host, f"echo '{{}}' > {CLIENT_JSON}")
    assert changed(apply(host, state="resolved"))["resolved"]
    done(ask(host))


def test_s20_a_mode_that_an_account_changes_back_costs_its_own_file_alone(worker: Host) -> None:
    host = worker
    as_worker(host, f"mkdir -p .config/docker; echo '{{}}' > {OWN_JSON}; chmod 666 {OWN_JSON}")
    host.run("chmod 666 /etc/default/docker")
    started(host, WIDEN, OWN_JSON)
    told = run_module(host, {}, name="engine_files")
    again = run_module(host, {}, name="engine_files")
    host.run("pkill --full 'attack[.]py'")
    changed(told)
    assert host.run(f"stat --format %a /etc/default/docker {OWN_JSON}").stdout.split() == ["644", "666"]
    (row,) = told["refused"]
    assert row["message"].startswith(f"{OWN_JSON} did not keep the mode it was given"), row
    assert row["control"] == "file.engine_configuration"
    assert (again["changed"], again["transaction"], again["refused"]) == (False, None, [row])
    assert changed(run_module(host, {}, name="engine_files"))["refused"] == []


@pytest.mark.parametrize("socket", ["bus", "docker.sock"])
def test_s11_a_full_backlog_holds_nobody_up(worker: Host, socket: str) -> None:
    host = worker
    started(host, full_backlog.PROGRAM, f"/run/user/1000/{socket}", "60")
    for _try in range(50):
        if "full" in host.run("cat /tmp/attack.log").stdout:
            break
        time.sleep(0.1)
    begun = time.monotonic()
    ask(host, timeout=10, port_driver="slirp4netns")
    changed(config(host, {"debug": True}, apply=True))
    assert time.monotonic() - begun < 60
    host.run("pkill --full 'attack[.]py'")


def test_s14_consent_for_ones_own_containers_stops_no_other(worker: Host) -> None:
    """The account's socket is a link to that of the system's engine."""
    host = worker
    host.import_busybox()
    host.docker("run", "--detach", "--name", "web", "busybox:test", "sleep", "100000")
    as_worker(
        host, "systemctl --user stop docker.service; ln -sf /run/docker.sock /run/user/1000/docker.sock"
    )
    host.run("usermod --append --groups docker worker")
    planned = ask(host, state="absent", check=True)
    assert not planned.get("failed"), planned
    assert planned["costs"] == []
    ask(host, state="absent", stop_containers=True)
    assert names(host) == ["web"]


def test_s20_no_account_keeps_the_host_from_being_hardened(worker: Host) -> None:
    """An account without an engine names a file of root's as its own."""
    host = worker
    done(ask(host, state="absent", stop_containers=True))
    as_worker(host, f"mkdir -p $(dirname {UNIT}) .config/docker; touch {UNIT}")
    as_worker(host, f"echo '{json.dumps({'tlskey': '/etc/passwd'})}' > {OWN_JSON}")
    host.run("touch /etc/default/docker; chmod 666 /etc/default/docker")
    planned = run_module(host, {}, name="engine_files", check=True)
    result = run_module(host, {}, name="engine_files")
    assert not result.get("failed") and result["changed"], result
    assert planned["actions"] == result["actions"]
    assert not any("/etc/passwd" in line for line in result["actions"])
    assert host.run("stat --format '%a %U' /etc/default/docker /etc/passwd").stdout == "644 root\n644 root\n"


def test_f1_a_container_that_does_not_start_again_fails_the_change(worker: Host) -> None:
    """It ran before: a change that leaves it down is none, and what undoing could not bring back is told."""
    host = worker
    as_worker(host, "mkdir -p data")
    own_container(host, "db", "--mount", f"type=bind,source={HOME}/data,target=/data")
    as_worker(host, "rmdir data")
    unit = host.read(UNIT)
    result = ask(host, port_driver="slirp4netns", stop_containers=True)
    assert result.get("failed"), result
    assert f"{HOME}/data" in result["msg"] and "Not as before" in result["msg"]
    assert host.read(UNIT) == unit
    assert own(host, "ps", "--quiet").stdout == ""
    as_worker(host, "mkdir data")
    own(host, "start", "db")
    assert own(host, "ps", "--format", "{{.Names}}").stdout == "db\n"


def test_files_that_a_unit_names_never_hold_root_up(worker: Host) -> None:
    """A pattern that leads round through /proc for ever, in the unit of the account."""
    host = worker
    as_worker(host, f"mkdir -p {UNIT}.d")
    host.put(f"{UNIT}.d/x.conf", f"[Service]\nEnvironmentFile=-{'/*' * 10}\n")
    begun = time.monotonic()
    for result in (
        config(host, {"debug": True}, user="worker", check=True),
        config(host, {"debug": True}, user="worker", apply=True),
    ):
        assert result.get("failed") and "wildcards at more than 3 levels" in result["msg"], result
    assert time.monotonic() - begun < 60
    # Nobody else is held up.
    changed(config(host, {"debug": True}, apply=True))


@pytest.mark.parametrize(
    ("path", "reason"), [("/proc/kmsg", "a file of the kernel's"), ("/etc/shadow", "Permission denied")]
)
def test_files_that_a_daemon_json_names_are_not_read_by_root(worker: Host, path: str, reason: str) -> None:
    host = worker
    as_worker(host, f"mkdir -p .config/docker; echo '{json.dumps({'seccomp-profile': path})}' > {OWN_JSON}")
    begun = time.monotonic()
    result = config(host, {"debug": True}, user="worker")
    assert result.get("failed") and reason in result["msg"], result
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize("listed", ['[{"Id": "%s"}]' % ("a" * 64), "[1]"], ids=["stays", "shape"])
def test_an_engine_is_taken_away_whatever_it_answers(worker: Host, listed: str) -> None:
    host = worker
    as_worker(host, f"mkdir -p {UNIT}.d bin")
    host.put(f"{HOME}/bin/engine", ENGINE.replace("LISTED", listed))
    host.put(
        f"{UNIT}.d/x.conf",
        f"[Service]\nType=exec\nExecStart=\nExecStart=/usr/bin/python3 {HOME}/bin/engine dockerd\n",
    )
    as_worker(host, "systemctl --user daemon-reload; systemctl --user restart docker.service; sleep 1")
    result = done(ask(host, state="absent", stop_containers=True))
    assert not exists(host, UNIT)
    assert host.run("pgrep --uid 1000 --full bin/engine", check=False).stdout == ""
    assert any("I stay" in each for each in result["notices"]) == (listed != "[1]")


def test_an_account_that_is_made_anew_is_another_one(host: Host) -> None:
    """Under the name of one that had an engine: it gets its own, and that one goes."""
    done(ask(host))
    host.run(
        "loginctl disable-linger worker; systemctl stop user@1000.service; userdel --remove worker; "
        "useradd --create-home --shell /bin/bash --uid 1005 worker"
    )
    told = done(ask(host))
    assert any(each.startswith("worker was another account when ") for each in told["notices"]), told
    owners = {tuple(step["account"]) for step in json.loads(host.read(RECORD))["steps"]}
    assert owners <= {("root", 0, 0), ("worker", 1005, 1005)}
    assert exists(host, UNIT)
    done(ask(host, state="absent", stop_containers=True))
    assert not exists(host, UNIT) and not exists(host, RECORD)
    assert host.run("pgrep --uid 1005 --exact dockerd", check=False).stdout == ""
