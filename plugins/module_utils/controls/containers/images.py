# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of images: how they were built, what they carry and what they start as."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Control,
    Deviation,
    Item,
    Remedy,
    on_host,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.containers import (
    Outcome,
    allowed,
    listed,
    secret_names,
    unchecked,
)

Image = Mapping[str, Any]
_Decorator = Callable[[Callable[[Any, Case], Outcome]], Control]

_UPDATES = {"update", "-Sy", "makecache", "check-update"}
_INSTALLS = {"add", "install", "upgrade", "dist-upgrade", "full-upgrade", "dup", "distro-sync", "-S", "-Syu"}
_MANAGERS = {"apk", "apt", "apt-get", "aptitude", "dnf", "microdnf", "pacman", "tdnf", "yum", "zypper"}
_SYSTEM_DIRECTORY = re.compile(
    r"/(?:(?:bin|boot|dev|etc|lib(?:64)?|proc|run|sbin|sys)(?:/.*)?|usr(?:/s?bin|/lib)?|var)"
)
_PRIVILEGES = re.compile(r"--privileged|--cap-add[= ](?:CAP_)?ALL\b", re.IGNORECASE)


def _images(case: Case) -> Iterable[Item]:
    """The images that have a name or a container; what is left over from builds is none of them."""
    for image in case.of_engine("images"):
        if image["tags"] or image["containers"]:
            short = image["id"].partition(":")[2][:12]
            yield Item("image", short, (image["tags"] or image["digests"] or [short])[0], image)


def _used(case: Case) -> Iterable[Item]:
    return (item for item in _images(case) if item.value["containers"])


def _with_content(case: Case) -> Iterable[Item]:
    found = list(_images(case))
    if found and all(item.value["content"] is None for item in found):
        raise Unread("the content of images was not asked for (image_content)")
    return found


control: Callable[..., _Decorator] = scope("images", per_engine=True, over=_images)
host_control: Callable[..., _Decorator] = scope("images", per_engine=False, over=on_host)


def _steps(image: Image, instruction: str) -> list[list[str]]:
    """The words of the image's steps of one kind, the oldest first."""
    return [step["words"] for step in read(image, "history") if step["instruction"] == instruction]


@control(
    "image.user",
    "Images in use start as a user of their own",
    "medium",
    Remedy("manual", "Create a user and a group in the Dockerfile and end it with USER UID:GID."),
    requirements=("D01-07", "D01-09", "RT-24"),
    cis=("4.1",),
    level=1,
    over=_used,
)
def user(image: Image, case: Case) -> Outcome:
    """Without USER its containers start as root, unless each run thinks of it (Trivy DS-0002)."""
    name = (read(image, "config", "user") or "").partition(":")[0]
    return Deviation(name or "not set", None, "Config.User") if name in ("", "0", "root") else None


@control(
    "image.health_check",
    "Images have a HEALTHCHECK",
    "low",
    Remedy("manual", "Add a HEALTHCHECK to the Dockerfile."),
    cis=("4.6",),
    level=1,
)
def health_check(image: Image, case: Case) -> Outcome:
    """It tells a hanging service from a working one; NONE switches a base image's off (Trivy DS-0026)."""
    return unchecked(image)


@control(
    "image.lone_update",
    "No build step updates package lists without installing",
    "low",
    Remedy("manual", "Update and install in one RUN instruction."),
    cis=("4.7",),
    level=1,
)
def lone_update(image: Image, case: Case) -> Outcome:
    """The step is cached: later builds install from old lists, with the flaws of then (Trivy DS-0017)."""
    lone = 0
    for words in _steps(image, "RUN"):
        given = set(words)
        lone += bool(given & _MANAGERS and given & _UPDATES and not given & _INSTALLS)
    return Deviation(f"{lone} steps" if lone > 1 else "1 step", None, "history") if lone else None


@control(
    "image.add_instruction",
    "Images are built with COPY instead of ADD",
    "low",
    Remedy("manual", "Use COPY; fetch and check archives in a RUN instruction."),
    cis=("4.9",),
    level=1,
)
def add_instruction(image: Image, case: Case) -> Outcome:
    """ADD fetches what a URL serves that day and unpacks archives (Trivy DS-0005).

    The first step does not count: base images begin with the ADD of their file system.
    """
    added = [step["words"] for step in read(image, "history")[1:] if step["instruction"] == "ADD"]
    sources = [words[0] for words in added if words]
    return Deviation(listed(sources) or "ADD", None, "history") if added else None


@control(
    "image.secrets",
    "No image carries secrets in its environment, labels or build arguments",
    "medium",
    Remedy("manual", "Build with RUN --mount=type=secret, give secrets at run time, and change the secret."),
    requirements=("D06-01",),
    parameters={"allow": []},
)
def secrets(image: Image, case: Case) -> Outcome:
    """Everyone who can pull the image reads them, also those of earlier layers (Trivy DS-0031).

    Judged by names. `allow` lists names that hold none (shell patterns).
    """
    config = read(image, "config")
    names = [*config["env_names"], *config["label_names"]]
    names += [name for step in read(image, "history") for name in step["names"]]
    found = secret_names(names, case.parameters["allow"])
    return Deviation(listed(found), None, "names") if found else None


@control(
    "image.sudo",
    "No build step uses sudo",
    "low",
    Remedy("manual", "Do what needs root before USER, and leave sudo out of the image."),
)
def sudo(image: Image, case: Case) -> Outcome:
    """A sudo that works without a password in the build works for an intruder as well (Trivy DS-0010)."""
    steps = sum("sudo" in words for words in _steps(image, "RUN"))
    return Deviation(f"in {steps} steps" if steps > 1 else "in 1 step", None, "history") if steps else None


