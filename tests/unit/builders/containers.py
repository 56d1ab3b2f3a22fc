# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound containers and images as snapshots hold them, and hosts with an engine that has them."""

from __future__ import annotations

from typing import Any

from tests.unit.builders.judging import changed

STARTED = 1_700_000_000
MASKED_PATHS = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/sys/firmware"]
DEFAULT_CAPABILITIES = "00000000a80425fb"
IMAGE_ID = "sha256:" + "1b" * 32

# HostConfig of `docker run busybox sleep 100000`, as engine 26.1 answers, with the keys that probes keep.
PLAIN_OPTIONS: dict[str, Any] = {
    "AutoRemove": False,
    "CapAdd": None,
    "CapDrop": None,
    "CgroupParent": "",
    "CgroupnsMode": "private",
    "CpuPeriod": 0,
    "CpuQuota": 0,
    "CpuShares": 0,
    "CpusetCpus": "",
    "DeviceCgroupRules": None,
    "DeviceRequests": None,
    "Devices": [],
    "GroupAdd": None,
    "IpcMode": "private",
    "LogConfig": {"Type": "json-file", "Config": {}},
    "MaskedPaths": MASKED_PATHS,
    "Memory": 0,
    "MemoryReservation": 0,
    "MemorySwap": 0,
    "NanoCpus": 0,
    "NetworkMode": "bridge",
    "OomKillDisable": False,
    "OomScoreAdj": 0,
    "PidMode": "",
    "PidsLimit": None,
    "PortBindings": {},
    "Privileged": False,
    "PublishAllPorts": False,
    "ReadonlyPaths": ["/proc/bus", "/proc/sys"],
    "ReadonlyRootfs": False,
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    "Runtime": "runc",
    "SecurityOpt": None,
    "ShmSize": 67108864,
    "UTSMode": "",
    "Ulimits": [],
    "UsernsMode": "",
}
_IDENTITY = [[0, 0, 4294967295]]
_NAMESPACES = {
    "cgroup": "4026531835",
    "ipc": "4026532201",
    "mnt": "4026532199",
    "net": "4026532204",
    "pid": "4026532202",
    "user": "4026531837",
    "uts": "4026532200",
}


def default_container(number: int = 1, **changes: Any) -> dict[str, Any]:
    """What `docker run IMAGE` makes: root, the default capabilities, no limits, the default bridge."""
    return changed(
        {
            "id": f"{number:064x}",
            "name": f"container-{number:03}",
            "image": "busybox:1.36",
            "image_id": IMAGE_ID,
            "created": STARTED + 60,
            "started": STARTED + 61,
            "state": "running",
            "config": {
                "user": "",
                "working_dir": "",
                "env_names": ["PATH"],
                "env": {},
                "labels": {},
                "label_names": [],
                "exposed_ports": [],
                "healthcheck": None,
                "program": "sleep",
            },
            "host_config": PLAIN_OPTIONS,
            "seccomp": None,
            "mounts": [],
            "ports": [],
            "networks": ["bridge"],
            "health": None,
            "apparmor": "",
            "execs": [],
            "process": {
                "pid": 1000 + number,
                "uid": 0,
                "gid": 0,
                "groups": [0, 10],
                "cap_bnd": DEFAULT_CAPABILITIES,
                "cap_prm": DEFAULT_CAPABILITIES,
                "cap_eff": DEFAULT_CAPABILITIES,
                "cap_inh": "0000000000000000",
                "cap_amb": "0000000000000000",
                "no_new_privs": False,
                "seccomp": 2,
                "apparmor": None,
                "uid_map": _IDENTITY,
                "gid_map": _IDENTITY,
                "namespaces": _NAMESPACES,
            },
            "processes": [{"name": "sleep", "uid": 0, "gid": 0, "no_new_privs": False, "count": 1}],
            "listeners": [],
        },
        changes,
    )


