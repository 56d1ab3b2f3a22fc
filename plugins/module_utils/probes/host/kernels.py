# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the host waits for a reboot: what its package manager says, and the kernels that are installed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.reading import significant, text

_IMAGE = re.compile(r"(?:vmlinuz|vmlinux|Image|kernel)-(\d.*)")


def reboot(release: str, container: str | None, root: Path = Path("/")) -> dict[str, Any]:
    """{required, packages, newest_kernel, newer_kernel}.

    newest_kernel is the newest installed one of the same flavour as `release`, the running one; null where
    none is installed: in a container, or where a hypervisor brings the kernel. newer_kernel: whether it is
    newer than the running one.
    """
    marker = root / "run/reboot-required"
    newest = None if container else newest_kernel(release, root)
    return {
        "required": marker.exists(),
        "packages": sorted(set(significant(text(f"{marker}.pkgs") or ""))),
        "newest_kernel": newest,
        "newer_kernel": newest and version_key(newest) > version_key(release),
    }


def newest_kernel(release: str, root: Path = Path("/")) -> str | None:
    """The release of the newest installed kernel; a directory of modules without a kernel is not one."""
    images = [_IMAGE.fullmatch(path.name) for path in (root / "boot").glob("*-*")]
    installed = {match[1] for match in images if match}
    installed |= {path.parent.name for path in (root / "lib/modules").glob("*/vmlinuz")}
    alike = [version for version in installed if _flavour(version) == _flavour(release)]
    return max(alike, key=version_key, default=None)


def version_key(release: str) -> list[tuple[int, int, str]]:
    """What releases sort by: numbers as numbers (6.1.0-30 is newer than 6.1.0-9), a word below a number."""
    parts = re.findall(r"\d+|[a-z]+", release.lower())
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


def _flavour(release: str) -> list[str]:
    """The words of a release without digits: cloud of 6.1.0-30-cloud-amd64, generic of 6.8.0-60-generic."""
    return re.findall(r"(?<![^-.+_~])[a-z]+(?![^-.+_~])", release.lower())