@control(
    "image.system_workdir",
    "No image works in a system directory",
    "low",
    Remedy("manual", "Set WORKDIR to a directory of the application."),
)
def system_workdir(image: Image, case: Case) -> Outcome:
    """Relative paths of the application then overwrite files of the system (Trivy DS-0030)."""
    found = {
        words[0] for words in _steps(image, "WORKDIR") if words and _SYSTEM_DIRECTORY.fullmatch(words[0])
    }
    return Deviation(listed(sorted(found)), None, "history") if found else None


@control(
    "image.ssh_port",
    "No image exposes the SSH port",
    "low",
    Remedy("manual", "Take the SSH server out of the image."),
)
def ssh_port(image: Image, case: Case) -> Outcome:
    """Who exposes 22 means to log in to containers (Trivy DS-0004)."""
    return (
        Deviation("22/tcp", None, "Config.ExposedPorts")
        if "22/tcp" in read(image, "config", "exposed_ports")
        else None
    )


@control(
    "image.privileged_label",
    "No label of an image asks to be run with all privileges",
    "info",
    Remedy("manual", "Change the RUN or INSTALL label to the capabilities that it needs."),
    requirements=("CAP-20",),
)
def privileged_label(image: Image, case: Case) -> Outcome:
    """Tools that run an image by its label do as it says."""
    found = sorted(
        name for name, value in read(image, "config", "labels").items() if _PRIVILEGES.search(value)
    )
    return Deviation(listed(found), None, "labels") if found else None


@control(
    "image.size",
    "Images are small",
    "low",
    Remedy("manual", "Build in several stages and keep only the program and its libraries."),
    requirements=("RT-43", "D04-27"),
    parameters={"most_megabytes": 1000, "most_packages": 300},
)
def size(image: Image, case: Case) -> Outcome:
    """What is not in an image has no flaws and helps no intruder. Packages count where content was read."""
    if image["size"] is None:
        raise Unread("the engine does not tell its size")
    megabytes, most = image["size"] // 1_000_000, case.parameters
    packages = (read(image, "content") or {}).get("packages") or 0
    if megabytes <= most["most_megabytes"] and packages <= most["most_packages"]:
        return None
    shown = f"{megabytes} MB" + (f", {packages} packages" if packages else "")
    wanted = f"at most {most['most_megabytes']} MB, {most['most_packages']} packages"
    return Deviation(shown, wanted, None)


@control(
    "image.tools",
    "Images have no shell, package manager or download tool",
    "low",
    Remedy("manual", "Build on a distroless or empty base image."),
    requirements=("D04-28", "D04-29"),
    parameters={"allow": []},
    over=_with_content,
)
def tools(image: Image, case: Case) -> Outcome:
    """An intruder finds them ready. `allow` lists names of programs (shell patterns)."""
    found = [tool for tool in _content(image, "tools") if not allowed(tool, case.parameters["allow"])]
    return Deviation(listed(found), None, "layers") if found else None


@control(
    "image.setuid_files",
    "Images have no setuid or setgid programs",
    "low",
    Remedy(
        "manual",
        "Remove the bits in the Dockerfile: RUN find / -xdev -perm /6000 -type f -exec chmod a-s {} +.",
    ),
    cis=("4.8",),
    level=2,
    parameters={"allow": []},
    over=_with_content,
)
def setuid_files(image: Image, case: Case) -> Outcome:
    """They lead from any user of the container to root, unless it runs with no new privileges.

    `allow` lists paths in the image (shell patterns).
    """
    found = [path for path in _content(image, "setuid") if not allowed(path, case.parameters["allow"])]
    return Deviation(listed(found), None, "layers") if found else None


@control(
    "image.file_capabilities",
    "File capabilities of images are known",
    "info",
    Remedy("manual", "Keep those that the service needs; they do nothing under no-new-privileges."),
    requirements=("D01-12",),
    parameters={"allow": []},
    over=_with_content,
)
def file_capabilities(image: Image, case: Case) -> Outcome:
    """A file capability is the narrow way to one privilege for a user that is not root.

    `allow` lists paths in the image (shell patterns) that are meant to have them.
    """
    found = [
        path for path in _content(image, "file_capabilities") if not allowed(path, case.parameters["allow"])
    ]
    return Deviation(listed(found), None, "layers") if found else None


def _content(image: Image, kind: str) -> Iterable[str]:
    content = read(image, "content")
    if content is None:
        raise Unread("the content of this image was not asked for")
    return sorted(content[kind])


@host_control(
    "image.content_trust",
    "Clients pull signed images only",
    "low",
    Remedy("manual", "Set DOCKER_CONTENT_TRUST=1 for those who pull, or verify signatures by another tool."),
    cis=("4.5",),
    level=2,
)
def content_trust(snapshot: Mapping[str, Any], case: Case) -> Outcome:
    """A signature shows who published an image. Docker content trust is being retired (docker/cli 6508)."""
    people, lacking = 0, []
    for client in case.host("clients"):
        trusts = read(client, "environment").get("DOCKER_CONTENT_TRUST", {}).get("value") == "1"
        if trusts and client["user"] is None:
            return None
        people += client["user"] is not None
        lacking += [client["user"]] if client["user"] is not None and not trusts else []
    if people and not lacking:
        return None
    return Deviation(f"not set for {listed(lacking) or 'anyone'}", "1", "DOCKER_CONTENT_TRUST")
