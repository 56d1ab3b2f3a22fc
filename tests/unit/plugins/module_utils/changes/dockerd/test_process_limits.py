# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits that an engine cannot raise for its containers."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.process_limits import of

LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max processes             unlimited            4096                 processes
Max open files            19999                20000                files
Max nice priority         0                    0
"""
FULL, WITHOUT_SYS_RESOURCE = "000001ffffffffff", "0000003ffeffffff"
OF_THE_HOST = "         0          0 4294967295\n"
OF_AN_ACCOUNT = "         0       1000          1\n         1     100000      65536\n"


def process(proc: Path, capabilities: str, mapping: str) -> Path:
    """A /proc with one process, 700."""
    folder = proc / "700"
    folder.mkdir()
    (folder / "status").write_text(f"Name:\tdockerd\nCapEff:\t{capabilities}\n", encoding="ascii")
    (folder / "limits").write_text(LIMITS, encoding="ascii")
    (folder / "uid_map").write_text(mapping, encoding="ascii")
    return proc


@pytest.mark.parametrize(
    ("capabilities", "mapping", "bound"),
    [
        (FULL, OF_THE_HOST, False),
        (WITHOUT_SYS_RESOURCE, OF_THE_HOST, True),
        # Of a rootless engine, seen on 26.1: all capabilities, in its own user namespace.
        (FULL, OF_AN_ACCOUNT, True),
        (FULL, "         0     100000      65536\n", True),
    ],
)
def test_limits_bind_an_engine_that_may_not_raise_them(tmp_path, capabilities, mapping, bound):
    found = of(700, process(tmp_path, capabilities, mapping))
    assert found == ({"nofile": 20000, "nproc": 4096} if bound else {})


def test_a_process_that_is_gone_has_none(tmp_path):
    assert of(700, tmp_path) == {}
