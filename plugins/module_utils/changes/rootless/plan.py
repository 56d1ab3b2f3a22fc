# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that lead to a rootless engine from how the host is, and those that lead back. Nothing is changed here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import foreign_json, reading
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import daemon_json
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.target import Target
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files, subids
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT, Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import files as rootless_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless.facts import Facts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless.files import UNIT
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import files as file_changes
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import host_state as settings
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import kinds, steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Step
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.subids import FILES as SUBID_FILES
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import accounts as account_probe

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


def present(facts: Facts, options: Mapping[str, Any], system: Target | None) -> Plan:
    """To an engine of that account, and to the system's as `system_engine` says. Raises Unwritable."""
    account, exists = account_of(facts), facts.uid is not None
    kernel = _due(list(_of_the_kernel(facts, options)), exists)
    # What the engine has read at its start, in its files or from its program.
    files = _due(list(_engine_files(facts, account, options)), exists)
    runs = exists and bool(settings.read("running", account, UNIT))
    restarts = runs and bool(files or any(map(_is_read_at_start, kernel)))
    setup = [] if exists else [steps.login(facts.user)]
    setup += [*_subordinate_ids(facts), *kernel]
    setup += _due([steps.setting("linger", ROOT, facts.user, True)], exists)
    containers = _running("containers", account) if restarts else None
    if containers:
        setup.append(containers.with_value([]))
    if files or restarts:
        setup += _reread_around(account, UNIT, files, restarts)
    units = [steps.setting(what, account, UNIT, True) for what in ("enabled", "running")]
    setup += _due(units, exists)
    if restarts:
        setup.append(steps.restart(account, UNIT))
    if containers:
        setup.append(containers)
    handover = _due(list(_client(facts, account, options)), exists)
    handover += _without_system(system, options["system_engine"])
    return Plan(setup, handover, restarts)


def absent(account: Account, record: Sequence[Step]) -> Plan:
    """Back to what the record tells, the latest first; what became of it since by other hands is no reason to stop."""
    back = [step for step in reversed(record) if not _holds(step)]
    exists = account.uid is not None
    ends = ends_engine(account) in back
    # One that others have set up runs on, with its own settings again.
    restarts = exists and not ends and any(map(_is_read_at_start, back))
    restarts = restarts and bool(settings.read("running", account, UNIT))
    kind = "last_containers" if ends else "containers"
    containers = _running(kind, account) if exists and (ends or restarts) else None
    found: list[Step] = [containers.with_value([])] if containers else []
    for step in back:
        if step.kind == "file" and _is_read_at_start(step):
            found += _reread_around(account, UNIT, [step], restarts)
        elif step.key == rootless_files.DELEGATE_FILE:
            found += _reread_around(ROOT, "user@.service", [step])
        else:
            found.append(step)
    if restarts:
        found += [steps.restart(account, UNIT), *([containers] if containers else [])]
    return Plan([], found, restarts)


def account_of(facts: Facts) -> Account:
    """The account that the facts are about."""
    return Account(facts.user, facts.uid, facts.gid)


def ends_engine(account: Account) -> Step:
    """The step that stops the engine of that account."""
    return steps.setting("running", account, UNIT, False)


def _is_read_at_start(step: Step) -> bool:
    own = step.kind == "file" and not step.account.is_root
    return step.kind == "capability" or (own and step.key[2:] in rootless_files.READ_AT_START)


def _reread_around(whose: Account, unit: str, files: Sequence[Step], restart: bool = False) -> list[Step]:
    """The files of that unit, which systemd reads when they are there, and anew when they were undone."""
    return [steps.reread(whose, unit, restart), *files, steps.reread(whose, unit)]


def _running(kind: str, account: Account) -> Step | None:
    """The step of that kind that has those containers run that the engine of that account runs now; None for none."""
    socket = rootless_files.socket(account.owner.uid)
    try:
        ids = settings.read(kind, account, socket)
    except atomic_files.Unwritable:
        # An engine that does not answer.
        return None
    return steps.setting(kind, account, socket, ids) if ids else None


def _holds(step: Step) -> bool:
    # An engine that is yet to be started cannot be asked.
    return step.kind != "containers" and kinds.holds(step)


def without_record(account: Account) -> list[Step]:
    """What leads back from an engine that others have set up: linger and the system's engine stay as they are."""
    found = [
        steps.file(account, f"~/{rootless_files.UNIT_FILE}", None),
        steps.file(account, f"~/{rootless_files.DROP_IN}", None),
        steps.setting("enabled", account, UNIT, False),
        ends_engine(account),
        steps.file(account, f"~/{rootless_files.CONTEXT_FILE}", None),
    ]
    if settings.read("context", account, settings.CLIENT_FILE) == rootless_files.CONTEXT:
        found.append(steps.setting("context", account, settings.CLIENT_FILE, None))
    return found


def recorded(known: Sequence[Step], transaction: Transaction, account: Account) -> list[Step]:
    """The record with what leads back from what the transaction has done. The first of each thing counts."""
    found = {step.about: step for step in known}
    own = ("containers", account.name, rootless_files.socket(account.owner.uid))
    # The steps come latest first, the record is kept in the order of the changes. What stays is told when it is asked
    # for: accounts and subordinate ids.
    back, _stays = kinds.reversed_steps(transaction)
    for step in reversed(back):
        # Its own containers were stopped for a restart alone.
        if step.about != own and step.kind != "restart":
            found.setdefault(step.about, step)
    return list(found.values())


