# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound engines as snapshots hold them, the system's and a rootless one, and the host around them."""

from __future__ import annotations

from typing import Any

from tests.unit.builders.judging import changed

DAY = 86400
NOW = 1_795_342_100  # 2026-11-22
STARTED = NOW - 10 * DAY
CONFIGURED = STARTED - DAY
KEY, CA_KEY, CLIENT_KEY = "aa" * 32, "bb" * 32, "cc" * 32


def certificate(**changes: Any) -> dict[str, Any]:
    """A server's certificate, signed by the engine's CA, good for another 300 days."""
    return changed(
        {
            "subject": "CN=docker.example",
            "issuer": "CN=docker CA",
            "not_before": NOW - 60 * DAY,
            "not_after": NOW + 300 * DAY,
            "ca": False,
            "eku": ["serverAuth"],
            "san": ["DNS:docker.example", "IP:192.0.2.10"],
            "key_type": "EC",
            "key_bits": 256,
            "signature_algorithm": "ecdsa-with-SHA256",
            "public_key": KEY,
            "self_signed": False,
            "signed_by": ["/etc/docker/tls/ca.pem"],
        },
        changes,
    )


def authority(**changes: Any) -> dict[str, Any]:
    """The CA's own certificate."""
    return certificate(
        **{
            "subject": "CN=docker CA",
            "not_after": NOW + 3000 * DAY,
            "ca": True,
            "eku": None,
            "san": [],
            "public_key": CA_KEY,
            "self_signed": True,
            **changes,
        }
    )


def endpoint(**changes: Any) -> dict[str, Any]:
    """A TCP listener that lets nobody in without a client certificate, as 26.1 answers."""
    return changed(
        {
            "address": "192.0.2.10",
            "port": 2376,
            "connect": "192.0.2.10",
            "source": "docker-tcp.socket",
            "plain": {"scheme": "http", "path": "/_ping", "status": 400, "server": None, "error": None},
            "tls": {
                "handshake": True,
                "version": "TLSv1.3",
                "status": None,
                "error": "certificate required",
                "certificate_requested": True,
                "ca_names": ["CN=docker CA"],
                "certificate": certificate(signed_by=[]),
            },
        },
        changes,
    )


def open_endpoint(**changes: Any) -> dict[str, Any]:
    """A TCP listener that answers everybody over plain HTTP."""
    plain = {"scheme": "http", "path": "/_ping", "status": 200, "server": "Docker", "error": None}
    tls: dict[str, Any] = {
        "handshake": False,
        "version": None,
        "status": None,
        "error": "it speaks plain HTTP",
        "certificate_requested": False,
        "ca_names": [],
        "certificate": None,
    }
    return endpoint(**{"address": "0.0.0.0", "port": 2375, "plain": plain, "tls": tls, **changes})


def silent_endpoint(error: str = "timed out", **changes: Any) -> dict[str, Any]:
    """A TCP listener of which nothing came back, or that was not asked."""
    closed = open_endpoint()
    tls = {**closed["tls"], "error": error, "certificate_requested": None}
    return open_endpoint(
        **{"plain": {**closed["plain"], "status": None, "error": error}, "tls": tls, **changes}
    )


SETTINGS = {
    "authorization-plugins": ["opa"],
    "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 64000, "Soft": 64000}},
    "icc": False,
    "ip": "127.0.0.1",
    "live-restore": True,
    "log-driver": "journald",
    "no-new-privileges": True,
    "tlscacert": "/etc/docker/tls/ca.pem",
    "tlscert": "/etc/docker/tls/cert.pem",
    "tlskey": "/etc/docker/tls/key.pem",
    "tlsverify": True,
    "userland-proxy": False,
    "userns-remap": "default",
}


