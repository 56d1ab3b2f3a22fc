# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sound host as snapshot data: Debian 13 with one engine, audit rules, a packet filter and sshd."""

from __future__ import annotations

from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.paths import paths

from tests.unit.builders.judging import changed

DAY = 86400
NOW = 1780000000  # 2026-05-28
DOCKERD = "/usr/sbin/dockerd"
DATA_ROOT = "/var/lib/docker"
SOCKET = "/run/docker.sock"


def file(mode: str = "0644", **fields: Any) -> dict[str, Any]:
    """A FILE of root; device and inode are the caller's where they matter."""
    return {
        "type": "file",
        "mode": mode,
        "uid": 0,
        "gid": 0,
        "owner": "root",
        "group": "root",
        "size": 100,
        "modified": NOW - 100 * DAY,
        "device": "8:1",
        "inode": 1,
        "target": None,
        "acl": [],
        "parents": [],
        "children": [],
        **fields,
    }


def unit(name: str, **fields: Any) -> dict[str, Any]:
    """A running, enabled unit from the distribution."""
    return {
        "load": "loaded",
        "load_error": None,
        "active": "active",
        "sub": "running",
        "result": "success",
        "enabled": "enabled",
        "fragment": f"/usr/lib/systemd/system/{name}",
        "drop_ins": [],
        "environment_files": [],
        "exec_start": None,
        "main_pid": None,
        "started": NOW - 10 * DAY,
        "triggered_by": [],
        "triggers": [],
        "listens": [],
        "needs_reload": False,
        **fields,
    }


def listener(name: str, port: int, **fields: Any) -> dict[str, Any]:
    """A TCP socket on all IPv4 addresses, of a service unit of that name."""
    return {
        "protocol": "tcp",
        "family": 4,
        "address": "0.0.0.0",
        "port": port,
        "v6only": None,
        "scope": "wildcard",
        "interface": None,
        "owners": [owner(name)],
        "unit": f"{name}.service",
        "package": name,
        "container": None,
        "forwards": None,
        **fields,
    }


def owner(name: str, **fields: Any) -> dict[str, Any]:
    """The process that holds a socket."""
    return {
        "pid": 700,
        "name": name,
        "exe": f"/usr/sbin/{name}",
        "uid": 0,
        "unit": f"{name}.service",
        "package": name,
        "deleted": False,
        "container": None,
        **fields,
    }


def container(name: str, **fields: Any) -> dict[str, Any]:
    """A running container, as far as the controls of the host look at one."""
    return {"id": name.ljust(64, "0"), "name": name, "state": "running", "ports": [], "mounts": [], **fields}


def image(tag: str, **fields: Any) -> dict[str, Any]:
    """An image that a container uses."""
    return {"id": f"sha256:{tag}".ljust(71, "0"), "tags": [tag], "containers": ["web"], **fields}


def rootless_engine(**fields: Any) -> dict[str, Any]:
    """alice's engine, which runs beside the system's."""
    return changed(
        ENGINE,
        {
            "name": "rootless:alice",
            "user": "alice",
            "socket": "/run/user/1000/docker.sock",
            "user_unit": {
                "path": "/home/alice/.config/systemd/user/docker.service",
                "enabled": True,
                "fragment_exists": True,
            },
            "pid": 900,
            "uid": 1000,
            "gid": 1000,
            "config": {"path": "/home/alice/.config/docker/daemon.json"},
            "flags": {},
            "info": {"DockerRootDir": "/home/alice/.local/share/docker"},
            **fields,
        },
    )


ENGINE: dict[str, Any] = {
    "name": "system",
    "user": None,
    "state": "running",
    "error": None,
    "socket": SOCKET,
    "unit": "docker.service",
    "user_unit": None,
    "pid": 800,
    "uid": 0,
    "argv": [DOCKERD, "-H", "fd://", "--containerd=/run/containerd/containerd.sock"],
    "started": NOW - 10 * DAY,
    "binary": {"path": DOCKERD, "modified": NOW - 100 * DAY, "deleted": False},
    "rootlesskit": None,
    "config": {
        "path": "/etc/docker/daemon.json",
        "given": False,
        "exists": True,
        "target": None,
        "modified": NOW - 20 * DAY,
        "settings": {
            "tlsverify": True,
            "tlscacert": "/etc/docker/ca.pem",
            "tlscert": "/etc/docker/cert.pem",
            "tlskey": "/etc/docker/key.pem",
        },
        "problems": [],
    },
    "flags": {"host": ["fd://"], "containerd": ["/run/containerd/containerd.sock"]},
    "version": {"Version": "28.5.2", "ApiVersion": "1.51", "MinAPIVersion": "1.24", "Components": {}},
    "info": {
        "DockerRootDir": DATA_ROOT,
        "Containers": 1,
        "ContainersRunning": 1,
        "ContainersPaused": 0,
        "ContainersStopped": 0,
        "Warnings": None,
    },
    "containers": [container("web")],
    "images": [image("web:1")],
    "networks": [
        {
            "id": "b" * 64,
            "name": "bridge",
            "driver": "bridge",
            "options": {"com.docker.network.bridge.name": "docker0"},
            "subnets": ["172.17.0.0/16"],
        }
    ],
    "volumes": [],
    "plugins": [],
    "swarm": {"state": "inactive", "manager": False, "error": None},
    "endpoints": [],
    "data_roots": [],
}

