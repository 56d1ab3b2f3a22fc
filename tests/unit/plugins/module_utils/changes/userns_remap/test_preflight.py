# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pre-flight of a userns-remap switch: what breaks, stops, is hidden, and what refuses it.

Numbers in names are those of the edge cases.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.hidden_data import human
from ansible_collections.bulwark.docker.plugins.module_utils.changes.userns_remap.preflight import (
    costs,
    notices,
    preflight,
    refusals,
)

from tests.unit.builders.containers import (
    bind,
    default_container,
    engine,
    image,
    network,
    orphan,
    rootless_engine,
    stopped,
)
from tests.unit.builders.judging import changed

START = 100000
BASE = "/var/lib/docker"
MAPPED = f"{BASE}/100000.100000"
USERNS = ["name=seccomp,profile=builtin", "name=userns"]
# Of engine 20.10 (API 1.41), less what is not read.
DF = {
    "LayersSize": 1_160_000_000,
    "Images": [{"Id": "sha256:1", "Size": 900_000_000}, {"Id": "sha256:2", "Size": 900_000_000}],
    "Containers": [{"Id": "1", "SizeRw": 8_673_433, "SizeRootFs": 480_824_852}, {"Id": "2"}],
    "Volumes": [{"Name": "data", "UsageData": {"RefCount": 1, "Size": 4553}}],
    "BuildCache": None,
    "BuilderSize": 0,
}
VOLUME = {"name": "data", "driver": "local", "mountpoint": f"{BASE}/volumes/data/_data", "options": {}}


def empty(**changes: Any) -> dict[str, Any]:
    """An engine that has nothing yet."""
    return engine(**{"networks": [network("bridge")], **changes})


def mapped(*containers: Any, **changes: Any) -> dict[str, Any]:
    """An engine that maps root to 100000."""
    info = {"SecurityOptions": USERNS, "DockerRootDir": MAPPED, **changes.pop("info", {})}
    return engine(*containers, **{"networks": [network("bridge")], "info": info, **changes})


def checked(running: dict[str, Any], start: int | None = START, df: Any = None, modes: Any = None) -> Any:
    modes = {"/var": 0o755, "/var/lib": 0o755} if modes is None else modes
    return preflight(running, start, df, modes.get)


def refused(found: Any, live_restore: bool = False, data: bool = False, stop: bool = False) -> list[Any]:
    return [(one["message"], one["consent"]) for one in refusals(found, live_restore, data, stop)]


def test_an_empty_host_costs_nothing() -> None:
    found = checked(empty())
    assert found[:3] == ("enable", BASE, MAPPED)
    assert (found.hides_data, found.broken, found.running, found.returns) == (False, [], [], None)
    assert refused(found) == []
    assert costs(found) == []


@pytest.mark.parametrize(
    ("running", "start", "kind", "target"),
    [
        (empty(), None, "none", BASE),
        (mapped(), START, "none", MAPPED),
        (mapped(), None, "disable", BASE),
        (mapped(), 165536, "change", f"{BASE}/165536.165536"),
        # 51: a range from 0 is off, and has a directory of its own all the same.
        (empty(info={"DockerRootDir": f"{BASE}/0.0"}), START, "enable", MAPPED),
        (empty(info={"DockerRootDir": f"{BASE}/0.0"}), None, "disable", BASE),
        # Without a mapping it is a data root that somebody named so.
        (empty(info={"DockerRootDir": "/srv/1.2"}), START, "enable", "/srv/1.2/100000.100000"),
    ],
)
def test_what_kind_of_switch_it_is(running: Any, start: int | None, kind: str, target: str) -> None:
    found = checked(running, start)
    assert (found.kind, found.target) == (kind, target)
    if kind == "none":
        assert refused(found) == []
        assert costs(found) == []
        assert notices(found) == []


def test_054_the_group_may_be_mapped_elsewhere() -> None:
    assert preflight(empty(), START, None, lambda _path: 0o755, 200000).target == f"{BASE}/100000.200000"


def with_options(**options: Any) -> dict[str, Any]:
    return default_container(host_config=options)


@pytest.mark.parametrize(
    ("options", "reasons"),
    [
        ({}, []),
        ({"NetworkMode": "host"}, ["network"]),
        ({"PidMode": "host"}, ["processes"]),
        ({"IpcMode": "host"}, ["shared memory"]),
        ({"UTSMode": "host"}, []),
        ({"Privileged": True}, ["privileged"]),
        ({"Privileged": True, "NetworkMode": "host"}, ["privileged", "network"]),
        ({"Privileged": True, "NetworkMode": "host", "PidMode": "host", "UsernsMode": "host"}, []),
        ({"NetworkMode": "container:nobody"}, []),
    ],
)
def test_containers_that_would_be_refused(options: Any, reasons: list[str]) -> None:
    for one in (with_options(**options), stopped(host_config=options)):
        found = checked(engine(one)).broken
        assert {part["container"] for part in found} <= {one["name"]}
        assert len(found) == len(reasons)
        assert all(any(reason in part["reason"] for part in found) for reason in reasons)