def engine(**changes: Any) -> dict[str, Any]:
    """The system's engine, hardened in every respect and listening on TCP with mutual TLS."""
    return changed(
        {
            "name": "system",
            "user": None,
            "state": "running",
            "error": None,
            "socket": "/run/docker.sock",
            "unit": "docker.service",
            "user_unit": None,
            "pid": 700,
            "uid": 0,
            "gid": 0,
            "argv": ["/usr/bin/dockerd", "-H", "fd://"],
            "started": STARTED,
            "binary": {"path": "/usr/bin/dockerd", "modified": CONFIGURED, "deleted": False},
            "rootlesskit": None,
            "config": {
                "path": "/etc/docker/daemon.json",
                "given": False,
                "exists": True,
                "target": None,
                "modified": CONFIGURED,
                "changed": CONFIGURED,
                "settings": SETTINGS,
                "problems": [],
            },
            "flags": {"host": ["fd://"]},
            "version": {
                "Version": "29.7.2",
                "ApiVersion": "1.55",
                "MinAPIVersion": "1.44",
                "Experimental": False,
                "GitCommit": "20e75ce",
                "KernelVersion": "6.12.57",
                "Components": {
                    "Engine": "29.7.2",
                    "containerd": "v2.2.6",
                    "runc": "1.3.6",
                    "docker-init": "0.19.0",
                },
            },
            "info": {
                "Driver": "overlayfs",
                "Plugins": {"Authorization": ["opa"], "Log": ["journald", "json-file", "local", "syslog"]},
                "MemoryLimit": True,
                "CpuCfsQuota": True,
                "PidsLimit": True,
                "Debug": False,
                "LoggingDriver": "journald",
                "CgroupDriver": "systemd",
                "CgroupVersion": "2",
                "RegistryConfig": {
                    "IndexConfigs": {
                        "docker.io": {"Mirrors": [], "Name": "docker.io", "Official": True, "Secure": True}
                    },
                    "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8"],
                    "Mirrors": None,
                },
                "DockerRootDir": "/var/lib/docker/100000.100000",
                "ExperimentalBuild": False,
                "ServerVersion": "29.7.2",
                "DefaultRuntime": "runc",
                "Swarm": {"NodeID": "", "LocalNodeState": "inactive", "ControlAvailable": False, "Error": ""},
                "LiveRestoreEnabled": True,
                "SecurityOptions": [
                    "name=apparmor",
                    "name=seccomp,profile=builtin",
                    "name=userns",
                    "name=cgroupns",
                    "name=no-new-privileges",
                ],
                "Warnings": None,
            },
            "containers": [],
            "images": [],
            "networks": [bridge()],
            "volumes": [],
            "plugins": [],
            "swarm": {"state": "inactive", "manager": False, "error": None},
            "endpoints": [endpoint()],
            "data_roots": [],
        },
        changes,
    )


def bridge(icc: str = "false", address: str = "127.0.0.1") -> dict[str, Any]:
    """The default bridge network."""
    return {
        "id": "48" * 32,
        "name": "bridge",
        "driver": "bridge",
        "scope": "local",
        "internal": False,
        "ingress": False,
        "options": {
            "com.docker.network.bridge.default_bridge": "true",
            "com.docker.network.bridge.enable_icc": icc,
            "com.docker.network.bridge.host_binding_ipv4": address,
            "com.docker.network.bridge.name": "docker0",
        },
        "subnets": ["172.17.0.0/16"],
        "containers": [],
    }


def rootless_engine(**changes: Any) -> dict[str, Any]:
    """A rootless engine of alice, without a TCP listener."""
    home = "/home/alice"
    settings = {key: value for key, value in SETTINGS.items() if not key.startswith(("tls", "userns"))}
    base = engine(
        name="rootless:alice",
        user="alice",
        socket="/run/user/1000/docker.sock",
        user_unit={
            "path": f"{home}/.config/systemd/user/docker.service",
            "enabled": True,
            "fragment_exists": True,
        },
        pid=900,
        uid=1000,
        gid=1000,
        argv=["dockerd", "--host=unix:///run/user/1000/docker.sock"],
        rootlesskit={"pid": 880, "uid": 1000, "argv": ["rootlesskit"]},
        flags={"host": ["unix:///run/user/1000/docker.sock"]},
        info={
            "DockerRootDir": f"{home}/.local/share/docker",
            "SecurityOptions": [
                "name=seccomp,profile=builtin",
                "name=rootless",
                "name=cgroupns",
                "name=no-new-privileges",
            ],
        },
        endpoints=[],
    )
    base["config"] = {**base["config"], "path": f"{home}/.config/docker/daemon.json", "settings": settings}
    return changed(base, changes)


def stopped_engine(**changes: Any) -> dict[str, Any]:
    """The system's engine while its unit is off."""
    unread = {"error": "docker.service is inactive"}
    parts = (
        "version",
        "info",
        "containers",
        "images",
        "networks",
        "volumes",
        "plugins",
        "swarm",
        "data_roots",
    )
    off = {
        "state": "stopped",
        "error": unread["error"],
        "pid": None,
        "uid": None,
        "argv": None,
        "started": None,
    }
    return engine(**{**dict.fromkeys(parts, unread), **off, "binary": None, "endpoints": [], **changes})


