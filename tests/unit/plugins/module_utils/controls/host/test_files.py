# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the engine: modes as bit masks, owners, access lists, parents, and every control's own files."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Case
from ansible_collections.bulwark.docker.plugins.module_utils.controls.host.files import FILES, wanted

from tests.unit.builders.host import ENGINE, SOCKET, engine, file, rootless_engine, said, snapshot
from tests.unit.builders.judging import finding

BY_ID = {control.id: control for control in FILES}

# A path that each control is about, on the sound host.
PATHS = {
    "file.docker_service_unit": "/usr/lib/systemd/system/docker.service",
    "file.docker_socket_unit": "/usr/lib/systemd/system/docker.socket",
    "file.containerd_service_unit": "/usr/lib/systemd/system/containerd.service",
    "file.unit_drop_ins": "/etc/systemd/system/docker.service.d/limits.conf",
    "file.unit_environment_files": "/etc/default/docker",
    "file.config_directory": "/etc/docker",
    "file.registry_certificates": "/etc/docker/certs.d/registry.example/ca.crt",
    "file.registry_keys": "/etc/docker/certs.d/registry.example/client.key",
    "file.tls_ca_certificate": "/etc/docker/ca.pem",
    "file.tls_server_certificate": "/etc/docker/cert.pem",
    "file.tls_server_key": "/etc/docker/key.pem",
    "file.engine_socket": SOCKET,
    "file.engine_configuration": "/etc/docker/daemon.json",
    "file.default_docker": "/etc/default/docker",
    "file.sysconfig_docker": "/etc/sysconfig/docker",
    "file.containerd_socket": "/run/containerd/containerd.sock",
}


def judged(control_id, path, **fields):
    return finding(BY_ID[control_id], snapshot({"files": {path: file(**fields)}}))


def test_every_control_is_in_the_table():
    assert set(PATHS) == set(BY_ID)


@pytest.mark.parametrize(("control_id", "path"), PATHS.items(), ids=PATHS)
def test_sound_unsound_and_unread(control_id, path):
    mode = BY_ID[control_id].parameters["mode"]
    assert judged(control_id, path, mode=mode)["verdict"] == "pass"
    writable = judged(control_id, path, mode="0666")
    assert (writable["verdict"], writable["subjects"][0]["name"]) == ("fail", path)
    assert "mode 0666" in said(writable)
    foreign = judged(control_id, path, mode=mode, uid=1000, owner="alice")
    assert "owner alice:root" in said(foreign)
    unread = finding(BY_ID[control_id], snapshot({"files": {path: {"error": f"{path}: Permission denied"}}}))
    assert (unread["verdict"], unread["subjects"][0]["evidence"]) == ("unknown", f"{path}: Permission denied")


@pytest.mark.parametrize(("control_id", "path"), PATHS.items(), ids=PATHS)
def test_a_missing_file_is_nobodys_fault(control_id, path):
    assert finding(BY_ID[control_id], snapshot({"files": {path: None}}))["verdict"] in (
        "not_applicable",
        "pass",
    )


@pytest.mark.parametrize(
    ("control_id", "mode", "verdict"),
    [
        # R1: greater as a decimal number is not wider as a mask, and the reverse.
        ("file.engine_socket", "0606", "fail"),
        ("file.engine_socket", "0660", "pass"),
        ("file.engine_socket", "0661", "fail"),
        ("file.engine_configuration", "0622", "fail"),
        ("file.engine_configuration", "0555", "fail"),
        ("file.config_directory", "0733", "fail"),
        ("file.config_directory", "0700", "pass"),
        ("file.config_directory", "2755", "pass"),
        ("file.docker_service_unit", "0446", "fail"),
        # R19: stricter than asked.
        ("file.engine_socket", "0600", "pass"),
        ("file.engine_configuration", "0400", "pass"),
        ("file.tls_server_key", "0000", "pass"),
        ("file.tls_server_key", "0440", "fail"),
        ("file.registry_certificates", "0644", "fail"),
    ],
)
def test_modes_are_bit_masks(control_id, mode, verdict):
    kind = "directory" if control_id == "file.config_directory" else "file"
    assert judged(control_id, PATHS[control_id], mode=mode, type=kind)["verdict"] == verdict


@pytest.mark.parametrize(
    ("gid", "group", "verdict"), [(0, "root", "pass"), (990, "docker", "pass"), (100, "users", "fail")]
)
def test_groups_of_the_engine_socket(gid, group, verdict):
    """R19: root:root is stricter than root:docker."""
    assert judged("file.engine_socket", SOCKET, mode="0660", gid=gid, group=group)["verdict"] == verdict


