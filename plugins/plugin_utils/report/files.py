# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a report: their names, their text, and writing them so that none is ever half there."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.html import html
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.junit import junit
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.markdown import markdown
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.sarif import sarif

_DIRECTORY_MODE, _FILE_MODE = 0o750, 0o640


def canonical_json(report: dict[str, Any]) -> str:
    """The report as ASCII JSON, with each host, finding and waiver on a line of its own."""
    members = [f"{_dumps(key)}: {_lines(value)}" for key, value in report.items()]
    return "{\n" + ",\n".join(members) + "\n}\n"


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _lines(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return _dumps(value)
    return "[\n" + ",\n".join(_dumps(entry) for entry in value) + "\n]"


# What the user names a format -> the file and its text.
FORMATS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "json": ("report.json", canonical_json),
    "html": ("report.html", html),
    "markdown": ("report.md", markdown),
    "junit": ("report.junit.xml", junit),
    "sarif": ("report.sarif", sarif),
}


def write_report(
    report: dict[str, Any], directory: Path, formats: list[str], dry: bool
) -> tuple[list[Path], bool]:
    """Write the report in the formats; returns the paths and whether a file changes (or would, when dry).

    A directory that is there keeps its mode. Raises OSError with the path at fault.
    """
    if not dry and not directory.is_dir():
        directory.mkdir(_DIRECTORY_MODE, parents=True)
    paths, changed = [], False
    for name, render in (FORMATS[chosen] for chosen in FORMATS if chosen in formats):
        path = directory / name
        paths.append(path)
        text = render(report).encode()
        if not _is(path, text):
            changed = True
            if not dry:
                _replace(path, text)
    return paths, changed


def _is(path: Path, text: bytes) -> bool:
    try:
        return (path.stat().st_mode & 0o7777) == _FILE_MODE and path.read_bytes() == text
    except FileNotFoundError:
        return False


def _replace(path: Path, text: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            os.fchmod(file.fileno(), _FILE_MODE)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink()
        raise
