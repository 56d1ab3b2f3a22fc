# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of dockerd by version: keys of daemon.json, and the flags that bear another name."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import NamedTuple

FIRST_MAJOR, LAST_MAJOR = 19, 29


class Option(NamedTuple):
    """A key of daemon.json.

    kind     what dockerd's JSON decoder takes, by the names of changes/dockerd/option_types; in brackets a list of
             that, in braces a map of names to that
    since    the first major version that takes it; `until` the first that refuses to start with it
    instead  the way out where it is refused
    reload   the first major version that takes it over at a SIGHUP, None: it needs a restart
    ordered  whether the order of a list means something
    """

    kind: str
    since: int = FIRST_MAJOR
    until: int | None = None
    instead: str = ""
    reload: int | None = None
    ordered: bool = False


_SWARM_MODE = "use swarm mode"
_ENVIRONMENT = "set HTTP_PROXY, HTTPS_PROXY and NO_PROXY in the unit's environment"

# Read from moby's sources 19.03.15 to 29.7.2; a key is taken when a flag or a named option of that name
# exists. Not marked for reload: authorization-plugins, since a SIGHUP with an unknown plugin ends dockerd.
KEYS = {
    "add-runtime": Option("any"),
    "allow-direct-routing": Option("bool", since=28),
    "allow-nondistributable-artifacts": Option("[text]"),
    "api-cors-header": Option("text", until=29, instead="let a reverse proxy set the header"),
    "authorization-plugins": Option("[text]", ordered=True),
    "bip": Option("text"),
    "bip6": Option("text", since=28),
    "bridge": Option("text"),
    "bridge-accept-fwmark": Option("text", since=29),
    "builder": Option("object"),
    "cdi-spec-dirs": Option("[text]", since=25, ordered=True),
    "cgroup-parent": Option("text"),
    "cluster-advertise": Option("text", until=24, instead=_SWARM_MODE),
    "cluster-store": Option("text", until=24, instead=_SWARM_MODE),
    "cluster-store-opts": Option("{text}", until=24, instead=_SWARM_MODE),
    "config-file": Option("any"),
    "containerd": Option("text"),
    "containerd-namespace": Option("text"),
    "containerd-plugins-namespace": Option("any"),
    "cpu-rt-period": Option("int"),
    "cpu-rt-runtime": Option("int"),
    "cri-containerd": Option("bool"),
    "data-root": Option("text"),
    "debug": Option("bool", reload=19),
    "default-address-pools": Option("[pool]", ordered=True),
    "default-cgroupns-mode": Option("text", since=20, reload=20),
    "default-gateway": Option("text"),
    "default-gateway-v6": Option("text"),
    "default-ipc-mode": Option("text", reload=26),
    "default-network-opts": Option("{{text}}", since=24),
    "default-runtime": Option("text", reload=19),
    "default-shm-size": Option("size", reload=19),
    "default-stop-timeout": Option("int", since=29, reload=29),
    "default-ulimits": Option("{limit}"),
    "deprecated-key-path": Option("any"),
    "disable-legacy-registry": Option("bool", until=19, instead="leave it out"),
    "dns": Option("[text]", ordered=True),
    "dns-opts": Option("[text]"),
    "dns-search": Option("[text]", ordered=True),
    "exec-opts": Option("[text]"),
    "exec-root": Option("text"),
    "experimental": Option("bool"),
    "features": Option("{bool}", reload=19),
    "firewall-backend": Option("text", since=29),
    "fixed-cidr": Option("text"),
    "fixed-cidr-v6": Option("text"),
    "graph": Option("text", until=23, instead="use data-root"),
    "group": Option("text"),
    "host-gateway-ip": Option("text", since=20),
    "host-gateway-ips": Option("[text]", since=28, instead="use host-gateway-ip"),
    "hosts": Option("[text]"),
    "http-proxy": Option("text", since=23, instead=_ENVIRONMENT),
    "https-proxy": Option("text", since=23, instead=_ENVIRONMENT),
    "icc": Option("bool"),
    "init": Option("bool"),
    "init-path": Option("text"),
    "insecure-registries": Option("[text]", reload=19),
    "ip": Option("text"),
    "ip-forward": Option("bool"),
    "ip-forward-no-drop": Option("bool", since=28),
    "ip-masq": Option("bool"),
    "ip6tables": Option("bool", since=20),
    "iptables": Option("bool"),
    "ipv6": Option("bool"),
    "labels": Option("[text]", reload=19),
    "live-restore": Option("bool", reload=19),
    "log-driver": Option("text"),
    "log-format": Option("text", since=25),
    "log-level": Option("text"),
    "log-opts": Option("{text}"),
    "max-concurrent-downloads": Option("int", reload=19),
    "max-concurrent-uploads": Option("int", reload=19),
    "max-download-attempts": Option("int", since=20, reload=20),
    "metrics-addr": Option("text"),
    "min-api-version": Option("text", since=29),
    "mtu": Option("int"),
    "network-control-plane-mtu": Option("int"),
    "network-diagnostic-port": Option("int", reload=19),
    "no-new-privileges": Option("bool"),
    "no-proxy": Option("text", since=23, instead=_ENVIRONMENT),
    "node-generic-resources": Option("[text]"),
    "nri-opts": Option("nri", since=29),
    "oom-score-adjust": Option("int", until=26, instead="set OOMScoreAdjust= in the unit"),
    "pidfile": Option("text"),
    "proxies": Option("proxies", since=23, instead=_ENVIRONMENT),
    "raw-logs": Option("bool"),
    "registry-mirrors": Option("[text]", reload=19, ordered=True),
    "rootless": Option("bool"),
    "runtimes": Option("{runtime}", reload=19),
    "seccomp-profile": Option("text"),
    "selinux-enabled": Option("bool"),
    "shutdown-timeout": Option("int", reload=19),
    "storage-driver": Option("text"),
    "storage-opts": Option("[text]"),
    "swarm-default-advertise-addr": Option("text"),
    "tls": Option("bool"),
    "tlscacert": Option("text"),
    "tlscert": Option("text"),
    "tlskey": Option("text"),
    "tlsverify": Option("bool"),
    "userland-proxy": Option("bool"),
    "userland-proxy-path": Option("text"),
    "userns-remap": Option("text"),
}
# The flag of a key whose flag is not named like it. Such a flag's name as a key is taken, and ignored without
# a word (seen with `dockerd --validate` on 28.5.2, and at the start of 20.10.24), unless it is a key as well.
FLAGS = {
    "authorization-plugins": "authorization-plugin",
    "cdi-spec-dirs": "cdi-spec-dir",
    "cluster-store-opts": "cluster-store-opt",
    "default-address-pools": "default-address-pool",
    "default-network-opts": "default-network-opt",
    "default-ulimits": "default-ulimit",
    "dns-opts": "dns-opt",
    "exec-opts": "exec-opt",
    "features": "feature",
    "host-gateway-ips": "host-gateway-ip",
    "hosts": "host",
    "insecure-registries": "insecure-registry",
    "labels": "label",
    "log-opts": "log-opt",
    "node-generic-resources": "node-generic-resource",
    "registry-mirrors": "registry-mirror",
    "runtimes": "add-runtime",
    "storage-opts": "storage-opt",
}
_IGNORED = {flag: key for key, flag in FLAGS.items() if flag not in KEYS or KEYS[flag].kind == "any"}
# Read within proxies alone (26.1.5 and 28.5.2 take a list for their value).
_IGNORED |= dict.fromkeys(("http-proxy", "https-proxy", "no-proxy"), "proxies")


