# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""daemon_tls on real hosts: every way in that it finds leads to mutual TLS or to nothing, or all stays as it was.

A container that nobody would start again runs all the time. Numbers are those of the edge cases.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import configuring, pki
from tests.hosts.auditing import library, run_module
from tests.hosts.configuring import STATE, changed, refused, unchanged, unit, written
from tests.hosts.host import Host
from tests.hosts.pki import Answer, Authority, Issued
from tests.hosts.states import DAEMON_JSON, SERVICE_DROP_IN, SOCKET_DROP_IN, TLS

pytestmark = pytest.mark.images("bookworm", "trixie")

PORT = 2376
NAME = "docker.example"
SOURCE, PROOF = "/srv/issued", "/srv/proof"
LIMITS = {"timeout": 20, "settle": 0.5}
DRIVER = "/opt/bulwark-test/faulty.py"
KILLED = 137

UNIT = "docker-tcp.socket"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
OURS = "/etc/systemd/system/docker.service.d/zz-bulwark-tls.conf"
FOREIGN = "docker-api.socket"
KEYS: dict[str, Any] = {
    "tlsverify": True,
    "tlscacert": f"{TLS}/ca.pem",
    "tlscert": f"{TLS}/cert.pem",
    "tlskey": f"{TLS}/key.pem",
}

# Without TLS off in so many words, dockerd waits 15 s before it opens an address that is not a loopback one.
PLAIN = "-H fd:// -H tcp://0.0.0.0:2375 --tls=false --containerd=/run/containerd/containerd.sock"
FOREIGN_UNIT = """[Socket]
ListenStream=127.0.0.1:7712
Service=docker.service
[Install]
WantedBy=sockets.target
"""
# The files by which the API gets onto TCP, and the socket units that are enabled then.
WAYS: dict[str, dict[str, str]] = {
    "command": {SERVICE_DROP_IN: f"[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd {PLAIN}\n"},
    "hosts": {
        SERVICE_DROP_IN: "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd\n",
        DAEMON_JSON: '{"hosts": ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2375"], "tls": false}',
    },
    "sockets": {
        "/etc/default/docker": 'DOCKER_OPTS="-H tcp://127.0.0.1:2374 --label kept=1"\n',
        SOCKET_DROP_IN: "[Socket]\nListenStream=2375\n",
        f"/etc/systemd/system/{FOREIGN}": FOREIGN_UNIT,
    },
}
_CLEAR = f"""
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes >/dev/null
systemctl stop docker.service docker.socket {UNIT} {FOREIGN} 2>/dev/null
systemctl --quiet disable {UNIT} {FOREIGN} 2>/dev/null
cd /etc/systemd/system && rm -rf docker.service.d docker.socket.d {UNIT} {FOREIGN}
rm -rf {DAEMON_JSON} {TLS} /var/lib/bulwark
: > /etc/default/docker
"""
_START = f"""
systemctl daemon-reload
systemctl reset-failed
[ ! -e /etc/systemd/system/{FOREIGN} ] || systemctl --quiet enable --now {FOREIGN}
systemctl start docker.socket docker.service
"""


def lain(host: Host) -> list[str]:
    """All that a run may have written, but for its lock and empty directories of its own."""
    return [
        line
        for line in written(host)
        if line.split()[0] not in (STATE, f"{STATE}/lock", f"{STATE}/staged", f"{STATE}/transactions")
    ]