def test_a_joined_container_counts() -> None:
    owner = default_container(1, name="owner", host_config={"NetworkMode": "host"})
    joins = default_container(2, name="joins", host_config={"NetworkMode": f"container:{owner['id']}"})
    assert [part["container"] for part in checked(engine(joins, owner)).broken] == ["joins", "owner"]
    owner["host_config"]["UsernsMode"] = "host"
    assert checked(engine(joins, owner)).broken == []
    circle = default_container(3, name="circle", host_config={"PidMode": "container:circle"})
    assert checked(engine(circle)).broken == []


def facts(mode: str, uid: int = 0, gid: int = 0) -> dict[str, Any]:
    return {"source_facts": {"uid": uid, "gid": gid, "mode": mode}}


@pytest.mark.parametrize(
    ("mount", "reason"),
    [
        (bind("/srv/a", **facts("0600")), "cannot read its mount /srv/a (owner 0, mode 0600) any more"),
        (bind("/srv/a", **facts("0700")), "cannot read"),
        (bind("/srv/a", **facts("0750", uid=1000)), "cannot read"),
        (bind("/srv/a", **facts("0744")), "cannot read"),
        (bind("/srv/a", **facts("0755")), "cannot write to its mount /srv/a"),
        (bind("/srv/a", read_write=False, **facts("0755")), None),
        (bind("/srv/a", read_write=False, **facts("0644")), None),
        (bind("/srv/a", **facts("1777")), None),
        (bind("/srv/a", **facts("0700", uid=100999)), None),
        (bind("/srv/a", **facts("0770", gid=100999)), None),
        (bind("/srv/a", **facts("0700", uid=165536)), "cannot read"),
        (bind("/srv/a", source_facts=None), None),
        (bind("/srv/a", type="volume", **facts("0700")), None),
    ],
)
def test_058_bind_mounts_that_are_closed_to_others_are_listed(mount: Any, reason: str | None) -> None:
    found = checked(engine(default_container(mounts=[mount]))).broken
    assert [reason in part["reason"] for part in found] == ([True] if reason else [])
    # With --userns host it stays root of the host.
    excepted = default_container(mounts=[mount], host_config={"UsernsMode": "host"})
    assert checked(engine(excepted)).broken == []


def test_058_the_socket_of_the_engine_is_listed_once() -> None:
    reached = ["/run/docker.sock"]
    mount = bind("/run/docker.sock", reaches=reached, **facts("0660", gid=995))
    (part,) = checked(engine(default_container(mounts=[mount]))).broken
    assert part["reason"].startswith("it reaches /run/docker.sock by its mount of /run/docker.sock")
    mount = bind("/run", reaches=reached, **facts("0755"))
    first, second = checked(engine(default_container(mounts=[mount]))).broken
    assert "cannot write" in first["reason"]
    assert "reaches" in second["reason"]


def test_what_cannot_be_judged_is_listed_not_dropped() -> None:
    (part,) = checked(engine(orphan())).broken
    assert part["container"] == f"{1:064x}"[:12]
    assert "does not answer" in part["reason"]


@pytest.mark.parametrize(
    ("live_restore", "text"), [(False, "The switch stops"), (True, "as root of the host, unseen")]
)
def test_057_running_containers_need_consent_with_live_restore_too(live_restore: bool, text: str) -> None:
    names = [f"c{number}" for number in range(7)]
    states = ["running", "paused", "restarting", "running", "running", "running", "running"]
    held = [
        default_container(number, name=name, state=state)
        for number, (name, state) in enumerate(zip(names, states))
    ]
    found = checked(engine(*reversed(held), stopped(name="ended")))
    assert found.running == names
    (message, consent) = refused(found, live_restore, data=True)[0]
    assert text in message
    assert "7 running containers (c0, c1, c2, c3, c4 and 2 more)" in message
    assert consent == "userns_remap_stop_containers"
    assert refused(found, live_restore, data=True, stop=True) == []
    # Both at once.
    assert [consent for _unused, consent in refused(found)] == [
        "userns_remap_allow_data_switch",
        "userns_remap_stop_containers",
    ]
    assert all(one["control"] == "daemon.userns_remap" for one in refusals(found, True, False, False))


