# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit rules: only what the kernel has loaded, for the very file, and what nothing before it suppresses."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.host.audit_rules import (
    AUDIT_RULES,
    audit_system,
    parse_rule,
)

from tests.unit.builders.host import DATA_ROOT, DOCKERD, ENGINE, engine, file, rootless_engine, said, snapshot
from tests.unit.builders.judging import finding

BY_ID = {control.id: control for control in AUDIT_RULES}
EXISTING = {control_id: control for control_id, control in BY_ID.items() if control_id not in
            ("audit.sysconfig_docker", "audit.containerd_shim_runc_v1")}  # fmt: skip


def with_rules(*rules, **changes):
    return snapshot(
        {"audit": {"loaded": list(rules), "files": {"/etc/audit/rules.d/docker.rules": []}}, **changes}
    )


def judged(control_id, *rules, **changes):
    return finding(BY_ID[control_id], with_rules(*rules, **changes))


@pytest.mark.parametrize("control", EXISTING.values(), ids=EXISTING)
def test_watched_not_watched_and_unread(control):
    watched = finding(control, snapshot())
    assert watched["verdict"] == "pass"
    bare = finding(control, with_rules())
    assert (bare["verdict"], bare["subjects"][0]["actual"]) == ("fail", "no rule")
    path = bare["subjects"][0]["name"]
    assert bare["subjects"][0]["expected"] == f"-w {path} -p wa -k docker"
    assert finding(control, with_rules(bare["subjects"][0]["expected"]))["verdict"] == "pass"
    unread = finding(control, snapshot({"audit": {"loaded": {"error": "auditctl -l: must be root"}}}))
    assert unread["verdict"] == "unknown"


@pytest.mark.parametrize("control", BY_ID.values(), ids=BY_ID)
def test_what_does_not_exist_needs_no_watch(control):
    gone = snapshot({"units": {name: {"fragment": None} for name in ("docker.service", "docker.socket")}})
    gone["files"] = dict.fromkeys(gone["files"])
    gone["engine_processes"] = []
    assert finding(control, gone)["verdict"] == "not_applicable"


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ("-w /usr/sbin/dockerd -p wa -k docker", "pass"),
        ("-w /usr/sbin/dockerd -k docker", "pass"),
        ("-w /usr/sbin/ -p rwxa", "pass"),
        ("-a always,exit -F path=/usr/sbin/dockerd -F perm=wa -F key=docker", "pass"),
        ("-a exit,always -F path=/usr/sbin/dockerd -F perm=wa", "pass"),
        ("-a always,exit -S all -F dir=/usr -F perm=wa", "pass"),
        ("-a always,exit -F arch=b64 -F path=/usr/sbin/dockerd -F perm=rwa", "pass"),
        # R45: both spellings of a merged /usr, but no path that is not there.
        ("-w /sbin/dockerd -p wa", "pass"),
        ("-w /usr/bin/dockerd -p wa", "fail"),
        # R21
        ("-w /usr/sbin/dockerd-rootless.sh -p wa", "fail"),
        ("-w /usr/sbin/docker -p wa", "fail"),
        ("-a never,exit -F path=/usr/sbin/dockerd", "fail"),
        ("-a exit,never -S all -F path=/usr/sbin/dockerd", "fail"),
        ("-a always,exit -F path=/usr/sbin -F perm=wa", "fail"),
        ("-w /usr/sbin/dockerd -p x", "fail"),
        ("-w /usr/sbin/dockerd -p w", "fail"),
        ("-a always,exit -F path=/usr/sbin/dockerd -F perm=wa -F auid>=1000 -F auid!=-1", "fail"),
        ("-a always,exit -S execve -F path=/usr/sbin/dockerd", "fail"),
        ("-a always,exit -F path!=/usr/sbin/dockerd", "fail"),
        ("-a always,filesystem -F path=/usr/sbin/dockerd", "fail"),
        ("# -w /usr/sbin/dockerd -p wa", "fail"),
        ("-w '/usr/sbin/dockerd", "fail"),
    ],
)
def test_what_counts_as_a_watch(rule, verdict):
    assert judged("audit.dockerd", rule)["verdict"] == verdict