class Site:
    """A host with its certificates, and in which state its engine is."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.state = ""
        self.container = ""
        self.address = host.ip
        self.authority = Authority()
        self.server = self.issue()
        self.client = self.authority.issue(usage=pki.CLIENT)
        host.put(DRIVER, Path(__file__).with_name("faulty.py").read_bytes())
        host.import_busybox()
        self.lay(SOURCE, self.server)
        self.lay(PROOF, self.client)

    def issue(self, **options: Any) -> Issued:
        return self.authority.issue([self.address, "127.0.0.1", NAME], **options)

    def lay(self, directory: str, issued: Issued, authority: Authority | None = None) -> None:
        """What `source` and `proof` name."""
        self.host.put(f"{directory}/ca.pem", (authority or self.authority).pem)
        self.host.put(f"{directory}/cert.pem", issued.certificate)
        self.host.put(f"{directory}/key.pem", issued.key, 0o600)

    def listen(self, way: str) -> None:
        """The API is on TCP in that way, without TLS, unless the test before has left it so.

        A test that leaves a state which the next one may want says so in its last line.
        """
        state, self.state = self.state, ""
        if state == way:
            return
        self.host.run(["sh", "-c", _CLEAR])
        for path, text in WAYS[way].items():
            self.host.put(path, text)
        self.host.run(_START)
        self.host.wait_ready()
        self.start_container()

    def start_container(self) -> None:
        self.host.run("docker rm --force web", check=False)
        self.container = configuring.run(self.host, "web", "--restart", "no")

    def secure(self, **options: Any) -> dict[str, Any]:
        """The result of the module, applied at once unless told otherwise."""
        given = {
            "addresses": [self.address],
            "names": [NAME],
            "source": SOURCE,
            "proof": PROOF,
            "apply": True,
        }
        check = options.pop("check", False)
        return run_module(
            self.host, {**LIMITS, **given, **options}, name="daemon_tls", check=check, diff=True
        )

    def close(self, **options: Any) -> dict[str, Any]:
        return self.secure(transport="none", allow_close=True, **options)

    def ask(self, client: Issued | None = None, port: int = PORT) -> Answer:
        return pki.ask(self.address, port, self.authority.pem, client)

    def plain(self, port: int) -> int | None:
        return pki.ask(self.address, port).status

    def assert_mutual(self, serial: int) -> None:
        """Its clients are let in and see that certificate; nobody else is, from outside the host."""
        assert self.ask(self.client) == (200, serial)
        assert self.ask() == (None, serial)
        stranger = Authority("another").issue(usage=pki.CLIENT)
        assert self.ask(stranger).status is None
        assert (self.plain(PORT), self.plain(2375)) == (400, None)

    def listeners(self) -> list[str]:
        """Where dockerd, or systemd for it, listens on TCP, as ss tells."""
        shown = self.host.run("ss --tcp --listening --numeric --processes --no-header").stdout
        return sorted(
            line.split()[3]
            for line in shown.splitlines()
            if "dockerd" in line or line.split()[3].rpartition(":")[2] in ("2374", "2375", "2376", "7712")
        )

    def look(self) -> dict[str, Any]:
        """What must be as before when a change is undone."""
        seen = json.loads(self.host.run(["python3", DRIVER, "look"]).stdout)
        units = {name: (unit(self.host, "ActiveState", name), unit(self.host, "UnitFileState", name))
                 for name in ("docker.socket", UNIT, FOREIGN)}  # fmt: skip
        return {**seen, "units": units, "listeners": self.listeners()}

    def killed(self, after: str, at: int, **options: Any) -> None:
        """The module is killed at that point after an order to systemd; points are before and after each order."""
        fault = {"what": "kill", "kinds": ["systemctl"], "after": after, "at": at}
        done = self.host.run(
            ["env", f"PYTHONPATH={library(self.host)}", "python3", DRIVER, "run", "daemon_tls",
             json.dumps(fault)],
            stdin=json.dumps({"ANSIBLE_MODULE_ARGS": {**LIMITS, "source": SOURCE, "apply": True, **options}}),
            check=False,
        )  # fmt: skip
        assert done.rc == KILLED, done


@pytest.fixture(scope="module")
def made(shared_host: Host) -> Site:
    return Site(shared_host)


@pytest.fixture
def site(made: Site) -> Iterator[Site]:
    yield made
    assert configuring.process(made.host, "web") == made.container


@pytest.fixture
def plain(site: Site) -> Site:
    """It listens in plain HTTP by -H in its command, as so many do."""
    site.listen("command")
    return site


@pytest.fixture
def secured(site: Site) -> Site:
    """It listens as the module has it by default."""
    if site.state != "secured":
        site.listen("command")
        changed(site.secure())
    site.state = ""
    return site


# --- refused before anything is written ---

BAD = "/srv/bad"


def bad(site: Site, what: str) -> Issued:
    """A certificate that no engine should get."""
    names = [site.address, "127.0.0.1", NAME]
    if what == "another key":
        return site.issue()._replace(key=site.issue().key)
    return {
        "client": lambda: site.issue(usage=pki.CLIENT),
        "encrypted": lambda: site.issue(passphrase=b"secret"),
        "expired": lambda: site.issue(days=-1),
        "no name": site.authority.issue,
        "other name": lambda: site.authority.issue(names[:2]),
        "other CA": lambda: Authority("another").issue(names),
    }[what]()


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("client", "made for clientAuth and not for servers"),
        ("another key", "is not the key of the certificate"),
        ("encrypted", "is encrypted"),
        ("expired", "has expired"),
        ("no name", "no subject alternative name"),
        ("other name", f"clients that use {NAME} refuse the engine"),
        ("other CA", "not by a CA in"),
    ],
    ids=["e71 clientAuth alone", "another key", "encrypted key", "expired", "e69 CN alone", "e70 a name is missing",
         "another CA"],
)  # fmt: skip
def test_certificate_that_clients_would_refuse(plain: Site, what: str, words: str) -> None:
    plain.lay(BAD, bad(plain, what))
    before = lain(plain.host)
    refused(plain.secure(source=BAD), BAD, words)
    assert lain(plain.host) == before
    plain.state = "command"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"addresses": ["192.0.2.1"]}, "192.0.2.1 is no address of this host"),
        ({"source": "/srv/nothing"}, "/srv/nothing/key.pem is not there"),
        ({"source": None}, f"{TLS}/key.pem is not there"),
        ({"transport": "none"}, "daemon_tls_allow_close"),
        ({"play_endpoint": "tcp://127.0.0.1:2375"}, "daemon_tls_allow_lockout"),
    ],
    ids=["e77 address of another host", "no source", "no files", "closing", "e82 the play's own end point"],
)
def test_wish_that_is_refused(plain: Site, options: dict[str, Any], words: str) -> None:
    before = lain(plain.host)
    told = plain.secure(**options)
    refused(told, words)
    if words.startswith("daemon_tls"):
        assert [each["consent"] for each in told["refused"]] == [words]
        skipped = plain.secure(**options, when_refused="skip")
        assert (skipped.get("failed", False), skipped["changed"], skipped["actions"]) == (False, False, [])
        assert [each["consent"] for each in skipped["refused"]] == [words]
    assert lain(plain.host) == before
    plain.state = "command"


def test_options_that_mean_nothing(made: Site) -> None:
    for options, words in (
        ({"addresses": []}, "needs at least one address"),
        ({"addresses": ["localhost"]}, "localhost is no IP address"),
        ({"port": 0}, "port: 0 is not between"),
    ):
        told = made.secure(**options)
        assert told["failed"] and words in told["msg"], told


def test_what_is_allowed_or_to_come(plain: Site) -> None:
    before = lain(plain.host)
    allowed = changed(plain.secure(check=True, play_endpoint="tcp://127.0.0.1:2375", allow_lockout=True))
    assert allowed["refused"] == []
    # Another engine's.
    changed(plain.secure(check=True, play_endpoint="tcp://192.0.2.1:2375"))
    to_come = changed(plain.secure(check=True, source="/srv/nothing"))
    assert any("/srv/nothing/key.pem would be made first" in notice for notice in to_come["notices"])
    assert f"write {TLS}/key.pem from /srv/nothing/key.pem" in to_come["actions"]
    seen = plain.close(check=True)
    assert seen["listeners"] == [
        {"address": "::", "port": 2375, "source": "dockerd", "clients": "anyone", "becomes": "closed"}
    ]
    assert lain(plain.host) == before
    plain.state = "command"


# --- undone ---


def test_change_that_fails_is_undone(plain: Site) -> None:
    """The client of the proof is of another CA: found when the engine has restarted."""
    plain.lay("/srv/stranger", Authority("another").issue(usage=pki.CLIENT))
    before = plain.look()
    told = plain.secure(proof="/srv/stranger", discard_proof=True)
    assert told["failed"] and told["rolled_back"] is True, told
    assert "refuses the client of /srv/stranger/cert.pem" in told["msg"]
    assert "Not as before" not in told["msg"]
    assert plain.look() == before
    assert (plain.plain(2375), plain.plain(PORT)) == (200, None)
    assert plain.host.run("ls /srv/stranger").stdout == "ca.pem\n"
    plain.state = "command"


def test_killed_when_live_restore_is_off_again(plain: Site) -> None:
    """It is on for the restart alone; what undoes the change must not lose the container by that."""
    before = plain.look()
    plain.killed("systemctl start done", 2, addresses=[plain.address])
    assert plain.ask().serial == plain.server.serial
    resolved = changed(configuring.apply(plain.host, state="resolved"))
    assert [each["left"] for each in resolved["resolved"]] == [[]]
    assert plain.look() == before
    plain.state = "command"


# --- one way in ---


def test_from_plain_http_to_the_socket_unit(plain: Site) -> None:
    host = plain.host
    before, pid = lain(host), configuring.main_pid(host)
    planned = changed(plain.secure(check=True))
    assert lain(host) == before
    staged = changed(plain.secure(apply=False))
    shown = json.dumps(staged) + host.run(f"cat {STATE}/staged/*/stage.json").stdout
    assert configuring.main_pid(host) == pid
    applied = changed(configuring.apply(host))
    shown += json.dumps([planned, applied]) + host.run(f"cat {STATE}/transactions/*/manifest.json").stdout
    assert [line for line in plain.server.secrets if line in shown] == []

    assert planned["actions"] == staged["actions"] == applied["actions"]
    assert planned["effect"] == "restart"
    assert planned["endpoints"] == [f"tcp://{plain.address}:{PORT}"]
    assert [each["becomes"] for each in planned["listeners"]] == ["converted"]
    assert (planned["costs"], planned["refused"], applied["notices"]) == ([], [], [])
    plain.assert_mutual(plain.server.serial)
    assert plain.listeners() == [f"{plain.address}:{PORT}"]
    assert configuring.settings(host) == KEYS
    assert (unit(host, "ActiveState", UNIT), unit(host, "UnitFileState", UNIT)) == ("active", "enabled")
    assert [configuring.attributes(host, path) for path in (TLS, *list(KEYS.values())[1:])] == [
        "755 root:root", "444 root:root", "444 root:root", "400 root:root",
    ]  # fmt: skip
    assert configuring.info(host, "LiveRestoreEnabled") == "false"

    before = lain(host)
    again = unchanged(plain.secure())
    assert [each["becomes"] for each in again["listeners"]] == ["kept"]
    assert lain(host) == before
    plain.state = "secured"


def test_e73_key_that_others_read(secured: Site) -> None:
    host = secured.host
    host.run(f"chmod 0777 {TLS}; chmod 0644 {TLS}/key.pem")
    pid = configuring.main_pid(host)
    told = changed(secured.secure())
    assert told["actions"] == [
        f"give {TLS} to root with mode 0755",
        f"give {TLS}/key.pem to root with mode 0400",
    ]
    assert (told["effect"], configuring.main_pid(host)) == ("none", pid)
    assert (configuring.attributes(host, TLS), configuring.attributes(host, f"{TLS}/key.pem")) == (
        "755 root:root",
        "400 root:root",
    )
    unchanged(secured.secure())
    secured.state = "secured"


def test_drop_in_with_a_new_certificate_and_back(secured: Site) -> None:
    host = secured.host
    renewed = secured.issue()
    before = secured.look()
    secured.lay("/srv/renewed", renewed)
    told = changed(secured.secure(transport="drop_in", source="/srv/renewed"))
    assert [line for line in renewed.secrets + secured.server.secrets if line in json.dumps(told)] == []
    secured.assert_mutual(renewed.serial)
    assert secured.listeners() == [f"{secured.address}:{PORT}"]
    assert host.run(["test", "-e", UNIT_FILE], check=False).rc == 1
    assert unit(host, "ActiveState", UNIT) == "inactive"
    assert "network-online.target" in unit(host, "After")
    unchanged(secured.secure(transport="drop_in", source="/srv/renewed"))

    undone = changed(configuring.apply(host, state="rolled_back"))
    assert undone["undone"] == told["transaction"]
    secured.assert_mutual(secured.server.serial)
    assert secured.look() == before
    unchanged(secured.secure())
    secured.state = "secured"


def test_certificate_renewed_in_its_place(secured: Site) -> None:
    """Without a source; nothing but the engine's own answer tells that it serves the former one."""
    host, renewed = secured.host, secured.issue()
    secured.lay(TLS, renewed)
    host.run(f"mv {TLS}/cert.pem {TLS}/of-2026.pem; ln -s of-2026.pem {TLS}/cert.pem")
    pid = configuring.main_pid(host)
    told = changed(secured.secure(source=None))
    assert configuring.main_pid(host) != pid, told["actions"]
    secured.assert_mutual(renewed.serial)
    unchanged(secured.secure(source=None))
    secured.server = renewed
    secured.lay(SOURCE, renewed)
    secured.state = "secured"


