# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One test host: a Debian with systemd and its own dockerd, in a container of this machine's engine."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker  # type: ignore[import-untyped]

from tests.hosts import images, play, room

BOOT_TIME_LIMIT = 60
COMMAND_TIME_LIMIT = 120
BUSYBOX = "/usr/share/bulwark-test/busybox.tar"

# `privileged` is not among them: the engine cannot give a capability that the machine itself lacks.
HOST_OPTIONS: dict[str, Any] = {
    "cap_add": ["ALL"],
    "cap_drop": ["SYS_RESOURCE"],
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
    "devices": ["/dev/fuse", "/dev/net/tun"],
    "binds": ["/sys/fs/cgroup:/sys/fs/cgroup:rw"],
    "tmpfs": {"/run": "exec", "/run/lock": "", "/tmp": "exec"},
}
# What the API has and the SDK does not name: the CLI's systempaths=unconfined and --cgroupns host.
RAW_HOST_OPTIONS: dict[str, Any] = {"MaskedPaths": [], "ReadonlyPaths": [], "CgroupnsMode": "host"}
# Anonymous volumes, removed with the host: overlay2 and subordinate ids need a real file system.
VOLUMES = ["/var/lib/docker", "/home"]

# Boot has ended well and dockerd answers; polled inside the host, $1 seconds at most.
READY = """
limit=$(($(date +%s) + $1))
until [ "$(systemctl is-system-running)" = running ] && docker version; do
    [ "$(date +%s)" -lt "$limit" ] || exit 1
    sleep 0.1
done >/dev/null 2>&1
"""
WHY_NOT_READY = """
systemctl is-system-running
systemctl list-jobs --no-legend --no-pager
systemctl list-units --failed --no-legend --no-pager
journalctl --unit docker.service --no-pager --lines 15
"""


class HostError(RuntimeError):
    """A host did not boot, or a command on it failed."""


@dataclass(frozen=True)
class Completed:
    """A command that ran on a host."""

    rc: int
    stdout: str
    stderr: str


class Host:
    """A running test host. Made by `create` or `start`, ended by `destroy`."""

    def __init__(self, client: docker.DockerClient, container: Any) -> None:
        self._client = client
        self._container = container
        self.name: str = container.name

    @classmethod
    def create(cls, client: docker.DockerClient, image: str) -> Host:
        """A fresh host of recipe `image`, booted, that ends with this process at the latest."""
        host = cls.start(client, image, owner=room.this_process())
        try:
            host.wait_ready()
        except BaseException:
            host.destroy()
            raise
        return host

    @classmethod
    def start(cls, client: docker.DockerClient, image: str, owner: str, name: str | None = None) -> Host:
        """A host that begins to boot; waits until there is room for it."""
        with room.for_one_more(client):
            created = client.api.create_container(
                images.tag(image),
                name=name,
                hostname=name or image,
                volumes=VOLUMES,
                stop_signal="SIGRTMIN+3",
                labels={room.LABEL: owner},
                host_config={**client.api.create_host_config(**HOST_OPTIONS), **RAW_HOST_OPTIONS},
            )
        host = cls(client, client.containers.get(created["Id"]))
        try:
            client.api.start(created["Id"])
        except docker.errors.APIError:
            host.destroy()
            raise
        return host

    @classmethod
    def find(cls, client: docker.DockerClient, name: str) -> Host | None:
        """The host called `name`, if there is one."""
        try:
            return cls(client, client.containers.get(name))
        except docker.errors.NotFound:
            return None

    def wait_ready(self) -> None:
        """Returns once systemd is done and dockerd answers; else HostError with the host's own reasons."""
        if self.run(["sh", "-c", READY, "sh", str(BOOT_TIME_LIMIT)], check=False).rc != 0:
            why = self.run(WHY_NOT_READY, check=False)
            raise HostError(
                f"Host {self.name} was not ready in {BOOT_TIME_LIMIT} s:\n{why.stdout}{why.stderr}"
                f"{self._container.logs(tail=15).decode(errors='replace')}"
            )

    def cut_power(self) -> None:
        """All its processes end at once, without a word; then it boots again."""
        self._container.restart(timeout=0)
        self.wait_ready()

    def destroy(self) -> None:
        room.remove(self._container)

    @property
    def ip(self) -> str:
        """Its address on the machine's container bridge."""
        self._container.reload()
        return str(self._container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])

    @property
    def is_running(self) -> bool:
        self._container.reload()
        return bool(self._container.status == "running")

    @property
    def image(self) -> str:
        return str(self._container.attrs["Config"]["Image"])

    def run(
        self,
        command: str | Sequence[str],
        *,
        check: bool = True,
        user: str | None = None,
        stdin: str | bytes = b"",
        timeout: int = COMMAND_TIME_LIMIT,
    ) -> Completed:
        """Runs a command, or a line of shell, on the host; ended after `timeout` seconds (rc 124 or 137)."""
        words = ["sh", "-c", command] if isinstance(command, str) else list(command)
        done = subprocess.run(
            ["docker", "exec", "--interactive", *(["--user", user] if user else []), self.name,
             "timeout", "--kill-after=5", str(timeout), *words],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True, timeout=timeout + 30, check=False,
        )  # fmt: skip
        completed = Completed(
            done.returncode,
            done.stdout.decode(errors="surrogateescape"),
            done.stderr.decode(errors="surrogateescape"),
        )
        if check and completed.rc != 0:
            raise HostError(
                f"On {self.name}, {command!r} ended with {completed.rc}:\n"
                f"{completed.stdout}{completed.stderr}"
            )
        return completed

    def put(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Writes a file of root's, with its parent directories."""
        # Not through the engine's archive call: it does not see what is mounted in the container.
        script = 'mkdir -p "${1%/*}/" && cat > "$1" && chmod "$2" "$1"'
        self.run(["sh", "-c", script, "sh", path, f"{mode:o}"], stdin=content)

    def read(self, path: str) -> str:
        return self.run(["cat", path]).stdout

    def docker(self, *arguments: str, check: bool = True) -> Completed:
        """The host's own docker CLI."""
        return self.run(["docker", *arguments], check=check)

    def import_busybox(self, image: str = "busybox:test", *changes: str) -> None:
        """An image of 2 MB in the host's engine, without a registry; `changes` are Dockerfile lines."""
        options = [word for change in changes for word in ("--change", change)]
        self.docker("import", *options, BUSYBOX, image)

    def restart_docker(self) -> None:
        self.run("systemctl reset-failed docker.service && systemctl restart docker.service")
        self.wait_ready()

    def module(
        self,
        fqcn: str,
        options: Mapping[str, Any] | None = None,
        /,
        *,
        check: bool = False,
        diff: bool = False,
        user: str | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """The result of one Ansible module run on this host, also when it failed.

        The module's options are keywords; `options` takes those whose names are taken here (`user`).
        """
        given = {**(options or {}), **more}
        return play.module(self.name, fqcn, given, check=check, diff=diff, user=user)

    def playbook(
        self,
        playbook: str | Path,
        extra_vars: Mapping[str, Any] | None = None,
        *options: str,
        check: bool = True,
    ) -> play.Played:
        """Runs a playbook (path in the clone, or FQCN) with this host as its inventory."""
        return play.playbook([self.name], playbook, extra_vars, *options, check=check)
