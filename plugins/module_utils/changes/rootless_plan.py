# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that lead to a rootless engine from how the host is, and those that lead back. Nothing is changed here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.changes import (
    atomic,
    daemon_json,
    rootless_files,
    steps,
    subids,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes import host_settings as settings
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless_facts import Facts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.target import Target
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.probes import accounts as account_probe
from ansible_collections.bulwark.docker.plugins.module_utils.probes import reading

Step = dict[str, Any]
# Where the account is to come.
_UNKNOWN = "UID"


class Plan(NamedTuple):
    """What is to be done: `setup` up to the engine that runs and is proved, `handover` after that."""

    setup: list[Step]
    handover: list[Step]
    restarts: bool

    @property
    def steps(self) -> list[Step]:
        """All, in order."""
        return [*self.setup, *self.handover]


def unit_key(user: str) -> str:
    """The key of the engine's unit, as host_settings.service_of takes it."""
    return f"{user}/{rootless_files.UNIT}"


def present(facts: Facts, options: Mapping[str, Any], system: Target | None) -> Plan:
    """To an engine of that account, and to the system's as `system_engine` says. Raises Unwritable."""
    user, exists = facts.user, facts.uid is not None
    unit = unit_key(user)
    kernel = _due(list(_of_the_kernel(facts, options)), exists)
    # What the engine has read at its start, in its files or from its program.
    files = _due(list(_engine_files(facts, options)), exists)
    runs = exists and bool(settings.read("running", unit))
    restarts = runs and bool(files or any(map(_is_read_at_start, kernel)))
    setup = [] if exists else [steps.login(user)]
    setup += [*_subordinate_ids(facts), *kernel]
    setup += _due([steps.setting("linger", user, True)], exists)
    containers = _running(facts.uid) if restarts else None
    if containers:
        setup.append({**containers, "value": []})
    if files or restarts:
        setup += _reread_around(unit, files, restarts)
    setup += _due([steps.setting("enabled", unit, True), steps.setting("running", unit, True)], exists)
    if restarts:
        setup.append(steps.restart(unit))
    if containers:
        setup.append(containers)
    handover = _due(list(_client(facts, options)), exists)
    handover += _without_system(system, options["system_engine"])
    return Plan(setup, handover, restarts)


def absent(user: str, uid: int | None, record: Sequence[Step]) -> Plan:
    """Back to what the record tells, the latest first; what became of it since by other hands is no reason to stop."""
    back = [step for step in reversed(record) if not _holds(step)]
    unit = unit_key(user)
    ends = steps.setting("running", unit, False) in back
    # One that others have set up runs on, with its own settings again.
    restarts = uid is not None and not ends and any(map(_is_read_at_start, back))
    restarts = restarts and bool(settings.read("running", unit))
    containers = _running(uid) if ends or restarts else None
    found: list[Step] = [{**containers, "value": []}] if containers else []
    for step in back:
        if step["step"] == "home_file" and _is_read_at_start(step):
            found += _reread_around(unit, [step], restarts)
        elif step["key"] == rootless_files.DELEGATE_FILE:
            found += _reread_around("user@.service", [step])
        else:
            found.append(step)
    if restarts:
        found += [steps.restart(unit), *([containers] if containers else [])]
    return Plan([], found, restarts)


def _is_read_at_start(step: Step) -> bool:
    return step["step"] == "capability" or (
        step["step"] == "home_file" and step["key"].partition("/")[2] in rootless_files.READ_AT_START
    )


def _reread_around(unit: str, files: Sequence[Step], restart: bool = False) -> list[Step]:
    """The files of that unit, which systemd reads when they are there, and anew when they were undone."""
    return [steps.reread(unit, restart), *files, steps.reread(unit)]


def _running(uid: int | None) -> Step | None:
    """The step that has those containers run that the engine of that account runs now, None where there are none."""
    if uid is None:
        return None
    socket = rootless_files.socket(uid)
    try:
        ids = settings.read("containers", socket)
    except atomic.Unwritable:
        # An engine that does not answer.
        return None
    return steps.setting("containers", socket, ids) if ids else None


