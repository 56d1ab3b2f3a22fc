# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the user of a container: as the host sees it, and by its options when it does not run."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.containers import privileges as controls

from tests.unit.builders.containers import (
    bind,
    container,
    default_container,
    holding,
    host_with,
    rootless_engine,
    stopped,
)
from tests.unit.builders.judging import finding

REMAPPED = {"SecurityOptions": ["name=seccomp,profile=builtin", "name=userns"]}


def process(name="app", uid=20000, gid=20000):
    return {"name": name, "uid": uid, "gid": gid, "no_new_privs": True, "count": 1}


def running_as(uid, gid=20000, groups=(20000,), **changes):
    processes = [process(uid=uid, gid=gid)]
    return container(process={"uid": uid, "gid": gid, "groups": list(groups)}, processes=processes, **changes)


def as_user(user, **changes):
    return stopped(config={"user": user}, **changes)


def actual(control, one, **engine):
    found = finding(control, holding(one, **engine))
    return found["subjects"][0]["actual"] if found["verdict"] == "fail" else found["verdict"]


@pytest.mark.parametrize(
    ("control", "one", "expected"),
    [
        (controls.privileged, container(host_config={"Privileged": True}), True),
        (controls.privileged, container(), "pass"),
        (controls.root_user, default_container(), "root: sleep"),
        (controls.root_user, container(processes=[process(), process("cron", 0, 0)]), "root: cron"),
        (controls.root_user, default_container(processes=[process("redis-server")]), "pass"),
        (controls.root_user, running_as(100000), "pass"),
        (controls.root_user, as_user(""), "root"),
        (controls.root_user, as_user("root:root"), "root"),
        (controls.root_user, as_user("0"), "root"),
        (controls.root_user, as_user("app"), "pass"),
        (controls.root_group, running_as(20000, gid=0), "group 0: app"),
        (controls.root_group, running_as(20000, groups=[0, 20000]), "group 0: first process"),
        (controls.root_group, running_as(20000), "pass"),
        (controls.root_group, default_container(), "not_applicable"),
        (controls.root_group, as_user("20000:0"), "group 0"),
        (controls.root_group, as_user("20000:20000"), "pass"),
        (controls.root_group, as_user("20000"), "unknown"),
        (controls.numeric_user, as_user("app"), "app"),
        (controls.numeric_user, as_user(""), "none"),
        (controls.numeric_user, as_user("0:0"), "0:0"),
        (controls.numeric_user, as_user("1000"), "pass"),
        (controls.host_account, running_as(1000), "1000 (worker)"),
        (controls.host_account, running_as(101), "101 (system)"),
        (controls.host_account, running_as(20000), "pass"),
        (controls.host_account, default_container(), "not_applicable"),
        (controls.host_account, as_user("1000"), "1000 (worker)"),
        (controls.host_account, as_user("app"), "not_applicable"),
        (controls.new_privileges, default_container(), False),
        (controls.new_privileges, container(), "pass"),
        (controls.new_privileges, stopped(host_config={"SecurityOpt": ["no-new-privileges:false"]}), False),
        (controls.new_privileges, stopped(host_config={"SecurityOpt": ["no-new-privileges=true"]}), "pass"),
        (
            controls.exec_privileged,
            container(execs=[{"privileged": True, "user": "", "running": True}]),
            "as root",
        ),
        (
            controls.exec_privileged,
            container(execs=[{"privileged": True, "user": "", "running": False}]),
            "pass",
        ),
        (
            controls.exec_privileged,
            container(execs=[{"privileged": False, "user": "app", "running": True}]),
            "pass",
        ),
    ],
)
def test_verdicts(control, one, expected):
    assert actual(control, one) == expected


def test_a_stopped_privileged_container_that_will_restart_is_found():
    """Edge case 123 and R17: created --privileged --restart always -v /:/host."""
    one = stopped(
        state="created",
        host_config={"Privileged": True, "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}},
        mounts=[bind("/", "/host")],
    )
    (subject,) = finding(controls.privileged, holding(one))["subjects"]
    assert subject["evidence"] == "created, restart policy always"


@pytest.mark.parametrize(
    ("control", "changes", "expected"),
    [
        (controls.root_user, {"config": {"user": ""}}, "pass"),
        (controls.root_user, {"config": {"user": ""}, "host_config": {"UsernsMode": "host"}}, "root"),
        (controls.root_group, {"config": {"user": "5:0"}}, "not_applicable"),
        (controls.host_account, {"config": {"user": "1000"}}, "not_applicable"),
    ],
)
def test_an_engine_that_remaps_users(control, changes, expected):
    assert actual(control, stopped(**changes), info=REMAPPED) == expected


def test_a_rootless_engine_s_own_user_is_no_foreign_account():
    snapshot = host_with(rootless_engine(running_as(1000)))
    assert finding(controls.host_account, snapshot)["verdict"] == "not_applicable"
    assert finding(controls.host_account, host_with(rootless_engine(running_as(1))))["verdict"] == "fail"


def test_the_range_of_system_users_is_the_host_s():
    snapshot = holding(running_as(900))
    assert finding(controls.host_account, snapshot)["verdict"] == "fail"
    snapshot["accounts"]["login_defs"]["SYS_UID_MAX"] = 499
    assert finding(controls.host_account, snapshot)["verdict"] == "pass"


def test_a_process_that_was_not_read_is_unknown():
    """Edge case 126: a container that dies during the scan."""
    gone = container(process={"error": "it ended during the scan"})
    found = finding(controls.root_user, holding(gone))
    assert (found["verdict"], found["message"]) == ("unknown", "Not read: it ended during the scan")