def test_the_group_that_the_engine_was_told_may_use_the_socket():
    changes = {
        "engines": [engine(flags={"group": ["ops"]})],
        "accounts": {"groups": [{"name": "ops", "gid": 1500, "members": []}]},
        "files": {SOCKET: file("0660", gid=1500, group="ops")},
    }
    assert finding(BY_ID["file.engine_socket"], snapshot(changes))["verdict"] == "pass"


@pytest.mark.parametrize(
    ("acl", "verdict"),
    [
        (["user:alice:r--"], "pass"),
        (["user:alice:rw-"], "fail"),
        (["group::rw-"], "fail"),
        (["group::r--"], "pass"),
        (["default:user:alice:rwx"], "pass"),
    ],
)
def test_access_lists_of_a_readable_file(acl, verdict):
    assert judged("file.engine_configuration", "/etc/docker/daemon.json", acl=acl)["verdict"] == verdict


@pytest.mark.parametrize(("acl", "verdict"), [(["user:alice:r--"], "fail"), (["user:alice:---"], "pass")])
def test_access_lists_of_a_secret_file(acl, verdict):
    found = judged("file.tls_server_key", "/etc/docker/key.pem", mode="0400", acl=acl)
    assert found["verdict"] == verdict


@pytest.mark.parametrize(
    ("parent", "verdict"),
    [
        ({"mode": "0777", "uid": 0, "gid": 0}, "fail"),
        ({"mode": "1777", "uid": 0, "gid": 0}, "pass"),
        ({"mode": "0755", "uid": 1000, "gid": 0}, "fail"),
        ({"mode": "0775", "uid": 0, "gid": 100}, "fail"),
        ({"mode": "0775", "uid": 0, "gid": 0}, "pass"),
        ({"mode": "0755", "uid": 0, "gid": 0, "acl": ["user:alice:rwx"]}, "fail"),
        ({"mode": "0755", "uid": 0, "gid": 0, "acl": ["default:user:alice:rwx"]}, "pass"),
    ],
)
def test_parents_that_others_can_write(parent, verdict):
    parents = [{"path": "/etc/docker", "acl": [], **parent}]
    assert (
        judged("file.engine_configuration", "/etc/docker/daemon.json", parents=parents)["verdict"] == verdict
    )


def test_a_key_beside_registry_certificates_is_judged_as_a_key():
    path = "/etc/docker/certs.d/registry.example/client.key"
    assert judged("file.registry_keys", path, mode="0444")["verdict"] == "fail"
    assert judged("file.registry_certificates", path, mode="0777")["verdict"] == "pass"


def test_flags_name_the_files_before_the_configuration():
    changes = {
        "engines": [engine(flags={"tlskey": ["/srv/key.pem"]})],
        "files": {"/srv/key.pem": file("0644")},
    }
    found = finding(BY_ID["file.tls_server_key"], snapshot(changes))
    assert [subject["name"] for subject in found["subjects"]] == ["/srv/key.pem"]


def test_without_tls_there_is_no_key_to_judge():
    bare = {**ENGINE, "config": {**ENGINE["config"], "settings": {}}}
    assert finding(BY_ID["file.tls_server_key"], snapshot({"engines": [bare]}))["verdict"] == "not_applicable"


def test_a_broken_configuration_file_leaves_its_paths_unknown():
    changes = {"engines": [engine(config={"settings": {"error": "line 3: no JSON"}})]}
    found = finding(BY_ID["file.tls_server_key"], snapshot(changes))
    assert (found["verdict"], found["message"]) == ("unknown", "line 3: no JSON")


def test_a_socket_unit_that_starts_the_engine_counts_as_its_unit():
    drop_in = "/etc/systemd/system/api.socket.d/tcp.conf"
    changes = {
        "units": {
            "api.socket": {
                "fragment": None,
                "drop_ins": [drop_in],
                "environment_files": [],
                "triggers": ["docker.service"],
            }
        },
        "files": {drop_in: file("0664", gid=100, group="users")},
    }
    found = finding(BY_ID["file.unit_drop_ins"], snapshot(changes))
    assert {subject["name"] for subject in found["subjects"]} == {drop_in}


@pytest.mark.parametrize("control_id", ["file.docker_service_unit", "file.unit_drop_ins"])
def test_a_masked_unit_has_no_file_to_judge(control_id):
    """Its file is a link to /dev/null, which everybody may write."""
    path = PATHS[control_id]
    assert (
        judged(control_id, path, mode="0666", type="other", target="/dev/null")["verdict"] == "not_applicable"
    )