def test_the_order_of_rules_decides():
    watch, never = "-w /usr/sbin/dockerd -p wa", "-a never,exit -F dir=/usr/sbin"
    assert judged("audit.dockerd", watch, never)["verdict"] == "pass"
    suppressed = judged("audit.dockerd", never, watch)
    assert suppressed["verdict"] == "fail"
    assert f"suppressed by: {never}" in said(suppressed)
    assert (
        judged("audit.dockerd", "-a never,exit -F path=/usr/sbin/dockerd -F perm=r", watch)["verdict"]
        == "pass"
    )
    assert judged("audit.dockerd", "-a never,exit -F auid=1000", watch)["verdict"] == "pass"
    assert (
        judged("audit.dockerd", "-w /usr/sbin/dockerd -p w", "-w /usr/sbin/dockerd -p a")["verdict"] == "pass"
    )


@pytest.mark.parametrize(
    ("control_id", "rule"),
    [
        # R21: each of these passed a check that looks for a part of the line.
        ("audit.containerd_shim", "-w /usr/bin/containerd-shim-runc-v2 -p wa"),
        ("audit.containerd", "-w /usr/bin/containerd-shim-runc-v2 -p wa"),
        ("audit.config_directory", "-w /etc/docker/daemon.json -p wa"),
        ("audit.data_root", "-w /var/lib/docker-old -p wa"),
        ("audit.containerd_runtime_directory", "-w /run/containerd/containerd.sock -p wa"),
    ],
)
def test_a_part_of_another_path_is_no_watch(control_id, rule):
    assert judged(control_id, rule)["verdict"] == "fail"


def test_rules_on_disk_only_are_not_in_force():
    rules = ["-w /usr/sbin/dockerd -p wa -k docker"]
    found = finding(
        BY_ID["audit.dockerd"],
        snapshot({"audit": {"loaded": [], "files": {"/etc/audit/rules.d/d.rules": rules}}}),
    )
    assert (found["verdict"], found["subjects"][0]["actual"]) == (
        "fail",
        "only on disk (/etc/audit/rules.d/d.rules), not loaded",
    )


@pytest.mark.parametrize(
    ("audit", "reason"),
    [
        ({"enabled": 0}, "auditing is switched off (enabled 0)"),
        ({"loaded": ["-a never,task", "-w /usr/sbin/dockerd -p wa"]}, "suppressed by: -a never,task"),
        ({"loaded": ["-a task,never", "-w /usr/sbin/dockerd -p wa"]}, "suppressed by: -a task,never"),
    ],
)
def test_rules_that_have_no_effect(audit, reason):
    data = snapshot({"audit": audit})
    for control in (audit_system, BY_ID["audit.dockerd"]):
        found = finding(control, data)
        assert (found["verdict"], found["subjects"][0]["actual"]) == ("fail", reason)


@pytest.mark.parametrize("enabled", [1, 2])
def test_the_audit_system_is_on(enabled):
    assert finding(audit_system, snapshot({"audit": {"enabled": enabled}}))["verdict"] == "pass"


@pytest.mark.parametrize("enabled", [None, {"error": "auditctl -s: must be root"}])
def test_whether_it_is_on_could_not_be_read(enabled):
    data = snapshot({"audit": {"enabled": enabled}})
    assert finding(audit_system, data)["verdict"] == "unknown"
    assert finding(BY_ID["audit.dockerd"], data)["verdict"] == "unknown"


def test_without_an_audit_system_one_control_fails_and_not_all():
    data = snapshot({"audit": None})
    assert finding(audit_system, data)["verdict"] == "fail"
    found = finding(BY_ID["audit.dockerd"], data)
    assert (found["verdict"], found["message"]) == (
        "not_applicable",
        "no audit system: see host.audit_system",
    )


def test_a_container_cannot_have_one():
    data = snapshot({"host": {"container": "docker"}, "audit": None})
    assert finding(audit_system, data)["verdict"] == "not_applicable"
    assert finding(BY_ID["audit.dockerd"], data)["verdict"] == "not_applicable"


