# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engine versions: which release lines are supported until when, and in which releases grave flaws were
mended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read

# The tables as of this day. Sources: moby's project/BRANCHES-AND-TAGS.md (state of its commit of 2026-05-13,
# seen 2026-08-23); for older lines, which it only calls unmaintained, the pages of the endoflife.date project
# and the release of their successor.
AS_OF = "2026-08-23"
TABLE_GOOD_UNTIL = "2027-08-23"
# release line: the last day of its support, None where that is not announced
SUPPORTED_UNTIL: dict[str, str | None] = {
    "18.09": "2019-08-22",
    "19.03": "2021-01-08",
    "20.10": "2023-12-10",
    "23.0": "2025-05-19",
    "24.0": "2024-06-08",
    "25.0": "2026-12-04",
    "26.0": "2024-06-08",
    "26.1": "2025-02-17",
    "27": "2025-05-03",
    "28": "2025-11-10",
    "29": None,
}
# From here on a major version is one line of support.
_ONE_LINE_PER_MAJOR = 27


class Flaw(NamedTuple):
    """A flaw that lets a container or a client out of its bounds.

    `mended` are the first sound releases, one per line that got the fix, oldest first. A line before,
    between or without one of them is taken as flawed, a line after the last one as sound.
    """

    component: str
    ids: str
    about: str
    mended: tuple[str, ...]
    only_with: str | None = None


# From the advisories of moby, runc and containerd; the releases of GHSA entries from the tags that hold the
# commit.
FLAWS = (
    Flaw(
        "Engine",
        "CVE-2023-28840..28842",
        "encrypted overlay networks pass clear text",
        ("20.10.24", "23.0.3"),
    ),
    Flaw("Engine", "CVE-2024-24557", "the classic builder takes a poisoned cache", ("24.0.9", "25.0.2")),
    Flaw("Engine", "CVE-2024-29018", "internal networks leak DNS requests", ("23.0.11", "25.0.5", "26.0.0")),
    Flaw(
        "Engine",
        "CVE-2024-41110",
        "a request of length 0 passes authorization plugins",
        ("23.0.15", "25.0.6", "26.1.5", "27.1.1"),
        only_with="authorization plugins",
    ),
    Flaw(
        "Engine",
        "CVE-2026-34040",
        "an oversized request passes authorization plugins",
        ("25.0.16", "29.3.1"),
        only_with="authorization plugins",
    ),
    Flaw(
        "Engine",
        "GHSA-x86f-5xw2-fm2r, GHSA-vp62-88p7-qqf5, GHSA-rg2x-37c3-w2rh",
        "copying into a container runs its programs or reaches files on the host",
        ("25.0.17", "29.5.1"),
    ),
    Flaw("runc", "CVE-2024-21626", "a container gets out through a leaked file descriptor", ("1.1.12",)),
    Flaw(
        "runc",
        "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881",
        "a container gets out through masked paths and /dev/console",
        ("1.2.8", "1.3.3", "1.4.0"),
    ),
    Flaw(
        "containerd",
        "CVE-2024-25621",
        "its directories are open to local accounts",
        ("1.7.29", "2.0.7", "2.1.5", "2.2.0"),
    ),
)


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: "v28.5.2+dfsg4" -> (28, 5, 2), "dev" -> ()."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(map(int, found.group(1).split("."))) if found else ()


def engine_version(engine: Mapping[str, Any]) -> tuple[int, ...]:
    """The engine's version as numbers. Unread for a build that bears none."""
    text = read(engine, "version", "Version")
    if len(numbers(text)) < 2:
        raise Unread(f"the engine's version {text!r} is not a release")
    return numbers(text)


def release_line(version: tuple[int, ...]) -> str:
    """The line of support that a version belongs to: (28, 5, 2) -> "28", (26, 1, 5) -> "26.1", (20, 10, 5)
    -> "20.10"."""
    major, minor = version[:2]
    if major >= _ONE_LINE_PER_MAJOR:
        return str(major)
    return f"{major}.{minor:02d}" if major < 20 else f"{major}.{minor}"


def newest_line(lines: Iterable[str]) -> str:
    """The newest of the lines."""
    return max(lines, key=numbers)


def is_mended(flaw: Flaw, version: tuple[int, ...]) -> bool:
    """Whether a release of that version holds the fix."""
    releases = [numbers(release) for release in flaw.mended]
    if version[:2] > releases[-1][:2]:
        return True
    return any(version[:2] == release[:2] and version >= release for release in releases)


def is_rebuilt(version: str, commit: str | None) -> bool:
    """Whether a distribution built it, which may hold fixes that the number does not tell.

    Debian marks the version (28.5.2+dfsg4, 1.3.6+ds1), Ubuntu the commit (27.5.1-0ubuntu3); +unknown is no
    mark.
    """
    mark = re.sub(r"^v?\d+(?:\.\d+)*(?:-rc\.?\d+)?(?:\+unknown)?", "", version)
    return bool(mark) or bool(commit and re.search(r"ubuntu|deb\d|\.el\d|\.fc\d|\.amzn", commit))
