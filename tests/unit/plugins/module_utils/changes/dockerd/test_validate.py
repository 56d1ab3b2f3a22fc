# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""dockerd --validate with a stand-in for dockerd whose answers are those of 26.1.5 and 20.10.24."""

from __future__ import annotations

import os

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Owner
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import validate
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.command_line import (
    CommandLine,
    Source,
    Word,
)

from tests.unit.plugins.module_utils.probes.laying import program

OWN = Owner(os.geteuid(), os.getegid())
CONTENT = b'{"debug": true}'
CONFIG = "/etc/docker/daemon.json"
UNABLE = "unable to configure the Docker daemon with file"
CONFLICT = "the following directives are specified both as a flag and in the configuration file"
# It keeps what it was given, and finds its file by the last --config-file as dockerd does.
KEEP = """
for word; do case $word in --config-file=*) file=${word#*=};; esac; done
here=${0%/*}; echo "$@" > "$here/arguments"; cat "$file" > "$here/content"
"""


@pytest.fixture
def dockerd(tmp_path):
    def dockerd(script, flags="-H fd://"):
        program(tmp_path, "dockerd", KEEP + script)
        words = (str(tmp_path / "dockerd"), *flags.split())
        return CommandLine(tuple(Word(word, Source("unit")) for word in words), ("unit",))

    return dockerd


def answer(line, status=1):
    return f"cat >&2 <<END\n{line}\nEND\nexit {status}"


def test_it_runs_with_the_flags_of_the_unit_and_the_content(dockerd, tmp_path):
    command = dockerd("echo configuration OK >&2", "-H fd:// --config-file=/etc/other -- stray")
    assert validate.validate(command, OWN, CONTENT, "26.1.5") is None
    words = (tmp_path / "arguments").read_text().split()
    assert words[:3] == ["-H", "fd://", "--config-file=/etc/other"]
    assert words[3].startswith("--config-file=/proc/self/fd/")
    assert words[4:] == ["--validate"]
    assert (tmp_path / "content").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{UNABLE} $file: invalid character '}}'", f"{UNABLE} {CONFIG}: invalid character '}}'"),
        ('Error during uid lookup for "nosuch"', 'Error during uid lookup for "nosuch"'),
        (
            f"{UNABLE} $file: {CONFLICT}: log-opts: (from flag: {{{{map[]}}}}, from file: map[splunk-token:SECRET]),"
            " hosts: (from flag: [fd://], from file: [x])",
            f"{UNABLE} {CONFIG}: {CONFLICT}: log-opts, hosts",
        ),
        ('time="now" level=warning msg="some"\nthe reason', "the reason"),
        ('time="now" level=warning msg="some"\ntime="now" level=fatal msg="the reason"', "the reason"),
        ("Status: unknown flag: --nosuch\nSee 'dockerd --help'., Code: 125", "unknown flag: --nosuch"),
        ("no https://user:pass@host/", "no https://host/"),
        ("", "dockerd ended with 1"),
    ],
)
def test_14_15_what_dockerd_says(dockerd, line, message):
    assert validate.validate(dockerd(answer(line)), OWN, CONTENT, "26.1.5") == message


@pytest.mark.parametrize("version", ["20.10.24+dfsg1", None])
def test_engines_without_the_flag(dockerd, version):
    old = dockerd(answer("Status: unknown flag: --validate\nSee 'dockerd --help'., Code: 125", 125))
    assert validate.validate(old, OWN, CONTENT, version) is None


def test_engines_before_23_are_not_asked(dockerd, tmp_path):
    assert validate.validate(dockerd("exit 1"), OWN, CONTENT, "20.10.24+dfsg1") is None
    assert not (tmp_path / "arguments").exists()


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b'{"userns-remap": "default", "icc": false}', b'{"userns-remap": "root", "icc": false}'),
        (b'\xef\xbb\xbf{"userns-remap": "default"}', b'{"userns-remap": "root"}'),
        (b'{"userns-remap":  "other"}', b'{"userns-remap":  "other"}'),
        # 20.10 takes what follows after the object.
        (b'{"userns-remap": "default"} x', b'{"userns-remap": "root"}'),
    ],
)
def test_it_makes_no_account(dockerd, tmp_path, content, seen):
    validate.validate(dockerd("exit 0"), OWN, content, "26.1.5")
    assert (tmp_path / "content").read_bytes() == seen


@pytest.mark.parametrize(
    "content",
    [
        b'["userns-remap", "default"]',
        b'{"userns-remap": "default",}',
        b'{"userns-remap": "default", "max-download-attempts": 1%s}' % (b"0" * 5000),
    ],
)
def test_what_cannot_be_read_is_not_shown_to_dockerd(dockerd, tmp_path, content):
    with pytest.raises(Unreadable, match="mend it by hand"):
        validate.validate(dockerd("exit 0"), OWN, content, "26.1.5")
    assert not (tmp_path / "content").exists()


def test_ids_that_are_staged_are_not_missed(dockerd, tmp_path):
    validate.validate(dockerd("exit 0"), OWN, b'{"userns-remap": "mapper"}', "26.1.5", ids_to_come=True)
    assert (tmp_path / "content").read_bytes() == b'{"userns-remap": "root"}'


def test_it_makes_no_account_for_a_flag_either(dockerd, tmp_path):
    validate.validate(dockerd("exit 0", "--userns-remap default"), OWN, CONTENT, "26.1.5")
    assert "--userns-remap=root --config-file" in (tmp_path / "arguments").read_text()


def test_a_dockerd_that_hangs(dockerd, monkeypatch):
    monkeypatch.setattr(validate, "TIME_LIMIT", 0.2)
    with pytest.raises(Unreadable, match="did not end"):
        validate.validate(dockerd("exec sleep 30"), OWN, CONTENT, "26.1.5")


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("Docker version 20.10.24+dfsg1, build 5d6db84", "20.10.24+dfsg1"),
        ("Docker version 29.7.2, build x", "29.7.2"),
        ("Docker version dev, build x", None),
        ("", None),
    ],
)
def test_version(tmp_path, line, version):
    program(tmp_path, "dockerd", f"echo '{line}'")
    assert validate.version(CommandLine((Word(str(tmp_path / "dockerd"), Source("unit")),)), OWN) == version


def test_a_program_that_is_not_there():
    with pytest.raises(Unreadable, match="not installed"):
        validate.version(CommandLine((Word("/nonexistent/dockerd", Source("unit")),)), OWN)
