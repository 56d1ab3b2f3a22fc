# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns the hosts on this machine, how many there may be, and the removal of what a dead owner left."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import docker  # type: ignore[import-untyped]

from tests.hosts.engine import CACHE

# Every host bears it; its value is the owner: a process (`process-<pid>-<start time>`) or a word.
LABEL = "bulwark.test"
# Each systemd takes about eight of the kernel's 128 inotify instances.
HOSTS_AT_ONCE = 6
WAIT_TIME_LIMIT = 600

# A host's containers have their cgroups beside the host's own, where nothing removes them when all its
# processes are killed at once. Run in the host, whose exec'd shell is not among the processes it kills.
EMPTY_CGROUPS = r"""
ids=$(find /var/lib/docker -maxdepth 3 -path '*/containers/*' -printf '%f ')
[ -n "$ids" ] || exit 0
kill -KILL -1
for id in $ids; do
    for try in 1 2 3 4 5 6 7 8 9; do
        find /sys/fs/cgroup/*/docker/"$id" -depth -type d -exec rmdir {} + 2>/dev/null
        ls -d /sys/fs/cgroup/*/docker/"$id" >/dev/null 2>&1 || break
        sleep 0.1
    done
done
"""


class NoRoom(RuntimeError):
    """The machine bears no more hosts."""


def this_process() -> str:
    return _process(os.getpid())


def _process(pid: int) -> str:
    """Names a process for good: a number alone is given again."""
    # The command name, in parentheses, may hold anything; the start time is field 22 of proc_pid_stat(5).
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return f"process-{pid}-{stat.rpartition(')')[2].split()[19]}"


def hosts(client: docker.DockerClient) -> list[Any]:
    """The containers of all hosts on this machine, of any owner and state."""
    return list(client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True))


def sweep(client: docker.DockerClient) -> None:
    """Removes the hosts of processes that are gone."""
    # Two that remove the same host would disturb each other.
    with _lock() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for container in hosts(client):
            if _is_gone(container.labels[LABEL]):
                print(f"test hosts: removing {container.name}, left by a process that is gone", flush=True)
                remove(container)


def _lock() -> IO[str]:
    CACHE.mkdir(parents=True, exist_ok=True)
    return (CACHE / "room.lock").open("w")


def remove(container: Any) -> None:
    """Ends a host, whatever its state, with its volumes and what it has on the machine."""
    container.reload()
    if container.status == "running":
        container.exec_run(["sh", "-c", EMPTY_CGROUPS])
    container.remove(force=True, v=True)


def _is_gone(owner: str) -> bool:
    kind, _unused, rest = owner.partition("-")
    if kind != "process":
        return False
    try:
        return _process(int(rest.partition("-")[0])) != owner
    except FileNotFoundError:
        return True


@contextmanager
def for_one_more(client: docker.DockerClient) -> Iterator[None]:
    """Waits until one more host may be created; no other process of the clone creates one meanwhile."""
    limit = time.monotonic() + WAIT_TIME_LIMIT
    with _lock() as lock:
        while True:
            fcntl.flock(lock, fcntl.LOCK_EX)
            present = hosts(client)
            if len(present) < HOSTS_AT_ONCE:
                break
            fcntl.flock(lock, fcntl.LOCK_UN)
            _give_up_if_hopeless(present, limit)
            time.sleep(0.5)
        yield


def _give_up_if_hopeless(present: list[Any], limit: float) -> None:
    mine = [container for container in present if container.labels[LABEL] == this_process()]
    if len(mine) < len(present) and time.monotonic() < limit:
        return
    names = ", ".join(sorted(f"{container.name} ({container.labels[LABEL]})" for container in present))
    raise NoRoom(f"No more than {HOSTS_AT_ONCE} test hosts at once; destroy one of these first: {names}.")
