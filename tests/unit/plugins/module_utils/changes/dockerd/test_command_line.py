# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command of a unit, from unit files below a directory that stands for /."""

from __future__ import annotations

import fcntl
import signal

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import ROOT
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import command_line

FRAGMENT = "/lib/systemd/system/docker.service"
DROP_IN = "/etc/systemd/system/docker.service.d/flags.conf"
DEFAULTS = "/etc/default/docker"
# As Debian has it.
DEBIAN = """[Unit]
Description=Docker Application Container Engine
[Service]
EnvironmentFile=-/etc/default/docker
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
"""


@pytest.fixture
def read(tmp_path):
    def read(files, present=(), **options):
        for path, text in files.items():
            place = tmp_path / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        return command_line.read({"fragment": FRAGMENT, "drop_ins": list(present)}, ROOT, tmp_path, **options)

    return read


def test_debians_unit(read):
    command = read({FRAGMENT: DEBIAN})
    assert command.program == "/usr/sbin/dockerd"
    assert command.arguments == ["-H", "fd://", "--containerd=/run/containerd/containerd.sock"]
    assert command.hosts == ["fd://"]
    assert command.source("host") == FRAGMENT
    assert command.source("label") == ""
    assert (command.config_file, command.given) == ("/etc/docker/daemon.json", False)
    assert (command.starts, command.missing, command.unset) == ((FRAGMENT,), (), ("DOCKER_OPTS",))


def test_18_flag_of_a_drop_in_that_resets_the_command(read):
    drop_in = "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd --host=fd:// -l warn\n"
    command = read({FRAGMENT: DEBIAN, DROP_IN: drop_in}, [DROP_IN])
    assert command.starts == (DROP_IN,)
    assert command.flags == {"host": ["fd://"], "log-level": ["warn"]}
    assert command.source("log-level") == DROP_IN


def test_19_flag_from_docker_opts_names_both_files(read):
    command = read({FRAGMENT: DEBIAN, DEFAULTS: "DOCKER_OPTS=\"--label 'a=b c' -H tcp://[::1]:2376\"\n"})
    assert command.flags["label"] == ["a=b c"]
    via = f"{FRAGMENT} via DOCKER_OPTS in {DEFAULTS}"
    assert command.source("label") == via
    assert command.source("host") == f"{FRAGMENT} and {via}"


def test_23_a_drop_in_without_the_empty_line_makes_two_starts(read):
    command = read({FRAGMENT: DEBIAN, DROP_IN: "[Service]\nExecStart=/usr/sbin/dockerd\n"}, [DROP_IN])
    assert command.starts == (FRAGMENT, DROP_IN)


def test_later_files_win_and_files_win_over_the_unit(read):
    unit = """[Service]
Environment=A=unit "B=of unit" C=%%
EnvironmentFile=/etc/one
EnvironmentFile=/etc/two
ExecStart=/usr/bin/dockerd --label=${A}${C} $B
"""
    command = read({FRAGMENT: unit, "/etc/one": "A=1\n", "/etc/two": "A=2\n"})
    assert command.arguments == ["--label=2%", "of", "unit"]
    assert command.source("label") == f"{FRAGMENT} via A in /etc/two"


def test_environment_of_a_drop_in(read):
    unit = "[Service]\nEnvironment=A=1\nExecStart=/usr/bin/dockerd --label=${A}\n"
    drop_in = '[Service]\nEnvironment=\nEnvironment=A=2 "B\n'
    command = read({FRAGMENT: unit, DROP_IN: drop_in}, [DROP_IN])
    assert command.source("label") == f"{FRAGMENT} via A in {DROP_IN}"
    assert command.flags == {"label": ["2"]}


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("-/usr/bin/dockerd $A ${A} $$", ["1", "2", "1 2", "$"]),
        (":/usr/bin/dockerd $A ${A} $$", ["$A", "${A}", "$$"]),
        ("@/usr/bin/dockerd docker --debug", ["--debug"]),
        ("+!/usr/bin/dockerd \\\n  # why\n  --debug \\; x", ["--debug", ";", "x"]),
        ("/usr/bin/snap run docker.dockerd --debug", ["--debug"]),
        ("/usr/share/docker.io/contrib/dockerd-rootless.sh --debug", ["--debug"]),
    ],
)
def test_prefixes_and_wrappers(read, start, words):
    command = read({FRAGMENT: f"[Service]\nEnvironment='A=1 2'\nExecStart={start}\n"})
    assert command.arguments == words


def test_environment_files_missing_optional_and_by_pattern(read):
    unit = """[Service]
EnvironmentFile=/etc/gone
EnvironmentFile=-/etc/optional
EnvironmentFile=-/etc/docker.d/*.env
ExecStart=/usr/bin/dockerd $A
"""
    files = {FRAGMENT: unit, "/etc/docker.d/b.env": "A=--debug", "/etc/docker.d/a.env": "A=--icc"}
    command = read(files)
    assert command.missing == ("/etc/gone",)
    assert command.source("debug") == f"{FRAGMENT} via A in /etc/docker.d/b.env"
    assert "icc" not in command.flags


