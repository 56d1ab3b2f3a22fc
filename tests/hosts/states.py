# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a test host into a state: daemon options, TLS files, a rootless engine; and back to Debian's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.hosts.host import Host

DAEMON_JSON = "/etc/docker/daemon.json"
# Tests that change units write only here.
SERVICE_DROP_IN = "/etc/systemd/system/docker.service.d/test.conf"
SOCKET_DROP_IN = "/etc/systemd/system/docker.socket.d/test.conf"
TLS = "/etc/docker/tls"
ROOTLESS_SOCKET = "/run/user/1000/docker.sock"

# A CA, a server's and a client's certificate, as the manual of Docker tells to make them. $1: the directory.
_CERTIFICATES = """
set -e
mkdir -p "$1" /root/client && cd "$1"
new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $new -keyout /root/ca-key.pem -out ca.pem -subj /CN=test-ca -days 365 \\
    -addext keyUsage=critical,keyCertSign,cRLSign
issue() {
    openssl req $new -keyout "$2" -out /root/request.pem -subj "/CN=$1"
    printf '%s\\n' "$4" > /root/extensions
    openssl x509 -req -in /root/request.pem -CA ca.pem -CAkey /root/ca-key.pem -CAcreateserial \\
        -days 365 -extfile /root/extensions -out "$3"
    chmod 0400 "$2"
}
issue server key.pem cert.pem "subjectAltName=DNS:localhost,IP:127.0.0.1
extendedKeyUsage=serverAuth"
issue client /root/client/key.pem /root/client/cert.pem extendedKeyUsage=clientAuth
rm -f /root/ca-key.pem /root/request.pem ca.srl
chmod 0444 ca.pem cert.pem
"""

_LISTENS = """
for try in $(seq 100); do
    docker logs "$1" 2>&1 | grep -q 'API listen on' && exit
    sleep 0.1
done
docker logs "$1"
exit 1
"""

# As the manual of rootless mode tells to install it; the tool takes a packet filter that is no module for none.
_ROOTLESS = """
set -e
export XDG_RUNTIME_DIR=/run/user/1000
export PATH=/usr/bin:/usr/sbin:/bin:/sbin
until [ -S $XDG_RUNTIME_DIR/bus ]; do sleep 0.1; done
dockerd-rootless-setuptool.sh install --skip-iptables --force
until docker --host unix://$XDG_RUNTIME_DIR/docker.sock version; do sleep 0.1; done
"""


def start_docker(
    host: Host, settings: Mapping[str, Any] | str | None = None, flags: str | None = None
) -> None:
    """Restarts the engine with that daemon.json (data or text), and with `flags` as its whole command line."""
    if settings is not None:
        host.put(DAEMON_JSON, settings if isinstance(settings, str) else as_text(settings))
    if flags is not None:
        host.put(SERVICE_DROP_IN, f"[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd {flags}\n")
        host.run("systemctl daemon-reload")
    host.restart_docker()


def as_text(settings: Mapping[str, Any]) -> str:
    """What daemon.json holds with those settings."""
    return json.dumps(settings)


def reset_docker(host: Host) -> None:
    """The engine as Debian installs it, without containers."""
    host.run("docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes")
    host.run(f"rm -rf {DAEMON_JSON} {SERVICE_DROP_IN} {SOCKET_DROP_IN} && systemctl daemon-reload")
    host.run("systemctl stop docker.service && systemctl restart docker.socket")
    host.restart_docker()


def certificates(host: Host) -> dict[str, Any]:
    """Keys and certificates in TLS, a client's in /root/client; returns the daemon settings that use them."""
    host.run(["sh", "-c", _CERTIFICATES, "sh", TLS])
    return {
        "tlsverify": True,
        "tlscacert": f"{TLS}/ca.pem",
        "tlscert": f"{TLS}/cert.pem",
        "tlskey": f"{TLS}/key.pem",
    }


def nested_engine(host: Host, name: str, network: str, *flags: str) -> None:
    """An engine that runs in a container of that name, with TLS as its /certs; back when it listens.

    It is the host's own dockerd, which shares the host's containerd and starts no containers.
    """
    libraries = [f"--volume=/usr{path}:{path}:ro" for path in ("/lib", "/lib64")]
    shared = [
        "--volume=/usr:/usr:ro",
        "--volume=/run/containerd:/run/containerd",
        f"--volume={TLS}:/certs:ro",
    ]
    rights = ["--cap-add=SYS_ADMIN", "--cap-add=NET_ADMIN", "--security-opt=seccomp=unconfined"]
    host.docker(
        "run", "--detach", "--name", name, "--network", network, "--volume=/data", *rights, *shared, *libraries,
        "busybox:test", "/usr/sbin/dockerd", "--bridge=none", "--iptables=false", "--storage-driver=vfs",
        "--data-root=/data", "--containerd=/run/containerd/containerd.sock",
        f"--containerd-namespace={name}", f"--containerd-plugins-namespace={name}-plugins", *flags,
    )  # fmt: skip
    host.run(["sh", "-c", _LISTENS, "sh", name])


def rootless(host: Host, settings: Mapping[str, Any] | None = None) -> None:
    """A running rootless engine of the account `worker`, as its systemd user service."""
    if settings is not None:
        host.put("/home/worker/.config/docker/daemon.json", json.dumps(settings))
        host.run("chown -R worker: /home/worker/.config")
    # Debian lays dockerd-rootless-setuptool.sh aside, and its unit wants the scripts in the system's path.
    host.run(
        "ln -sf /usr/share/docker.io/contrib/dockerd-rootless*.sh /usr/bin/; loginctl enable-linger worker"
    )
    host.run(_ROOTLESS, user="worker", timeout=60)


def rootless_docker(host: Host, *arguments: str) -> str:
    """The output of the docker CLI, asked of that engine."""
    return host.run(["docker", "--host", f"unix://{ROOTLESS_SOCKET}", *arguments], user="worker").stdout
