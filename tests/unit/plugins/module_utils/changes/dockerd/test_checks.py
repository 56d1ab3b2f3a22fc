# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps dockerd from starting, one row each: settings, flags and engine, and what is said of it."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import ROOT, Owner
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.checks import (
    Context,
    host_problems,
    problems,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.command_line import (
    CommandLine,
    Source,
    Word,
)

from tests.unit.plugins.module_utils.probes.laying import lay

CONFIG = "/etc/docker/daemon.json"
UNIT = "/lib/systemd/system/docker.service"
FD = "-H fd://"
TLS = {"tlscacert": "/etc/docker/ca.pem", "tlscert": "/etc/docker/cert.pem", "tlskey": "/etc/docker/key.pem"}
ACCOUNT = Owner(1000, 1000)
REMAP = {"userns-remap": "default"}
SNAPSHOTTER = {"features": {"containerd-snapshotter": True}}
BOTH_OFF = {"icc": False, "iptables": False}
TCP = {"hosts": ["fd://", "tcp://192.0.2.1:2376"]}

FILES = {
    "etc/docker/ca.pem": "",
    "etc/docker/cert.pem": "",
    "etc/docker/key.pem": "",
    "etc/docker/seccomp.json": "{}",
    "etc/docker/list.json": "[]",
    "etc/docker/broken.json": "{",
    "etc/docker/plugins/by-spec.spec": "",
    "usr/lib/docker/plugins/by-json/by-json.json": "",
    "run/docker/plugins/by-socket.sock": "",
    "var/lib/docker/plugins/1/config.json": json.dumps(
        {"plugin": {"Name": "on/disk:latest", "Enabled": True}}
    ),
    "var/lib/docker/plugins/2/config.json": json.dumps({"plugin": {"Name": "off:latest", "Enabled": False}}),
    "var/lib/docker/plugins/3/config.json": "[]",
}


def command(flags="", source=None):
    source = source or Source(UNIT)
    return CommandLine(
        (Word("/usr/sbin/dockerd", Source(UNIT)), *(Word(word, source) for word in flags.split())), (UNIT,)
    )


@pytest.fixture
def root():
    """Unlike tmp_path, one that every account may look into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield lay(Path(folder), FILES)


@pytest.fixture
def check(root):
    def check(settings, flags="", owner=ROOT, root=root, **context):
        return problems(settings, command(flags), Context(CONFIG, owner, root=root, **context))

    return check


REFUSED = [
    ("14 unknown", {"nope": 1}, "", {"major": 20}, "nope", f"nope in {CONFIG} is no option of dockerd"),
    ("14 newer", {"proxies": {}}, "", {"major": 20}, "proxies", "exists since 23"),
    ("18 equal value", {"live-restore": True}, "--live-restore", {}, "live-restore", "even if they agree"),
    ("18 renamed flag", {"labels": ["a=b"]}, "--label c=d", {}, "labels", "--label (/lib"),
    ("18 null", {"debug": None}, "-D", {}, "debug", "--debug"),
    ("18 proxies", {"proxies": {"http-proxy": "x"}}, "--http-proxy=y", {}, "http-proxy", "--http-proxy"),
    ("21 hosts with fd", {"hosts": ["fd://"]}, FD, {}, "hosts", "a drop-in with an empty ExecStart= line"),
    (
        "22 tcp only",
        {"hosts": ["tcp://127.0.0.1:1"], "tlsverify": True, **TLS},
        "",
        {},
        "hosts",
        "would hang",
    ),
    (
        "22 rootless",
        {"hosts": ["127.0.0.1:1"], "tlsverify": True, **TLS},
        "",
        {"owner": ACCOUNT},
        "hosts",
        "nobody",
    ),
    ("22 no scheme", {"hosts": ["0.0.0.0:2375", "fd://"]}, "", {}, "hosts", "opens the API"),
    ("tcp, plain", TCP, "", {}, "hosts", "tcp://192.0.2.1:2376 without tlsverify"),
    ("65 tlsverify false", {**TCP, "tlsverify": False, **TLS}, "", {}, "hosts", "everybody"),
    ("65 tcp by flag", {"tlsverify": False, **TLS}, "-H tcp://192.0.2.1", {}, "tlsverify", "everybody"),
    ("66 tls on 19.03", {**TCP, "tls": True, **TLS}, "", {"major": 19}, "hosts", "everybody"),
    ("67 no CA", {"tlsverify": True, **TLS, "tlscacert": ""}, "", {}, "tlsverify", "every CA of the system"),
    ("no key", {"tls": True, **TLS, "tlskey": ""}, "", {}, "tlskey", "without tlskey"),
    ("file missing", {"tls": True, **TLS, "tlscert": "/none"}, "", {}, "tlscert", "names /none"),
    ("swarm", {"live-restore": True}, "", {"swarm": True}, "live-restore", "swarm mode"),
    ("35 missing", {"seccomp-profile": "/none.json"}, "", {}, "seccomp-profile", "does not exist"),
    ("35 list", {"seccomp-profile": "/etc/docker/list.json"}, "", {}, "seccomp-profile", "no JSON object"),
    (
        "35 broken",
        {"seccomp-profile": "/etc/docker/broken.json"},
        "",
        {},
        "seccomp-profile",
        "no JSON object",
    ),
    ("35 directory", {"seccomp-profile": "/etc/docker"}, "", {}, "seccomp-profile", "not a regular file"),
    ("unconfined", {"seccomp-profile": "unconfined"}, "", {"major": 20}, "seccomp-profile", "a file name"),
    ("builtin", {"seccomp-profile": "builtin"}, "", {"major": 20}, "seccomp-profile", "a file name"),
    (
        "30",
        {"authorization-plugins": ["nosuch"]},
        "",
        {"plugins": ()},
        "authorization-plugins",
        "plugin nosuch",
    ),
    ("30 engine down", {"authorization-plugins": ["off"]}, "", {}, "authorization-plugins", "plugin off"),
    ("log driver", {"log-driver": "nosuch"}, "", {}, "log-driver", "no log driver nosuch"),
    ("gone driver", {"log-driver": "logentries"}, "", {"major": 25}, "log-driver", "no log driver"),
    ("log option", {"log-opts": {"nosuch": "1"}}, "", {}, "log-opts", "json-file does not take nosuch"),
    ("journald", {"log-driver": "journald", "log-opts": {"max-size": "1m"}}, "", {}, "log-opts", "max-size"),
    ("flag's driver", {"log-opts": {"max-size": "1m"}}, "--log-driver journald", {}, "log-opts", "journald"),
    ("local", {"log-driver": "local", "log-opts": {"tag": "x"}}, "", {"major": 28}, "log-opts", "take tag"),
    ("log mode", {"log-opts": {"mode": "fast"}}, "", {}, "log-opts", "mode fast"),
    ("log buffer", {"log-opts": {"max-buffer-size": "1m"}}, "", {}, "log-opts", "non-blocking"),
    ("runtime", {"default-runtime": "kata"}, "", {}, "default-runtime", "not among runtimes"),
    ("a shim", {"default-runtime": "io.foo.v1"}, "", {"major": 20}, "default-runtime", "not among"),
    ("runc", {"runtimes": {"runc": {"path": "runc"}}}, "", {}, "runtimes", "reserved"),
    ("icc", BOTH_OFF, "", {}, "icc", "needs iptables"),
    ("icc, flag", {"icc": False}, "--iptables=false", {}, "icc", "needs iptables"),
    ("bip", {"bip": "192.0.2.1/24", "bridge": "br0"}, "", {}, "bip", "exclude each other"),
    ("ip6tables", {"ip6tables": True}, "", {"major": 26}, "ip6tables", "experimental"),
    ("data root", {"data-root": "/srv/docker"}, "", {"data_root": "/var/lib/docker"}, "data-root", "orphan"),
    ("data root back", {}, "", {"data_root": "/srv/docker"}, "data-root", "/srv/docker"),
    ("61 rootless", REMAP, "", {"owner": ACCOUNT}, "userns-remap", "rootless"),
    ("62 snapshotter", {**REMAP, **SNAPSHOTTER}, "", {"major": 29}, "features", "exclude each other"),
]
TAKEN = [
    ("nothing", {}, FD, {}),
    ("runtimes in both", {"runtimes": {"x": {"path": "y"}}}, "--add-runtime z=y", {}),
    ("flag's name as a key", {"host": ["x"]}, FD, {}),
    ("hosts with fd", {"hosts": ["fd://"]}, "", {}),
    ("hosts with unix", {"hosts": ["unix:///var/run/docker.sock"]}, "", {}),
    ("no hosts", {"hosts": []}, "", {}),
    ("tcp with tlsverify", {**TCP, "tlsverify": True, **TLS}, "", {}),
    ("66 tls alone", {**TCP, "tls": True, **TLS}, "", {"major": 26}),
    ("tcp by flag alone", {"debug": True}, "-H tcp://192.0.2.1", {}),
    ("files of TLS without TLS", {"tlscert": "/none"}, "", {}),
    ("live-restore alone", {"live-restore": True}, "", {}),
    ("live-restore off", {"live-restore": False}, "", {"swarm": True}),
    ("profile", {"seccomp-profile": "/etc/docker/seccomp.json"}, "", {}),
    ("relative profile", {"seccomp-profile": "etc/docker/seccomp.json"}, "", {}),
    ("14 dockerd says it itself", {"nope": 1}, "", {"major": 26}),
    ("14 unknown version", {"nope": 1}, "", {}),
    ("no profile", {"seccomp-profile": ""}, "", {"major": 20}),
    ("builtin", {"seccomp-profile": "builtin"}, "", {"major": 26}),
    ("unconfined", {"seccomp-profile": "unconfined"}, "", {}),
    ("30 managed", {"authorization-plugins": ["a", "b/c:1"]}, "", {"plugins": ["a:latest", "b/c:1"]}),
    ("30 untagged", {"authorization-plugins": ["registry.example/b/c:latest"]}, "", {"plugins": ["b/c"]}),
    ("30 files", {"authorization-plugins": ["by-spec", "by-json", "by-socket"]}, "", {"plugins": ()}),
    ("30 engine down", {"authorization-plugins": ["on/disk"]}, "", {}),
    ("30 rootless", {"authorization-plugins": ["nosuch"]}, "", {"owner": ACCOUNT}),
    ("log plugin", {"log-driver": "loki", "log-opts": {"any": "1"}}, "", {"plugins": ["loki:latest"]}),
    ("old driver", {"log-driver": "logentries"}, "", {"major": 24}),
    ("unlisted options", {"log-driver": "syslog", "log-opts": {"any": "1"}}, "", {}),
    ("json-file", {"log-opts": {"max-size": "1m", "max-file": "3", "tag": "x", "mode": "blocking"}}, "", {}),
    ("cache", {"log-driver": "journald", "log-opts": {"cache-max-size": "1m", "labels": "a"}}, "", {}),
    ("local on 29", {"log-driver": "local", "log-opts": {"tag": "x"}}, "", {"major": 29}),
    ("buffer", {"log-opts": {"max-buffer-size": "1m", "mode": "non-blocking"}}, "", {}),
    ("none", {"log-driver": "none", "log-opts": {"any": "1"}}, "", {}),
    ("runc", {"default-runtime": "runc"}, "", {"major": 20}),
    ("runtime", {"default-runtime": "x", "runtimes": {"x": {"path": "y"}}}, "", {}),
    ("runtime by flag", {"default-runtime": "x"}, "--add-runtime=x=y", {}),
    ("shim", {"default-runtime": "io.containerd.runc.v2"}, "", {"major": 20}),
    ("any shim", {"default-runtime": "io.foo.v1"}, "", {"major": 26}),
    ("icc alone", {"icc": False}, "", {}),
    ("both by flags", {"debug": True}, "--icc=false --iptables=false", {}),
    ("ip6tables", {"ip6tables": True}, "", {"major": 27}),
    ("experimental", {"ip6tables": True, "experimental": True}, "", {"major": 20}),
    ("same data root", {"data-root": "/var/lib/docker/"}, "", {"data_root": "/var/lib/docker"}),
    ("remapped", {}, "", {"data_root": "/var/lib/docker/100000.100000"}),
    ("agreed", {"data-root": "/srv"}, "", {"data_root": "/var/lib/docker", "allow_data_switch": True}),
    ("by flag", {}, "--data-root /srv", {"data_root": "/srv"}),
    ("rootless's own", {}, "", {"data_root": "/home/u/.local/share/docker", "owner": ACCOUNT}),
    ("remap", REMAP, "", {}),
    ("snapshotter before 29", {**REMAP, **SNAPSHOTTER}, "", {"major": 28}),
    ("snapshotter", SNAPSHOTTER, "", {"major": 29}),
    ("wrong types", {"hosts": "x", "log-opts": [], "log-driver": 1, "runtimes": [], "features": [1]}, "", {}),
]


@pytest.mark.parametrize(("settings", "flags", "context", "key", "text"), [row[1:] for row in REFUSED], ids=[
    row[0] for row in REFUSED
])  # fmt: skip
def test_refused(check, settings, flags, context, key, text):
    found = check(settings, flags, **context)
    assert [problem.key for problem in found] == [key]
    assert text in found[0].message


@pytest.mark.parametrize(
    ("settings", "flags", "context"), [row[1:] for row in TAKEN], ids=[row[0] for row in TAKEN]
)
def test_taken(check, settings, flags, context):
    assert check(settings, flags, **context) == []


def test_19_the_way_out_of_a_conflict_through_a_variable():
    source = Source(UNIT, "DOCKER_OPTS", "/etc/default/docker")
    [found] = problems({"icc": False}, command("--icc=false", source), Context(CONFIG, ROOT))
    assert found.message == (
        f"icc is set in {CONFIG} and by the flag --icc ({UNIT} via DOCKER_OPTS in /etc/default/docker), and "
        "dockerd refuses to start with both, even if they agree; remove icc from the file, or remove --icc from "
        "DOCKER_OPTS in /etc/default/docker"
    )


def test_a_data_root_by_a_symbolic_link(tmp_path):
    (tmp_path / "srv/docker").mkdir(parents=True)
    (tmp_path / "var/lib").mkdir(parents=True)
    (tmp_path / "var/lib/docker").symlink_to(tmp_path / "srv/docker")
    assert problems({}, command(), Context(CONFIG, ROOT, root=tmp_path, data_root="/srv/docker")) == []


def test_23_two_starts_are_named_with_their_files():
    twice = CommandLine((), (UNIT, "/etc/systemd/system/docker.service.d/a.conf"))
    [sentence] = host_problems({"load": "bad-setting", "load_error": "bad unit file setting."}, twice)
    assert f"2 ExecStart= settings ({UNIT}, /etc/systemd/system/docker.service.d/a.conf)" in sentence


@pytest.mark.parametrize(
    ("load", "error", "text"),
    [
        (
            "bad-setting",
            "Unit x has a bad unit file setting.",
            "x has a bad unit file setting (drop-ins: /a.conf)",
        ),
        (
            "not-found",
            "Unit docker.service not found.",
            "does not exist: Unit docker.service not found (drop",
        ),
        ("masked", None, "systemctl unmask docker.service"),
        ("error", None, "systemd-analyze verify docker.service"),
    ],
)
def test_23_a_unit_that_systemd_cannot_start(load, error, text):
    [sentence] = host_problems({"load": load, "load_error": error, "drop_ins": ["/a.conf"]}, command())
    assert sentence.startswith("docker.service ")
    assert text in sentence


def test_a_missing_environment_file():
    [sentence] = host_problems({"load": "loaded"}, CommandLine((), (UNIT,), ("/etc/gone",)))
    assert "the environment file /etc/gone" in sentence


def test_a_sound_unit():
    assert host_problems({"load": "loaded", "load_error": None, "drop_ins": []}, command()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for another account's ids")
def test_what_an_account_names_is_looked_at_with_its_ids(check, root):
    (root / "etc/docker/seccomp.json").chmod(0o600)
    (root / "etc/docker").chmod(0o711)
    profile = {"seccomp-profile": "/etc/docker/seccomp.json"}
    assert check(profile) == []
    [found] = check(profile, owner=ACCOUNT)
    assert "Permission denied" in found.message
    (root / "etc/docker").chmod(0o700)
    found = check({"tls": True, **TLS}, owner=ACCOUNT)
    assert [each.key for each in found] == list(TLS)


def test_a_file_of_the_kernel_is_no_profile(check):
    [found] = check({"seccomp-profile": "/proc/kmsg"}, root=Path("/"))
    assert "a file of the kernel's" in found.message
