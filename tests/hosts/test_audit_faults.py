# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audits of hosts in trouble: no engine, a dead or mute one, broken configuration, decoys, no privileges."""

from __future__ import annotations

import json
import time

import pytest

from tests.hosts import states
from tests.hosts.auditing import audit, engine_of, finding, run_module, subjects, verdict
from tests.hosts.host import Host

# content, kind, line, verdict by image: what an engine of that version starts with
REFUSED = {"bookworm": "fail", "trixie": "fail"}
SINCE_26 = {"bookworm": "fail", "trixie": "pass"}
BROKEN = {
    "comment": (b'{\n  // no comments in JSON\n  "debug": true\n}', "syntax", 2, REFUSED),
    "trailing comma": (b'{"debug": true,}', "syntax", 1, REFUSED),
    "byte order mark": (b'\xef\xbb\xbf{"debug": true}', "bom", 1, SINCE_26),
    "empty": (b"", "empty", 1, SINCE_26),
    "white space": (b" \n", "empty", 1, SINCE_26),
    "duplicate key": (b'{"debug": true,\n "debug": false}', "duplicate_key", 2, REFUSED),
    "trailing garbage": (b'{"debug": true} x', "trailing", 1, REFUSED),
    "array": (b'["debug"]', "not_object", 1, REFUSED),
}


@pytest.mark.images("trixie")
def test_host_without_docker(host: Host) -> None:
    host.run("systemctl stop docker.socket docker.service containerd.service")
    host.run(
        "dpkg --purge --force-depends docker.io docker-cli containerd runc && rm -rf /etc/docker /run/docker.sock"
    )
    result = audit(host)
    assert result["snapshot"]["engines"] == []
    assert verdict(result, "container.privileged", None) == "not_applicable"
    assert {f["verdict"] for f in result["findings"] if f["engine"]} == set()
    assert result["score"]["percent"] is not None


@pytest.mark.images("bookworm", "trixie", "sid")
def test_stopped_daemon_is_unknown_and_stays_stopped(host: Host) -> None:
    host.run("systemctl stop docker.socket docker.service")
    result = audit(host)
    assert engine_of(result)["state"] == "stopped"
    assert verdict(result, "container.privileged") == "unknown"
    assert host.run("systemctl is-active docker.service", check=False).stdout.strip() == "inactive"


@pytest.mark.images("bookworm", "trixie")
def test_socket_activation_without_the_service_is_not_started_by_an_audit(host: Host) -> None:
    host.run("systemctl stop docker.service && systemctl is-active docker.socket")
    result = audit(host)
    assert engine_of(result)["state"] == "stopped"
    assert verdict(result, "container.privileged") == "unknown"
    assert host.run("systemctl is-active docker.service", check=False).stdout.strip() == "inactive"


@pytest.mark.images("bookworm", "trixie")
def test_daemon_that_accepts_and_never_answers_is_a_finding_not_a_hang(host: Host) -> None:
    host.run("kill -STOP $(systemctl show --property=MainPID --value docker.service)")
    begun = time.monotonic()
    result = audit(host, timeout=2)
    assert time.monotonic() - begun < 60
    assert engine_of(result)["state"] == "unresponsive"
    assert verdict(result, "daemon.answers") == "fail"
    assert verdict(result, "container.privileged") == "unknown"


@pytest.mark.images("bookworm", "trixie")
def test_containers_of_a_dead_daemon_are_seen_in_proc(host: Host) -> None:
    host.import_busybox()
    host.put("/etc/docker/daemon.json", '{"live-restore": true}')
    host.restart_docker()
    host.docker("run", "--detach", "--cap-add", "SYS_ADMIN", "busybox:test", "sleep", "600")
    host.run("systemctl stop docker.socket docker.service")
    (container,) = engine_of(audit(host))["containers"]
    assert (container["name"], container["process"]["cap_bnd"]) == (None, "00000000a82425fb")


@pytest.mark.images("bookworm", "trixie")
@pytest.mark.parametrize(("content", "kind", "line", "verdicts"), BROKEN.values(), ids=BROKEN)
def test_broken_configuration_is_named(
    shared_host: Host, host_image: str, content: bytes, kind: str, line: int, verdicts: dict[str, str]
) -> None:
    shared_host.put(states.DAEMON_JSON, content)
    result = audit(shared_host, controls=["daemon.*"])
    accepted = shared_host.run("dockerd --validate", check=False).rc == 0
    shared_host.run(["rm", states.DAEMON_JSON])
    problems = engine_of(result)["config"]["problems"]
    assert [(problem["kind"], problem["line"]) for problem in problems] == [(kind, line)]
    assert verdict(result, "daemon.configuration_file") == verdicts[host_image]
    if host_image == "trixie" and kind != "duplicate_key":  # 20.10 cannot validate
        assert accepted == (verdicts[host_image] == "pass")


@pytest.mark.images("bookworm", "trixie")
def test_symlinked_configuration_is_read_where_it_lies(shared_host: Host) -> None:
    shared_host.put("/srv/docker/real.json", '{"icc": false}')
    shared_host.run("ln -sf /srv/docker/real.json /etc/docker/daemon.json")
    config = engine_of(audit(shared_host))["config"]
    assert (config["path"], config["target"]) == ("/etc/docker/daemon.json", "/srv/docker/real.json")
    assert config["settings"] == {"icc": False}
    shared_host.run("rm /etc/docker/daemon.json")


