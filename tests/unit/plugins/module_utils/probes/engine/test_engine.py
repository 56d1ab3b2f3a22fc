# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole passes over engines: three real ones as recorded, sick ones, mute ones, none at all."""

from __future__ import annotations

import copy
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import is_error
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import engine as engine_probe
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.engine import (
    EVERYTHING,
    LISTED,
    Asked,
    ask,
    ask_all,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes

from tests.unit.plugins.module_utils.probes.engine_server import (
    VERSIONS,
    WALKED,
    Engine,
    known,
    listening,
    recorded,
)

LIMIT = 5.0
ORPHAN = "d4" * 32
PARTS = {"version", "info", "containers", "images", "networks", "volumes", "plugins", "swarm", "data_roots"}


def asked(
    answers: dict[str, Any], timeout: float = LIMIT, what: Asked = EVERYTHING
) -> tuple[dict[str, Any], Engine]:
    server = Engine(answers)
    with listening(server) as path:
        return ask(known(path), WALKED, timeout, what), server


def names(found: dict[str, Any]) -> list[str]:
    return [container["name"] for container in found["containers"]]


def inspect_path(answers: dict[str, Any], name: str) -> str:
    (found,) = (c["Id"] for c in answers["/containers/json?all=1"] if c["Names"] == [f"/{name}"])
    return f"/containers/{found}/json"


def marks(value: Any, path: str = "") -> Iterator[str]:
    """Where in a snapshot something could not be read."""
    if isinstance(value, dict):
        if set(value) == {"error"}:
            yield path
        for key, entry in value.items():
            yield from marks(entry, f"{path}.{key}")
    elif isinstance(value, list):
        for entry in value:
            yield from marks(entry, path)


@pytest.mark.parametrize("version", VERSIONS)
def test_pass_over_a_real_engine(version: str) -> None:
    found, server = asked(recorded(version))
    assert set(found) == PARTS | {"state", "error"}
    assert (found["state"], found["error"], found["version"]["Version"].partition("+")[0]) == (
        "running",
        None,
        version,
    )
    assert found["version"]["Components"]["runc"]
    assert found["info"]["DockerRootDir"] == "/var/lib/docker"
    assert names(found) == [
        "p1-created",
        "p1-default",
        "p1-ports",
        "p1-seccomp",
        "p1-user",
        "p1-volume",
        "vanilla",
    ]
    # The recorded processes do not run here, nor do all the data roots exist.
    assert set(marks(found)) <= {".containers.process", ".containers.processes", ".data_roots"}
    assert [image["tags"] for image in found["images"] if image["containers"]] == [["busybox:p1"]]
    assert len([image for image in found["images"] if not image["containers"]]) == 1
    bridge = next(network for network in found["networks"] if network["name"] == "bridge")
    assert (bridge["driver"], bridge["options"]["com.docker.network.bridge.enable_icc"]) == ("bridge", "true")
    assert len(bridge["containers"]) == len(bridge["subnets"]) * 7 == 7
    assert found["volumes"][0]["options"] == {"device": "/run", "o": "bind", "type": "none"}
    execs = [each for container in found["containers"] for each in container["execs"]]
    assert {"privileged": False, "user": "5", "running": True} in execs
    assert any(each["privileged"] for each in execs) == (version != "20.10.24")
    assert "hunter2" not in json.dumps(found)
    assert (server.connections, len(server.asked)) == (1, len(set(server.asked)))


def test_what_is_not_asked_for_costs_no_request() -> None:
    answers = recorded(VERSIONS[-1])
    found, server = asked(answers, what=Asked(("info", "containers")))
    assert {path.partition("?")[0].split("/")[1] for path in server.asked} == {
        "version",
        "info",
        "containers",
        "exec",
    }
    assert (found["state"], len(names(found))) == ("running", 7)
    for part in PARTS - {"version", "info", "containers"}:
        assert found[part] == {"error": "was not asked for"}


def test_images_that_are_only_listed_cost_one_request() -> None:
    found, server = asked(recorded(VERSIONS[-1]), what=Asked(("containers", "images"), LISTED))
    assert [path for path in server.asked if path.startswith("/images")] == ["/images/json"]
    assert sorted(image["tags"] for image in found["images"] if image["containers"]) == [["busybox:p1"]]
    assert found["images"][0]["history"] == {"error": "was not asked for"}


@pytest.mark.parametrize("version", VERSIONS)
def test_pass_is_deterministic(version: str) -> None:
    answers = recorded(version)
    turned = copy.deepcopy(answers)
    for path in ("/containers/json?all=1", "/images/json", "/networks"):
        turned[path].reverse()
    turned["/volumes"]["Volumes"].reverse()
    server = Engine(answers)
    with listening(server) as path:
        before = ask(known(path), WALKED, LIMIT)
        server.answers = turned
        after = ask(known(path), WALKED, LIMIT)
    assert json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)