def _holds(step: Step) -> bool:
    # An engine that is yet to be started cannot be asked.
    return step["step"] != "containers" and steps.holds(step)


def without_record(user: str) -> list[Step]:
    """What leads back from an engine that others have set up: linger and the system's engine stay as they are."""
    unit = unit_key(user)
    found = [
        steps.home_file(user, rootless_files.UNIT_FILE, None),
        steps.home_file(user, rootless_files.DROP_IN, None),
        steps.setting("enabled", unit, False),
        steps.setting("running", unit, False),
        steps.home_file(user, rootless_files.CONTEXT_FILE, None),
    ]
    if settings.read("context", user) == rootless_files.CONTEXT:
        found.append(steps.setting("context", user, None))
    return found


def recorded(known: Sequence[Step], transaction: Transaction, user: str) -> list[Step]:
    """The record with what leads back from what the transaction has done. The first of each thing counts."""
    account = settings.user_of(user)
    found = {_of(step): step for step in known}
    for entry in transaction.entries:
        step = _back(entry, transaction, user, account)
        if step:
            found.setdefault(_of(step), step)
    return list(found.values())


def _of(step: Step) -> tuple[str, str]:
    return step["step"], step["key"]


def _back(
    entry: dict[str, Any], transaction: Transaction, user: str, account: settings.Account
) -> Step | None:
    home = account.home
    if entry["kind"] == "setting":
        if (entry["what"], entry["key"]) == ("containers", rootless_files.socket(account.uid)):
            # They were stopped for a restart alone.
            return None
        return steps.setting(entry["what"], entry["key"], entry["before"])
    if entry["kind"] == "directory":
        return steps.no_directory(user if Path(home) in Path(entry["path"]).parents else None, entry["path"])
    if entry["kind"] != "file" or entry["path"] in steps.SUBID_FILES.values():
        return None
    content = transaction.before(entry)
    text = None if content is None else content.decode("utf-8", "surrogateescape")
    path = Path(entry["path"])
    if Path(home) in path.parents:
        return steps.home_file(
            user, str(path.relative_to(home)), text, (entry["facts"] or {}).get("mode", 0o644)
        )
    return steps.file(str(path), text)


def _due(wanted: Sequence[Step], exists: bool) -> list[Step]:
    """Of an account that is to come nothing is there."""
    return [step for step in wanted if not (exists or not is_of_account(step)) or not steps.holds(step)]


def is_of_account(step: Step) -> bool:
    """Whether it is about the account, not the host."""
    units = step["step"] in ("enabled", "running", "reread") and "/" in step["key"]
    return units or step["step"] in ("context", "home_file", "linger")


def _subordinate_ids(facts: Facts) -> Iterator[Step]:
    # useradd gives a new account its own.
    if facts.uid is None or not facts.missing_subids:
        return
    accounts = account_probe.accounts([facts.user])
    texts = {kind: reading.text(path) for kind, path in steps.SUBID_FILES.items()}
    block = subids.allocate(accounts, facts.user, texts)
    kinds = [kind for kind, absent in (("uid", block.for_uid), ("gid", block.for_gid)) if absent]
    if kinds:
        yield steps.subid_range(facts.user, block.start, block.count, kinds)


def _of_the_kernel(facts: Facts, options: Mapping[str, Any]) -> Iterator[Step]:
    if facts.apparmor_restricts and facts.apparmor_profile is None and facts.rootlesskit:
        path = rootless_files.profile_file(facts.rootlesskit)
        yield steps.file(path, rootless_files.profile(facts.rootlesskit))
        yield steps.setting("apparmor", path, True)
    if options["privileged_ports"] == "sysctl":
        yield steps.file(rootless_files.SYSCTL_FILE, rootless_files.sysctl())
        yield steps.setting("sysctl", rootless_files.PORT_START, "0")
    elif options["privileged_ports"] == "capability" and facts.rootlesskit:
        yield steps.setting("capability", facts.rootlesskit, settings.NET_BIND_SERVICE)
    if options["delegate"] and facts.cgroup.version == 2:
        file = steps.file(rootless_files.DELEGATE_FILE, rootless_files.delegate())
        if not steps.holds(file):
            yield from _reread_around("user@.service", [file])


