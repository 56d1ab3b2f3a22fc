# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is gathered for a rootless engine: of this machine as it is, and the parts of it from files laid out here."""

from __future__ import annotations

import getpass
import os
import pwd
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import limits
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import facts as rootless_facts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import host_facts, trials
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless.trials import Person

SECONDS = 10
SELF = Person(os.geteuid(), os.getegid())
NOBODY = Person(65534, 65534)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_namespaces = pytest.mark.skipif(
    subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "--mount", "true"], check=False
    ).returncode
    != 0,
    reason="needs user namespaces",
)
USER_UNIT = "user.slice/user-1000.slice/user@1000.service"


def mount(target: str, fstype: str = "ext4", *options: str) -> dict[str, object]:
    return {"target": target, "fstype": fstype, "options": list(options)}


def executable(path: Path, content: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    path.chmod(0o755)
    return path


def written(path: Path, content: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


# --- all of it, here ---


def test_an_account_that_is_here() -> None:
    user = getpass.getuser()
    account = pwd.getpwnam(user)
    facts = rootless_facts.gather(user, SECONDS)
    assert (facts.uid, facts.gid, facts.home) == (account.pw_uid, account.pw_gid, account.pw_dir)
    assert facts.data_root == os.path.realpath(f"{account.pw_dir}/.local/share/docker")
    assert facts.groups
    assert set(facts.devices) == {"/dev/net/tun", "/dev/fuse"}
    assert "rootlesskit" not in facts.programs
    assert "iptables" in facts.programs


def test_an_account_that_is_to_come() -> None:
    facts = rootless_facts.gather("nosuchaccount", SECONDS)
    assert (facts.uid, facts.home, facts.groups, facts.home_problem) == (None, None, (), None)
    assert (facts.missing_subids, facts.subids) == (("uid", "gid"), ())
    assert (facts.linger, facts.bus) == (False, False)


# --- what was tried ---


@needs_root
def test_a_trial_has_the_ids_of_the_account_alone() -> None:
    person = Person(1234, 1235, (1236,))
    assert trials.acting_as(person, SECONDS, os.getresuid) == [1234] * 3
    assert trials.acting_as(person, SECONDS, os.getresgid) == [1235] * 3
    assert trials.acting_as(person, SECONDS, os.getgroups) == [1236]
    assert os.geteuid() == 0


@needs_namespaces
def test_namespaces_work() -> None:
    assert trials.user_namespace(SELF, SECONDS) is None


@needs_namespaces
def test_user_namespaces_are_used_up() -> None:
    tried = (
        "from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import trials\n"
        "print(trials.user_namespace(trials.Person(0, 0), 10))"
    )
    limited = 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-ec", limited, sys.executable, tried],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    if "max_user_namespaces" in done.stderr:
        pytest.skip("a container keeps /proc/sys read-only")
    assert "unshare failed: No space left on device" in done.stdout


@needs_namespaces
def test_iptables_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(tmp_path / "iptables", "#!/bin/sh\nprintf 'no chain\\n by that name\\n' >&2\nexit 3\n")
    monkeypatch.setattr(limits, "SEARCH", f"{tmp_path}:{limits.SEARCH}")
    assert trials.nat(SELF, SECONDS) == "no chain by that name"


def test_what_cannot_be_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEARCH", "/nonexistent")
    said = "it could not be tried: unshare is not installed"
    assert trials.user_namespace(SELF, SECONDS) == said


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    assert "No such file or directory; load the module tun" in str(
        trials.device(SELF, SECONDS, str(tmp_path / "tun"))
    )


def test_a_device_that_is_none(tmp_path: Path) -> None:
    path = written(tmp_path / "tun")
    assert "no character device" in str(trials.device(SELF, SECONDS, str(path)))


@needs_root
def test_a_device_that_root_alone_may_open(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "fuse"
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("a container may not make devices")
    path.chmod(0o600)
    assert "mode 0600, owner 0:0" in str(trials.device(NOBODY, SECONDS, str(path)))


@needs_root
@pytest.mark.parametrize(
    ("mode", "owner", "said"),
    [(0o700, NOBODY.uid, None), (0o500, NOBODY.uid, "written"), (0o777, 0, "uid 0")],
)
def test_a_home(mode: int, owner: int, said: str | None) -> None:
    # Not below tmp_path, whose parents others than its owner may not pass.
    home = Path(f"/tmp/bulwark-home-{os.getpid()}")
    home.mkdir()
    try:
        os.chown(home, owner, owner)
        home.chmod(mode)
        found = trials.home(NOBODY, SECONDS, str(home))
    finally:
        home.rmdir()
    assert found is None if said is None else said in str(found)


def test_a_home_that_is_not_there() -> None:
    assert trials.home(SELF, SECONDS, "/nonexistent") == "/nonexistent: No such file or directory"


# --- what was read ---


@needs_root
@pytest.mark.parametrize(
    ("mode", "capability", "options", "said"),
    [
        (0o4755, None, (), None),
        (0o755, None, (), "not setuid root"),
        (0o755, 7, (), None),
        (0o755, 6, (), "not setuid root"),
        (0o4755, None, ("nosuid",), "mounted with nosuid"),
    ],
)
def test_what_writes_id_maps_needs_a_privilege(
    tmp_path: Path, mode: int, capability: int | None, options: tuple[str, ...], said: str | None
) -> None:
    path = executable(tmp_path / "newuidmap")
    path.chmod(mode)
    if capability is not None:
        data = struct.pack("<5I", 0x02000001, 1 << capability, 0, 0, 0)
        try:
            os.setxattr(path, "security.capability", data)
        except OSError:
            pytest.skip("this file system has no file capabilities")
    found = host_facts.id_map(str(path), 7, [mount("/", "ext4", *options)])
    assert found is None if said is None else said in str(found)


def test_rootlesskit_tells_its_drivers(tmp_path: Path) -> None:
    # As 1.1 of bookworm and 2.0 of trixie print them.
    shown = (
        '   --net value  network driver [host, pasta(experimental), slirp4netns, vpnkit] (default: "host")\n'
        "   --mtu value  MTU for non-host network (default: 65520 for slirp4netns) [65520]\n"
        "   --port-driver value  port driver for non-host network. [none, implicit (for pasta), builtin]\n"
    )
    path = executable(tmp_path / "rootlesskit", f"#!/bin/sh\ncat <<'END'\n{shown}END\n")
    assert host_facts.kit(str(path), SECONDS) == (
        ("host", "pasta", "slirp4netns", "vpnkit"),
        ("none", "implicit", "builtin"),
    )


def test_a_rootlesskit_that_tells_nothing(tmp_path: Path) -> None:
    path = executable(tmp_path / "rootlesskit", "#!/bin/sh\nexit 1\n")
    assert host_facts.kit(str(path), SECONDS) == ((), ())
    assert host_facts.kit(None, SECONDS) == ((), ())


def test_87_the_script_where_debian_keeps_it(tmp_path: Path) -> None:
    assert host_facts.script(tmp_path) is None
    debian = executable(tmp_path / "usr/share/docker.io/contrib/dockerd-rootless.sh")
    assert host_facts.script(tmp_path) == str(debian)
    extras = executable(tmp_path / "usr/bin/dockerd-rootless.sh")
    assert host_facts.script(tmp_path) == str(extras)


def test_the_networks_that_the_script_takes(tmp_path: Path) -> None:
    path = written(
        tmp_path / "s", "net=$GIVEN\n\tnet=slirp4netns\n\tnet=vpnkit\nfi\nnet=vpnkit # again\n net=vpnkit\n"
    )
    assert host_facts.tries(str(path)) == ("slirp4netns", "vpnkit")
    assert host_facts.tries(None) == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("profile rootlesskit {kit} flags=(unconfined) {{\n  userns,\n}}\n", True),
        ('profile "{kit}" {{\n}}\n', True),
        ("{kit} {{\n}}\n", True),
        ("# {kit} {{\n}}\n", False),
        ("profile other {kit}-other {{\n}}\n", False),
        ("profile other /usr/bin/other {{\n  {kit} ix,\n}}\n", False),
    ],
)
def test_95_a_profile_for_the_path_in_use(tmp_path: Path, text: str, found: bool) -> None:
    kit = str(executable(tmp_path / "usr/bin/rootlesskit"))
    path = written(tmp_path / "etc/apparmor.d/some", text.format(kit=kit))
    assert host_facts.profile_for(kit, tmp_path) == (str(path) if found else None)


@pytest.mark.parametrize(
    ("enabled", "value", "restricts"), [(True, "1", True), (True, "0", False), (False, "1", False)]
)
def test_95_apparmor_restricts(enabled: bool, value: str, restricts: bool) -> None:
    known = {"kernel.apparmor_restrict_unprivileged_userns": value}
    assert host_facts.restricts(known, enabled) is restricts


def test_94_cgroup_v2_and_what_the_account_is_given(tmp_path: Path) -> None:
    written(tmp_path / "sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n")
    table = [mount("/sys/fs/cgroup", "cgroup2")]
    running = tmp_path / "sys/fs/cgroup" / USER_UNIT / "cgroup.controllers"
    written(running, "memory pids\n")
    found = host_facts.cgroup(1000, table, SECONDS, tmp_path)
    assert found == (2, ("cpu", "io", "memory", "pids"), ("memory", "pids"))


def test_94_cgroup_v1_delegates_nothing(tmp_path: Path) -> None:
    written(tmp_path / "proc/cgroups", "#name x y z\nmemory 1 2 1\ncpu 1 2 0\n")
    table = [mount("/sys/fs/cgroup/memory", "cgroup")]
    assert host_facts.cgroup(1000, table, SECONDS, tmp_path) == (1, ("memory",), ())
    assert host_facts.cgroup(1000, [], SECONDS, tmp_path) == (None, (), ())


@pytest.mark.parametrize(
    ("text", "family"),
    [("ID=debian\n", "debian"), ("ID=pop\nID_LIKE='ubuntu debian'\n", "debian"), ("ID=fedora\n", "other")],
)
def test_the_family_of_distributions(tmp_path: Path, text: str, family: str) -> None:
    written(tmp_path / "etc/os-release", text)
    assert host_facts.family(tmp_path) == family


def test_a_bus_for_accounts(tmp_path: Path) -> None:
    assert not host_facts.has_bus(tmp_path)
    written(tmp_path / "usr/lib/systemd/user/dbus.socket")
    assert host_facts.has_bus(tmp_path)


def test_the_data_root_is_where_the_engine_is_told_to_keep_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    written(home / ".config/docker/daemon.json", f'{{"data-root": "{tmp_path}/link/data"}}')
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    assert rootless_facts._data_root(str(home), SELF, SECONDS) == str(tmp_path.resolve() / "disk/data")
    written(home / ".config/docker/daemon.json", "{")
    assert rootless_facts._data_root(str(home), SELF, SECONDS) == str(home.resolve() / ".local/share/docker")


def test_accounts_that_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(user: str) -> None:
        raise OSError(f"no answer for {user}")

    monkeypatch.setattr(rootless_facts, "_account", fails)
    with pytest.raises(Unreadable):
        rootless_facts.gather("nosuchaccount", SECONDS)
