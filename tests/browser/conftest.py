# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Chromium, installed where it is missing, and the pages that it is to show."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.html import html

from tests.browser.webdriver import Browser
from tests.unit.plugins import reports

PACKAGES = ("chromium", "chromium-driver", "fonts-dejavu-core")
# Pictures to be looked at lie here after a run.
PICTURES = Path(__file__).parents[1] / "output" / "browser"


@pytest.fixture(scope="session")
def chromium() -> None:
    """Chromium and its driver, from Debian's packages where they are missing."""
    if shutil.which("chromium") and shutil.which("chromedriver"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.fail(
            f"The browser tests need the packages {', '.join(PACKAGES)}: install them.", pytrace=False
        )
    install = [
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=600",
        "install",
        "-y",
        "--no-install-recommends",
        *PACKAGES,
    ]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "-o", "DPkg::Lock::Timeout=600", "update"], install):
        run = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=1200, check=False
        )
        if run.returncode:
            pytest.fail(f"{' '.join(command)} failed: {run.stderr.strip()[-500:]}", pytrace=False)


@pytest.fixture(scope="session")
def browser(chromium: None) -> Iterator[Browser]:
    with Browser(1400, 1000) as started:
        yield started


@pytest.fixture(scope="session")
def pictures() -> Path:
    PICTURES.mkdir(parents=True, exist_ok=True)
    return PICTURES


class Shown:
    """A report and the file with its page."""

    def __init__(self, directory: Path, hosts: list[dict[str, Any]]) -> None:
        self.report = build_report(hosts, "Docker host audit")
        self.path = directory / "report.html"
        self.path.write_text(html(self.report), encoding="utf-8")


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Three hosts."""
    return Shown(tmp_path_factory.mktemp("few"), reports.make_hosts(3))


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """A hundred hosts with 150 controls."""
    return Shown(tmp_path_factory.mktemp("many"), reports.make_hosts(100))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Three hosts whose every name is an attack, and one failed host per attack."""
    return Shown(tmp_path_factory.mktemp("hostile"), reports.make_hosts(3, hostile=True))


@pytest.fixture(scope="session")
def hardened(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Five hosts of a harden run: one that got better, one that failed, three as they were."""
    before, after = (host["result"]["findings"] for host in reports.make_hosts(3)[:2])
    hosts = [
        reports.hardened("web000", before, after),
        reports.hardened("web001", before, before, "failed"),
        *(reports.hardened(f"web{n:03}", after, after, "check") for n in range(2, 5)),
    ]
    return Shown(tmp_path_factory.mktemp("hardened"), hosts)