# What an auditor adds, by directories where that covers several controls.
AUDIT_RULES = [
    "-w /usr/sbin/dockerd -p wa -k docker",
    "-w /run/containerd -p wa -k docker",
    "-w /var/lib/docker -p wa -k docker",
    "-w /etc/docker -p wa -k docker",
    "-w /usr/lib/systemd/system -p wa -k units",
    "-w /run/docker.sock -p wa -k docker",
    "-w /etc/default/docker -p wa -k docker",
    "-a always,exit -F path=/etc/containerd/config.toml -F perm=wa -F key=docker",
    "-a always,exit -S all -F dir=/usr/bin -F perm=wa -F key=docker",
]

_TABLES = {
    "filter": {
        "INPUT": {
            "policy": "DROP",
            "rules": [
                "-A INPUT -i lo -j ACCEPT",
                "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                "-A INPUT ! -i docker0 -p tcp -m tcp --dport 22 -j ACCEPT",
            ],
        },
        "FORWARD": {"policy": "DROP", "rules": ["-A FORWARD -j DOCKER-USER"]},
        "DOCKER-USER": {
            "policy": None,
            "rules": [
                "-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                "-A DOCKER-USER -i eth0 -j DROP",
            ],
        },
    }
}

_FILES = {
    "/etc/docker": file("0755", type="directory", inode=10),
    "/etc/docker/certs.d": file(
        "0755",
        type="directory",
        inode=11,
        children=[
            "/etc/docker/certs.d/registry.example",
            "/etc/docker/certs.d/registry.example/ca.crt",
            "/etc/docker/certs.d/registry.example/client.key",
        ],
    ),
    "/etc/docker/certs.d/registry.example": file("0755", type="directory", inode=12),
    "/etc/docker/certs.d/registry.example/ca.crt": file("0444", inode=13),
    "/etc/docker/certs.d/registry.example/client.key": file("0400", inode=14),
    "/etc/docker/daemon.json": file(inode=15),
    "/etc/docker/ca.pem": file("0444", inode=16),
    "/etc/docker/cert.pem": file("0444", inode=17),
    "/etc/docker/key.pem": file("0400", inode=18),
    "/etc/default/docker": file(inode=19),
    "/etc/containerd/config.toml": file(inode=20),
    "/etc/systemd/system/docker.service.d/limits.conf": file(inode=21),
    "/usr/lib/systemd/system/docker.service": file(inode=22),
    "/lib/systemd/system/docker.service": file(inode=22),
    "/usr/lib/systemd/system/docker.socket": file(inode=23),
    "/lib/systemd/system/docker.socket": file(inode=23),
    "/usr/lib/systemd/system/containerd.service": file(inode=24),
    "/lib/systemd/system/containerd.service": file(inode=24),
    DOCKERD: file("0755", inode=30),
    "/sbin/dockerd": file("0755", inode=30),
    "/usr/bin/containerd": file("0755", inode=31),
    "/bin/containerd": file("0755", inode=31),
    "/usr/bin/containerd-shim": file("0755", inode=32),
    "/bin/containerd-shim": file("0755", inode=32),
    "/usr/bin/containerd-shim-runc-v2": file("0755", inode=33),
    "/bin/containerd-shim-runc-v2": file("0755", inode=33),
    "/usr/bin/runc": file("0755", inode=34),
    "/bin/runc": file("0755", inode=34),
    "/run/containerd": file("0711", type="directory", device="0:25", inode=40),
    "/run/containerd/containerd.sock": file("0660", type="socket", device="0:25", inode=41),
    "/var/run/containerd/containerd.sock": file("0660", type="socket", device="0:25", inode=41),
    SOCKET: file("0660", type="socket", gid=990, group="docker", device="0:25", inode=42),
    "/var/run/docker.sock": file("0660", type="socket", gid=990, group="docker", device="0:25", inode=42),
    DATA_ROOT: file("0710", type="directory", device="8:17", inode=2),
}

_UNITS = {
    "docker.service": unit(
        "docker.service",
        main_pid=800,
        drop_ins=["/etc/systemd/system/docker.service.d/limits.conf"],
        environment_files=["-/etc/default/docker"],
        triggered_by=["docker.socket"],
    ),
    "docker.socket": unit(
        "docker.socket", triggers=["docker.service"], listens=[{"type": "Stream", "address": SOCKET}]
    ),
    "containerd.service": unit("containerd.service"),
    "ssh.service": unit("ssh.service"),
}