@contextlib.contextmanager
def never_turned_away(site: Site, trusted: bytes, client: Issued) -> Iterator[None]:
    """That client, which trusts those CAs, is let in at every moment, at the second try where the engine ends during
    the first: the socket stays open through the restart."""
    statuses: list[int | None] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            tries = (pki.ask(site.address, PORT, trusted, client, timeout=30).status for _unused in range(2))
            statuses.append(next(tries) or next(tries))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        done.set()
        asking.join()
    assert len(statuses) > 1 and set(statuses) == {200}


def test_e78_rotation_without_gap(secured: Site) -> None:
    following = Authority("following CA")
    both = secured.authority.pem + following.pem
    client = following.issue(usage=pki.CLIENT)
    server = following.issue([secured.address, "127.0.0.1", NAME])
    # Who knows nothing of it yet, then who trusts both, with the former and with the new certificate.
    steps = [
        (both, secured.server, PROOF, secured.authority.pem, secured.client),
        (both, server, PROOF, both, secured.client),
        (following.pem, server, "/srv/following", both, client),
    ]
    secured.lay("/srv/following", client, following)
    for authorities, issued, proof, trusted, asking in steps:
        secured.lay(SOURCE, issued)
        secured.host.put(f"{SOURCE}/ca.pem", authorities)
        with never_turned_away(secured, trusted, asking):
            changed(secured.secure(proof=proof))
    assert pki.ask(secured.address, PORT, both, client) == (200, server.serial)
    assert pki.ask(secured.address, PORT, both, secured.client).status is None
    secured.lay(SOURCE, secured.server)
    secured.lay(PROOF, secured.client)


