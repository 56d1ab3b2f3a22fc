# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of the configuration that a running engine was seen to have taken."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import loaded_config
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.config import config as read

# A start is told in clock ticks since the boot.
PID, STARTED = 700, 8_640_000
CONTENT = b'{"icc": false}\n'


def record(
    folder: Path, path: Path, content: bytes = CONTENT, pid: int = PID, started: int = STARTED
) -> Path:
    """The record that this content of the file was taken by that process."""
    digest = hashlib.sha256(content).hexdigest()
    return raw(folder, json.dumps({str(path): {"pid": pid, "started": started, "digest": digest}}))


def in_force(path: str, pid: int | None, started: int | None, known: Path) -> bool:
    return bool(read(path, False, loaded_config.digest(path, pid, started, known))["in_force"])


def raw(folder: Path, text: str) -> Path:
    found = folder / "in-force.json"
    found.write_text(text, encoding="utf-8")
    return found


@pytest.fixture(name="config")
def a_config(tmp_path: Path) -> Path:
    path = tmp_path / "daemon.json"
    path.write_bytes(CONTENT)
    return path


def test_what_the_running_process_has_taken_is_in_force(tmp_path, config):
    assert in_force(str(config), PID, STARTED, record(tmp_path, config))


@pytest.mark.parametrize(
    ("pid", "started"), [(PID + 1, STARTED), (PID, STARTED + 60), (None, None), (PID, None)]
)
def test_a_record_of_another_process_says_nothing(tmp_path, config, pid, started):
    assert not in_force(str(config), pid, started, record(tmp_path, config))


def test_a_record_of_another_file_says_nothing(tmp_path, config):
    assert not in_force(str(config), PID, STARTED, record(tmp_path, tmp_path / "other.json"))


def test_an_edit_since_ends_it_and_taking_it_back_does_not(tmp_path, config):
    known = record(tmp_path, config)
    config.write_bytes(b'{"icc": true}\n')
    assert not in_force(str(config), PID, STARTED, known)
    config.write_bytes(CONTENT)
    assert in_force(str(config), PID, STARTED, known)


def test_a_file_that_is_gone_is_as_an_empty_one(tmp_path, config):
    config.unlink()
    assert in_force(str(config), PID, STARTED, record(tmp_path, config, b""))
    assert not in_force(str(config), PID, STARTED, record(tmp_path, config))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"%s": 1}', '{"%s": {}}'])
def test_a_broken_record_says_nothing(tmp_path, config, text):
    assert not in_force(str(config), PID, STARTED, raw(tmp_path, text.replace("%s", str(config))))


def test_without_a_record_nothing_is_known(tmp_path, config):
    assert not in_force(str(config), PID, STARTED, tmp_path / "in-force.json")


def test_what_cannot_be_read_says_nothing(tmp_path, config):
    known = record(tmp_path, config)
    config.unlink()
    config.mkdir()
    assert not in_force(str(config), PID, STARTED, known)