def test_container_that_was_removed_meanwhile_is_skipped() -> None:
    answers = recorded("26.1.5")
    del answers[inspect_path(answers, "vanilla")]
    for path in [path for path in answers if path.startswith("/exec/")]:
        del answers[path]
    found, _unused = asked(answers)
    assert "vanilla" not in names(found)
    assert len(found["containers"]) == 6
    assert all(container["execs"] == [] for container in found["containers"])


def test_container_whose_details_hang_while_it_is_removed_is_skipped() -> None:
    answers = recorded("26.1.5")
    lists = [answers["/containers/json?all=1"]]
    lists.append([listed for listed in lists[0] if listed["Names"] != ["/vanilla"]])
    answers[inspect_path(answers, "vanilla")] = _mute
    answers["/containers/json?all=1"] = lambda: (200, lists.pop(0))
    found, _unused = asked(answers, timeout=0.5)
    assert len(found["containers"]) == 6
    assert "vanilla" not in names(found)


def test_container_that_hangs_at_the_deadline_costs_itself() -> None:
    answers = recorded("26.1.5")
    answers[inspect_path(answers, "vanilla")] = _mute
    answers["/containers/json?all=1"].sort(key=lambda listed: listed["Names"] == ["/vanilla"])
    with deadline.limited(1.0):
        found, _unused = asked(answers, timeout=3.0)
    assert len(found["containers"]) == 7
    assert [is_error(each["config"]) for each in found["containers"]] == [False] * 6 + [True]


@pytest.mark.parametrize("answer", [lambda: (500, {"message": "boom"}), {"Id": "x"}, [], None])
def test_container_that_cannot_be_read_is_listed(answer: Any) -> None:
    answers = recorded("26.1.5")
    answers[inspect_path(answers, "vanilla")] = answer
    found, _unused = asked(answers)
    (sick,) = (container for container in found["containers"] if container["name"] == "vanilla")
    assert (sick["state"], set(sick["host_config"]), set(sick["process"])) == (
        "running",
        {"error"},
        {"error"},
    )
    assert len(found["containers"]) == 7


def test_container_that_hangs_does_not_hang_the_rest() -> None:
    answers = recorded("26.1.5")

    def hangs() -> tuple[int, Any]:
        time.sleep(3)
        return 200, {}

    answers[inspect_path(answers, "p1-default")] = hangs
    begun = time.monotonic()
    found, _unused = asked(answers, timeout=0.5)
    assert time.monotonic() - begun < 3
    (sick,) = (container for container in found["containers"] if container["name"] == "p1-default")
    assert "does not answer in time" in sick["config"]["error"]
    assert next(c for c in found["containers"] if c["name"] == "vanilla")["config"]["env"]


PATHS = {
    "networks": "/networks",
    "volumes": "/volumes",
    "plugins": "/plugins",
    "images": "/images/json",
    "containers": "/containers/json?all=1",
}


@pytest.mark.parametrize("part", PATHS)
@pytest.mark.parametrize("answer", [lambda: (403, {"message": "denied by plugin"}), [3], {"x": "y"}, None])
def test_part_that_cannot_be_read(part: str, answer: Any) -> None:
    found, _unused = asked({**recorded("28.5.2"), PATHS[part]: answer})
    assert found["state"] == "running"
    assert set(found[part]) == {"error"}
    assert not [other for other in PATHS if other != part and isinstance(found[other], dict)]


@pytest.mark.parametrize("answer", [lambda: (403, {"message": "denied by plugin"}), [3], None])
def test_engine_that_does_not_tell_of_itself(answer: Any) -> None:
    found, _unused = asked({**recorded("28.5.2"), "/info": answer})
    assert set(found["info"]) == set(found["swarm"]) == set(found["data_roots"]) == {"error"}
    assert len(found["containers"]) == 7


