# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a rootless engine as text. Numbers in names are those of the edge cases."""

from __future__ import annotations

import configparser
import json

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import files

CONTRIB = "/usr/share/docker.io/contrib/dockerd-rootless.sh"
NET = "DOCKERD_ROOTLESS_ROOTLESSKIT_NET"
PORT_DRIVER = "DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER"


def parsed(text: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string(text)
    return found


def test_e87_unit_with_the_folder_of_the_scripts() -> None:
    text = files.unit("worker", CONTRIB, {}, iptables=True)
    unit = parsed(text)
    assert unit["Service"]["ExecStart"] == CONTRIB
    search = unit["Service"]["Environment"]
    assert search.startswith("PATH=/usr/share/docker.io/contrib:/usr/local/sbin:")
    assert unit["Install"]["WantedBy"] == "default.target"
    # systemd knows them there alone.
    assert (unit["Unit"]["StartLimitBurst"], unit["Unit"]["StartLimitIntervalSec"]) == ("3", "60")
    assert files.is_ours(text)


def test_unit_names_no_folder_twice() -> None:
    search = parsed(files.unit("worker", "/usr/bin/dockerd-rootless.sh", {}, True))["Service"]["Environment"]
    assert search == "PATH=/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin"


def test_unit_with_drivers_and_without_iptables() -> None:
    text = files.unit("worker", CONTRIB, {NET: "pasta", PORT_DRIVER: "implicit"}, iptables=False)
    assert f"ExecStart={CONTRIB} --iptables=false\n" in text
    assert f"Environment={NET}=pasta\nEnvironment={PORT_DRIVER}=implicit\n" in text


def test_unit_of_others_is_theirs() -> None:
    assert not files.is_ours("[Unit]\nDescription=Docker Application Container Engine (Rootless)\n")
    beside = files.drop_in({NET: "pasta"})
    assert files.is_ours(beside) and parsed(beside)["Service"]["Environment"] == f"{NET}=pasta"


@pytest.mark.parametrize(
    ("network", "port_driver", "slirp4netns", "pasta", "told"),
    [
        # Its own choice is not told.
        ("auto", "auto", True, True, {}),
        ("auto", "auto", False, False, {}),
        ("auto", "auto", False, True, {NET: "pasta", PORT_DRIVER: "implicit"}),
        ("pasta", "auto", True, True, {NET: "pasta", PORT_DRIVER: "implicit"}),
        ("pasta", "builtin", True, True, {NET: "pasta", PORT_DRIVER: "builtin"}),
        ("slirp4netns", "auto", True, False, {NET: "slirp4netns"}),
        ("auto", "slirp4netns", True, False, {PORT_DRIVER: "slirp4netns"}),
        ("gvisor-tap-vsock", "auto", True, False, {NET: "gvisor-tap-vsock"}),
    ],
)
def test_drivers_that_are_told(
    network: str, port_driver: str, slirp4netns: bool, pasta: bool, told: dict[str, str]
) -> None:
    assert files.variables(network, port_driver, slirp4netns, pasta) == told


@pytest.mark.parametrize(
    ("rootlesskit", "name"),
    [("/usr/bin/rootlesskit", "usr.bin.rootlesskit"), ("/home/w/bin/rootlesskit", "home.w.bin.rootlesskit")],
)
def test_e95_profile_for_the_actual_path(rootlesskit: str, name: str) -> None:
    assert files.profile_file(rootlesskit) == f"/etc/apparmor.d/{name}"
    text = files.profile(rootlesskit)
    assert f"profile {name} {rootlesskit} flags=(unconfined) {{\n  userns,\n}}\n" in text


def test_context_as_the_client_keeps_it() -> None:
    # The folder that `docker context create rootless` of 26.1 made.
    folder = "12b961af5feb3e9d39f93b2cefb9a1a944f18d02cca0cac2f04f5a982240605f"
    assert f".docker/contexts/meta/{folder}/meta.json" == files.CONTEXT_FILE
    assert json.loads(files.context(1000)) == {
        "Name": "rootless",
        "Metadata": {"Description": "Rootless mode"},
        "Endpoints": {"docker": {"Host": "unix:///run/user/1000/docker.sock", "SkipTLSVerify": False}},
    }


def test_environment_is_of_that_account_alone() -> None:
    text = files.environment("worker", 1000)
    assert '[ "$(id -un)" = "worker" ] && [ -z "${DOCKER_HOST:-}" ]' in text
    assert "export DOCKER_HOST=unix:///run/user/1000/docker.sock\n" in text
    assert files.environment_file("worker") == "/etc/profile.d/bulwark-rootless-worker.sh"


def test_settings_of_the_host() -> None:
    assert files.sysctl().splitlines()[1:] == ["net.ipv4.ip_unprivileged_port_start = 0"]
    assert parsed(files.delegate())["Service"]["Delegate"].split() == [
        "cpu",
        "cpuset",
        "io",
        "memory",
        "pids",
    ]
