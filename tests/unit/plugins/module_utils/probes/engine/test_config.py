# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file of an engine, in the states it is met in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.config import config, redacted

from tests.unit.plugins.module_utils.probes.laying import lay


def test_a_file(tmp_path: Path) -> None:
    lay(tmp_path, {"daemon.json": '{"icc": false, "http-proxy": "http://user:pw@proxy:3128", "icc": true}'})
    os.utime(tmp_path / "daemon.json", (1000, 2000))
    found = config(str(tmp_path / "daemon.json"), True)
    assert found.pop("changed") > 2000
    assert found == {
        "path": str(tmp_path / "daemon.json"),
        "given": True,
        "exists": True,
        "target": None,
        "modified": 2000,
        "settings": {"icc": True, "http-proxy": "http://proxy:3128"},
        "in_force": False,
        "problems": [
            {
                "kind": "duplicate_key",
                "message": "the key 'icc' is given more than once",
                "line": 1,
                "column": 59,
            }
        ],
    }


def test_no_file(tmp_path: Path) -> None:
    found = config(str(tmp_path / "none/daemon.json"), False)
    assert (found["exists"], found["settings"], found["problems"], found["modified"]) == (False, {}, [], None)


def test_a_link(tmp_path: Path) -> None:
    lay(tmp_path, {"real.json": "{}"})
    (tmp_path / "daemon.json").symlink_to("real.json")
    found = config(str(tmp_path / "daemon.json"), False)
    assert (found["exists"], found["target"]) == (True, str(tmp_path / "real.json"))
    (tmp_path / "real.json").unlink()
    found = config(str(tmp_path / "daemon.json"), False)
    assert (found["exists"], found["target"], found["settings"]) == (False, str(tmp_path / "real.json"), {})


def test_no_regular_file(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for name in ("directory", "fifo"):
        found = config(str(tmp_path / name), False)
        assert found["settings"] == {"error": f"{tmp_path / name} is not a regular file"}
        assert found["problems"] == []


def test_a_file_that_cannot_be_parsed(tmp_path: Path) -> None:
    lay(tmp_path, {"daemon.json": '{"icc": false,}'})
    found = config(str(tmp_path / "daemon.json"), False)
    assert found["settings"] is None
    assert [problem["kind"] for problem in found["problems"]] == ["syntax"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_of_another_user(tmp_path: Path) -> None:
    lay(tmp_path, {"daemon.json": "{}"})
    (tmp_path / "daemon.json").chmod(0)
    assert "Permission denied" in config(str(tmp_path / "daemon.json"), False)["settings"]["error"]


def test_settings_keep_the_values_of_what_dockerd_knows() -> None:
    """S15: a daemon.json that leads to another file."""
    assert redacted({"debug": True, "HttpHeaders": {"X": "hunter2"}, "password": 1, "labels": ["a=b"]}) == {
        "debug": True,
        "HttpHeaders": "(redacted)",
        "password": "(redacted)",
        "labels": ["a=b"],
    }
    assert redacted(None) is None
