# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures that give a test a real host: `host` a fresh one, `shared_host` one per image and module."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import docker  # type: ignore[import-untyped]
import pytest

from tests.hosts import configuring, engine, images, room
from tests.hosts.host import Host


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--images",
        type=_names,
        default=tuple(images.RECIPES),
        help="test host images to use, with commas; all by default",
    )


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    for name in names:
        if name not in images.RECIPES:
            raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(images.RECIPES)}")
    return names


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "images(*names): the test host images to run on; all by default")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for a host runs on each image of `--images`, or on those of them that its marker names."""
    if "host_image" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("images")
        chosen = metafunc.config.getoption("--images")
        wanted = [name for name in marker.args if name in chosen] if marker else chosen
        metafunc.parametrize("host_image", wanted, scope="module")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--dist loadgroup`, tests that share a host run in one process."""
    for item in items:
        if isinstance(item, pytest.Function) and "shared_host" in item.fixturenames:
            # None in a test that is skipped, as --images leaves it no image.
            image = item.callspec.params.get("host_image")
            item.add_marker(pytest.mark.xdist_group(f"{item.path.stem}-{image}"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Where the groups are lost, each process makes a host of its own, and nothing but the time would tell."""
    grouped = "@" in item.nodeid or not item.get_closest_marker("xdist_group")
    if getattr(item.config.option, "loadgroup", False) and not grouped:
        pytest.fail("pytest-xdist does not group the tests that share a host", pytrace=False)


@pytest.fixture(scope="session")
def machine(pytestconfig: pytest.Config) -> docker.DockerClient:
    """The engine that carries the hosts, with the chosen images, and without what dead sessions left."""
    try:
        client = engine.ensure()
        images.ensure(client, pytestconfig.getoption("--images"))
    except engine.Unavailable as error:
        pytest.fail(str(error), pytrace=False)
    room.sweep(client)
    return client


@pytest.fixture
def host(machine: docker.DockerClient, host_image: str) -> Iterator[Host]:
    """A fresh host, destroyed after the test."""
    fresh = Host.create(machine, host_image)
    yield fresh
    fresh.destroy()


@pytest.fixture(scope="module")
def shared_host(machine: docker.DockerClient, host_image: str) -> Iterator[Host]:
    """A host that the tests of a module share: leave it as found."""
    shared = Host.create(machine, host_image)
    yield shared
    shared.destroy()


@pytest.fixture
def engine_host(shared_host: Host) -> Iterator[Host]:
    """The shared host for a test that changes its daemon.json: afterwards its engine is Debian's own again."""
    pid = configuring.main_pid(shared_host)
    yield shared_host
    configuring.reset(shared_host, pid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the tests with faults have counted, per image, and which places of the program they have tried."""
    totals: dict[str, list[int]] = {}
    lines = []
    for report in terminalreporter.getreports(""):
        for name, value in report.user_properties:
            if name == "faults":
                image, *counts = value
                totals[image] = [sum(pair) for pair in zip(totals.get(image, [0] * len(counts)), counts)]
            elif name == "places":
                lines.append(str(value))
    if totals:
        terminalreporter.section("faults")
        for line in sorted(lines):
            terminalreporter.line(line)
        for image, counts in sorted(totals.items()):
            terminalreporter.line(
                "{}: {} faults injected, {} daemons left down, {} containers lost, {} trees changed".format(
                    image, *counts
                )
            )
