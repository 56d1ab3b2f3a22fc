# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is staged: kept between the modules of one play, dropped when it is not of this play any more."""

from __future__ import annotations

import json
import os
import stat
import time

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import stage as module
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.stage import (
    Stage,
    drop,
    load,
    save,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import (
    StateError,
    Store,
)

CONFIG = {"path": "/etc/docker/daemon.json", "base": "digest of before", "content": "{}"}


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "state"))


@pytest.fixture
def boot(tmp_path, monkeypatch):
    path = tmp_path / "boot_id"
    path.write_text("first\n")
    monkeypatch.setattr(module, "_BOOT_ID", path)
    return path


def staged():
    stage = Stage()
    stage.config = dict(CONFIG)
    stage.put(steps.subid_range("dockremap", 100000, 65536, ["uid"]), "userns_remap")
    stage.restart_for("the mapping changes")
    stage.consents["stop"] = True
    stage.sockets["docker-tcp.socket"] = True
    stage.proof = {"endpoints": [["192.0.2.1", 2376]]}
    return stage


def test_there_and_back(store):
    assert not load(store, "system", None)
    save(store, "system", staged())
    assert vars(load(store, "system", CONFIG["base"])) == vars(staged())
    assert not load(store, "rootless:alice", CONFIG["base"])
    drop(store, "system")
    drop(store, "system")
    assert not load(store, "system", CONFIG["base"])


def test_staging_first_makes_a_state_directory_that_changes_accept(store):
    former = os.umask(0o022)
    try:
        save(store, "system", staged())
    finally:
        os.umask(former)
    store.prepare()
    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700


def test_a_step_takes_the_place_of_the_same_one():
    stage = Stage()
    planned = [
        steps.permissions("/a", 0o700),
        steps.enablement("/a", True),
        steps.permissions("/b", 0o755),
        steps.permissions("/a", 0o755),
    ]
    for step in planned:
        stage.put(step, "daemon_tls")
    assert stage.steps == [planned[3], planned[1], planned[2]]


def test_steps_of_one_module_are_forgotten():
    stage = Stage()
    stage.put(steps.account("dockremap"), "userns_remap")
    stage.put(steps.permissions("/a", 0o700), "daemon_tls")
    stage.forget("daemon_tls")
    assert stage.steps == [steps.account("dockremap")]


def test_a_reason_is_given_once():
    stage = Stage()
    assert not stage
    stage.restart_for("the unit has changed")
    stage.restart_for("the unit has changed")
    assert stage
    assert stage.reasons == ["the unit has changed"]


@pytest.mark.parametrize(
    ("name", "value", "is_one"),
    [("sockets", {"a.socket": False}, True), ("proof", {"endpoints": []}, False)],
)
def test_what_makes_a_stage(name, value, is_one):
    stage = Stage()
    setattr(stage, name, value)
    assert bool(stage) is is_one


def test_saving_nothing_drops(store):
    save(store, "system", staged())
    save(store, "system", Stage())
    assert not list((store.root / "staged").iterdir())


def test_a_stage_does_not_outlast_a_boot(store, boot):
    save(store, "system", staged())
    boot.write_text("second\n")
    assert not load(store, "system", CONFIG["base"])


@pytest.mark.parametrize(
    ("later", "kept"), [(0, True), (3590, True), (3610, False), (-30, True), (-90, False)]
)
def test_a_stage_does_not_outlast_an_hour(store, monkeypatch, later, kept):
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)
    save(store, "system", staged())
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0 + later)
    assert bool(load(store, "system", CONFIG["base"])) == kept


@pytest.mark.parametrize("base", [None, "digest of something else"])
def test_a_stage_does_not_outlast_a_change_of_its_base(store, base):
    save(store, "system", staged())
    assert not load(store, "system", base)


def test_without_a_configuration_the_base_does_not_matter(store):
    stage = Stage()
    stage.restart_for("the unit has changed")
    save(store, "system", stage)
    assert load(store, "system", "any")


def test_an_engines_name_is_no_path(store):
    save(store, "rootless:../../alice", staged())
    assert [folder.name for folder in (store.root / "staged").iterdir()] == ["rootless:.._.._alice"]


def test_a_stage_of_another_schema_is_none(store, monkeypatch):
    save(store, "system", staged())
    monkeypatch.setattr(module, "SCHEMA", 3)
    assert not load(store, "system", CONFIG["base"])


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (
            {"kind": "hologram", "key": "x", "account": ["root", 0, 0], "value": None},
            "this version of bulwark.docker knows no step of the kind hologram",
        ),
        ({"kind": "file"}, "it holds \"{'kind': 'file'}\" where a record"),
    ],
    ids=["unknown kind", "damaged"],
)
def test_f4_a_stage_that_cannot_be_understood_is_dropped(store, step, reason):
    save(store, "system", staged())
    (path,) = (store.root / "staged").rglob("stage.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "steps": [["userns_remap", step]]}))
    found = load(store, "system", CONFIG["base"])
    assert not found
    assert reason in str(found.dropped)


def test_the_state_directory_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="file"):
        save(Store(str(tmp_path / "file" / "state")), "system", staged())
