# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records the snapshots of tests/unit/snapshots from fresh test hosts: `python -m tests.hosts.record [IMAGE...]`."""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.hosts import engine, images, room
from tests.hosts.auditing import audit
from tests.hosts.engine import CLONE
from tests.hosts.host import Host

SNAPSHOTS = CLONE / "tests" / "unit" / "snapshots"
# What would stand at the head of a file that knows comments.
LICENSE = "SPDX-FileCopyrightText: 2026 Bulwark contributors\nSPDX-License-Identifier: GPL-3.0-or-later\n"
SLEEP = ["busybox:test", "sleep", "3600"]
LIMITS = ["--memory", "64m", "--memory-swap", "64m", "--pids-limit", "50", "--cpus", "0.5"]
# Name: arguments of docker. What is set to be a secret must not be found in a snapshot.
CONTAINERS = {
    "default": ["run", "--detach", *SLEEP],
    "privileged": ["create", "--privileged", "--restart", "always", "--volume", "/:/host", *SLEEP],
    "hardened": [
        "run", "--detach", "--user", "1000:1000", "--cap-drop", "ALL", "--read-only", *LIMITS,
        "--security-opt", "no-new-privileges", "--restart", "on-failure:3", "--health-cmd", "true",
        *SLEEP,
    ],
    "socket": ["run", "--detach", "--volume", "/run/docker.sock:/var/run/docker.sock:ro", *SLEEP],
    "network": ["run", "--detach", "--network", "host", *SLEEP],
    "published": [
        "run", "--detach", "--publish", "8080:80", "--env", "DB_PASSWORD=kept-out", "busybox:test",
        "httpd", "-f", "-p", "80",
    ],
}  # fmt: skip
# Of the packages those that controls may look for, and some more.
PACKAGES = 30
KEPT_PACKAGES = (
    "containerd",
    "docker",
    "iptables",
    "libc6",
    "linux-image",
    "openssh-server",
    "runc",
    "systemd",
)
MOUNTS = ("/", "/home", "/proc", "/run", "/sys", "/sys/fs/cgroup", "/tmp", "/var/lib/docker")


def record(host: Host) -> dict[str, Any]:
    """The trimmed snapshot of that host with the containers above."""
    host.import_busybox()
    for name, (command, *arguments) in CONTAINERS.items():
        host.docker(command, "--name", name, *arguments)
    snapshot: dict[str, Any] = audit(host, image_content=True)["snapshot"]
    trim(snapshot["host"])
    for found in snapshot["engines"]:
        for name in found["info"]["Runtimes"]:
            found["info"]["Runtimes"][name].pop("status", None)
        for about in (found["info"], found["version"]):
            about["KernelVersion"] = plain_release(about["KernelVersion"])
    return snapshot


def trim(about: dict[str, Any]) -> None:
    """Leaves out of `host` what is much, and what belongs to the machine that carries the host."""
    installed = about["packages"]["installed"]
    named = [name for name in installed if name.startswith(KEPT_PACKAGES)]
    kept = [*named, *(name for name in installed if name not in named)][:PACKAGES]
    about["packages"]["installed"] = {name: installed[name] for name in kept}
    about["mounts"] = [{**mount, "root": "/"} for mount in about["mounts"] if mount["target"] in MOUNTS]
    about["kernel"].update(arguments=[], release=plain_release(about["kernel"]["release"]))


def plain_release(release: str) -> str:
    return release.partition("-")[0]


def main() -> None:
    client = engine.ensure()
    images.ensure(client)
    room.sweep(client)
    SNAPSHOTS.mkdir(exist_ok=True)
    for image in sys.argv[1:] or images.RECIPES:
        host = Host.create(client, image)
        try:
            snapshot = record(host)
        finally:
            host.destroy()
        path = SNAPSHOTS / f"{image}.json"
        path.write_text(json.dumps(snapshot, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        path.with_name(f"{path.name}.license").write_text(LICENSE, encoding="utf-8")
        print(f"{path} has {path.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