def container(**changes: Any) -> dict[str, Any]:
    """A running container that every control accepts."""
    sound = default_container(
        name="sound",
        image="busybox@sha256:" + "2c" * 32,
        config={"user": "20000:20000", "healthcheck": "set"},
        host_config={
            "CapDrop": ["ALL"],
            "Memory": 67108864,
            "MemorySwap": 67108864,
            "NanoCpus": 500000000,
            "NetworkMode": "shop",
            "PidsLimit": 100,
            "ReadonlyRootfs": True,
            "SecurityOpt": ["no-new-privileges"],
        },
        networks=["shop"],
        process={
            "uid": 20000,
            "gid": 20000,
            "groups": [20000],
            "cap_bnd": "0000000000000000",
            "cap_prm": "0000000000000000",
            "cap_eff": "0000000000000000",
            "no_new_privs": True,
        },
        processes=[{"name": "sleep", "uid": 20000, "gid": 20000, "no_new_privs": True, "count": 1}],
    )
    return changed(sound, changes)


def stopped(**changes: Any) -> dict[str, Any]:
    """The sound container after it has ended."""
    return container(**{"state": "exited", "process": None, "processes": [], **changes})


def orphan(**changes: Any) -> dict[str, Any]:
    """The default container of an engine that does not answer, known from /proc alone (edge case 127)."""
    unread = {"error": "/run/docker.sock: does not answer"}
    told_by_the_engine = (
        *("image", "image_id", "created", "started", "config", "host_config", "seccomp"),
        *("mounts", "ports", "networks", "health", "apparmor", "execs"),
    )
    return default_container(**{**dict.fromkeys(told_by_the_engine, unread), "name": None, **changes})


def bind(source: str, destination: str = "/data", read_write: bool = True, **changes: Any) -> dict[str, Any]:
    """A bind mount of a directory that is open to all."""
    mount = {
        "type": "bind",
        "source": source,
        "source_facts": {"uid": 0, "gid": 0, "mode": "0755"},
        "destination": destination,
        "read_write": read_write,
        "propagation": "rprivate",
        "name": None,
        "reaches": [],
    }
    return {**mount, **changes}


def image(**changes: Any) -> dict[str, Any]:
    """An image that every control accepts, used by the first container."""
    return changed(
        {
            "id": IMAGE_ID,
            "tags": ["shop:1"],
            "digests": [],
            "size": 20_000_000,
            "created": STARTED,
            "containers": [f"{1:064x}"],
            "config": {
                "user": "app",
                "working_dir": "/app",
                "env_names": ["PATH"],
                "env": {},
                "labels": {},
                "label_names": [],
                "exposed_ports": ["8080/tcp"],
                "healthcheck": "set",
                "program": "/app/shop",
            },
            "history": [
                {"instruction": "ADD", "words": ["file:0123abcd", "in", "/"], "names": []},
                {
                    "instruction": "RUN",
                    "words": ["apt-get", "update", "apt-get", "install", "-y"],
                    "names": [],
                },
                {"instruction": "COPY", "words": [".", "/app"], "names": []},
                {"instruction": "WORKDIR", "words": ["/app"], "names": []},
            ],
            "content": {"tools": [], "setuid": [], "file_capabilities": [], "packages": 20},
        },
        changes,
    )


def network(name: str, **changes: Any) -> dict[str, Any]:
    """A bridge of the engine."""
    return changed(
        {
            "id": name.encode().hex().ljust(64, "0"),
            "name": name,
            "driver": "bridge",
            "scope": "local",
            "internal": False,
            "ingress": False,
            "options": {},
            "subnets": ["172.17.0.0/16"],
            "containers": [],
        },
        changes,
    )


