# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of dockerd by version: keys of daemon.json, and the flags that bear another name. Data only."""

from __future__ import annotations

from collections.abc import Collection, Mapping

# Read from moby's sources 19.03.15 to 29.7.2; a key is taken when a flag or a named option of that name
# exists.
FIRST_MAJOR, LAST_MAJOR = 19, 29
_ALWAYS_TAKEN = """
    add-runtime allow-nondistributable-artifacts authorization-plugins bip bridge builder cgroup-parent
    config-file containerd containerd-namespace containerd-plugins-namespace cpu-rt-period cpu-rt-runtime
    cri-containerd data-root debug default-address-pools default-gateway default-gateway-v6
    default-ipc-mode default-runtime default-shm-size default-ulimits deprecated-key-path dns dns-opts
    dns-search exec-opts exec-root experimental features fixed-cidr fixed-cidr-v6 group hosts icc init
    init-path insecure-registries ip ip-forward ip-masq iptables ipv6 labels live-restore log-driver
    log-level log-opts max-concurrent-downloads max-concurrent-uploads metrics-addr mtu
    network-control-plane-mtu network-diagnostic-port no-new-privileges node-generic-resources pidfile
    raw-logs registry-mirrors rootless runtimes seccomp-profile selinux-enabled shutdown-timeout
    storage-driver storage-opts swarm-default-advertise-addr tls tlscacert tlscert tlskey tlsverify
    userland-proxy userland-proxy-path userns-remap
"""
# key: the first major version that takes it
_ADDED = {
    "default-cgroupns-mode": 20,
    "host-gateway-ip": 20,
    "ip6tables": 20,
    "max-download-attempts": 20,
    "http-proxy": 23,
    "https-proxy": 23,
    "no-proxy": 23,
    "proxies": 23,
    "default-network-opts": 24,
    "cdi-spec-dirs": 25,
    "log-format": 25,
    "allow-direct-routing": 28,
    "bip6": 28,
    "host-gateway-ips": 28,
    "ip-forward-no-drop": 28,
    "bridge-accept-fwmark": 29,
    "default-stop-timeout": 29,
    "firewall-backend": 29,
    "min-api-version": 29,
    "nri-opts": 29,
}
# key: the first major version that refuses to start with it
_REMOVED = {
    "graph": 23,
    "cluster-advertise": 24,
    "cluster-store": 24,
    "cluster-store-opts": 24,
    "oom-score-adjust": 26,
    "api-cors-header": 29,
}
# The flag of a key whose flag is not named like it. Such a flag's name as a key is taken, and ignored without
# a word (seen with `dockerd --validate` on 28.5.2, and at the start of 20.10.24).
FLAGS = {
    "authorization-plugins": "authorization-plugin",
    "cdi-spec-dirs": "cdi-spec-dir",
    "default-address-pools": "default-address-pool",
    "default-network-opts": "default-network-opt",
    "default-ulimits": "default-ulimit",
    "dns-opts": "dns-opt",
    "exec-opts": "exec-opt",
    "features": "feature",
    "hosts": "host",
    "insecure-registries": "insecure-registry",
    "labels": "label",
    "log-opts": "log-opt",
    "node-generic-resources": "node-generic-resource",
    "registry-mirrors": "registry-mirror",
    "runtimes": "add-runtime",
    "storage-opts": "storage-opt",
}
_ALWAYS = frozenset(_ALWAYS_TAKEN.split())
_KEY_OF_FLAG = {flag: key for key, flag in FLAGS.items()}


def refused_keys(keys: Collection[str], major: int | None) -> list[str]:
    """The keys that keep a daemon of that major version from starting.

    Without a version: those that no version takes. A version beyond the table may know more, so none.
    """
    if major is not None and not FIRST_MAJOR <= major <= LAST_MAJOR:
        return []
    return sorted(key for key in keys if not _taken(key, major))


def ignored_keys(keys: Collection[str]) -> Mapping[str, str]:
    """The keys that dockerd takes and ignores, each with the one that was meant."""
    return {key: _KEY_OF_FLAG[key] for key in sorted(keys) if key in _KEY_OF_FLAG}


def _taken(key: str, major: int | None) -> bool:
    if key in _ALWAYS or key in _KEY_OF_FLAG:
        return True
    if major is None:
        return key in _ADDED or key in _REMOVED
    return (key in _ADDED and major >= _ADDED[key]) or (key in _REMOVED and major < _REMOVED[key])
