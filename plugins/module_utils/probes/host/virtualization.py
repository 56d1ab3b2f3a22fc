# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host runs on, and whether it runs machines itself: containers, hypervisors, virtual machines."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.reading import kernel_text, word

# A machine whose disk was made from an image keeps these as well; its namespaces are the first ones, whose
# numbers are fixed (linux/proc_ns.h).
_MARKERS = (("run/.containerenv", "podman"), (".dockerenv", "docker"))
_FIRST_NAMESPACES = {"pid:[4026531836]", "uts:[4026531838]"}
# Clock sources that a kernel has only under that hypervisor.
_CLOCKS = (("kvm-clock", "kvm"), ("hyperv_clocksource", "microsoft"), ("xen", "xen"))
_DMI = ("product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version")
_VENDORS = (
    ("Amazon EC2", "amazon"),
    ("Apple Virtualization", "apple"),
    ("BHYVE", "bhyve"),
    ("Bochs", "bochs"),
    ("Google Compute Engine", "google"),
    ("Hyper-V", "microsoft"),
    ("KVM", "kvm"),
    ("KubeVirt", "kvm"),
    ("OpenStack", "kvm"),
    ("Parallels", "parallels"),
    ("QEMU", "qemu"),
    ("VMW", "vmware"),
    ("VMware", "vmware"),
    ("VirtualBox", "oracle"),
    ("Xen", "xen"),
    ("innotek GmbH", "oracle"),
)
# Beginnings of process names, which the kernel cuts to 15 characters.
_HYPERVISORS = (
    *("VBoxHeadless", "cloud-hyperviso", "crosvm", "firecracker", "libvirtd", "lkvm", "qemu-"),
    *("virtqemud", "vmware-vmx"),
)


def container(root: Path = Path("/")) -> str | None:
    """The container manager whose container this host is; None on a host of its own."""
    if "WSL" in (word(root / "proc/sys/kernel/osrelease") or ""):
        return "wsl"
    named = word(root / "run/systemd/container")
    if named:
        return named
    if {str((root / "proc/self/ns" / kind).readlink()) for kind in ("pid", "uts")} != _FIRST_NAMESPACES:
        for marker, manager in _MARKERS:
            if (root / marker).exists():
                return manager
    try:
        environment = kernel_text(root / "proc/1/environ") or ""
    except Unreadable:  # not root; systemd tells everyone in /run/systemd/container
        return None
    return next((entry[10:] for entry in environment.split("\0") if entry.startswith("container=")), None)


def virtualization(root: Path = Path("/")) -> str | None:
    """The hypervisor under the host, named as by systemd-detect-virt; None on bare metal."""
    if "control_d" in (kernel_text(root / "proc/xen/capabilities") or ""):
        return None
    if word(root / "sys/hypervisor/type") == "xen":
        return "xen"
    clocks = kernel_text(root / "sys/devices/system/clocksource/clocksource0/available_clocksource") or ""
    for clock, hypervisor in _CLOCKS:
        if clock in clocks:
            return hypervisor
    # The first processor is enough, and reading all of a large machine takes long.
    with (root / "proc/cpuinfo").open(encoding="utf-8", errors="replace") as stream:
        processor = stream.read(4096)
    guest = " hypervisor" in processor
    # x86 tells bare metal so; cloud vendors sell it with the DMI names of their guests.
    if "\nflags" in processor and not guest:
        return None
    for name in _DMI:
        value = word(root / "sys/class/dmi/id" / name) or ""
        for beginning, hypervisor in _VENDORS:
            if value.startswith(beginning):
                return hypervisor
    return "vm-other" if guest else None


def hypervisors(names: Iterable[str]) -> list[str]:
    """Those of the process names that are virtual machines or their managers, each once."""
    return sorted({name for name in names if name.startswith(_HYPERVISORS)})


def process_names() -> list[str]:
    """The name of every process; one that ends meanwhile is left out."""
    names = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                handle = os.open(f"{entry.path}/comm", os.O_RDONLY | os.O_CLOEXEC)
                with os.fdopen(handle, "rb", buffering=0) as stream:
                    names.append(stream.read(32).decode("utf-8", "replace").rstrip("\n"))
            except OSError:
                continue
    return names