def test_an_empty_environment_file_setting_resets_the_list(read):
    drop_in = "[Service]\nEnvironmentFile=\n"
    assert read({FRAGMENT: DEBIAN, DROP_IN: drop_in, DEFAULTS: "DOCKER_OPTS=-D"}, [DROP_IN]).unset


def test_the_configuration_file_that_the_command_names(read):
    command = read(
        {FRAGMENT: "[Service]\nExecStart=/usr/bin/dockerd --config-file /etc/a --config-file=/etc/b\n"}
    )
    assert (command.config_file, command.given) == ("/etc/b", True)
    assert read({FRAGMENT: DEBIAN}, default_config="/home/u/x").config_file == "/home/u/x"


@pytest.mark.parametrize("text", ["", "[Service]\n", '[Service]\nExecStart=/usr/bin/dockerd "open\n'])
def test_no_command(read, text):
    command = read({FRAGMENT: text})
    assert (command.words, command.program, command.flags, command.starts) == ((), None, {}, ())


NEW = "[Service]\nExecStart=\nExecStart=-/usr/bin/dockerd $A  --new\n"
LATER = "/etc/systemd/system/docker.service.d/zz.conf"


@pytest.mark.parametrize(
    ("present", "drop_ins", "words"),
    [
        ([], {DROP_IN: NEW}, ["--new"]),
        ([DROP_IN], {DROP_IN: NEW}, ["--new"]),
        ([DROP_IN], {DROP_IN: None}, ["-H", "fd://", "--containerd=/run/containerd/containerd.sock"]),
        ([DROP_IN], {LATER: None}, ["--old"]),
        ([DROP_IN], {LATER: NEW}, ["--new"]),
        # By their names, wherever they lie.
        (["/run/systemd/system/docker.service.d/last.conf"], {DROP_IN: NEW}, ["--old"]),
        ([DROP_IN], {"/run/systemd/system/docker.service.d/a.conf": NEW}, ["--old"]),
    ],
)
def test_drop_ins_that_are_about_to_come_or_go(read, present, drop_ins, words):
    old = "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --old\n"
    files = {FRAGMENT: DEBIAN, **dict.fromkeys(present, old)}
    assert read(files, present, drop_ins=drop_ins).arguments == words


def test_the_text_of_the_command_that_counts(read):
    assert read({FRAGMENT: DEBIAN}).text == DEBIAN.rstrip().rpartition("ExecStart=")[2]
    assert read({FRAGMENT: DEBIAN}, drop_ins={DROP_IN: NEW}).text == "-/usr/bin/dockerd $A  --new"
    assert read({FRAGMENT: ""}).text == ""


def test_a_masked_unit_has_no_command(read, tmp_path):
    place = tmp_path / FRAGMENT.lstrip("/")
    place.parent.mkdir(parents=True)
    place.symlink_to("/dev/null")
    assert read({}).words == ()


def test_a_unit_that_cannot_be_read(read, tmp_path):
    (tmp_path / FRAGMENT.lstrip("/")).mkdir(parents=True)
    with pytest.raises(Unreadable, match="not a regular file"):
        read({})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("EnvironmentFile=-/etc/a\0b", "cannot be the path of a file"),
        ("EnvironmentFile=-/etc/loop", "Too many levels of symbolic links"),
        ("EnvironmentFile=-/*/*/*/*", "wildcards at more than 3 levels"),
        ("EnvironmentFile=-/etc/many/*", "more than 100 files match"),
        ("EnvironmentFile=-/etc/large/*", "more than 1048576 bytes"),
        (f"Environment=X={'x' * 2000}\nExecStart=/usr/bin/dockerd {'${X}' * 900}", "with its variables"),
        (f"Environment=X={'x' * 2000}\nExecStart=/usr/bin/dockerd {'$X ' * 900}", "with its variables"),
        (f"ExecStart=/usr/bin/dockerd {'x ' * 1000}", "more than 1000 words"),
    ],
)
def test_what_a_unit_may_make_of_its_files(read, tmp_path, line, reason):
    """An account writes its unit as it likes; this process is to end, and to keep its memory."""
    many = {f"/etc/many/{number}": "" for number in range(101)}
    large = {f"/etc/large/{number}": "x" * 600_000 for number in range(2)}
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/loop").symlink_to("loop")
    with pytest.raises(Unreadable, match=reason):
        read({FRAGMENT: f"[Service]\n{line}\n", **many, **large})


def test_a_file_that_does_not_open_is_given_up(read, tmp_path, monkeypatch):
    """Who owns a file may hold up those who open it, for as long as fs.lease-break-time says (45 s)."""
    monkeypatch.setattr(command_line, "TIME_LIMIT", 0.3)
    (tmp_path / "etc/default").mkdir(parents=True)
    former = signal.signal(signal.SIGIO, signal.SIG_IGN)
    with (tmp_path / "etc/default/docker").open("w") as held:
        fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        with pytest.raises(Unreadable, match="no answer within"):
            read({FRAGMENT: DEBIAN})
    signal.signal(signal.SIGIO, former)