def test_data_that_stays_behind_is_counted_and_sized() -> None:
    full = engine(default_container(), stopped(name="ended"), images=[image()], volumes=[VOLUME])
    found = checked(full, df=DF)
    assert found.hidden == {
        "images": {"count": 2, "size": 1_160_000_000, "names": ["shop:1"]},
        "containers": {"count": 2, "size": 8_673_433, "names": ["container-001", "ended"]},
        "volumes": {"count": 1, "size": 4553, "names": ["data"]},
        "networks": {"count": 1, "size": None, "names": ["shop"]},
        "plugins": {"count": 0, "size": None, "names": []},
        "build_cache": {"count": 0, "size": 0, "names": []},
    }
    assert found.stays == {"name": "docker", "path": BASE, "size": 1_168_677_986}
    hidden = next(cost for cost in costs(found) if cost["kind"] == "data_hidden")
    assert "2 images (1.2 GB), 2 containers (8.7 MB), 1 volume (4.6 kB), 1 network." in hidden["message"]
    assert hidden["subjects"] == ["data"]
    assert notices(found) == [f"{BASE} stays on disk (1.2 GB)."]


def test_usage_as_engines_since_29_tell_it() -> None:
    usage = {"TotalCount": 3, "TotalSize": 5000, "ActiveCount": 1}
    found = checked(empty(), df={"ImageUsage": usage, "BuildCacheUsage": usage})
    assert found.hidden["images"] == {"count": 3, "size": 5000, "names": []}
    assert found.hidden["build_cache"]["count"] == 3
    assert found.hidden["volumes"] == {"count": 0, "size": None, "names": []}
    found = checked(empty(), df={**DF, "ImageUsage": usage, "VolumeUsage": {}})
    assert found.hidden["images"]["size"] == 1_160_000_000
    assert found.hidden["volumes"]["count"] == 1


@pytest.mark.parametrize(
    ("changes", "hides"),
    [
        ({}, False),
        ({"images": [image()]}, True),
        ({"images": {"error": "too slow"}, "info": {"Images": 3}}, True),
        ({"containers": [stopped()]}, True),
        ({"volumes": [VOLUME]}, True),
        ({"networks": [network("bridge"), network("shop")]}, True),
        ({"networks": [network("bridge"), network("mesh", scope="swarm")]}, False),
        ({"plugins": [{"name": "opa:latest", "enabled": True, "types": []}]}, True),
        ({"info": {"Swarm": {"LocalNodeState": "active", "ControlAvailable": True}}}, True),
        ({"info": {"Swarm": {"LocalNodeState": "inactive"}}}, False),
    ],
)
def test_whether_there_is_anything_to_hide(changes: Any, hides: bool) -> None:
    found = checked(changed(empty(), changes))
    assert found.hides_data == hides
    assert [consent for _unused, consent in refused(found)] == ["userns_remap_allow_data_switch"] * hides
    assert refused(found, data=True) == []
    assert found.stays["size"] is None


def test_a_swarm_node_is_named() -> None:
    state = {"LocalNodeState": "active", "ControlAvailable": False}
    ((message, _unused),) = refused(checked(empty(info={"Swarm": state})))
    assert "its place in the swarm as a worker" in message


def test_a_size_that_is_not_known_is_not_0() -> None:
    df = {**DF, "Volumes": [{"Name": "data", "UsageData": {"RefCount": 1, "Size": -1}}]}
    found = checked(engine(volumes=[VOLUME]), df=df)
    assert found.hidden["volumes"]["size"] is None
    assert found.stays["size"] is None
    assert notices(found) == [f"{BASE} stays on disk (size not known)."]


def test_disable_brings_the_former_data_back_and_reports_the_tree() -> None:
    found = checked(mapped(default_container(host_config={"PidMode": ""}), volumes=[VOLUME]), None, DF)
    assert (found.kind, found.returns, found.broken) == ("disable", BASE, [])
    assert found.stays == {"name": "100000.100000", "path": MAPPED, "size": 1_168_677_986}
    assert notices(found) == [
        f"{MAPPED} stays on disk (1.2 GB).",
        f"What was in {BASE} before userns-remap is seen again.",
    ]
    assert {consent for _unused, consent in refused(found)} == {
        "userns_remap_allow_data_switch",
        "userns_remap_stop_containers",
    }


def test_a_former_tree_of_the_mapping_is_seen_again() -> None:
    found = checked(empty(data_roots=[{"name": "100000.100000", "uid": START, "gid": START}]))
    assert found.returns == MAPPED
    assert f"left in {MAPPED} is seen again" in notices(found)[1]