def engine(*containers: dict[str, Any], images: Any = (), **changes: Any) -> dict[str, Any]:
    """The system's engine 26.1 on a host without AppArmor and SELinux."""
    base: dict[str, Any] = {
        "name": "system",
        "user": None,
        "state": "running",
        "error": None,
        "socket": "/run/docker.sock",
        "unit": "docker.service",
        "user_unit": None,
        "pid": 500,
        "uid": 0,
        "gid": 0,
        "argv": ["/usr/sbin/dockerd", "-H", "fd://"],
        "started": STARTED,
        "binary": {"path": "/usr/sbin/dockerd", "modified": STARTED - 9000, "deleted": False},
        "rootlesskit": None,
        "config": {
            "path": "/etc/docker/daemon.json",
            "given": False,
            "exists": True,
            "target": None,
            "modified": STARTED - 600,
            "settings": {},
            "problems": [],
        },
        "flags": {"host": ["fd://"]},
        "version": {"Version": "26.1.5+dfsg1", "ApiVersion": "1.45", "MinAPIVersion": "1.24"},
        "info": {
            "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
            "MemoryLimit": True,
            "PidsLimit": True,
            "CpuCfsQuota": True,
            "DockerRootDir": "/var/lib/docker",
        },
        "containers": list(containers),
        "images": list(images),
        "networks": [network("bridge"), network("shop")],
        "volumes": [],
        "plugins": [],
        "swarm": {"state": "inactive", "manager": False, "error": None},
        "endpoints": [],
        "data_roots": [],
    }
    return changed(base, changes)


def rootless_engine(*containers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The engine of the user alice."""
    base = engine(
        *containers,
        name="rootless:alice",
        user="alice",
        uid=1000,
        gid=1000,
        socket="/run/user/1000/docker.sock",
        rootlesskit={"pid": 499, "uid": 1000, "argv": ["rootlesskit", "--net=slirp4netns", "dockerd"]},
        info={
            "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"],
            "DockerRootDir": "/home/alice/.local/share/docker",
        },
    )
    return changed(base, changes)


def host_with(*engines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The snapshot of a host with these engines."""
    base = {
        "schema": 1,
        "host": {
            "name": "host.example",
            "time": STARTED + 7200,
            "uptime": 9000,
            "privileged": True,
            "os": {"ID": "debian", "VERSION_ID": "13", "PRETTY_NAME": "Debian GNU/Linux 13 (trixie)"},
            "kernel": {"release": "6.12.41", "arguments": [], "last_capability": 40},
            "container": None,
            "virtualization": "kvm",
            "hypervisor_processes": [],
            "lsm": {"active": ["capability"], "apparmor": None, "selinux": None},
            "cgroup": {"version": 2, "controllers": ["cpu", "memory", "pids"]},
            "sysctls": {},
            "mounts": [],
            "packages": {"manager": "dpkg", "installed": {}},
            "updates": None,
            "packages_changed": None,
            "reboot": {"required": False, "packages": [], "newest_kernel": None},
            "default_target": "multi-user.target",
        },
        "accounts": {
            "users": [
                {"name": "root", "uid": 0, "gid": 0, "home": "/root", "shell": "/bin/bash"},
                {"name": "worker", "uid": 1000, "gid": 1000, "home": "/home/worker", "shell": "/bin/bash"},
            ],
            "groups": [],
            "login_defs": {"UID_MIN": 1000},
            "subids": {"source": "files", "uid": [], "gid": []},
            "linger": [],
        },
        "units": {},
        "engines": list(engines),
        "listeners": [],
        "files": {},
        "certificates": {},
        "keys": {},
        "audit": None,
        "firewall": {"iptables": None, "ip6tables": None, "nftables": None, "ufw": None, "firewalld": None},
        "hosts_access": {"allow": None, "deny": None},
        "sshd": None,
        "clients": [],
        "services": [],
        "engine_processes": [],
        "deleted_files": [],
    }
    return changed(base, changes)


def holding(*containers: dict[str, Any], **engine_changes: Any) -> dict[str, Any]:
    """The snapshot of a host whose only engine has these containers."""
    return host_with(engine(*containers, **engine_changes))