def test_hostile_ids_become_no_paths() -> None:
    answers = recorded("26.1.5")
    answers["/containers/json?all=1"][0]["Id"] = "../swarm/unlockkey?x="
    answers["/images/json"].append({"Id": "../swarm", "RepoTags": ["x:1"], "Size": 1, "Created": 1})
    found, server = asked(answers)
    assert not [path for path in server.asked if "swarm" in path]
    assert "id of another form" in json.dumps(found["containers"])
    assert "id of another form" in found["images"]["error"]


def test_three_hundred_containers() -> None:
    answers = recorded("26.1.5")
    template = answers[inspect_path(answers, "p1-default")]
    answers["/containers/json?all=1"] = []
    for number in range(300):
        container_id = f"{number:064x}"
        answers["/containers/json?all=1"].append(
            {"Id": container_id, "Names": [f"/c{number}"], "State": "running"}
        )
        answers[f"/containers/{container_id}/json"] = {**template, "Id": container_id, "Name": f"/c{number}"}
    found, server = asked(answers)
    assert len(found["containers"]) == 300
    assert server.connections == 1
    (image,) = (image for image in found["images"] if image["containers"])
    assert len(image["containers"]) == 300


def test_more_images_than_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_probe, "IMAGES_LOOKED_AT", 1)
    found, server = asked(recorded("26.1.5"))
    assert len(found["images"]) == 2
    (left_out,) = (image for image in found["images"] if set(image["config"]) == {"error"})
    assert left_out["containers"] == []
    assert left_out["config"]["error"].startswith("only 1 images are looked at")
    assert len([path for path in server.asked if path.endswith("/history")]) == 1


def test_image_that_was_removed_meanwhile_is_skipped() -> None:
    answers = recorded("26.1.5")
    for path in [path for path in answers if path.startswith("/images/sha256")]:
        del answers[path]
    assert asked(answers)[0]["images"] == []


def test_secrets_of_info_do_not_pass() -> None:
    answers = recorded("26.1.5")
    answers["/info"].update(
        HttpProxy="http://u:hunter2@proxy:3128",
        Labels=["key=hunter2"],
        RegistryConfig={"Mirrors": ["https://u:hunter2@mirror/"]},
    )
    info = asked(answers)[0]["info"]
    assert "hunter2" not in json.dumps(info)
    assert (info["HttpProxy"], info["Labels"]) == ("http://proxy:3128", ["key"])
    assert "Cluster" not in info["Swarm"]


def test_data_roots_of_other_mappings(tmp_path: Path) -> None:
    for name in ("100000.100000", "0.0", "overlay2", "200000.200001"):
        (tmp_path / name).mkdir()
    answers = recorded("26.1.5")
    answers["/info"]["DockerRootDir"] = str(tmp_path / "100000.100000")
    expected = [{"name": "0.0", "uid": 0, "gid": 0}, {"name": "200000.200001", "uid": 200000, "gid": 200001}]
    assert asked(answers)[0]["data_roots"] == expected
    answers["/info"]["DockerRootDir"] = str(tmp_path)
    assert len(asked(answers)[0]["data_roots"]) == 3


def test_stopped_engine_is_not_asked() -> None:
    server = Engine(recorded("26.1.5"))
    with listening(server) as path:
        found = ask(known(path, state="stopped", error="docker.service is inactive"), WALKED, LIMIT)
    assert (found["state"], found["error"]) == ("stopped", "docker.service is inactive")
    assert found["containers"] == found["images"] == {"error": "docker.service is inactive"}
    assert server.connections == 0


def _denied() -> tuple[int, Any]:
    return 403, {"message": "no"}


def _mute() -> tuple[int, Any]:
    time.sleep(1)
    return 200, {}


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        (None, "stopped"),
        ({"/version": _mute}, "unresponsive"),
        ({}, "running"),
        ({"/version": _denied}, "running"),
    ],
    ids=["no socket", "mute", "answers nothing", "denied"],
)
def test_sick_engine(answers: dict[str, Any] | None, state: str) -> None:
    if answers is None:
        found = ask(known("/nonexistent/engine.sock"), WALKED, LIMIT)
    else:
        found, _unused = asked(answers, timeout=0.3)
    assert found["state"] == state
    assert set(found["version"]) == {"error"}
    assert set(found["containers"]) == {"error"}
    assert (found["error"] is None) == (state == "running")