def _due(wanted: Sequence[Step], exists: bool) -> list[Step]:
    """Of an account that is to come nothing is there."""
    return [step for step in wanted if not (exists or not is_of_account(step)) or not kinds.holds(step)]


def is_of_account(step: Step) -> bool:
    """Whether it is about the account, not the host."""
    return step.kind == "linger" or not step.account.is_root


def _subordinate_ids(facts: Facts) -> Iterator[Step]:
    # useradd gives a new account its own.
    if facts.uid is None or not facts.missing_subids:
        return
    accounts = account_probe.accounts([facts.user])
    texts = {kind: reading.text(path) for kind, path in SUBID_FILES.items()}
    block = subids.allocate(accounts, facts.user, texts)
    kinds = [kind for kind, absent in (("uid", block.for_uid), ("gid", block.for_gid)) if absent]
    if kinds:
        yield steps.subid_range(facts.user, block.start, block.count, kinds)


def _of_the_kernel(facts: Facts, options: Mapping[str, Any]) -> Iterator[Step]:
    if facts.apparmor_restricts and facts.apparmor_profile is None and facts.rootlesskit:
        path = rootless_files.profile_file(facts.rootlesskit)
        yield steps.file(ROOT, path, rootless_files.profile(facts.rootlesskit))
        yield steps.setting("apparmor", ROOT, path, True)
    if options["privileged_ports"] == "sysctl":
        yield steps.file(ROOT, rootless_files.SYSCTL_FILE, rootless_files.sysctl())
        yield steps.setting("sysctl", ROOT, rootless_files.PORT_START, "0")
    elif options["privileged_ports"] == "capability" and facts.rootlesskit:
        yield steps.setting("capability", ROOT, facts.rootlesskit, settings.NET_BIND_SERVICE)
    if options["delegate"] and facts.cgroup.version == 2:
        file = steps.file(ROOT, rootless_files.DELEGATE_FILE, rootless_files.delegate())
        if not kinds.holds(file):
            yield from _reread_around(ROOT, "user@.service", [file])


def _engine_files(facts: Facts, account: Account, options: Mapping[str, Any]) -> Iterator[Step]:
    unit = f"~/{rootless_files.UNIT_FILE}"
    exists = facts.uid is not None
    text = file_changes.content_of(steps.file(account, unit, None)) if exists else None
    chosen = rootless_files.variables(
        options["network"],
        options["port_driver"],
        slirp4netns=bool(facts.programs.get("slirp4netns")),
        pasta=bool(facts.programs.get("pasta")),
    )
    if text is None or rootless_files.is_ours(text):
        script = facts.script or "dockerd-rootless.sh"
        content = rootless_files.unit(facts.user, script, chosen, options["iptables"])
        yield steps.file(account, unit, content)
    elif chosen:
        yield steps.file(account, f"~/{rootless_files.DROP_IN}", rootless_files.drop_in(chosen))
    if exists:
        yield from _without_remap(account)


def _without_remap(account: Account) -> Iterator[Step]:
    """With userns-remap a rootless daemon dies at its start: it has no ids to give (seen on 20.10 and 26.1)."""
    file = steps.file(account, f"~/{rootless_files.DAEMON_JSON}", None)
    text = file_changes.content_of(file)
    if text is None:
        return
    document = daemon_json.read(
        file_changes.place_of(file).path, text.encode("utf-8", "surrogateescape"), force=True
    )
    kept = {key: value for key, value in document.settings.items() if key != "userns-remap"}
    if len(kept) != len(document.settings):
        content = daemon_json.render(document, kept) or b""
        yield steps.file(account, file.key, content.decode("utf-8", "surrogateescape"))


def _client(facts: Facts, account: Account, options: Mapping[str, Any]) -> Iterator[Step]:
    user, uid = facts.user, _UNKNOWN if facts.uid is None else facts.uid
    if "context" in options["client"]:
        text = rootless_files.context(uid)
        file = steps.file(account, f"~/{rootless_files.CONTEXT_FILE}", text)
        held = file_changes.content_of(file) if facts.uid is not None else None
        if not _same_json(held, text):
            yield file
        yield steps.setting("context", account, settings.CLIENT_FILE, rootless_files.CONTEXT)
    if "environment" in options["client"]:
        yield steps.file(ROOT, rootless_files.environment_file(user), rootless_files.environment(user, uid))


def _same_json(held: str | None, wanted: str) -> bool:
    """Whether the client's own spelling means the same end point."""
    try:
        known = None if held is None else foreign_json.loads(held, rootless_files.CONTEXT_FILE)
        return isinstance(known, dict) and known["Endpoints"] == json.loads(wanted)["Endpoints"]
    except (foreign_json.NotJson, KeyError):
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
        yield steps.setting("running", ROOT, service, True)
    if system.containers:
        yield steps.setting("containers", ROOT, system.engine["socket"], [])
    units = [service, *(each for each in system.unit["triggered_by"] if each.endswith(".socket"))]
    order = [steps.setting(what, ROOT, unit, False) for unit in units for what in ("enabled", "running")]
    if wanted == "mask":
        order += [steps.setting("masked", ROOT, unit, True) for unit in units]
    due = [step for step in order if orphans or not kinds.holds(step)]
    yield from due
    file = steps.dead_socket(system.engine["socket"])
    # It is dead when the change has closed it.
    if due or not kinds.holds(file):
        yield file