@pytest.mark.parametrize("engines", [[], [rootless_engine()]])
def test_the_engine_of_the_system_is_meant(engines):
    found = finding(BY_ID["audit.dockerd"], snapshot({"engines": engines}))
    assert (found["verdict"], found["message"]) == ("not_applicable", "no engine of the system on this host")


def test_the_running_program_is_watched_not_a_fixed_path():
    """R45: Debian's dockerd is in /usr/sbin, another may run from anywhere."""
    changes = {
        "engines": [engine(binary={"path": "/opt/docker/dockerd"})],
        "files": {"/opt/docker/dockerd": file("0755", inode=99)},
    }
    assert judged("audit.dockerd", "-w /usr/sbin/dockerd -p wa", **changes)["verdict"] == "fail"
    assert judged("audit.dockerd", "-w /opt/docker/dockerd -p wa", **changes)["verdict"] == "pass"


def test_a_watch_on_a_link_does_not_watch_what_it_leads_to():
    link = {"/usr/local/bin/dockerd": file("0755", inode=30, target=DOCKERD)}
    rule = "-w /usr/local/bin/dockerd -p wa"
    assert judged("audit.dockerd", rule, files=link)["verdict"] == "fail"


def test_a_stopped_engine_has_its_program_in_the_usual_places():
    stopped = {**ENGINE, "pid": None, "binary": None, "state": "stopped"}
    changes = {"engines": [stopped], "engine_processes": []}
    assert judged("audit.dockerd", "-w /usr/sbin/dockerd -p wa", **changes)["verdict"] == "pass"
    assert judged("audit.containerd", "-w /usr/bin/containerd -p wa", **changes)["verdict"] == "pass"


def test_a_program_that_is_a_link_is_watched_where_it_is():
    changes = {
        "engine_processes": [],
        "files": {
            "/usr/bin/runc": file("0755", inode=34, target="/usr/sbin/runc"),
            "/usr/sbin/runc": file("0755", inode=34),
        },
    }
    assert judged("audit.runc", "-w /usr/sbin/runc -p wa", **changes)["verdict"] == "pass"
    assert judged("audit.runc", "-w /usr/bin/runc -p wa", **changes)["verdict"] == "fail"


def test_a_configuration_file_that_is_a_link_is_watched_where_it_is():
    files = {
        "/etc/docker/daemon.json": file(inode=15, target="/srv/daemon.json"),
        "/srv/daemon.json": file(inode=15),
    }
    link = judged("audit.engine_configuration", "-w /etc/docker -p wa", files=files)
    assert (link["verdict"], link["subjects"][0]["expected"]) == (
        "fail",
        "-w /srv/daemon.json -p wa -k docker",
    )
    assert judged("audit.engine_configuration", "-w /srv -p wa", files=files)["verdict"] == "pass"


@pytest.mark.parametrize("root", ["/var/lib/docker/100000.100000", DATA_ROOT])
def test_the_data_root_is_watched_above_its_mappings(root):
    changes = {"engines": [engine(info={"DockerRootDir": root})]}
    assert judged("audit.data_root", "-w /var/lib/docker -p wa", **changes)["verdict"] == "pass"


def test_the_socket_may_be_named_below_var_run():
    assert judged("audit.engine_socket", "-w /var/run/docker.sock -p wa")["verdict"] == "pass"


@pytest.mark.parametrize("line", ["-D", "-b 8192", "-e 2", "--backlog_wait_time 60000", "-W /etc/docker", ""])
def test_lines_that_are_no_rules(line):
    assert parse_rule(line) is None


def test_cis_1_7_0_put_the_socket_in_the_place_of_its_unit():
    socket, unit = BY_ID["audit.engine_socket"], BY_ID["audit.docker_socket_unit"]
    assert (socket.cis_1_6_0, socket.cis_1_8_0) == ((), ("1.1.9",))
    assert (unit.cis_1_6_0, unit.cis_1_8_0) == (("1.1.9",), ())
