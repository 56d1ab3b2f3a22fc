# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pending reboot: the newest installed kernel by its version, and what the package manager says."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.kernels import (
    newest_kernel,
    reboot,
    version_key,
)

from tests.unit.plugins.module_utils.probes.laying import lay


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("6.1.0-9-amd64", "6.1.0-30-amd64"),
        ("6.8.0-60-generic", "6.11.0-8-generic"),
        ("5.14.0-427.el9.x86_64", "5.14.0-427.13.1.el9_4.x86_64"),
        ("6.9.9-200.fc40.x86_64", "6.10.3-100.fc40.x86_64"),
        ("6.6.9-arch1-1", "6.6.10-arch1-1"),
    ],
)
def test_versions_are_compared_by_their_meaning(older: str, newer: str) -> None:
    assert version_key(older) < version_key(newer)


@pytest.mark.parametrize(
    ("running", "files", "newest"),
    [
        ("6.1.0-9-amd64", ["boot/vmlinuz-6.1.0-9-amd64", "boot/vmlinuz-6.1.0-30-amd64"], "6.1.0-30-amd64"),
        # Another flavour beside the running one is not its successor.
        ("5.15.0-91-generic", ["boot/vmlinuz-5.15.0-91-generic", "boot/vmlinuz-5.15.0-1052-aws"],
         "5.15.0-91-generic"),
        ("6.1.0-9-cloud-amd64", ["boot/vmlinuz-6.1.0-9-cloud-amd64", "boot/vmlinuz-6.1.0-30-amd64"],
         "6.1.0-9-cloud-amd64"),
        # Fedora: the rescue image has no version, the kernel lies beside its modules.
        ("6.9.9-200.fc40.x86_64", ["boot/vmlinuz-0-rescue-abc", "lib/modules/6.10.3-100.fc40.x86_64/vmlinuz"],
         "6.10.3-100.fc40.x86_64"),
        # Modules that were left when the kernel was removed.
        ("6.1.0-9-amd64", ["boot/vmlinuz-6.1.0-9-amd64", "lib/modules/6.1.0-30-amd64/updates/dkms/x.ko"],
         "6.1.0-9-amd64"),
        ("6.6.9-arch1-1", ["boot/vmlinuz-linux", "lib/modules/6.6.9-arch1-1/vmlinuz"], "6.6.9-arch1-1"),
        ("6.18.44-fc-v595", [], None),
    ],
)  # fmt: skip
def test_newest_kernel(tmp_path: Path, running: str, files: list[str], newest: str) -> None:
    assert newest_kernel(running, lay(tmp_path, dict.fromkeys(files, ""))) == newest


def test_required_by_the_package_manager(tmp_path: Path) -> None:
    files = {"run/reboot-required": "", "run/reboot-required.pkgs": "libc6\nlinux-base\nlibc6\n"}
    assert reboot("6.1.0-9-amd64", None, lay(tmp_path, files)) == {
        "required": True,
        "packages": ["libc6", "linux-base"],
        "newest_kernel": None,
        "newer_kernel": None,
    }


@pytest.mark.parametrize(("running", "newer"), [("6.1.0-9-amd64", True), ("6.1.0-30-amd64", False)])
def test_a_newer_kernel_waits(tmp_path: Path, running: str, newer: bool) -> None:
    read = reboot(running, None, lay(tmp_path, {"boot/vmlinuz-6.1.0-30-amd64": ""}))
    assert (read["required"], read["newest_kernel"], read["newer_kernel"]) == (False, "6.1.0-30-amd64", newer)


def test_a_kernel_newer_than_all_installed_waits_for_nothing(tmp_path: Path) -> None:
    read = reboot("6.18.44", None, lay(tmp_path, {"boot/vmlinuz-6.1.0": ""}))
    assert (read["newest_kernel"], read["newer_kernel"]) == ("6.1.0", False)


def test_a_container_has_no_kernel_of_its_own(tmp_path: Path) -> None:
    read = reboot("6.1.0-9-amd64", "docker", lay(tmp_path, {"boot/vmlinuz-6.1.0-30-amd64": ""}))
    assert (read["newest_kernel"], read["newer_kernel"]) == (None, None)
