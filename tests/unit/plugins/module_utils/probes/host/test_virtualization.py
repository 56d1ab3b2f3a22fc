# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host runs on, told from the files of the kernel and of container managers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.virtualization import (
    container,
    hypervisors,
    process_names,
    virtualization,
)

from tests.unit.plugins.module_utils.probes.laying import lay

CLOCKS = "sys/devices/system/clocksource/clocksource0/available_clocksource"
GUEST = {"proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu hypervisor lm\n"}
BARE_METAL = {"proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu lm\n"}
ARM = {"proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\n"}


def namespaces(root: Path, pid: int, uts: int) -> Path:
    directory = root / "proc/self/ns"
    directory.mkdir(parents=True)
    (directory / "pid").symlink_to(f"pid:[{pid}]")
    (directory / "uts").symlink_to(f"uts:[{uts}]")
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"run/systemd/container": "lxc\n"}, "lxc"),
        ({".dockerenv": ""}, "docker"),
        ({"run/.containerenv": "", ".dockerenv": ""}, "podman"),
        ({"proc/1/environ": "PATH=/bin\0container=systemd-nspawn\0"}, "systemd-nspawn"),
        ({"proc/1/environ": "PATH=/bin\0"}, None),
        ({"proc/sys/kernel/osrelease": "5.15.0-microsoft-standard-WSL2\n"}, "wsl"),
        ({}, None),
    ],
)
def test_container(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    assert container(lay(namespaces(tmp_path, 4026532258, 4026532256), files)) == expected


def test_a_machine_made_from_an_image_is_no_container(tmp_path: Path) -> None:
    assert container(lay(namespaces(tmp_path, 4026531836, 4026531838), {".dockerenv": ""})) is None


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({**GUEST, CLOCKS: "tsc kvm-clock \n"}, "kvm"),
        ({**GUEST, CLOCKS: "hyperv_clocksource_tsc_page acpi_pm\n"}, "microsoft"),
        ({**GUEST, "sys/class/dmi/id/sys_vendor": "VMware, Inc.\n"}, "vmware"),
        ({**GUEST, "sys/class/dmi/id/bios_vendor": "innotek GmbH\n"}, "oracle"),
        ({**GUEST}, "vm-other"),
        ({**BARE_METAL, "sys/class/dmi/id/sys_vendor": "Amazon EC2\n"}, None),
        ({**ARM, "sys/class/dmi/id/sys_vendor": "QEMU\n"}, "qemu"),
        ({**ARM}, None),
        ({**GUEST, "sys/hypervisor/type": "xen\n"}, "xen"),
        ({**BARE_METAL, "sys/hypervisor/type": "xen\n", "proc/xen/capabilities": "control_d\n"}, None),
    ],
)
def test_virtualization(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    assert virtualization(lay(tmp_path, files)) == expected


def test_processes_of_a_hypervisor() -> None:
    names = ["qemu-system-x86", "bash", "kvm-irqfd-clean", "libvirtd", "qemu-system-x86", "kqemu-"]
    assert hypervisors(names) == ["libvirtd", "qemu-system-x86"]


def test_this_machine() -> None:
    assert Path("/proc/self/comm").read_text(encoding="utf-8").rstrip("\n") in process_names()
    assert len(process_names()) <= len(os.listdir("/proc"))  # noqa: PTH208