def engine(**changes: Any) -> dict[str, Any]:
    """The system's engine with changes laid over it."""
    return changed(ENGINE, changes)


def snapshot(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The sound host with changes laid over it; `files` has every path that a probe would have looked at."""
    others = dict(changes or {})
    files = others.pop("files", {})
    result = changed(changed(_HOST, {"engines": [ENGINE], "units": _UNITS}), others)
    result["files"] = changed({**dict.fromkeys(place.path for place in paths(result)), **_FILES}, files)
    return result


_HOST: dict[str, Any] = {
    "schema": 1,
    "host": {
        "name": "node1",
        "time": NOW,
        "uptime": 10 * DAY,
        "privileged": True,
        "os": {"ID": "debian", "VERSION_ID": "13", "PRETTY_NAME": "Debian GNU/Linux 13 (trixie)"},
        "kernel": {"release": "6.12.38+deb13-amd64", "arguments": ["quiet"], "last_capability": 40},
        "container": None,
        "virtualization": "kvm",
        "hypervisor_processes": [],
        "lsm": {
            "active": ["lockdown", "capability", "apparmor"],
            "apparmor": {"enabled": True, "profiles": {"docker-default": "enforce"}},
            "selinux": None,
        },
        "cgroup": {"version": 2, "controllers": ["cpu", "io", "memory", "pids"]},
        "sysctls": {
            "user.max_user_namespaces": "0",
            "kernel.unprivileged_userns_clone": "1",
            "kernel.apparmor_restrict_unprivileged_userns": None,
        },
        "mounts": [
            {
                "target": "/",
                "source": "/dev/sda1",
                "fstype": "ext4",
                "options": [],
                "device": "8:1",
                "root": "/",
            },
            {
                "target": "/run",
                "source": "tmpfs",
                "fstype": "tmpfs",
                "options": [],
                "device": "0:25",
                "root": "/",
            },
            {
                "target": DATA_ROOT,
                "source": "/dev/sdb1",
                "fstype": "ext4",
                "options": [],
                "device": "8:17",
                "root": "/",
            },
        ],
        "packages": {"manager": "dpkg", "installed": {"docker.io": "26.1.5", "openssh-server": "1:10.0p1"}},
        "updates": {"security": [], "as_of": NOW - DAY},
        "packages_changed": NOW - 10 * DAY,
        "reboot": {
            "required": False,
            "packages": [],
            "newest_kernel": "6.12.38+deb13-amd64",
            "newer_kernel": False,
        },
        "default_target": "graphical.target",
    },
    "accounts": {
        "users": [
            {"name": "root", "uid": 0, "gid": 0, "home": "/root", "shell": "/bin/bash"},
            {"name": "alice", "uid": 1000, "gid": 1000, "home": "/home/alice", "shell": "/bin/bash"},
        ],
        "groups": [
            {"name": "root", "gid": 0, "members": ["root"]},
            {"name": "docker", "gid": 990, "members": []},
            {"name": "alice", "gid": 1000, "members": ["alice"]},
        ],
        "login_defs": {"UID_MIN": 1000, "SYS_UID_MAX": 999, "SUB_UID_MIN": 100000},
        "subids": {"source": "files", "uid": [], "gid": []},
        "linger": [],
    },
    "units": {},
    "engines": [],
    "listeners": [listener("sshd", 22, unit="ssh.service", package="openssh-server")],
    "files": {},
    "certificates": {},
    "keys": {},
    "audit": {"enabled": 1, "loaded": AUDIT_RULES, "files": {"/etc/audit/rules.d/docker.rules": AUDIT_RULES}},
    "firewall": {
        "iptables": _TABLES,
        "ip6tables": _TABLES,
        "nftables": [],
        "ufw": None,
        "firewalld": None,
    },
    "hosts_access": {"allow": None, "deny": None},
    "sshd": {
        "settings": {
            "kbdinteractiveauthentication": ["no"],
            "passwordauthentication": ["no"],
            "permitrootlogin": ["no"],
            "usepam": ["yes"],
        },
        "matches": [],
    },
    "clients": [],
    "services": [],
    "engine_processes": [
        {
            "pid": 800,
            "name": "dockerd",
            "exe": DOCKERD,
            "argv": [DOCKERD],
            "uid": 0,
            "engine": "system",
            "unit": "docker.service",
            "container": None,
        },
        {
            "pid": 790,
            "name": "containerd",
            "exe": "/usr/bin/containerd",
            "argv": ["/usr/bin/containerd"],
            "uid": 0,
            "engine": None,
            "unit": "containerd.service",
            "container": None,
        },
    ],
    "deleted_files": [],
}


def said(found: dict[str, Any]) -> str:
    """All that a finding says about its subjects, for a look at words in it."""
    shown = [found["message"]]
    for subject in found["subjects"]:
        shown += [str(subject[key]) for key in ("name", "actual", "expected", "evidence")]
    return " | ".join(shown)
