# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The capabilities of Linux as data: bit, risk of a container that holds it, what needs it, advice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

# In the order of their bits (include/uapi/linux/capability.h): name, risk | needed when | advice.
_TABLE = """
CHOWN              medium   | start-up changes owners | fix ownership in the image or on the volume
DAC_OVERRIDE       high     | root opens files of others | a fault of ownership: fix owner or mode
DAC_READ_SEARCH    critical | a backup agent reads every file | opens files outside the root directory
FOWNER             medium   | root changes modes or times of others' files | for installs and restores only
FSETID             medium   | an installer sets setgid bits | a denied check only clears the bit
KILL               low      | a root supervisor signals workers of other users | docker stop does not need it
SETGID             high     | it starts as root and switches group | start as the final user, or keep both
SETUID             high     | it starts as root and switches user | start as the final user, or keep both
SETPCAP            medium   | systemd or a sandbox runs inside | runc drops capabilities without it
LINUX_IMMUTABLE    medium   | chattr on append-only logs | do not add
NET_BIND_SERVICE   low      | a port below 1024 on the host network | since 20.10 bridges need it not
NET_BROADCAST      none     | never | no kernel reads it
NET_ADMIN          high     | a VPN or firewall runs inside | for network appliances only
NET_RAW            high     | it sends raw packets (VRRP, DHCP) | spoofs neighbours; ping works without
IPC_LOCK           low      | it locks much memory | raise ulimit memlock instead
IPC_OWNER          medium   | old System V IPC is shared | share the ipc namespace instead
SYS_MODULE         critical | a driver is installed | owns the kernel: load modules on the host
SYS_RAWIO          critical | hardware diagnostics | raw access to memory and disks
SYS_CHROOT         medium   | the daemon is set up to chroot | drop unless sshd, vsftpd or bind uses it
SYS_PTRACE         high     | a debugger or profiler | for one session; with pid host it is root
SYS_PACCT          medium   | never | do not add
SYS_ADMIN          critical | it mounts file systems | nearly root of the host: find a narrower one
SYS_BOOT           critical | never | reboots the host
SYS_NICE           low      | realtime or NUMA placement | mostly optional
SYS_RESOURCE       medium   | it raises its hard limits | set --ulimit instead
SYS_TIME           high     | it is the host's time daemon | the clock is the host's
SYS_TTY_CONFIG     low      | a kiosk or X server | do not add
MKNOD              medium   | it builds root file systems | Docker supplies /dev
LEASE              low      | samba with kernel oplocks | do not add unless samba asks
AUDIT_WRITE        medium   | login, su or sshd runs inside | forges records of the host's audit log
AUDIT_CONTROL      high     | an audit daemon runs inside | audit state is the host's
SETFCAP            medium   | packages are installed at run time | install while building
MAC_OVERRIDE       high     | never | do not add
MAC_ADMIN          high     | an agent loads security profiles | for that agent only
SYSLOG             medium   | a shipper reads the kernel log | leaks kernel addresses: for log agents only
WAKE_ALARM         low      | never | do not add
BLOCK_SUSPEND      low      | never | do not add
AUDIT_READ         medium   | an audit collector | for the collector only
PERFMON            high     | a profiler or eBPF agent | reads kernel memory: for that agent only
BPF                high     | an eBPF agent | for that agent only, with PERFMON
CHECKPOINT_RESTORE medium   | CRIU | do not add
"""


class Capability(NamedTuple):
    """`risk` is that of a container holding it; `needed_when` and `advice` are halves of sentences."""

    name: str
    risk: str
    needed_when: str
    advice: str


def _row(line: str) -> Capability:
    head, needed_when, advice = line.split(" | ")
    name, risk = head.split()
    return Capability(name, risk, needed_when, advice)


CAPABILITIES = tuple(map(_row, _TABLE.strip().splitlines()))
BITS = {capability.name: 1 << bit for bit, capability in enumerate(CAPABILITIES)}
ALL = (1 << len(CAPABILITIES)) - 1


def mask(words: Iterable[str] | None) -> int:
    """The bits of capabilities by name, in any case, with or without CAP_; `all` is the whole table."""
    bits = 0
    for word in words or ():
        name = word.upper()
        bits |= ALL if name == "ALL" else BITS.get(name[4:] if name.startswith("CAP_") else name, 0)
    return bits


def among(bits: int) -> list[Capability]:
    """The capabilities of the bits, in the kernel's order; one newer than the table bears its number."""
    found = [capability for bit, capability in enumerate(CAPABILITIES) if bits >> bit & 1]
    newer = [bit for bit in range(len(CAPABILITIES), bits.bit_length()) if bits >> bit & 1]
    return found + [Capability(str(bit), "unknown", "unknown", "newer than this audit") for bit in newer]


def names(bits: int) -> str:
    """Their names in one line."""
    return ", ".join(capability.name for capability in among(bits))


# What a container gets that asks for nothing: 14 capabilities (20.10 to 28).
DEFAULT = 0xA80425FB
# What 20.10 grants for `all`: its library ends at AUDIT_READ where the kernel goes on (seen on 20.10.24).
EVERY = BITS["PERFMON"] - 1
CRITICAL = mask(one.name for one in CAPABILITIES if one.risk == "critical") | BITS["SYS_PTRACE"]
