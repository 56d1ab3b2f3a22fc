# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for all controls of containers and images, and the readers that they share."""

from __future__ import annotations

import json
import time

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.audit.judge import findings_of, score_of
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread
from ansible_collections.bulwark.docker.plugins.module_utils.controls.containers import (
    capabilities,
    confinement,
    contents,
    images,
    mounts,
    namespaces,
    network,
    networks,
    privileges,
    resources,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    NOT_APPLICABLE,
    PASS,
    UNKNOWN,
    Case,
    Control,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects import containers

from tests.unit.builders.containers import (
    STARTED,
    container,
    default_container,
    engine,
    holding,
    host_with,
    image,
    orphan,
    rootless_engine,
    stopped,
)
from tests.unit.builders.judging import finding

MODULES = (
    capabilities,
    confinement,
    contents,
    mounts,
    namespaces,
    network,
    privileges,
    resources,
    images,
    networks,
)


def of_module(module):
    for value in vars(module).values():
        for control in value if isinstance(value, tuple) and not isinstance(value, Control) else (value,):
            if isinstance(control, Control):
                yield control


CONTROLS = {control.id: control for module in MODULES for control in of_module(module)}
OF_CONTAINERS = {name: control for name, control in CONTROLS.items() if control.scope == "containers"}


def verdicts(snapshot, controls):
    return {found["control"]: found["verdict"] for found in findings_of(snapshot, controls.values(), {}, {})}


@pytest.mark.parametrize(
    "sound", [container(), stopped(), stopped(state="created")], ids=["runs", "ended", "created"]
)
def test_a_sound_container_fails_nothing(sound):
    found = verdicts(holding(sound, images=[image()]), CONTROLS)
    del found["image.content_trust"]
    assert set(found.values()) <= {PASS, NOT_APPLICABLE}


def test_without_containers_everything_holds_or_does_not_apply():
    """Edge case 125."""
    found = verdicts(holding(), OF_CONTAINERS)
    assert set(found.values()) <= {PASS, NOT_APPLICABLE}
    assert found["container.privileged"] == PASS


def test_without_an_engine_nothing_applies():
    assert set(verdicts(host_with(), OF_CONTAINERS).values()) == {NOT_APPLICABLE}


@pytest.mark.parametrize("name", OF_CONTAINERS)
def test_containers_that_could_not_be_read_never_pass(name):
    snapshot = holding(containers={"error": "/run/docker.sock: permission denied"})
    found = finding(OF_CONTAINERS[name], snapshot)
    assert found["verdict"] == UNKNOWN or "not in force" in found["message"]


@pytest.mark.parametrize("name", OF_CONTAINERS)
def test_a_container_that_could_not_be_read_never_passes(name):
    unread = {
        key: {"error": "it ended during the scan"}
        for key in container()
        if key not in ("id", "name", "state")
    }
    found = finding(OF_CONTAINERS[name], holding(container(**unread)), **AWAKE.get(name, {}))
    assert found["verdict"] == UNKNOWN or "not in force" in found["message"]


# Parameters without which a control asks for nothing.
AWAKE = {"container.seccomp_generated": {"profiles": {"*": "00"}}}


def test_a_container_known_from_proc_alone_is_judged_by_its_processes():
    """Edge case 127: the daemon is dead, the containers live."""
    snapshot = holding(orphan(), info={"error": "/run/docker.sock: does not answer"})
    found = verdicts(snapshot, OF_CONTAINERS)
    failed = {name for name, verdict in found.items() if verdict == "fail"}
    assert failed == {
        "container.default_capabilities",
        "container.minimal_capabilities",
        "container.no_new_privileges",
        "container.rarely_needed_capabilities",
        "container.root_user",
        "container.setuid_capabilities",
    }
    passed = {name for name, verdict in found.items() if verdict == PASS}
    assert passed == {
        "container.added_capabilities",
        "container.all_capabilities",
        "container.critical_capabilities",
        "container.nested_engine",
        "container.seccomp",
        "container.ssh_server",
    }
    (subject,) = finding(CONTROLS["container.root_user"], snapshot)["subjects"]
    assert (subject["name"], subject["actual"]) == ("000000000000", "root: sleep")


def test_a_rootless_engine_gives_no_false_findings():
    """R42: its containers' root is the user, and no-new-privileges of its daemon.json is in force."""
    own = default_container(
        process={
            "uid": 1000,
            "gid": 1000,
            "groups": [1000],
            "no_new_privs": True,
            "uid_map": [[0, 1000, 1], [1, 100000, 65536]],
        },
        processes=[{"name": "sleep", "uid": 1000, "gid": 1000, "no_new_privs": True, "count": 1}],
        host_config={"UsernsMode": "host", "NetworkMode": "host"},
        networks=["host"],
        listeners=None,
    )
    found = verdicts(host_with(rootless_engine(own)), OF_CONTAINERS)
    for name in ("root_user", "root_group", "no_new_privileges"):
        assert found[f"container.{name}"] in (PASS, NOT_APPLICABLE)
    for name in ("host_users", "host_network", "host_account", "apparmor", "remapped_mounts"):
        assert found[f"container.{name}"] == NOT_APPLICABLE


def test_more_containers_never_raise_the_score():
    """R46."""

    def percent(count):
        snapshot = holding(*(default_container(number) for number in range(count)), images=[image()])
        found = findings_of(snapshot, CONTROLS.values(), {}, {})
        return score_of([{**one, "waived": False} for one in found])["percent"]

    assert percent(0) > percent(1) >= percent(20)


def test_findings_of_100_default_containers_are_small_and_quick():
    snapshot = holding(
        *(default_container(number) for number in range(1, 101)),
        images=[image(config={"user": "", "healthcheck": None}, content=None)],
    )
    baseline = [control for control in CONTROLS.values() if control.baseline]
    begun = time.process_time()
    found = findings_of(snapshot, baseline, {}, {})
    assert time.process_time() - begun < 0.5
    failed = {one["control"] for one in found if one["verdict"] == "fail"}
    assert failed == {
        "container.default_capabilities",
        "container.no_new_privileges",
        "container.resource_limits",
        "container.root_user",
        "image.user",
    }
    assert len(json.dumps(found)) < 90_000


def test_names_from_containers_stay_short_in_findings():
    hostile = container(config={"env_names": [f"TOKEN_{place}<script>" + "x" * 1000 for place in range(50)]})
    (subject,) = finding(CONTROLS["container.secrets_in_environment"], holding(hostile))["subjects"]
    assert len(subject["actual"]) < 1000
    assert subject["actual"].endswith("and 36 more")


@pytest.mark.parametrize(
    ("options", "value"),
    [
        (None, None),
        ([], None),
        (["no-new-privileges"], ""),
        (["no-new-privileges:true"], "true"),
        (["no-new-privileges=true"], "true"),
        (["no-new-privileges:false"], "false"),
        (["no-new-privileges", "no-new-privileges=false"], "false"),
        (["no-new-privileges-ever"], None),
    ],
)
def test_security_options_are_read_as_docker_reads_them(options, value):
    assert (
        containers.security_option(container(host_config={"SecurityOpt": options}), "no-new-privileges")
        == value
    )


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", ("0", "")),
        ("0", ("0", "")),
        ("root", ("0", "")),
        ("0:0", ("0", "0")),
        ("root:root", ("0", "0")),
        ("1000", ("1000", "")),
        ("app:users", ("app", "users")),
        (":5", ("0", "5")),
    ],
)
def test_all_spellings_of_root_are_root(user, expected):
    assert containers.configured_user(container(config={"user": user})) == expected