@pytest.mark.parametrize(
    ("root", "modes", "closed"),
    [
        (BASE, {"/var": 0o755, "/var/lib": 0o711}, None),
        # dockerd sets the mode of the data root itself.
        (BASE, {"/var": 0o755, "/var/lib": 0o755, BASE: 0o700}, None),
        ("/srv/a/docker", {"/srv": 0o755, "/srv/a": 0o700}, "below /srv/a (0700),"),
        ("/srv/a/docker", {"/srv": 0o750, "/srv/a": 0o700}, "below /srv (0750), /srv/a (0700),"),
        ("/srv/a/docker", {"/srv": 0o755}, None),
        ("/docker", {}, None),
    ],
)
def test_059_a_data_root_below_a_closed_directory_is_refused(root: str, modes: Any, closed: str) -> None:
    found = checked(empty(info={"DockerRootDir": root}), modes=modes)
    if closed is None:
        assert found.data_root_problem is None
        return
    assert closed in found.data_root_problem
    assert refused(found, data=True, stop=True) == [(found.data_root_problem, None)]
    # Switching it off needs nothing of the kind.
    root = f"{root}/100000.100000"
    assert checked(mapped(info={"DockerRootDir": root}), None, modes=modes).data_root_problem is None


def test_061_a_rootless_engine_is_refused() -> None:
    found = checked(rootless_engine())
    ((message, consent),) = refused(found, data=True, stop=True)
    assert "The engine of alice runs without root" in message
    assert consent is None
    assert not found.hides_data
    # To take the key out again is right.
    assert refused(checked(rootless_engine(), None)) == []


ON = {"features": {"containerd-snapshotter": True}}


@pytest.mark.parametrize(
    ("version", "settings", "flags", "said"),
    [
        ("29.7.2", ON, {}, "by features in /etc/docker/daemon.json, and engine 29.7.2"),
        ("29.0.0", {}, {"feature": ["containerd-snapshotter=true"]}, "by --feature"),
        ("29.0.0", {}, {"feature": ["containerd-snapshotter"]}, "by --feature"),
        ("29.0.0", {}, {"feature": ["containerd-snapshotter=false"]}, None),
        # Not asked for: 29 takes another store by itself.
        ("29.0.0", {}, {}, None),
        ("29.0.0", {"features": {"containerd-snapshotter": False}}, {}, None),
        ("29.0.0", {"features": None}, {}, None),
        ("28.5.2", ON, {}, None),
    ],
)
def test_062_the_containerd_image_store_is_refused_on_29(
    version: str, settings: Any, flags: Any, said: str | None
) -> None:
    running = changed(
        empty(), {"version": {"Version": version}, "config": {"settings": settings}, "flags": flags}
    )
    found = refused(checked(running), data=True, stop=True)
    assert [said in message for message, _unused in found] == ([True] if said else [])
    assert checked(changed(running, {"info": mapped()["info"]}), None).refused == []


@pytest.mark.parametrize("part", ["info", "containers", "volumes", "networks"])
def test_an_engine_that_does_not_answer_is_refused(part: str) -> None:
    found = checked(empty(**{part: {"error": "docker.service is inactive"}}))
    ((message, consent),) = refused(found, data=True, stop=True)
    assert "docker.service is inactive" in message
    assert consent is None


def test_names_of_containers_are_only_data() -> None:
    name = "x\x1b[2J{0}%s\n"
    found = checked(
        engine(default_container(name=name, mounts=[bind("/srv/\nQ: yes", **facts("0700"))])), df=DF
    )
    said = [*(one["message"] for one in costs(found)), *(message for message, _unused in refused(found))]
    assert not any(letter in text for text in said for letter in "\x1b\n")
    assert any("x?[2J{0}%s?" in text for text in said)
    assert "/srv/?Q: yes" in found.broken[0]["reason"]
    assert costs(found)[0] == {"kind": "containers_stop", "message": said[0], "subjects": [name]}
    assert costs(found)[-1]["kind"] == "recreate"
    assert costs(found)[-1]["subjects"] == [name]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (1_150_000_001, "1.2 GB"),
        (10**19, "10000.0 PB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert human(size) == text


@pytest.mark.parametrize("name", ["bookworm", "trixie", "sid"])
def test_recorded_hosts(name: str) -> None:
    """Careless hosts: the pre-flight is plain data and says what their containers would meet."""
    recorded = json.loads((Path(__file__).parents[4] / "snapshots" / f"{name}.json").read_text())
    found = checked(recorded["engines"][0])
    assert found.kind == "enable"
    assert found.hides_data
    assert found.running == sorted(found.running)
    assert any("privileged" in part["reason"] for part in found.broken)
    assert any("reaches /run/docker.sock" in part["reason"] for part in found.broken)
    assert json.loads(json.dumps(found.broken)) == found.broken
