# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images as engines describe them."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import ROOT, Owner
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import images

from tests.unit.plugins.module_utils.probes.engine_server import VERSIONS, recorded

RAW: dict[str, Any] = {
    "Id": "sha256:" + "1" * 64,
    "RepoTags": ["b:1", "a:1", "<none>:<none>"],
    "RepoDigests": ["a@sha256:2", "<none>@<none>"],
    "Size": 10,
    "Created": "2023-11-14T22:13:20Z",
    "Config": {
        "User": "app",
        "Entrypoint": ["/entry", "--password", "hunter2"],
        "Cmd": ["hunter2"],
        "Env": ["A=hunter2"],
        "Labels": {"x": "hunter2"},
        "ExposedPorts": {"80/tcp": {}, "22/tcp": {}},
        "Healthcheck": {"Test": ["CMD", "hunter2"]},
        "WorkingDir": "/srv",
    },
}
LOOK = partial(images.content, {}, ROOT)


def test_image() -> None:
    image = images.image(RAW, [{"CreatedBy": "USER app"}], ["2", "1"])
    assert image == {
        "id": RAW["Id"],
        "tags": ["a:1", "b:1"],
        "digests": ["a@sha256:2"],
        "size": 10,
        "created": 1_700_000_000,
        "containers": ["1", "2"],
        "config": {
            "user": "app",
            "working_dir": "/srv",
            "env_names": ["A"],
            "env": {},
            "labels": {},
            "label_names": ["x"],
            "exposed_ports": ["22/tcp", "80/tcp"],
            "healthcheck": "set",
            "program": "/entry",
        },
        "history": [{"instruction": "USER", "words": ["app"], "names": []}],
        "content": None,
    }


@pytest.mark.parametrize(
    ("configuration", "healthcheck", "program"),
    [
        (None, None, None),
        ({}, None, None),
        ({"Healthcheck": {"Test": []}, "Cmd": ["sh"]}, None, "sh"),
        ({"Healthcheck": {"Test": ["NONE"]}, "Entrypoint": None, "Cmd": None}, "none", None),
        ({"Healthcheck": {"Interval": 3}}, None, None),
    ],
)
def test_configuration(configuration: Any, healthcheck: str | None, program: str | None) -> None:
    config = images.image({**RAW, "Config": configuration}, [], [])["config"]
    assert (config["healthcheck"], config["program"]) == (healthcheck, program)


def test_what_could_not_be_read_says_so() -> None:
    mark = {"error": "no history"}
    assert images.image(RAW, mark, [])["history"] == mark
    assert images.image(RAW, [], [], LOOK)["content"]["error"].endswith(
        "does not tell where the layers of an image are"
    )


def test_content_on_request(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sh").write_text("", encoding="utf-8")
    driver = {"Name": "overlay2", "Data": {"UpperDir": str(tmp_path)}}
    assert images.image({**RAW, "GraphDriver": driver}, [], [], LOOK)["content"]["tools"] == ["sh"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for another account's ids")
def test_an_account_shows_no_directory_that_it_may_not_see(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sh").write_text("", encoding="utf-8")
    tmp_path.chmod(0o700)
    driver = {"Name": "overlay2", "Data": {"UpperDir": str(tmp_path)}}
    look = partial(images.content, {}, Owner(1000, 1000))
    shown = images.image({**RAW, "GraphDriver": driver}, [], [], look)["content"]
    assert "Permission denied" in shown["error"]


@pytest.mark.parametrize("version", VERSIONS)
def test_answers_of_real_engines(version: str) -> None:
    answers = recorded(version)
    shown = {}
    for listed in answers["/images/json"]:
        raw = answers[f"/images/{listed['Id']}/json"]
        image = images.image(raw, answers[f"/images/{listed['Id']}/history"], [])
        assert image["created"] == listed["Created"]
        left_out = images.left_out(listed, [], "too many")
        assert {key: left_out[key] for key in images.summary(raw, [])} == images.summary(raw, [])
        assert left_out["config"] == {"error": "too many"}
        shown[image["tags"][0]] = image["config"]["healthcheck"]
    assert shown == {"busybox:nohc": "none", "busybox:p1": None}
