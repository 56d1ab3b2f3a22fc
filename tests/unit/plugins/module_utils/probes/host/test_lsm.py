# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security modules on hosts that have them, have them switched off, or lack them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.lsm import lsm

from tests.unit.plugins.module_utils.probes.laying import lay

APPARMOR_ON = {"sys/module/apparmor/parameters/enabled": "Y\n"}


def test_apparmor_with_its_profiles(tmp_path: Path) -> None:
    loaded = "docker-default (enforce)\n/usr/bin/a (b) c (complain)\nnone (kill)\n"
    read = lsm(
        lay(
            tmp_path,
            {
                **APPARMOR_ON,
                "sys/kernel/security/lsm": "lockdown,capability,yama,apparmor\n",
                "sys/kernel/security/apparmor/profiles": loaded,
            },
        )
    )
    assert read == {
        "active": ["lockdown", "capability", "yama", "apparmor"],
        "apparmor": {
            "enabled": True,
            "profiles": {"/usr/bin/a (b) c": "complain", "docker-default": "enforce", "none": "kill"},
        },
        "selinux": None,
        "boot": [],
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"etc/selinux/config": "# a\nSELINUX=enforcing\nSELINUXTYPE=mls\n", "sys/fs/selinux/enforce": "1"},
         {"mode": "enforcing", "configured": "enforcing"}),
        ({"etc/selinux/config": " SELINUX = Permissive\n", "sys/fs/selinux/enforce": "0"},
         {"mode": "permissive", "configured": "permissive"}),
        ({"etc/selinux/config": "SELINUX=enforcing\n"}, {"mode": "disabled", "configured": "enforcing"}),
        ({"sys/fs/selinux/enforce": "1"}, {"mode": "enforcing", "configured": None}),
        ({}, None),
    ],
)  # fmt: skip
def test_selinux(tmp_path: Path, files: dict[str, str], expected: Any) -> None:
    assert lsm(lay(tmp_path, files))["selinux"] == expected


def test_apparmor_that_is_built_in_and_off(tmp_path: Path) -> None:
    read = lsm(lay(tmp_path, {"sys/module/apparmor/parameters/enabled": "N\n"}))
    assert read["apparmor"] == {"enabled": False, "profiles": {}}


def test_a_kernel_without_modules(tmp_path: Path) -> None:
    assert lsm(tmp_path) == {"active": None, "apparmor": None, "selinux": None, "boot": []}


def test_what_is_hidden_is_an_error(tmp_path: Path) -> None:
    read = lsm(lay(tmp_path, {**APPARMOR_ON, "proc/filesystems": "nodev\tsecurityfs\n"}))
    assert "securityfs is not mounted" in read["active"]["error"]
    assert "securityfs is not mounted" in read["apparmor"]["profiles"]["error"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"etc/default/grub": '# apparmor=0\nGRUB_CMDLINE_LINUX_DEFAULT="quiet token=x"\n'}, []),
        ({"etc/default/grub": 'GRUB_CMDLINE_LINUX="quiet apparmor=0 token=x"\n'},
         ["apparmor=0 /etc/default/grub"]),
        ({"etc/default/grub": "GRUB_CMDLINE_LINUX='selinux=0'\nGRUB_CMDLINE_LINUX_RECOVERY=apparmor=0\n"},
         ["selinux=0 /etc/default/grub"]),
        ({"etc/default/grub": "GRUB_CMDLINE_LINUX=apparmor=0\n",
          "etc/default/grub.d/50-cloud.cfg": "GRUB_CMDLINE_LINUX=quiet\n"}, []),
        ({"etc/default/grub": "GRUB_CMDLINE_LINUX=apparmor=0\n",
          "etc/default/grub.d/50-more.cfg": 'GRUB_CMDLINE_LINUX="${GRUB_CMDLINE_LINUX} quiet"\n'},
         ["apparmor=0 /etc/default/grub"]),
        ({"etc/default/grub": 'GRUB_CMDLINE_LINUX="apparmor=0 apparmor=1"\n'}, []),
        ({"etc/kernel/cmdline": "root=/dev/sda security=none\n"}, ["security=none /etc/kernel/cmdline"]),
    ],
)  # fmt: skip
def test_the_next_boot(tmp_path: Path, files: dict[str, str], expected: list[str]) -> None:
    assert [f"{each['word']} {each['file']}" for each in lsm(lay(tmp_path, files))["boot"]] == expected