def edited(base: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """The engine after somebody has written these settings to its file and not restarted it."""
    return changed(
        base, {"config": {"modified": STARTED + DAY, "changed": STARTED + DAY, "settings": settings}}
    )


def with_settings(base: dict[str, Any], *removed: str, **settings: Any) -> dict[str, Any]:
    """The engine with another configuration file, in force since its start; `_` in names stands for `-`."""
    result = changed(
        base, {"config": {"settings": {key.replace("_", "-"): value for key, value in settings.items()}}}
    )
    for key in removed:
        del result["config"]["settings"][key]
    return result


def file(**changes: Any) -> dict[str, Any]:
    """A file of root that others may read."""
    return changed(
        {
            "type": "file",
            "mode": "0644",
            "uid": 0,
            "gid": 0,
            "owner": "root",
            "group": "root",
            "size": 100,
            "modified": CONFIGURED,
            "device": 1,
            "inode": 2,
            "target": None,
            "acl": [],
            "parents": [],
            "children": [],
        },
        changes,
    )


def unit(**changes: Any) -> dict[str, Any]:
    """A socket unit of docker.service that listens on the API's usual path."""
    return changed(
        {
            "load": "loaded",
            "load_error": None,
            "active": "active",
            "sub": "running",
            "enabled": "enabled",
            "fragment": "/usr/lib/systemd/system/docker.socket",
            "drop_ins": [],
            "environment_files": [],
            "main_pid": None,
            "started": STARTED,
            "triggered_by": [],
            "triggers": ["docker.service"],
            "listens": [{"type": "Stream", "address": "/run/docker.sock"}],
            "needs_reload": False,
        },
        changes,
    )


def tcp_unit(**changes: Any) -> dict[str, Any]:
    """docker-tcp.socket, on one address."""
    return unit(**{"listens": [{"type": "Stream", "address": "192.0.2.10:2376"}], **changes})


def listener(**changes: Any) -> dict[str, Any]:
    """The engine's TCP listener in the table of the host."""
    return changed(
        {
            "protocol": "tcp",
            "family": 4,
            "address": "192.0.2.10",
            "port": 2376,
            "v6only": None,
            "scope": "specific",
            "interface": None,
            "owners": [
                {"pid": 700, "name": "dockerd", "exe": "/usr/bin/dockerd", "uid": 0, "unit": "docker.service"}
            ],
            "unit": "docker-tcp.socket",
            "package": "docker-ce",
            "container": None,
            "forwards": None,
        },
        changes,
    )


def process(**changes: Any) -> dict[str, Any]:
    """The system's dockerd among the engine processes."""
    return changed(
        {
            "pid": 700,
            "name": "dockerd",
            "exe": "/usr/bin/dockerd",
            "argv": ["/usr/bin/dockerd"],
            "uid": 0,
            "engine": "system",
            "unit": "docker.service",
            "container": None,
        },
        changes,
    )


def client(**changes: Any) -> dict[str, Any]:
    """alice, whose context reaches an engine with mutual TLS."""
    folder = "/home/alice/.docker/contexts/tls/1f/docker"
    return changed(
        {
            "user": "alice",
            "uid": 1000,
            "home": "/home/alice",
            "current_context": "remote",
            "contexts": [
                {
                    "name": "remote",
                    "host": "tcp://docker.example:2376",
                    "skip_tls_verify": False,
                    "certificate": f"{folder}/cert.pem",
                }
            ],
            "environment": {},
        },
        changes,
    )


def snapshot(*engines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A host with these engines, by default the system's sound one."""
    folder = "/home/alice/.docker/contexts/tls/1f/docker"
    users = [("root", 0, "/root"), ("alice", 1000, "/home/alice"), ("dockremap", 105, "/home/dockremap")]
    ranges = [
        {"owner": "dockremap", "start": 100000, "count": 65536},
        {"owner": "alice", "start": 165536, "count": 65536},
    ]
    return changed(
        {
            "schema": 1,
            "host": {
                "name": "dock1",
                "time": NOW,
                "uptime": 20 * DAY,
                "privileged": True,
                "os": {"ID": "debian", "VERSION_ID": "13"},
                "kernel": {"release": "6.12.57", "arguments": [], "last_capability": 40},
                "container": None,
                "virtualization": None,
                "hypervisor_processes": [],
                "lsm": {
                    "active": ["capability", "apparmor"],
                    "apparmor": {
                        "enabled": True,
                        "profiles": {"docker-default": "enforce", "web": "enforce"},
                    },
                    "selinux": None,
                },
                "cgroup": {"version": 2, "controllers": ["cpu", "memory", "pids"]},
                "sysctls": {"user.max_user_namespaces": "15000", "kernel.unprivileged_userns_clone": "1"},
                "mounts": [],
                "packages": {"manager": "dpkg", "installed": {"docker-ce": "5:29.7.2-1~debian.13~trixie"}},
                "updates": None,
                "packages_changed": CONFIGURED,
                "reboot": {"required": False, "packages": [], "newest_kernel": "6.12.57"},
                "default_target": "multi-user.target",
            },
            "accounts": {
                "users": [
                    {"name": name, "uid": uid, "gid": uid, "home": home, "shell": "/bin/sh"}
                    for name, uid, home in users
                ],
                "groups": [
                    *({"name": name, "gid": uid, "members": [name]} for name, uid, _unused in users),
                    {"name": "docker", "gid": 995, "members": []},
                ],
                "login_defs": {"UID_MIN": 1000, "UID_MAX": 60000, "GID_MIN": 1000, "GID_MAX": 60000},
                "subids": {"source": "files", "uid": ranges, "gid": ranges},
                "linger": ["alice"],
            },
            "units": {"docker.socket": unit(), "docker-tcp.socket": tcp_unit()},
            "engines": list(engines) or [engine()],
            "listeners": [listener()],
            "files": {
                "/etc/subuid": file(),
                "/etc/subgid": file(),
                "/etc/docker/tls/ca.pem": file(),
                "/etc/docker/tls/cert.pem": file(),
                "/etc/docker/tls/key.pem": file(mode="0400"),
                f"{folder}/ca.pem": file(uid=1000, owner="alice"),
                f"{folder}/cert.pem": file(uid=1000, owner="alice"),
                f"{folder}/key.pem": file(uid=1000, owner="alice", mode="0600"),
            },
            "certificates": {
                "/etc/docker/tls/ca.pem": [authority()],
                "/etc/docker/tls/cert.pem": [certificate()],
                f"{folder}/ca.pem": [authority()],
                f"{folder}/cert.pem": [
                    certificate(
                        subject="CN=alice",
                        eku=["clientAuth"],
                        san=[],
                        public_key=CLIENT_KEY,
                        signed_by=["/etc/docker/tls/ca.pem", f"{folder}/ca.pem"],
                    )
                ],
            },
            "keys": {
                "/etc/docker/tls/key.pem": {"public_key": KEY, "encrypted": False},
                f"{folder}/key.pem": {"public_key": CLIENT_KEY, "encrypted": False},
            },
            "audit": None,
            "firewall": {
                "iptables": None,
                "ip6tables": None,
                "nftables": None,
                "ufw": None,
                "firewalld": None,
            },
            "hosts_access": {"allow": None, "deny": None},
            "sshd": None,
            "clients": [client()],
            "services": [],
            "engine_processes": [process()],
            "deleted_files": [],
        },
        changes,
    )


def rootless_snapshot(*engines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A host where alice's rootless engine has replaced the system's."""
    off = {"active": "inactive", "enabled": "disabled"}
    own = {
        "name": "rootless",
        "host": "unix:///run/user/1000/docker.sock",
        "skip_tls_verify": False,
        "certificate": None,
    }
    base = snapshot(
        *(engines or (rootless_engine(),)),
        listeners=[],
        clients=[client(current_context="rootless", contexts=[own])],
        engine_processes=[process(pid=900, uid=1000, engine="rootless:alice", unit="user@1000.service")],
    )
    base["units"] = {"docker.service": unit(triggers=[], listens=[], **off), "docker.socket": unit(**off)}
    return changed(base, changes)


def said(finding: dict[str, Any]) -> str:
    """Everything that a finding tells, as one text."""
    subjects = (
        f"{one['name']} {one['actual']} {one['expected']} {one['evidence']}" for one in finding["subjects"]
    )
    return "\n".join([finding["message"], *subjects])
