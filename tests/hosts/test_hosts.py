# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test hosts themselves: what they run, what the tests may do with them, and that they go away."""

from __future__ import annotations

from pathlib import Path

import docker  # type: ignore[import-untyped]
import pytest

from tests.hosts import images, play, room
from tests.hosts.host import Host, HostError


def test_boots_with_systemd_and_nothing_failed(shared_host: Host) -> None:
    assert shared_host.run("systemctl is-system-running").stdout.strip() == "running"
    assert shared_host.run("systemctl is-active docker.service ssh.service").stdout.split() == ["active"] * 2


def test_engine_is_the_one_of_the_table(shared_host: Host, host_image: str) -> None:
    version = shared_host.docker("version", "--format", "{{.Server.Version}}").stdout
    assert version.startswith(images.RECIPES[host_image].engine)
    assert shared_host.docker("info", "--format", "{{.Driver}}").stdout.strip() == "overlay2"


def test_has_what_tests_use(shared_host: Host) -> None:
    programs = [
        "busybox", "curl", "dbus-daemon", "fuse-overlayfs", "getfacl", "ip", "iptables", "newuidmap", "nft",
        "openssl", "ps", "python3", "rootlesskit", "slirp4netns", "sshd", "sudo",
    ]  # fmt: skip
    found = shared_host.run(["which", "-a", *programs], check=False).stdout
    missing = [program for program in programs if f"/{program}\n" not in found]
    assert missing == []


def test_runs_commands(shared_host: Host) -> None:
    assert shared_host.run(["echo", "a  b"]).stdout == "a  b\n"
    assert shared_host.run("id -un; pwd", user="worker").stdout.split()[0] == "worker"
    assert shared_host.run("cat", stdin="through").stdout == "through"
    failed = shared_host.run("echo why >&2; exit 3", check=False)
    assert (failed.rc, failed.stderr) == (3, "why\n")
    with pytest.raises(HostError, match=r"ended with 3:\nwhy"):
        shared_host.run("echo why >&2; exit 3")
    assert shared_host.run("sleep 60", timeout=1, check=False).rc == 124


def test_modules_give_their_results(shared_host: Host) -> None:
    assert shared_host.module("ansible.builtin.ping")["ping"] == "pong"
    assert shared_host.module("ansible.builtin.command", cmd="id -un", user="worker")["stdout"] == "worker"
    failed = shared_host.module("ansible.builtin.command", cmd="false")
    assert (failed["failed"], failed["rc"]) == (True, 1)


def test_check_mode_and_diff_reach_the_module(shared_host: Host) -> None:
    result = shared_host.module(
        "ansible.builtin.lineinfile", path="/etc/hosts", line="192.0.2.1 nobody", check=True, diff=True
    )
    assert result["changed"] is True
    assert "192.0.2.1 nobody" in result["diff"][0]["after"]
    assert "192.0.2.1" not in shared_host.read("/etc/hosts")


@pytest.mark.images("bookworm")
def test_module_that_does_not_exist_fails(shared_host: Host) -> None:
    result = shared_host.module("bulwark.docker.no_such_module")
    assert result["failed"] is True
    assert "bulwark.docker.no_such_module" in result["msg"]


def test_host_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(play.PlayError, match="No such container"):
        play.module("bulwark-no-such-host", "ansible.builtin.ping", {})


def test_files_and_nested_containers(host: Host) -> None:
    host.put("/run/new/folder/file", b"\x00bytes", 0o600)
    assert host.run("stat -c %a:%U:%s /run/new/folder/file").stdout == "600:root:6\n"
    assert host.read("/run/new/folder/file") == "\x00bytes"
    host.import_busybox()
    host.import_busybox("busybox:worker", "USER 1000", 'CMD ["sleep", "600"]')
    assert host.docker("run", "--rm", "busybox:test", "echo", "nested").stdout == "nested\n"
    options = ["--name", "sleeper", "--publish", "8080:80", "--stop-signal", "KILL"]
    host.docker("run", "--detach", *options, "busybox:worker")
    uids = host.run("cat /proc/$(docker inspect -f '{{.State.Pid}}' sleeper)/status").stdout
    assert "Uid:\t1000\t1000" in uids
    host.restart_docker()
    assert host.docker("inspect", "-f", "{{.State.Running}}", "sleeper").stdout == "false\n"


@pytest.mark.images("bookworm")
def test_playbook_runs_on_the_host(host: Host, tmp_path: Path) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.copy: {content: '{{ word }}', dest: /etc/word, mode: '0644'}\n",
        encoding="utf-8",
    )
    assert "changed=1" in host.playbook(playbook, {"word": "written"}, "--diff").stdout
    assert host.read("/etc/word") == "written"
    with pytest.raises(play.PlayError, match="ended with 2"):
        host.playbook(playbook)


@pytest.mark.images("bookworm")
def test_docker_that_does_not_start_is_told(host: Host) -> None:
    host.put("/etc/docker/daemon.json", "{ broken")
    with pytest.raises(HostError, match=r"docker\.service"):
        host.restart_docker()


@pytest.mark.images("trixie")
def test_destroyed_host_leaves_nothing(machine: docker.DockerClient, host_image: str) -> None:
    host = Host.create(machine, host_image)
    host.import_busybox()
    nested = host.docker("run", "--detach", "busybox:test", "sleep", "600").stdout.strip()
    mounts = machine.containers.get(host.name).attrs["Mounts"]
    volumes = [mount["Name"] for mount in mounts if mount["Type"] == "volume"]
    assert len(volumes) == 2
    groups = list(Path("/sys/fs/cgroup").glob(f"*/docker/{nested}"))
    assert groups != []
    host.destroy()
    assert [group for group in groups if group.exists()] == []
    assert Host.find(machine, host.name) is None
    assert not {volume.name for volume in machine.volumes.list()} & set(volumes)


@pytest.mark.images("trixie")
def test_sweep_takes_only_hosts_of_dead_processes(machine: docker.DockerClient, host_image: str) -> None:
    dead = Host.start(machine, host_image, owner="process-1-0")
    alive = Host.start(machine, host_image, owner=room.this_process())
    try:
        room.sweep(machine)
        assert Host.find(machine, dead.name) is None
        assert Host.find(machine, alive.name) is not None
    finally:
        alive.destroy()