def test_e41_engine_that_its_next_client_starts(secured: Site) -> None:
    """A socket must not stay open without the keys of TLS: the first client to come would start the engine so."""
    secured.host.run("systemctl stop docker.service")
    unchanged(secured.secure())
    told = changed(secured.close())
    assert (told["effect"], secured.listeners()) == ("none", [])
    unchanged(secured.close())
    assert unit(secured.host, "ActiveState") == "inactive"
    changed(configuring.apply(secured.host, state="rolled_back"))
    assert unit(secured.host, "ActiveState") == "inactive"
    assert secured.ask(secured.client) == (200, secured.server.serial)
    secured.start_container()
    secured.state = "secured"


def test_e81_nothing_listens_any_more(secured: Site) -> None:
    told = changed(secured.close())
    assert [each["becomes"] for each in told["listeners"]] == ["closed"]
    assert (told["endpoints"], secured.listeners()) == ([], [])
    assert (secured.ask(secured.client).status, secured.plain(2375)) == (None, None)
    assert secured.host.run(["test", "-e", UNIT_FILE], check=False).rc == 1
    assert configuring.settings(secured.host) == {}
    assert secured.host.docker("version").rc == 0
    unchanged(secured.close())


def test_from_hosts_in_daemon_json(site: Site) -> None:
    site.listen("hosts")
    assert site.plain(2375) == 200
    told = changed(site.secure())
    assert "restart docker.service" in told["actions"][-1]
    site.assert_mutual(site.server.serial)
    assert configuring.settings(site.host) == {"hosts": ["fd://", "unix:///var/run/docker.sock"], **KEYS}
    unchanged(site.secure())