def _engine_files(facts: Facts, options: Mapping[str, Any]) -> Iterator[Step]:
    user = facts.user
    known = steps.home_file(user, rootless_files.UNIT_FILE, None)
    text = steps.content_of(known) if facts.uid is not None else None
    chosen = rootless_files.variables(
        options["network"],
        options["port_driver"],
        slirp4netns=bool(facts.programs.get("slirp4netns")),
        pasta=bool(facts.programs.get("pasta")),
    )
    if text is None or rootless_files.is_ours(text):
        script = facts.script or "dockerd-rootless.sh"
        content = rootless_files.unit(user, script, chosen, options["iptables"])
        yield steps.home_file(user, rootless_files.UNIT_FILE, content)
    elif chosen:
        yield steps.home_file(user, rootless_files.DROP_IN, rootless_files.drop_in(chosen))
    if facts.uid is not None:
        yield from _without_remap(user)


def _without_remap(user: str) -> Iterator[Step]:
    """With userns-remap a rootless daemon dies at its start: it has no ids to give (seen on 20.10 and 26.1)."""
    file = steps.home_file(user, rootless_files.DAEMON_JSON, None)
    text = steps.content_of(file)
    if text is None:
        return
    document = daemon_json.read(steps.path_of(file), text.encode("utf-8", "surrogateescape"), force=True)
    kept = {key: value for key, value in document.settings.items() if key != "userns-remap"}
    if len(kept) != len(document.settings):
        content = daemon_json.render(document, kept) or b""
        yield {**file, "content": content.decode("utf-8", "surrogateescape")}


def _client(facts: Facts, options: Mapping[str, Any]) -> Iterator[Step]:
    user, uid = facts.user, _UNKNOWN if facts.uid is None else facts.uid
    if "context" in options["client"]:
        file = steps.home_file(user, rootless_files.CONTEXT_FILE, rootless_files.context(uid))
        held = steps.content_of(file) if facts.uid is not None else None
        if not _same_json(held, file["content"]):
            yield file
        yield steps.setting("context", user, rootless_files.CONTEXT)
    if "environment" in options["client"]:
        yield steps.file(rootless_files.environment_file(user), rootless_files.environment(user, uid))


def _same_json(held: str | None, wanted: str) -> bool:
    """Whether the client's own spelling means the same end point."""
    try:
        return held is not None and json.loads(held)["Endpoints"] == json.loads(wanted)["Endpoints"]
    except (ValueError, KeyError, TypeError):
        return False


def _without_system(system: Target | None, wanted: str) -> Iterator[Step]:
    """The service and its sockets: while one listens, the next client would start the service again (seen).

    The service goes first, as it requires its socket: it would end with that one, and be recorded as one that was off.
    """
    if system is None or wanted == "keep":
        return
    service = system.service.unit
    # Left behind by live-restore: only their engine can stop them.
    orphans = bool(system.containers) and not system.answers
    if orphans:
        yield steps.setting("running", service, True)
    if system.containers:
        yield steps.setting("containers", system.engine["socket"], [])
    units = [service, *(each for each in system.unit["triggered_by"] if each.endswith(".socket"))]
    order = [steps.setting(what, unit, False) for unit in units for what in ("enabled", "running")]
    if wanted == "mask":
        order += [steps.setting("masked", unit, True) for unit in units]
    due = [step for step in order if orphans or not steps.holds(step)]
    yield from due
    file = steps.dead_socket(system.engine["socket"])
    # It is dead when the change has closed it.
    if due or not steps.holds(file):
        yield file