@pytest.mark.parametrize(
    ("options", "settings", "info", "created", "expected"),
    [
        (None, {}, [], STARTED + 1, False),
        (["no-new-privileges"], {}, [], STARTED + 1, True),
        (
            ["no-new-privileges:false"],
            {"no-new-privileges": True},
            ["name=no-new-privileges"],
            STARTED + 1,
            False,
        ),
        (None, {"no-new-privileges": True}, ["name=no-new-privileges"], STARTED + 1, True),
        (None, {"no-new-privileges": True}, [], STARTED + 1, False),
        (None, {"no-new-privileges": True}, ["name=no-new-privileges"], STARTED - 1, Unread),
        (None, {"no-new-privileges": True}, ["name=no-new-privileges"], None, Unread),
    ],
    ids=[
        "nothing",
        "option",
        "option against default",
        "default",
        "file edited, engine says no",
        "older container",
        "no date",
    ],
)
def test_no_new_privileges_of_what_does_not_run(options, settings, info, created, expected):
    resting = stopped(host_config={"SecurityOpt": options}, created=created)
    found = engine(
        resting, config={"settings": settings}, info={"SecurityOptions": ["name=seccomp,profile=x", *info]}
    )
    case = Case(host_with(found), found)
    if expected is Unread:
        with pytest.raises(Unread, match="created before the engine started"):
            containers.no_new_privileges(resting, case)
    else:
        assert containers.no_new_privileges(resting, case) is expected


def test_engine_20_10_does_not_list_the_default_that_is_in_force():
    resting = stopped(host_config={"SecurityOpt": None})
    snapshot = holding(
        resting,
        version={"Version": "20.10.24+dfsg1", "ApiVersion": "1.41"},
        config={"settings": {"no-new-privileges": True}},
        info={"SecurityOptions": ["name=seccomp,profile=default"]},
    )
    assert finding(CONTROLS["container.no_new_privileges"], snapshot)["verdict"] == PASS


def test_the_process_outweighs_what_the_options_claim():
    """After a restart of the daemon an older container has no such flag, whatever daemon.json says now."""
    claimed = container(process={"no_new_privs": False}, host_config={"SecurityOpt": ["no-new-privileges"]})
    assert containers.no_new_privileges(claimed, Case(holding(claimed))) is False


def test_a_namespace_is_followed_to_its_owner():
    owner = container(id="a" * 64, host_config={"NetworkMode": "host"})
    guest = container(id="b" * 64, host_config={"NetworkMode": f"container:{'a' * 64}"})
    lost = container(id="c" * 64, host_config={"NetworkMode": "container:gone"})
    circle = container(id="d" * 64, host_config={"NetworkMode": f"container:{'d' * 64}"})
    snapshot = holding(owner, guest, lost, circle)
    case = Case(snapshot, snapshot["engines"][0])
    modes = [containers.mode_of(one, "NetworkMode", case) for one in (owner, guest, lost, circle)]
    assert modes == ["host", "host", "container:gone", f"container:{'d' * 64}"]