def test_engine_without_a_socket_path() -> None:
    found = ask(known(None), WALKED, LIMIT)  # type: ignore[arg-type]
    assert set(found) == PARTS | {"state", "error"}
    assert set(found["containers"]) == {"error"}


@pytest.fixture
def walked(tmp_path: Path) -> Iterator[dict[int, dict[str, Any]]]:
    """Processes with a shim of Docker's container ORPHAN and the container's first process below it."""
    script = tmp_path / "containerd-shim-runc-v2"
    script.write_text("#!/bin/sh\nsleep 60 &\necho $!\nread line\nkill $!\n", encoding="utf-8")
    script.chmod(0o755)
    command = [str(script), "-namespace", "moby", "-id", ORPHAN]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        below = int(process.stdout.readline())
        # Until then it is a copy of the shim, arguments included.
        while Path(f"/proc/{below}/comm").read_text(encoding="ascii") != "sleep\n":
            time.sleep(0.01)
        found = {pid: processes.read(pid) for pid in (process.pid, below)}
        # Where these tests run, they may run in a container.
        yield {pid: {**each, "cgroup": "/"} for pid, each in found.items() if each}
    finally:
        process.communicate()


@pytest.mark.parametrize("why", ["mute", "gone", "stopped", "denied"])
def test_containers_of_an_engine_that_does_not_tell(why: str, walked: dict[int, Any]) -> None:
    server = Engine({"/containers/json?all=1": _denied} if why == "denied" else {"/version": _mute})
    with listening(server) as path:
        engine = known(path if why != "gone" else f"{path}.gone", uid=os.geteuid())
        if why == "stopped":
            engine.update(state="stopped", error="docker.service is inactive", uid=None)
        found = ask(engine, walked, 0.3)
    (orphan,) = found["containers"]
    assert (orphan["id"], orphan["name"], orphan["state"]) == (ORPHAN, None, "running")
    assert orphan["process"]["cap_bnd"] == walked[max(walked)]["status"]["CapBnd"]
    assert set(orphan["config"]) == {"error"}
    # Another user's engine has no part in it.
    assert set(ask(known("/nonexistent", uid=54321, user="x"), walked, 1)["containers"]) == {"error"}


def test_container_that_one_engine_lists_is_no_orphan_of_another(walked: dict[int, Any]) -> None:
    answers = recorded("26.1.5")
    (listed,) = (c for c in answers["/containers/json?all=1"] if c["Names"] == ["/vanilla"])
    answers["/containers/json?all=1"] = [listed]
    answers[f"/containers/{ORPHAN}/json"] = {**answers[inspect_path(answers, "vanilla")], "Id": ORPHAN}
    listed["Id"] = ORPHAN
    with listening(Engine(answers)) as path:
        engines = [known("/nonexistent/a"), known(path), known("/nonexistent/b")]
        ask_all(engines, walked, LIMIT)
        assert [engine["state"] for engine in engines] == ["stopped", "running", "stopped"]
        assert names(engines[1]) == ["vanilla"]
        assert [set(engines[place]["containers"]) for place in (0, 2)] == [{"error"}, {"error"}]
    engines = [known("/nonexistent/a"), known("/nonexistent/b")]
    ask_all(engines, walked, LIMIT)
    assert [container["id"] for container in engines[0]["containers"]] == [ORPHAN]
    assert set(engines[1]["containers"]) == {"error"}


def test_mounted_sockets_of_the_other_engines() -> None:
    answers = recorded("26.1.5")
    with listening(Engine(answers)) as path, socket.socket(socket.AF_UNIX) as other:
        other.bind(f"{path}.other")
        raw = answers[inspect_path(answers, "p1-created")]
        raw["Mounts"][0]["Source"] = str(Path(path).parent)
        found = ask(known(path), WALKED, LIMIT, sockets=[f"{path}.other"])
        (created,) = (container for container in found["containers"] if container["name"] == "p1-created")
        assert created["mounts"][0]["reaches"] == [path, f"{path}.other"]
