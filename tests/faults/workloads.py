# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changes that `make faults` kills half-way, each with how the host is brought back before the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.hosts import pki
from tests.hosts.host import Host

_SLEEP = ("--stop-signal", "KILL", "busybox:test", "sleep", "100000")
_FORMER = '{"labels": ["former=1"]}'
_LIMITS = {"timeout": 30, "settle": 0.5}


class Workload(NamedTuple):
    """A change.

    modules  the modules with their options, in order
    prepare  done once on a fresh host
    reset    how the host is before each kill
    look     what tells whether it is as before; `wished` is a part of that when the change was made
    """

    name: str
    modules: list[tuple[str, dict[str, Any]]]
    prepare: Callable[[Host], None]
    reset: Callable[[Host], None]
    look: Callable[[Host], str]
    wished: str


def _in_use(host: Host) -> None:
    """Two containers run, one that nobody would start again."""
    host.import_busybox()
    for name, policy in (("never", "no"), ("always", "always")):
        host.docker("run", "--detach", "--name", name, "--restart", policy, *_SLEEP)


def _engine_reset(host: Host) -> None:
    host.run(
        f"printf '%s' '{_FORMER}' > /etc/docker/daemon.json; rm -rf /var/lib/bulwark /etc/docker/tls "
        "/etc/systemd/system/docker-tcp.socket /etc/systemd/system/*.wants/docker-tcp.socket; "
        "systemctl stop docker.service docker.socket docker-tcp.socket 2>/dev/null; "
        "systemctl daemon-reload; systemctl reset-failed; systemctl start docker.socket docker.service; "
        "docker start never always >/dev/null"
    )


def _engine_look(host: Host) -> str:
    return host.run(
        "cat /etc/docker/daemon.json; echo; ls /etc/docker/tls 2>/dev/null; "
        "ls /etc/systemd/system/docker-tcp.socket 2>/dev/null; docker info --format '{{.Labels}}'; true"
    ).stdout


def _tls_prepare(host: Host) -> None:
    _in_use(host)
    authority = pki.Authority()
    for folder, issued in (
        ("/srv/issued", authority.issue([host.ip, "127.0.0.1"])),
        ("/srv/proof", authority.issue(usage=pki.CLIENT)),
    ):
        host.run(["mkdir", "-p", folder])
        for name, content in (
            ("ca.pem", authority.pem),
            ("cert.pem", issued.certificate),
            ("key.pem", issued.key),
        ):
            host.put(f"{folder}/{name}", content, mode=0o600)


def _rootless_reset(host: Host) -> None:
    host.run(
        "loginctl disable-linger worker; systemctl stop user@1000.service; rm -rf /run/user/1000/docker*; "
        "cd /home/worker && rm -rf .config .docker .local; rm -rf /var/lib/bulwark; mkdir -p .config/docker; "
        "chown -R worker:worker .config"
    )


def _rootless_look(host: Host) -> str:
    return host.run(
        "find /home/worker -xdev -not -path '*/.local*' -printf '%p %m %U\\n' | sort; "
        "ls /var/lib/systemd/linger; systemctl is-active docker.service docker.socket; "
        "pgrep --uid 1000 --exact --list-name dockerd | cut --delimiter=' ' --fields=2 | head -n 1; true"
    ).stdout


def _services_prepare(host: Host) -> None:
    _in_use(host)
    host.run(
        "export DEBIAN_FRONTEND=noninteractive; apt-get update --quiet; "
        "apt-get install --yes --quiet --no-install-recommends rpcbind"
    )


def _services_reset(host: Host) -> None:
    host.run(
        "rm -rf /var/lib/bulwark; systemctl --quiet enable rpcbind.service rpcbind.socket; "
        "systemctl reset-failed; systemctl start rpcbind.socket rpcbind.service"
    )


def _services_look(host: Host) -> str:
    return host.run(
        "systemctl is-active rpcbind.socket rpcbind.service; systemctl is-enabled rpcbind.socket; true"
    ).stdout


WORKLOADS = [
    Workload(
        "daemon_config",
        [
            (
                "daemon_config",
                {
                    "config": {"labels": ["wished=1"], "live-restore": True},
                    **_LIMITS,
                },
            ),
            ("daemon_apply", _LIMITS),
        ],
        _in_use,
        _engine_reset,
        _engine_look,
        "[wished=1]\n",
    ),
    Workload(
        "rootless",
        [("rootless", {"user": "worker", **_LIMITS})],
        _in_use,
        _rootless_reset,
        _rootless_look,
        "dockerd\n",
    ),
    Workload(
        "daemon_tls",
        [
            (
                "daemon_tls",
                {
                    "addresses": ["127.0.0.1"],
                    "names": ["127.0.0.1"],
                    "source": "/srv/issued",
                    "proof": "/srv/proof",
                    "apply": True,
                    **_LIMITS,
                },
            )
        ],
        _tls_prepare,
        _engine_reset,
        _engine_look,
        "/etc/systemd/system/docker-tcp.socket\n",
    ),
    Workload(
        "listening_services",
        [
            (
                "listening_services",
                {"action": "disable", "deny_known": False, "deny": [{"unit": "rpcbind.socket"}]},
            )
        ],
        _services_prepare,
        _services_reset,
        _services_look,
        "inactive\ninactive\ndisabled\n",
    ),
]
