# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test hosts by hand: `python -m tests.hosts up|shell|down|list`. They stay until taken down."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

import docker  # type: ignore[import-untyped]

from tests.hosts import engine, images, room
from tests.hosts.host import Host, HostError


def up(arguments: argparse.Namespace) -> None:
    """Starts all, then waits for all: they boot side by side."""
    client = engine.ensure()
    images.ensure(client, tuple(arguments.images))
    room.sweep(client)
    for host in [_started(client, arguments.owner, image) for image in arguments.images]:
        host.wait_ready()
        print(f"{host.name} is ready at {host.ip}")


def _started(client: docker.DockerClient, owner: str, image: str) -> Host:
    name = _name(owner, image)
    host = Host.find(client, name)
    if host is not None and host.is_running and host.image == images.tag(image):
        return host
    if host is not None:
        host.destroy()
    print(f"{name} started")
    return Host.start(client, image, owner=owner, name=name)


def shell(arguments: argparse.Namespace) -> None:
    os.execvp(
        "docker",
        ["docker", "exec", "--interactive", "--tty", _name(arguments.owner, arguments.image), "bash"],
    )


def down(arguments: argparse.Namespace) -> None:
    client = engine.connect()
    if client is None:
        return
    for image in arguments.images or images.RECIPES:
        host = Host.find(client, _name(arguments.owner, image))
        if host is not None:
            host.destroy()
            print(f"{host.name} removed")


def show(_unused: argparse.Namespace) -> None:
    client = engine.connect()
    for container in room.hosts(client) if client else []:
        print(f"{container.name}  {container.status}  {container.labels[room.LABEL]}")


def _name(owner: str, image: str) -> str:
    return f"bulwark-{owner}-{image}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.hosts", description=__doc__)
    commands = parser.add_subparsers(required=True)
    names = tuple(images.RECIPES)

    def command(
        name: str, run: Callable[[argparse.Namespace], None], summary: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(run=run)
        added.add_argument("--owner", default="hand", help="part of the hosts' names (default: %(default)s)")
        return added

    command("up", up, "start hosts").add_argument("images", nargs="+", choices=names)
    command("shell", shell, "a root shell on a host").add_argument("image", choices=names)
    command("down", down, "remove hosts; all of the owner's by default").add_argument(
        "images", nargs="*", metavar="image", help=", ".join(names)
    )
    command("list", show, "all hosts on this machine, of any owner")
    return parser


if __name__ == "__main__":
    chosen = _parser().parse_args()
    try:
        chosen.run(chosen)
    except (engine.Unavailable, room.NoRoom, HostError) as problem:
        sys.exit(str(problem))
