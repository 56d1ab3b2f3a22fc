# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in the layers of an image, where later ones hide earlier ones and links lead nowhere."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import layers

DPKG = "Package: {0}\nStatus: {1} ok installed\n\n"
APK = "C:Q1\nP:{0}\nV:1\n\n"
# Version 2 of security.capability with CAP_NET_RAW: effective, permitted 1<<13.
NET_RAW = bytes.fromhex("0100000200200000000000000000000000000000")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes device nodes and trusted attributes")


def lay(layer: Path, files: dict[str, str | int]) -> str:
    """Files of a layer: text is content, a number a mode."""
    for name, content in files.items():
        path = layer / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else "", encoding="utf-8")
        path.chmod(content if isinstance(content, int) else 0o755)
    layer.mkdir(exist_ok=True)
    return str(layer)


def content(*paths: str, cache: layers.Cache | None = None) -> dict[str, Any]:
    """The content of an image with these layers, the topmost first."""
    data = {"UpperDir": paths[0], "LowerDir": ":".join(paths[1:])}
    return layers.content({"Name": "overlay2", "Data": data}, {} if cache is None else cache)


def test_files_of_all_layers(tmp_path: Path) -> None:
    upper = lay(tmp_path / "2", {"usr/bin/curl": 0o755, "opt/bin/wget": 0o755, "usr/local/sbin/nc": 0o755})
    lower = lay(
        tmp_path / "1", {"bin/sh": 0o755, "usr/bin/su": 0o4755, "usr/bin/wall": 0o2755, "usr/bin/x": 0o755}
    )
    assert content(upper, lower) == {
        "tools": ["curl", "nc", "sh"],
        "setuid": ["/usr/bin/su", "/usr/bin/wall"],
        "file_capabilities": [],
        "packages": None,
    }


def test_upper_layer_takes_the_bit_away(tmp_path: Path) -> None:
    lower = lay(tmp_path / "1", {"usr/bin/su": 0o4755})
    assert content(lay(tmp_path / "2", {"usr/bin/su": 0o755}), lower)["setuid"] == []
    assert content(lower, lay(tmp_path / "3", {"usr/bin/su": 0o755}))["setuid"] == ["/usr/bin/su"]


@as_root
def test_removed_file(tmp_path: Path) -> None:
    lower = lay(tmp_path / "1", {"usr/bin/wget": 0o4755, "usr/bin/nc": 0o755})
    upper = tmp_path / "2"
    lay(upper, {"usr/bin/.wh.nc": 0o600})
    os.mknod(upper / "usr/bin/wget", 0o020000, os.makedev(0, 0))
    assert content(str(upper), lower) == {
        "tools": [],
        "setuid": [],
        "file_capabilities": [],
        "packages": None,
    }


