# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of user namespaces: the remapping in force, the subordinate ids behind it, and what is left of
others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Deviation,
    Item,
    NotApplicable,
    Remedy,
    on_engine,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.containers import containers
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.engine_places import held
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.subids import (
    subordinate_ranges,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    configured,
    configured_value,
    edited_since_start,
    security_options,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.subids import (
    DEFAULT_USER,
    FILES,
    NEEDED,
    Range,
    account_named,
    faults,
    overlap,
)


def remap_user(case: Case) -> str | None:
    """The account whose subordinate ids the engine maps to: its user, or who userns-remap names, as a
    name."""
    if case.rootless:
        return str(case.engine["user"])
    asked = configured_value(case.engine, "userns-remap")
    if not asked:
        return None
    case.host("accounts", "users")
    user = asked.partition(":")[0]
    account = account_named(user, case.host("accounts"))
    name = account["name"] if account else DEFAULT_USER if user == "default" else user
    # The value root switches the remapping off.
    return None if name == "root" else str(name)


def _mapping_engine(case: Case) -> Iterable[Item]:
    if remap_user(case) is None:
        raise NotApplicable("the engine is not set to map users")
    return on_engine(case)


control = scope("userns", per_engine=True, over=on_engine)


@control(
    "daemon.userns_remap",
    "Root of a container is not root of the host",
    "high",
    Remedy(
        "restart",
        "Set userns-remap to default in daemon.json; images and containers of before are not seen then.",
        "userns_remap",
        {"userns_remap_state": "present"},
    ),
    requirements=("D01-13", "D01-26"),
    cis=("2.9",),
    level=2,
)
def userns_remap(engine: Mapping[str, Any], case: Case) -> Deviation | None:
    """Judged by /info: sub-id files and the option prove nothing. With the value root, or a range that
    starts at 0, the daemon starts without remapping and says so at most in a log line (seen on 20.10 and
    26.1)."""
    options = security_options(engine)
    if "userns" in options or "rootless" in options:
        return None
    return Deviation("off", "userns or rootless", f"/info SecurityOptions{_why_off(case)}")


def _why_off(case: Case) -> str:
    try:
        asked = configured(case.engine, "userns-remap")
        edited = edited_since_start(case.engine)
    except Unread:
        return ""
    if asked is None or not asked.value:
        return ""
    if edited:
        return f"; {asked.source} says {asked.value}: restart pending"
    return f"; {asked.source} says {asked.value}: configured but off, as root or a range from 0 do silently"


@control(
    "userns.subordinate_ids",
    "The remapped account has enough subordinate ids",
    "high",
    Remedy(
        "restart",
        "Run usermod --add-subuids and --add-subgids with a free range of 65536 ids; create a missing account.",
        "userns_remap",
        {"userns_remap_state": "present"},
    ),
    requirements=("D01-24", "RT-25", "RT-30"),
    over=_mapping_engine,
)
def subordinate_ids(engine: Mapping[str, Any], case: Case) -> Iterator[Deviation]:
    """Without an entry of that account the next start fails; with less than 65536 ids programs in images
    meet users that do not exist; a range from 0 switches the remapping off. Since 20.10 the user's name
    counts in /etc/subgid too, a group of another name does not."""
    user = remap_user(case)
    for kind, path in FILES.items():
        entries = subordinate_ranges(case, kind)
        if entries is None:
            yield Deviation("missing", f"{path} with an entry for {user}", path)
            continue
        own = [entry for entry in entries if entry.owner == user]
        total = sum(entry.count for entry in own)
        if total < NEEDED:
            yield Deviation(f"{total} ids for {user}", NEEDED, path)
        for entry in own:
            if entry.start == 0:
                yield Deviation(entry.text, "a range of its own", path)
    if user not in {account["name"] for account in case.host("accounts", "users")}:
        yield Deviation("no such account", user, "passwd")
    if case.host("accounts", "subids", "source") == "files":
        yield from _unsafe_files(case)


def _unsafe_files(case: Case) -> Iterator[Deviation]:
    for path in FILES.values():
        file = held(case, "files", path)
        if file is not None and (file["uid"] != 0 or int(file["mode"], 8) & 0o022):
            yield Deviation(f"{file['owner']}, mode {file['mode']}", "root, mode 0644", path)


def _all_ranges(case: Case) -> Iterator[Item]:
    for kind, path in FILES.items():
        for entry in subordinate_ranges(case, kind) or ():
            yield Item("subordinate ids", f"{path}:{entry.text}", f"{path}: {entry.text}", (kind, entry))


host_control = scope("userns", per_engine=False, over=_all_ranges)


@host_control(
    "userns.ranges_apart",
    "Subordinate ids belong to one account only and to no real user",
    "high",
    Remedy("manual", "Move the range to free ids above 100000, and chown the files that bear the old ones."),
    requirements=("D01-18",),
)
def ranges_apart(held: tuple[str, Range], case: Case) -> Iterator[Deviation]:
    """Where ranges overlap, the containers of one account own the files and processes of another, or of a
    real user. Neither dockerd nor newuidmap looks (seen on 20.10 and 26.1)."""
    kind, entry = held
    for section in ("users", "groups", "login_defs"):
        case.host("accounts", section)
    for fault in faults(kind, entry, case.host("accounts")):
        yield Deviation(fault.text, fault.expected, fault.source)
    for other in subordinate_ranges(case, kind) or ():
        if other.owner != entry.owner and overlap(entry, other):
            yield Deviation(f"overlaps {other.text}", "a range of its own", FILES[kind])


def _remapped_containers(case: Case) -> Iterator[Item]:
    if not {"userns", "rootless"} & set(security_options(case.engine)):
        raise NotApplicable("the engine does not map users")
    for item in containers(case):
        # Those that are excepted (--userns=host) are judged as containers.
        if item.value["process"] is not None and item.value["host_config"].get("UsernsMode") != "host":
            yield item


@control(
    "userns.container_mapping",
    "Root of each running container is the first id of the engine's range",
    "high",
    Remedy("recreate", "Stop the containers, restart the engine with its range in place, create them again."),
    requirements=("RT-26",),
    over=_remapped_containers,
)
def container_mapping(container: Mapping[str, Any], case: Case) -> Deviation | None:
    """A container that was running when the remapping was switched on goes on as root of the host. Read from
    /proc/PID/uid_map; in rootless mode root is the user itself."""
    mapping = read(container, "process", "uid_map")
    outside = next((first for inside, first, _unused in mapping if inside == 0), None)
    if case.rootless:
        wanted = [read(case.engine, "uid")]
    else:
        user = remap_user(case)
        wanted = [entry.start for entry in subordinate_ranges(case, "uid") or () if entry.owner == user]
        if not wanted:
            raise Unread(f"/etc/subuid has no range of {user}")
    return None if outside in wanted else Deviation(outside, wanted, "/proc/PID/uid_map")


def _roots(case: Case) -> Iterator[Item]:
    current = read(case.engine, "info", "DockerRootDir").rpartition("/")[2]
    if "userns" in security_options(case.engine):
        yield Item("directory", current, current, (current, True))
    for root in read(case.engine, "data_roots"):
        if root["name"] != current:
            yield Item("directory", root["name"], root["name"], (root["name"], False))


@control(
    "userns.data_of_other_mappings",
    "The data root is that of the mapping, and holds no data of others",
    "info",
    Remedy("manual", "Look whether volumes in it are still needed, then remove the directory."),
    requirements=("D01-25",),
    over=_roots,
)
def data_of_other_mappings(root: tuple[str, bool], case: Case) -> Deviation | None:
    """Images, containers and volumes of a former mapping stay on disk, are seen by no command, and come
    back when the mapping does."""
    name, current = root
    if not current:
        return Deviation(name, "removed, or in use", "in the data root")
    user = remap_user(case)
    starts = [str(entry.start) for entry in subordinate_ranges(case, "uid") or () if entry.owner == user]
    if name.partition(".")[0] in starts:
        return None
    return Deviation(name, [f"begins with {start}" for start in starts], "/info DockerRootDir")
