# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host itself: system, kernel, security modules, mounts, packages."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt, is_error, then
from ansible_collections.bulwark.docker.plugins.module_utils.base.reading import (
    kernel_text,
    significant,
    text,
    word,
)
from ansible_collections.bulwark.docker.plugins.module_utils.base.redact import REDACTED
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.kernels import reboot
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.lsm import lsm
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.mounts import Mount, mounts
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.packages import packages
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.virtualization import (
    container,
    hypervisors,
    process_names,
    virtualization,
)

SYSCTLS = (
    "fs.protected_hardlinks",
    "fs.protected_symlinks",
    "fs.suid_dumpable",
    "kernel.apparmor_restrict_unprivileged_userns",
    "kernel.dmesg_restrict",
    "kernel.kexec_load_disabled",
    "kernel.kptr_restrict",
    "kernel.modules_disabled",
    "kernel.randomize_va_space",
    "kernel.unprivileged_bpf_disabled",
    "kernel.unprivileged_userns_clone",
    "kernel.yama.ptrace_scope",
    "net.bridge.bridge-nf-call-ip6tables",
    "net.bridge.bridge-nf-call-iptables",
    "net.ipv4.conf.all.forwarding",
    "net.ipv4.ip_forward",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv6.conf.all.forwarding",
    "user.max_user_namespaces",
    "vm.overcommit_memory",
)
# Words of the kernel's command line that are kept with their value; others may carry keys and passwords.
_ARGUMENTS = {
    *("apparmor", "audit", "audit_backlog_limit", "cgroup_disable", "cgroup_enable", "cgroup_no_v1"),
    *("enforcing", "init_on_alloc", "iommu", "lockdown", "lsm", "mitigations", "module.sig_enforce"),
    *("namespace.unpriv_enable", "security", "selinux", "swapaccount", "systemd.unified_cgroup_hierarchy"),
    *("systemd.unit", "user_namespace.enable", "vsyscall"),
}


def itself() -> dict[str, Any]:
    """What of snapshot["host"] is there whatever else cannot be read."""
    return {"name": os.uname().nodename, "time": int(time.time()), "privileged": os.geteuid() == 0}


def host(updates: bool) -> dict[str, Any]:
    """All of snapshot["host"] (docs/snapshot.md); pending updates only on request, as they take seconds."""
    table = attempt(mounts)
    system = attempt(container)
    release = os.uname().release
    installed = attempt(packages)
    manager = installed.get("manager")
    return {
        **itself(),
        "uptime": attempt(_uptime),
        "os": attempt(os_release),
        "kernel": {
            "release": release,
            "arguments": attempt(kernel_arguments),
            "last_capability": attempt(_last_capability),
        },
        "container": system,
        "virtualization": attempt(virtualization),
        "hypervisor_processes": attempt(lambda: hypervisors(process_names())),
        "lsm": lsm(),
        "cgroup": then(cgroup, table),
        "sysctls": sysctls(),
        "mounts": table,
        "packages": {"manager": manager, "installed": installed.get("installed", installed)},
        "updates": attempt(_updates, manager) if updates else None,
        "packages_changed": installed if is_error(installed) else installed["changed"],
        "reboot": attempt(reboot, release, system if isinstance(system, str) else None),
        "default_target": attempt(default_target),
    }


def _updates(manager: str | None) -> Any:
    # Imported where it is needed: few ask for it, and Ansible has the host compile all that is imported.
    from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.updates import updates

    return updates(manager)


def os_release(root: Path = Path("/")) -> dict[str, str] | None:
    """os-release(5) as a dict; the file in /etc hides the one in /usr/lib."""
    found = text(root / "etc/os-release") or text(root / "usr/lib/os-release")
    if found is None:
        return None
    pairs = (line.partition("=") for line in significant(found))
    return {name: _unquoted(value) for name, _unused, value in pairs}


def kernel_arguments(path: str = "/proc/cmdline") -> list[str]:
    """The words of the command line in their order, without values of unknown names and what init gets."""
    own = re.split(r"(?:^|\s)--(?:\s|$)", kernel_text(path) or "", maxsplit=1)[0]
    return [
        argument if not equals or name in _ARGUMENTS else f"{name}={REDACTED}"
        for argument in own.split()
        for name, equals, _unused in [argument.partition("=")]
    ]


def sysctls(root: Path = Path("/proc/sys")) -> dict[str, Any]:
    """The settings of the table as text, one blank between numbers; null where the kernel has none."""
    return {name: attempt(_sysctl, root / name.replace(".", "/")) for name in SYSCTLS}


def cgroup(table: Sequence[Mount], root: Path = Path("/")) -> dict[str, Any] | None:
    """{version, controllers}. Hybrid is 1: engines then use version 1, and version 2 has no controllers."""
    types = {mount["fstype"] for mount in table if mount["target"].startswith("/sys/fs/cgroup")}
    if "cgroup" in types:
        lines = significant(kernel_text(root / "proc/cgroups") or "")
        enabled = [line.split()[0] for line in lines if line.split()[3] == "1"]
        return {"version": 1, "controllers": sorted(enabled)}
    if "cgroup2" in types:
        controllers = kernel_text(root / "sys/fs/cgroup/cgroup.controllers") or ""
        return {"version": 2, "controllers": sorted(controllers.split())}
    return None


def default_target(root: Path = Path("/")) -> str | None:
    """The unit that systemd boots to: where default.target leads, the administrator's before the vendor's."""
    for directory in (
        "etc/systemd/system",
        "run/systemd/system",
        "usr/lib/systemd/system",
        "lib/systemd/system",
    ):
        link = root / directory / "default.target"
        if link.is_symlink():
            return link.readlink().name
    return None


def _uptime() -> int:
    return int(float((kernel_text("/proc/uptime") or "").split()[0]))


def _last_capability() -> int | None:
    number = word("/proc/sys/kernel/cap_last_cap")
    return None if number is None else int(number)


def _sysctl(path: Path) -> str | None:
    value = kernel_text(path)
    return None if value is None else " ".join(value.split())


def _unquoted(value: str) -> str:
    quote = value[:1]
    if quote in ("'", '"') and value.endswith(quote) and len(value) > 1:
        value = value[1:-1]
    return value if quote == "'" else re.sub(r"\\(.)", r"\1", value)