@as_root
@pytest.mark.parametrize("place", ["usr", "usr/bin"])
def test_opaque_directory_hides_the_layers_below(place: str, tmp_path: Path) -> None:
    lower = lay(tmp_path / "1", {"usr/bin/wget": 0o755, "bin/sh": 0o755})
    middle = lay(tmp_path / "2", {"usr/bin/nc": 0o755})
    upper = lay(tmp_path / "3", {"usr/bin/curl": 0o755})
    os.setxattr(tmp_path / "2" / place, "trusted.overlay.opaque", b"y")
    assert content(upper, middle, lower)["tools"] == ["curl", "nc", "sh"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    host = lay(tmp_path / "host", {"bin/wget": 0o4755, "lib/dpkg/status": DPKG.format("a", "install")})
    layer = tmp_path / "1"
    lay(layer, {})
    (layer / "usr").symlink_to(host)
    (layer / "var").symlink_to(host)
    (layer / "bin").symlink_to("../host/bin")
    lay(layer, {"sbin/x": 0o755})
    (layer / "sbin/sh").symlink_to("/bin/dash")
    (layer / "lib/apk/db").mkdir(parents=True)
    (layer / "lib/apk/db/installed").symlink_to(f"{host}/lib/dpkg/status")
    assert content(str(layer)) == {"tools": ["sh"], "setuid": [], "file_capabilities": [], "packages": None}


def test_merged_directory_hides_the_one_below(tmp_path: Path) -> None:
    lower = lay(tmp_path / "1", {"bin/wget": 0o755})
    upper = tmp_path / "2"
    lay(upper, {"usr/bin/sh": 0o755})
    (upper / "bin").symlink_to("usr/bin")
    assert content(str(upper), lower)["tools"] == ["sh"]


def test_pipe_in_the_place_of_a_database(tmp_path: Path) -> None:
    (tmp_path / "1/var/lib/dpkg").mkdir(parents=True)
    os.mkfifo(tmp_path / "1/var/lib/dpkg/status")
    assert content(str(tmp_path / "1"))["packages"] is None


@pytest.mark.parametrize(
    ("upper", "lower", "packages"),
    [
        ({}, {"var/lib/dpkg/status": DPKG.format("a", "install") + DPKG.format("b", "deinstall")}, 1),
        (
            {"var/lib/dpkg/status": DPKG.format("a", "install") * 3},
            {"var/lib/dpkg/status": DPKG.format("a", "install")},
            3,
        ),
        ({"lib/apk/db/installed": APK.format("a") + APK.format("b")}, {}, 2),
        ({"usr/lib/apk/db/installed": APK.format("a")}, {}, 1),
        (
            {"var/lib/dpkg/status.d/base": "x", "var/lib/dpkg/status.d/base.md5sums": "x"},
            {"var/lib/dpkg/status.d/tzdata": "x"},
            2,
        ),
        ({"usr/bin/x": 0o755}, {}, None),
    ],
    ids=["dpkg", "newer", "apk", "apk 3", "distroless", "none"],
)
def test_packages(
    upper: dict[str, str | int], lower: dict[str, str | int], packages: int | None, tmp_path: Path
) -> None:
    assert content(lay(tmp_path / "2", upper), lay(tmp_path / "1", lower))["packages"] == packages


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    """Section 3: a watchdog that an image holds starts by being opened. Who writes to a pipe waits for that."""
    pipe = tmp_path / "1/var/lib/dpkg/status"
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: os.close(os.open(pipe, os.O_WRONLY)), daemon=True)
    writer.start()
    time.sleep(0.2)
    assert content(str(tmp_path / "1"))["packages"] is None
    writer.join(0.2)
    assert writer.is_alive()
    os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
    writer.join()


@as_root
def test_file_capabilities(tmp_path: Path) -> None:
    layer = lay(tmp_path / "1", {"usr/bin/ping": 0o755, "usr/bin/other": 0o755})
    os.setxattr(tmp_path / "1/usr/bin/ping", "security.capability", NET_RAW)
    assert content(layer)["file_capabilities"] == ["/usr/bin/ping"]


def test_layers_are_read_once(tmp_path: Path) -> None:
    base = lay(tmp_path / "1", {"bin/sh": 0o755})
    cache: layers.Cache = {}
    content(lay(tmp_path / "2", {}), base, cache=cache)
    (tmp_path / "1/bin/wget").write_text("", encoding="utf-8")
    assert content(lay(tmp_path / "3", {}), base, cache=cache)["tools"] == ["sh"]
    assert sorted(cache) == [str(tmp_path / name) for name in "123"]


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        (None, "of this engine does not tell"),
        ({"Name": "overlayfs", "Data": None}, "image store overlayfs does not tell"),
        ({"Name": "vfs", "Data": {}}, "image store vfs does not tell"),
        ({"Name": "overlay2", "Data": {"UpperDir": "/nonexistent/diff"}}, "/nonexistent/diff: No such file"),
    ],
)
def test_layers_that_cannot_be_read(driver: Any, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        layers.content(driver, {})


def test_no_handle_stays_open(tmp_path: Path) -> None:
    layer = lay(tmp_path / "1", {"usr/bin/x": 0o755, "var/lib/dpkg/status": "", "lib/apk/db/installed": ""})
    before = len(list(Path("/proc/self/fd").iterdir()))
    content(layer)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
