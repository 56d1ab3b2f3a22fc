# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files appear whole, with their mode, and stay untouched when nothing changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.files import (
    canonical_json,
    write_report,
)

from tests.unit.plugins import reports

REPORT = build_report(reports.make_hosts(3, controls=20, hostile=True), "Audit")
ALL = ["json", "html", "markdown"]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_json_says_what_the_report_says_one_finding_to_a_line():
    text = canonical_json(REPORT)
    assert json.loads(text) == json.loads(json.dumps(REPORT))
    assert text.isascii()
    lines = [line.removesuffix(",") for line in text.splitlines()]
    assert [
        json.loads(line)["control"] for line in lines if line.startswith('{"host": "web000", "control"')
    ] == [finding["control"] for finding in REPORT["findings"] if finding["host"] == "web000"]


def test_files_are_written_once(tmp_path):
    directory = tmp_path / "new" / "reports"
    paths, changed = write_report(REPORT, directory, ALL, dry=False)
    assert changed
    assert paths == [directory / "report.json", directory / "report.html", directory / "report.md"]
    assert mode(directory) == 0o750
    assert [mode(path) for path in paths] == [0o640] * 3
    before = [path.stat().st_mtime_ns for path in paths]
    assert write_report(REPORT, directory, ALL, dry=False) == (paths, False)
    assert [path.stat().st_mtime_ns for path in paths] == before
    assert sorted(directory.iterdir()) == sorted(paths)


@pytest.mark.parametrize(
    "spoil", [lambda path: path.chmod(0o666), lambda path: path.write_text("x"), Path.unlink]
)
def test_a_file_that_differs_is_put_right(tmp_path, spoil):
    paths, _unused = write_report(REPORT, tmp_path, ALL, dry=False)
    spoil(paths[1])
    assert write_report(REPORT, tmp_path, ALL, dry=False)[1]
    assert mode(paths[1]) == 0o640
    assert not write_report(REPORT, tmp_path, ALL, dry=False)[1]


def test_a_dry_run_says_what_would_change_and_writes_nothing(tmp_path):
    directory = tmp_path / "reports"
    assert write_report(REPORT, directory, ["markdown"], dry=True) == ([directory / "report.md"], True)
    assert not directory.exists()


def test_only_the_chosen_formats_are_written(tmp_path):
    write_report(REPORT, tmp_path, ["markdown", "json"], dry=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "report.md"]


def test_other_formats_have_names_of_their_own(tmp_path):
    paths, _unused = write_report(REPORT, tmp_path, ["sarif", "junit"], dry=False)
    assert [path.name for path in paths] == ["report.junit.xml", "report.sarif"]


def test_a_directory_that_is_there_keeps_its_mode(tmp_path):
    tmp_path.chmod(0o755)
    write_report(REPORT, tmp_path, ["json"], dry=False)
    assert mode(tmp_path) == 0o755


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path):
    other = tmp_path / "other"
    other.write_text("precious")
    (tmp_path / "report.json").symlink_to(other)
    write_report(REPORT, tmp_path, ["json"], dry=False)
    assert other.read_text() == "precious"
    assert not (tmp_path / "report.json").is_symlink()


def test_what_cannot_be_written_is_an_error_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "report.json").mkdir()
    with pytest.raises(OSError, match=r"report\.json"):
        write_report(REPORT, tmp_path, ["json"], dry=False)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