def test_e79_every_way_in_at_once(site: Site) -> None:
    """Killed when the sockets are closed, then resolved; and closed."""
    site.listen("sockets")
    before = site.look()
    assert before["listeners"] == ["*:2375", "127.0.0.1:2374", "127.0.0.1:7712"]
    site.killed("systemctl stop done", 1, transport="none", allow_close=True)
    assert unit(site.host, "ActiveState", FOREIGN) == "inactive"
    changed(configuring.apply(site.host, state="resolved"))
    assert site.look() == before

    told = changed(site.close())
    found = [(each["port"], each["source"], each["clients"], each["becomes"]) for each in told["listeners"]]
    assert sorted(found) == [
        (2374, "dockerd", "anyone", "closed"),
        (2375, "docker.socket", "anyone", "closed"),
        (7712, FOREIGN, "anyone", "closed"),
    ]
    assert site.listeners() == []
    assert any("DOCKER_OPTS" in notice for notice in told["notices"])
    assert (unit(site.host, "ActiveState", FOREIGN), unit(site.host, "UnitFileState", FOREIGN)) == (
        "inactive",
        "disabled",
    )
    assert unit(site.host, "ActiveState", "docker.socket") == "active"
    assert configuring.info(site.host, "Labels") == '["kept=1"]'
    unchanged(site.close())