def refused_keys(keys: Collection[str], major: int | None) -> list[str]:
    """The keys that keep a daemon of that major version from starting.

    Without a version: those that no version takes. A version beyond the table may know more, so of it only
    the removed ones.
    """
    return sorted(key for key in keys if why_refused(key, major))


def why_refused(key: str, major: int | None) -> str | None:
    """Why a daemon of that major version does not start with the key, and the way out; None where it does.

    The end of a sentence that begins with the key. Versions are treated as `refused_keys` does.
    """
    option = KEYS.get(key)
    if option is None:
        beyond = major is not None and not FIRST_MAJOR <= major <= LAST_MAJOR
        return None if beyond or key in _IGNORED else _unknown(key, major)
    if option.until is not None and (FIRST_MAJOR if major is None else major) >= option.until:
        refusal = f"was removed in {option.until}"
    elif major is not None and FIRST_MAJOR <= major < option.since:
        refusal = f"exists since {option.since}"
    else:
        return None
    return f"{refusal}; {option.instead}" if option.instead else refusal


def ignored_keys(keys: Collection[str]) -> Mapping[str, str]:
    """The keys that dockerd takes and ignores, each with the one that was meant."""
    return {key: _IGNORED[key] for key in sorted(keys) if key in _IGNORED}


def effect(changed_keys: Collection[str], removed_keys: Collection[str], major: int | None) -> str:
    """What makes a running daemon take over the new file: "none", "reload" or "restart".

    A key that is gone needs a restart: at a SIGHUP dockerd keeps its value (live-restore, seen on 20.10.24 and
    26.1.5).
    """
    if removed_keys or not all(_reloaded(key, major) for key in changed_keys):
        return "restart"
    return "reload" if changed_keys else "none"


def _reloaded(key: str, major: int | None) -> bool:
    option = KEYS.get(key)
    if option is None or option.reload is None:
        return False
    return (FIRST_MAJOR if major is None else major) >= option.reload


def _unknown(key: str, major: int | None) -> str:
    taken = [known for known in KEYS if why_refused(known, major) is None]
    if key.lower() in taken:
        return f"is no option of dockerd, which tells upper from lower case; write '{key.lower()}'"
    meant = difflib.get_close_matches(key.lower().replace("_", "-"), taken, 1, 0.75)
    return "is no option of dockerd" + (f"; did you mean '{meant[0]}'?" if meant else "")
