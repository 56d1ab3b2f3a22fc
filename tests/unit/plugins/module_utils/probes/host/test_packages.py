# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The databases of four package managers: what is installed, and whose a file is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.packages import owners, packages

from tests.unit.plugins.module_utils.probes.laying import lay, program

DPKG = {
    "var/lib/dpkg/status": """\
Package: docker.io
Status: install ok installed
Priority: optional
Version: 26.1.5+dfsg1-9
Description: containers
 Package: of no concern
 that are installed

Package: gone
Status: deinstall ok config-files
Version: 1.0

Package: held
Status: hold ok installed
Architecture: amd64
Version: 1:2.0-3

Package: half
Status: install ok half-installed
Version: 3
""",
    "var/lib/dpkg/info/docker.io.list": "/.\n/usr\n/usr/sbin\n/usr/sbin/dockerd\n",
    "var/lib/dpkg/info/libc6:amd64.list": "/lib\n/lib/x86_64-linux-gnu/libc.so.6\n",
}
APK = {
    "lib/apk/db/installed": "C:Q1abc\nP:busybox\nV:1.36.1-r29\nF:bin\nR:busybox\na:0:0:755\n\n"
    "P:musl\nV:1.2.5-r0\nF:lib\nR:ld-musl-x86_64.so.1\n"
}
PACMAN = {
    "var/lib/pacman/local/ALPM_DB_VERSION": "9\n",
    "var/lib/pacman/local/gcc-libs-14.1.1-1/files": "%FILES%\nusr/\nusr/lib/libgcc_s.so\n",
}


@pytest.mark.parametrize(
    ("files", "manager", "installed"),
    [
        (DPKG, "dpkg", {"docker.io": "26.1.5+dfsg1-9", "held": "1:2.0-3"}),
        (APK, "apk", {"busybox": "1.36.1-r29", "musl": "1.2.5-r0"}),
        (PACMAN, "pacman", {"gcc-libs": "14.1.1-1"}),
        ({"var/lib/dpkg/status": "", **APK}, "apk", {"busybox": "1.36.1-r29", "musl": "1.2.5-r0"}),
        ({}, None, {}),
    ],
)
def test_installed(tmp_path: Path, files: dict[str, str], manager: str, installed: dict[str, str]) -> None:
    read = packages(lay(tmp_path, files))
    assert (read["manager"], read["installed"]) == (manager, installed)


def test_time_of_the_last_change(tmp_path: Path) -> None:
    os.utime(lay(tmp_path, DPKG) / "var/lib/dpkg/status", (1, 1700000000))
    assert packages(tmp_path)["changed"] == 1700000000
    assert packages(tmp_path / "var")["changed"] is None


@pytest.mark.parametrize(
    ("files", "path", "package"),
    [
        (DPKG, "/usr/sbin/dockerd", "docker.io"),
        (DPKG, "/sbin/dockerd", "docker.io"),
        (DPKG, "/usr/lib/x86_64-linux-gnu/libc.so.6", "libc6"),
        (DPKG, "/usr/local/bin/dockerd", None),
        (APK, "/bin/busybox", "busybox"),
        (APK, "/usr/bin/busybox", "busybox"),
        (APK, "/sbin/busybox", None),
        (PACMAN, "/usr/lib/libgcc_s.so", "gcc-libs"),
        ({}, "/bin/sh", None),
    ],
)
def test_owners(tmp_path: Path, files: dict[str, str], path: str, package: str) -> None:
    assert owners([path], lay(tmp_path, files)) == {path: package}


def test_no_paths_have_no_owners(tmp_path: Path) -> None:
    assert owners([], lay(tmp_path, DPKG)) == {}


def test_rpm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With rpm's output as Fedora 40 writes it; this machine has no rpm."""
    program(
        tmp_path / "bin",
        "rpm",
        """case "$1" in
-qa) printf 'systemd 255.4-1.fc40\nkernel-core 6.8.5-301.fc40\nbash 5.2.26-3.fc40\n';;
-qf) echo 'file /opt/x is not owned by any package'
     printf 'bash\t/usr/bin/bash\nbash\t/usr/bin/sh\n'; exit 1;;
esac""",
    )
    monkeypatch.setattr(limits, "SEARCH", str(tmp_path / "bin"))
    lay(tmp_path, {"usr/lib/sysimage/rpm/rpmdb.sqlite": ""})
    read = packages(tmp_path)
    assert read["manager"] == "rpm"
    assert list(read["installed"]) == ["bash", "kernel-core", "systemd"]
    assert read["installed"]["bash"] == "5.2.26-3.fc40"
    assert owners(["/bin/bash", "/opt/x"], tmp_path) == {"/bin/bash": "bash", "/opt/x": None}


def test_an_rpm_database_without_rpm_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEARCH", str(tmp_path))
    lay(tmp_path, {"var/lib/rpm/Packages": "x"})
    assert packages(tmp_path)["installed"] == {"error": "rpm is not installed"}
    with pytest.raises(Unreadable, match="rpm is not installed"):
        owners(["/bin/sh"], tmp_path)


@pytest.mark.skipif(not limits.find("dpkg-query"), reason="this machine is not Debian")
def test_this_machine_as_dpkg_sees_it() -> None:
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n"]
    lines = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    expected = dict(line.split(" ")[1:] for line in lines if line.startswith("installed "))
    assert packages()["installed"] == expected
    assert owners(["/usr/bin/dpkg-query", "/bin/sh"])["/usr/bin/dpkg-query"] == "dpkg"
