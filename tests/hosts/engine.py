# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker engine of this machine, which carries the test hosts: found, or installed and started."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import docker  # type: ignore[import-untyped]

CLONE = Path(__file__).resolve().parents[2]
CACHE = CLONE / ".cache" / "hosts"
DOCKERD_LOG = CACHE / "dockerd.log"

# What a test host is made with: (program, Debian packages that bring it).
PROGRAMS = (
    ("dockerd", ("docker.io",)),
    ("docker", ("docker.io", "docker-cli")),
    ("mmdebstrap", ("mmdebstrap", "debian-archive-keyring")),
)
APT_TIME_LIMIT = 900
START_TIME_LIMIT = 60
# Long enough for an image import, which answers only at its end.
API_TIME_LIMIT = 300


class Unavailable(RuntimeError):
    """This machine cannot carry test hosts; the message says what is missing and what to do."""


def connect() -> docker.DockerClient | None:
    """A client of the engine that DOCKER_HOST or the default socket names; None when none answers."""
    try:
        client = docker.from_env(timeout=API_TIME_LIMIT, version="auto")
        client.ping()
    except (docker.errors.DockerException, OSError):
        return None
    return client


def ensure() -> docker.DockerClient:
    """A client of a running engine; installs and starts Debian's docker.io where none answers."""
    client = connect()
    if client is None and os.environ.get("DOCKER_HOST"):
        raise Unavailable(
            "The engine that DOCKER_HOST names does not answer: start it, or unset DOCKER_HOST."
        )
    if client is None:
        ensure_program("dockerd")
        client = connect() or _start()
    ensure_program("docker")
    return client


def ensure_program(name: str) -> None:
    """Program `name` is in PATH, or its Debian packages are installed."""
    if shutil.which(name) is None:
        _install(name)


def _install(name: str) -> None:
    packages = dict(PROGRAMS)[name]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Unavailable(
            f"The test hosts need the program {name}, which is not installed: install it "
            f"(Debian: {' '.join(packages)}) and start the engine, "
            "or run this as root on Debian or Ubuntu, where it is installed by itself."
        )
    _apt("update")
    known = [package for package in packages if _apt_knows(package)]
    print(f"test hosts: installing {' '.join(known)}", flush=True)
    _apt("install", "--no-install-recommends", "--yes", *known)


def _apt(*arguments: str) -> None:
    log = CACHE / "apt.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with log.open("ab") as output:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=APT_TIME_LIMIT,
            check=False,
        )
    if done.returncode != 0:
        raise Unavailable(f"`{' '.join(command)}` failed, see {log}; its last lines:\n{last_lines(log)}")


def _apt_knows(package: str) -> bool:
    shown = subprocess.run(
        ["apt-cache", "show", "--no-all-versions", package], capture_output=True, timeout=60, check=False
    )
    return shown.returncode == 0


def _start() -> docker.DockerClient:
    if os.geteuid() != 0:
        raise Unavailable(
            "No Docker engine answers and this user may not start one: start the engine and join its "
            "group (or set DOCKER_HOST), or run this as root."
        )
    if Path("/run/systemd/system").is_dir():
        print("test hosts: starting docker.service", flush=True)
        subprocess.run(["systemctl", "start", "docker.service"], timeout=START_TIME_LIMIT, check=False)
        return _wait(None, "`journalctl -u docker.service` says why")
    print(f"test hosts: starting dockerd, log in {DOCKERD_LOG}", flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    with DOCKERD_LOG.open("ab") as log:
        process = subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True
        )
    return _wait(process, f"see {DOCKERD_LOG}")


def _wait(process: subprocess.Popen[bytes] | None, where: str) -> docker.DockerClient:
    limit = time.monotonic() + START_TIME_LIMIT
    while time.monotonic() < limit and (process is None or process.poll() is None):
        client = connect()
        if client is not None:
            return client
        time.sleep(0.2)
    tail = f"; its last lines:\n{last_lines(DOCKERD_LOG)}" if process else ""
    raise Unavailable(f"dockerd was started but does not answer, {where}{tail}")


def last_lines(log: Path, count: int = 15) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
