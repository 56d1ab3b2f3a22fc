# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the test hosts: a table of recipes, each built once from the distribution's packages."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shlex
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import docker  # type: ignore[import-untyped]

from tests.hosts.engine import CACHE, Unavailable, ensure_program, last_lines

REPOSITORY = "bulwark-test-host"
CUSTOMIZE = Path(__file__).with_name("rootfs.sh")
BUILDS_AT_ONCE = 2
BUILD_TIME_LIMIT = 1200
# Overrides the mirror of this machine's apt, for machines that are not Debian.
MIRROR_VARIABLE = "BULWARK_DEBIAN_MIRROR"

BASE_PACKAGES = (
    "acl", "busybox-static", "ca-certificates", "curl", "dbus", "init", "iproute2", "iptables", "kmod",
    "libpam-systemd", "nftables", "openssh-server", "openssl", "procps", "python3", "sudo", "systemd-sysv",
)  # fmt: skip
ROOTLESS_PACKAGES = ("dbus-user-session", "fuse-overlayfs", "rootlesskit", "slirp4netns", "uidmap")
# A stale Release file of a moving suite must not stop a build.
APT_OPTIONS = (
    'Acquire::Check-Valid-Until "false"',
    'Acquire::Languages "none"',
    'APT::Install-Recommends "0"',
)
DPKG_OPTIONS = ("force-unsafe-io", "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*")
CHANGES = ('CMD ["/sbin/init"]', "ENV container=docker")


@dataclass(frozen=True)
class Recipe:
    """One image: the suite it is made of, and what distinguishes it from the others.

    `engine` is what the version of its dockerd starts with. `newer` is a second suite, pinned below the
    first, for the packages that name it (`docker.io/sid`).
    """

    suite: str
    engine: str
    packages: tuple[str, ...]
    newer: str = ""


RECIPES: dict[str, Recipe] = {
    "bookworm": Recipe(suite="bookworm", engine="20.10.24", packages=("docker.io",)),
    "trixie": Recipe(suite="trixie", engine="26.1.5", packages=("docker.io", "docker-cli")),
    # sid's own systemd (262) does not boot on a machine with cgroup v1.
    "sid": Recipe(suite="trixie", engine="28.5", packages=("docker.io/sid", "docker-cli/sid"), newer="sid"),
}


def tag(name: str) -> str:
    """The full image name of recipe `name`; changes with anything that goes into the image."""
    content = [
        asdict(RECIPES[name]), BASE_PACKAGES, ROOTLESS_PACKAGES, APT_OPTIONS, DPKG_OPTIONS, CHANGES,
        CUSTOMIZE.read_text(encoding="utf-8"),
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{REPOSITORY}:{name}-{digest[:12]}"


def ensure(client: docker.DockerClient, names: Iterator[str] | tuple[str, ...] = tuple(RECIPES)) -> None:
    """The images of `names` are in the engine; builds what is missing, once for all processes of a clone."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with _locked(CACHE / "images.lock"):
        missing = [name for name in names if not _exists(client, tag(name))]
        if not missing:
            return
        ensure_program("mmdebstrap")
        with ThreadPoolExecutor(BUILDS_AT_ONCE) as pool:
            list(pool.map(lambda name: _build(client, name), missing))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _exists(client: docker.DockerClient, image: str) -> bool:
    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        return False
    return True


def _build(client: docker.DockerClient, name: str) -> None:
    started = time.monotonic()
    log = CACHE / f"build-{name}.log"
    print(f"test hosts: building image {tag(name)}, log in {log}", flush=True)
    with log.open("wb") as errors:
        # timeout(1) also ends what mmdebstrap started; a thread could not.
        process = subprocess.Popen(
            ["timeout", str(BUILD_TIME_LIMIT), *_command(RECIPES[name])],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip
        answer = client.api.import_image(src=process.stdout, changes=list(CHANGES), stream_src=True)
    image = json.loads(answer.splitlines()[-1]).get("status", "")
    if process.wait() != 0:
        if image:
            client.images.remove(image)
        raise Unavailable(f"Image {name} cannot be built, see {log}; its last lines:\n{last_lines(log)}")
    client.api.tag(image, *tag(name).split(":"))
    _remove_old(client, name)
    print(f"test hosts: built {tag(name)} in {time.monotonic() - started:.0f} s", flush=True)


def _command(recipe: Recipe) -> list[str]:
    packages = (*BASE_PACKAGES, *ROOTLESS_PACKAGES, *recipe.packages)
    return [
        "mmdebstrap", "--variant=minbase", "--format=tar", "--skip=output/dev",
        *(f"--aptopt={option}" for option in (*APT_OPTIONS, *_network_options())),
        *(f"--dpkgopt={option}" for option in DPKG_OPTIONS),
        f"--include={','.join(packages)}",
        *([f"--setup-hook={_add_suite(recipe)}"] if recipe.newer else []),
        f"--customize-hook={shlex.quote(str(CUSTOMIZE))} \"$1\"",
        recipe.suite, "-", *_mirror(),
    ]  # fmt: skip


def _add_suite(recipe: Recipe) -> str:
    """Shell: the second suite comes from where the first does, and is chosen only by name."""
    pin = rf"Package: *\nPin: release n={recipe.newer}\nPin-Priority: 100\n"
    first = rf"s/^\(deb .*\) {recipe.suite} /\1 {recipe.newer} /p"
    return (
        f"""cat "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*.list 2>/dev/null | """
        f"""sed -n '{first}' > "$1"/etc/apt/sources.list.d/{recipe.newer}.list"""
        f""" && printf '{pin}' > "$1"/etc/apt/preferences.d/{recipe.newer}"""
    )


def _mirror() -> list[str]:
    """Where packages come from: the override, this Debian machine's own source, or mmdebstrap's default."""
    override = os.environ.get(MIRROR_VARIABLE)
    if override:
        return [override]
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        return []
    if system["ID"] != "debian":
        return []
    targets = _output("apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)")
    wanted = f"{system.get('VERSION_CODENAME', '')} main "
    return [line[len(wanted) :] for line in targets.splitlines() if line.startswith(wanted)][:1]


def _network_options() -> list[str]:
    """How this machine's apt reaches its mirror (proxy, certificates), as options of the image's apt."""
    if not Path("/etc/apt").is_dir():
        return []
    wanted = ("acquire::http::", "acquire::https::", "acquire::check-date")
    lines = _output("apt-config", "dump").splitlines()
    return [line.rstrip(";") for line in lines if line.lower().startswith(wanted)]


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def _remove_old(client: docker.DockerClient, name: str) -> None:
    for image in client.images.list(name=REPOSITORY):
        for old in image.tags:
            if old.startswith(f"{REPOSITORY}:{name}-") and old != tag(name):
                try:
                    client.images.remove(old)
                except docker.errors.APIError as error:
                    print(f"test hosts: old image {old} stays: {error.explanation}", flush=True)