@pytest.mark.images("bookworm", "trixie", "sid")
def test_configuration_elsewhere(host: Host) -> None:
    host.put("/srv/dockerd.json", '{"icc": false, "live-restore": true}')
    host.put("/etc/docker/daemon.json", '{"icc": true}')
    host.run(
        "sed -i 's#^ExecStart=.*#& --config-file /srv/dockerd.json#' $(systemctl show -p FragmentPath --value docker)"
    )
    host.run("systemctl daemon-reload")
    host.restart_docker()
    result = audit(host)
    config = engine_of(result)["config"]
    assert (config["path"], config["given"]) == ("/srv/dockerd.json", True)
    assert verdict(result, "daemon.icc") == "pass"
    assert verdict(result, "daemon.live_restore") == "pass"


@pytest.mark.images("bookworm", "trixie")
def test_decoy_processes_are_no_engines(shared_host: Host) -> None:
    shared_host.run("cp $(readlink -f /usr/bin/python3) /tmp/dockerd")
    words = "-c 'import time; time.sleep(600)' --tlsverify --userns-remap=default"
    shared_host.run(f"systemd-run --unit decoy-program /tmp/dockerd {words}")
    shared_host.run("systemd-run --unit decoy-name bash -c 'exec -a dockerd sleep 600'")
    result = audit(shared_host)
    shared_host.run("systemctl stop decoy-program decoy-name")
    assert [engine["name"] for engine in result["snapshot"]["engines"]] == ["system"]
    assert sorted(engine_of(result)["flags"]) == ["containerd", "host"]
    decoys = [p for p in result["snapshot"]["engine_processes"] if p["exe"] == "/tmp/dockerd"]
    assert [(decoy["engine"], decoy["unit"]) for decoy in decoys] == [(None, "decoy-program.service")]


@pytest.mark.images("bookworm", "trixie", "sid")
def test_rootless_engine_beside_the_system_one(host: Host) -> None:
    states.rootless(host)
    result = audit(host)
    assert [engine["name"] for engine in result["snapshot"]["engines"]] == ["system", "rootless:worker"]
    rootless = engine_of(result, "rootless:worker")
    assert (rootless["state"], rootless["uid"], rootless["socket"]) == (
        "running",
        1000,
        states.ROOTLESS_SOCKET,
    )
    assert verdict(result, "daemon.userns_remap", "system") == "fail"
    assert verdict(result, "daemon.userns_remap", "rootless:worker") == "pass"


@pytest.mark.images("trixie")
def test_containers_that_die_during_the_scan_are_skipped(host: Host) -> None:
    host.import_busybox()
    host.run("for n in 1 2 3 4 5; do docker run --detach --name stays-$n busybox:test sleep 600; done")
    for unit in ("churn-1", "churn-2", "churn-3"):
        host.run(f"systemd-run --unit {unit} sh -c 'while :; do docker run --rm busybox:test true; done'")
    for _unused in range(6):
        engine = engine_of(audit(host))
        assert isinstance(engine["containers"], list)
        assert {f"stays-{number}" for number in (1, 2, 3, 4, 5)} <= {c["name"] for c in engine["containers"]}


@pytest.mark.images("bookworm", "trixie")
def test_no_containers_stopped_ones_and_odd_names(host: Host) -> None:
    result = audit(host)
    assert engine_of(result)["containers"] == []
    assert verdict(result, "container.privileged") == "pass"
    host.import_busybox()
    host.docker("create", "--name", "vanilla", "--privileged", "--restart", "always", "busybox:test", "true")
    host.docker("run", "--name", "ee", "--pid", "host", "busybox:test", "true")
    result = audit(host)
    assert subjects(result, "container.privileged") == {"vanilla": "fail"}
    assert {c["name"]: c["state"] for c in engine_of(result)["containers"]} == {
        "vanilla": "created",
        "ee": "exited",
    }


@pytest.mark.images("bookworm", "trixie", "sid")
def test_without_root_what_cannot_be_seen_is_unknown(shared_host: Host) -> None:
    result = audit(shared_host, user="worker")
    assert result["host"]["privileged"] is False
    assert engine_of(result)["state"] == "unreachable"
    assert finding(result, "container.privileged")["verdict"] == "unknown"
    assert result["score"]["verdicts"]["unknown"] > 20
    as_root = audit(shared_host)
    passed = {f["control"] for f in result["findings"] if f["verdict"] == "pass"}
    failed_for_root = {f["control"] for f in as_root["findings"] if f["verdict"] == "fail"}
    assert passed & failed_for_root == set(), "what root sees fail must not pass for others"


@pytest.mark.images("trixie")
def test_saved_snapshot_is_judged_the_same_and_another_schema_refused(shared_host: Host) -> None:
    fresh = audit(shared_host)
    shared_host.put("/root/old.json", json.dumps(fresh["snapshot"]))
    saved = audit(shared_host, from_snapshot="/root/old.json", snapshot=False)
    assert saved["findings"] == fresh["findings"]
    shared_host.put("/root/new.json", json.dumps({**fresh["snapshot"], "schema": 2}))
    for path, words in (
        ("/root/new.json", "has the schema 2"),
        ("/root/none.json", "cannot be read as JSON"),
    ):
        refused = run_module(shared_host, {"from_snapshot": path})
        assert refused["failed"] is True
        assert words in refused["msg"]