def test_containerd_of_the_engine_itself_is_found_without_an_option():
    bare = {**ENGINE, "flags": {}}
    own = "/run/docker/containerd/containerd.sock"
    found = finding(
        BY_ID["file.containerd_socket"],
        snapshot({"engines": [bare], "files": {own: file("0666", type="socket")}}),
    )
    assert [subject["name"] for subject in found["subjects"]] == [own]


@pytest.mark.parametrize(
    ("control_id", "path", "fields", "verdict"),
    [
        # R42: a rootless engine's files belong to its user.
        (
            "file.engine_socket",
            "/run/user/1000/docker.sock",
            {"mode": "0660", "uid": 1000, "gid": 1000},
            "pass",
        ),
        (
            "file.engine_socket",
            "/run/user/1000/docker.sock",
            {"mode": "0666", "uid": 1000, "gid": 1000},
            "fail",
        ),
        # The group docker inside the user's namespace is one of alice's subordinate ids outside.
        (
            "file.engine_socket",
            "/run/user/1000/docker.sock",
            {"mode": "0660", "uid": 1000, "gid": 100101},
            "pass",
        ),
        (
            "file.engine_socket",
            "/run/user/1000/docker.sock",
            {"mode": "0660", "uid": 1000, "gid": 300000},
            "fail",
        ),
        (
            "file.engine_configuration",
            "/home/alice/.config/docker/daemon.json",
            {"uid": 1000, "gid": 1000},
            "pass",
        ),
        (
            "file.engine_configuration",
            "/home/alice/.config/docker/daemon.json",
            {"uid": 1001, "gid": 1000},
            "fail",
        ),
        (
            "file.config_directory",
            "/home/alice/.config/docker",
            {"mode": "0755", "uid": 1000, "gid": 1000},
            "pass",
        ),
    ],
)
def test_files_of_a_rootless_engine(control_id, path, fields, verdict):
    home = {"path": "/home/alice", "mode": "0755", "uid": 1000, "gid": 1000, "acl": []}
    changes = {
        "engines": [rootless_engine()],
        "accounts": {"subids": {"gid": [{"owner": "alice", "start": 100000, "count": 65536}]}},
        "files": {path: file(**{"owner": "alice", "group": "alice", "parents": [home], **fields})},
    }
    found = finding(BY_ID[control_id], snapshot(changes))
    assert (found["engine"], found["verdict"]) == ("rootless:alice", verdict)


def test_a_rootless_engine_has_a_containerd_of_its_own():
    engine = {**rootless_engine(), "flags": {}}
    accounts = {"users": [{"name": "alice", "uid": 1000, "gid": 1000}]}
    path = "/run/user/1000/docker/containerd/containerd.sock"
    for mode, verdict in (("0660", "pass"), ("0666", "fail")):
        found_file = file(type="socket", mode=mode, uid=1000, gid=1000)
        found = finding(
            BY_ID["file.containerd_socket"],
            snapshot({"engines": [engine], "accounts": accounts, "files": {path: found_file}}),
        )
        assert (found["verdict"], found["severity"]) == (verdict, "high")


def test_a_host_without_an_engine():
    found = finding(BY_ID["file.engine_socket"], snapshot({"engines": []}))
    assert (found["verdict"], found["message"]) == ("not_applicable", "no Docker engine on this host")


def test_the_mode_asked_for_is_a_parameter():
    data = snapshot({"files": {"/etc/docker/ca.pem": file("0644")}})
    assert finding(BY_ID["file.tls_ca_certificate"], data, mode="0644")["verdict"] == "pass"
    assert finding(BY_ID["file.tls_ca_certificate"], data, mode="rw")["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("uid", "state", "demanded"),
    [(1000, "running", True), (0, "running", False), (1001, "running", False), (1000, "stopped", False)],
)
def test_an_account_demands_no_change_of_what_is_not_its_own(uid, state, demanded):
    """S20: it names any path, also where its engine does not run; that is a finding, and never root's work."""
    path = "/etc/passwd"
    owner = {0: "root", 1000: "alice", 1001: "bob"}[uid]
    named = {"path": "/home/alice/.config/docker/daemon.json", "settings": {"tlskey": path}}
    one = rootless_engine(config=named, state=state)
    data = snapshot({"engines": [one], "files": {path: file(mode="0644", uid=uid, gid=0, owner=owner)}})
    control = BY_ID["file.tls_server_key"]
    case = Case(data, one, control.parameters)
    (item,) = control.over(case)
    assert (wanted(item.value, case) is not None) is demanded
    found = finding(control, data)
    assert found["verdict"] == "fail"
    evidence = [subject["evidence"] for subject in found["subjects"] if "mode" in str(subject["actual"])]
    assert evidence == [path if uid == 1000 else f"{path}, a file of {owner} that alice names"]
