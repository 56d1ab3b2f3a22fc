# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring host and engine back to what a transaction found, in the run that began it or in a later one: all that is
needed stands in the journal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Place, acting_as
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import daemon_json, reload
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import target as targets
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import verify
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.target import Container, Target
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.verify import Limits, Unwell
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import account as accounts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import containers as engine_control
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.location import located
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.systemd import Service, ServiceError
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import files, kinds, run
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction import signals
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import (
    Transaction,
    unfinished,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Entry
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import OPTIONS
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes

# Seconds by which two readings of one start may differ.
_CLOCK_GRACE = 2


def remember(transaction: Transaction, target: Target) -> None:
    """Journal the engine as it is before anything is changed."""
    pid = target.engine["pid"]
    transaction.note(
        "engine",
        unit=target.service.unit,
        sockets=list(target.service.sockets),
        account=list(target.account),
        socket=target.engine["socket"],
        config=target.config_path,
        state=target.engine["state"],
        pid=pid,
        started=_started(pid),
        live_restore=target.live_restore,
        swarm=target.swarm,
        containers=_noted(target.containers),
    )


class Resolved(NamedTuple):
    """A transaction that a run has left open: `left` is what of it stays, `trouble` why it is open still."""

    transaction: str
    subject: str
    left: list[str]
    trouble: str | None = None


def resolve(store: Store, limits: Limits, dry: bool = False) -> list[Resolved]:
    """Undo what runs that died have left open, or with `dry` tell it alone. One that cannot be undone keeps no other
    from being undone."""
    with signals.held_off():
        found, unknown = unfinished(store)
        resolved = [Resolved(each.id, each.subject, []) if dry else _resolved(each, limits) for each in found]
    return [*resolved, *(Resolved(each.id, each.subject, [], each.why) for each in unknown)]


def _resolved(transaction: Transaction, limits: Limits) -> Resolved:
    try:
        return Resolved(transaction.id, transaction.subject, roll_back(transaction, limits))
    except Exception as problem:
        return Resolved(transaction.id, transaction.subject, [], run.reason(problem))


def roll_back(transaction: Transaction, limits: Limits) -> list[str]:
    """All is as before; returns what was left, a sentence each. Raises Unwritable with all that went wrong, such as an
    engine that does not come back, and what was left."""
    # Before its engine is touched, which would not come back by the rest alone.
    kinds.refuse_unknown(transaction)
    heads = transaction.notes("engine")
    if not heads or _is_gone(Account(*heads[0].data["account"])):
        return _closed(transaction, kinds.undo(transaction))
    engine = _Engine(transaction, heads[0].data, limits)
    troubles: list[str] = []
    lost: list[str] = []
    engine.halt_unless_untouched()
    engine.close_alone()
    if engine.ran:
        # The configuration comes back when the engine has taken from it what it must be told to let go. What fails now
        # is tried once more then.
        with contextlib.suppress(atomic_files.Unwritable):
            kinds.undo(transaction, but=engine.is_configuration)
        with _kept_in(troubles):
            engine.run_as_before()
    is_down = bool(troubles)
    with _kept_in(troubles):
        kinds.undo(transaction)
    with _kept_in(troubles):
        if engine.ran:
            lost = [] if is_down else engine.prove()
        elif transaction.notes("restart"):
            engine.let_down()
        elif transaction.notes("sockets"):
            engine.open_alone()
    left = [*transaction.left, *lost]
    if troubles:
        raise atomic_files.Unwritable("; ".join([*troubles, *left]))
    return _closed(transaction, left)


def _is_gone(account: Account) -> bool:
    """Whether nobody has its name today, or another account: its engine cannot be reached."""
    try:
        accounts.same(account)
    except atomic_files.Unwritable:
        return True
    return False


@contextlib.contextmanager
def _kept_in(troubles: list[str]) -> Iterator[None]:
    """What goes wrong is told at the end, and keeps nothing from being done that comes after it: the engine must not
    stay down for a file that cannot be written."""
    try:
        yield
    except Exception as problem:
        troubles.append(run.reason(problem))


def _closed(transaction: Transaction, left: list[str]) -> list[str]:
    try:
        transaction.closed(left=left)
    except atomic_files.Unwritable as problem:
        return [*left, f"{transaction.id} stays open, and the next run undoes it once more: {problem}"]
    return left


class _Engine:
    """The engine of a transaction, as its journal tells."""

    def __init__(self, transaction: Transaction, head: Mapping[str, Any], limits: Limits) -> None:
        self._transaction = transaction
        self._head = head
        self._limits = limits
        self._account = Account(*head["account"])
        self._user = None if self._account.is_root else self._account.name
        self._place = Place(head["config"], self._account.owner)
        self._socket = Place(head["socket"], self._account.owner)
        self._service = Service(head["unit"], head["sockets"], self._account)
        # Socket units that the change has opened: left open, the next client would start the service.
        self._opened = [unit for note in transaction.notes("sockets") for unit in note.data["opened"]]
        # Those that the engine would leave behind running, should it end now: as the head has them.
        self._now: list[dict[str, Any]] = []

    def is_configuration(self, entry: Entry) -> bool:
        """Whether the entry is about its configuration file."""
        return files.is_same_file(entry, self._place)

    @property
    def ran(self) -> bool:
        """Whether it ran before."""
        return self._head["state"] in ("running", "unresponsive", "unreachable")

    def let_down(self) -> None:
        """It did not run before: it does not after."""
        self._service.stop([each for each in self._opened if self._service.is_active(each)])
        self._service.reset_failed()

    def close_alone(self) -> None:
        """The change has opened sockets of a service that does not run."""
        if not self.ran and not self._transaction.notes("restart"):
            self._service.close([each for each in self._opened if self._service.is_active(each)])

    def open_alone(self) -> None:
        """The sockets of a service that does not run are open as they were."""
        self._service.daemon_reload()
        for note in self._transaction.notes("sockets"):
            self._service.open(note.data["active"])

    def halt_unless_untouched(self) -> None:
        """Nothing starts it while its files change: systemd tries again by itself, and without live-restore in the
        file that would end the containers. What runs now stops with the settings that it has."""
        # One that hangs in its start is killed after systemd's own time limit.
        with contextlib.suppress(ServiceError):
            if self.ran and not self._is_untouched():
                if self._transaction.notes("let_go"):
                    self._hold_on()
                self._now = self._running_now()
                self._service.stop(self._opened)

    def _hold_on(self) -> None:
        """The change had live-restore on for its restart alone, and off again: off, the engine ends its containers."""
        with contextlib.suppress(ServiceError, atomic_files.Unwritable, daemon_json.Unsound):
            settings = daemon_json.read(self._head["config"], self._content(), force=True).settings
            self._write(reload.acceptable({**settings, "live-restore": True}))
            self._service.reload()
            targets.live_restore_becomes(self._socket, True, self._limits.timeout)

    def run_as_before(self) -> None:
        """It runs with its former settings, or has not started."""
        self._service.daemon_reload()
        if self._is_untouched():
            if self._transaction.notes("reload"):
                self._reload_former()
        elif self._head["live_restore"] or not self._survivors():
            self._start()
        else:
            self._start_with_live_restore()

    def _is_untouched(self) -> bool:
        """The very process that ran before, or that undoing has started, runs and answers."""
        state = self._service.state()
        known = [self._head, *(note.data for note in self._transaction.notes("started"))]
        pids = [each["pid"] for each in known if _is_same(each["pid"], each["started"])]
        if state.active != "active" or not pids or (self._account.is_root and state.main_pid not in pids):
            return False
        # One that was closed opens only while the service does not run.
        if not all(map(self._service.is_active, self._service.sockets)):
            return False
        return targets.answers_within(self._socket, 3)

    def _reload_former(self) -> None:
        """A key that is missing keeps its value through a SIGHUP: what was added is told its default first."""
        former, added = self._former(), self._added()
        if former is not None and added:
            self._write(reload.acceptable({**former, **added}))
            self._service.reload()
            if "live-restore" in added and not targets.live_restore_becomes(
                self._socket, False, self._limits.timeout
            ):
                raise Unwell("live-restore could not be switched off again by a reload")
        self._restore()
        self._service.reload()

    def _start(self) -> None:
        self._restore()
        self._stop()
        self._service.start(self._limits.timeout)

    def _restore(self) -> None:
        # What cannot be undone is told at the end: the engine must not stay down for that.
        with contextlib.suppress(atomic_files.Unwritable):
            kinds.undo(self._transaction)

    def _stop(self) -> None:
        # One that hangs in its start is killed after systemd's own time limit.
        with contextlib.suppress(ServiceError):
            self._service.stop(self._opened)

    def _start_with_live_restore(self) -> None:
        """The containers run on only because live-restore was switched on for the change; started without it, the
        engine would end them. So it starts with it, and is told by a reload that it is off."""
        former = self._former()
        if former is None or self._head["swarm"]:
            return self._start()
        try:
            self._write({**former, "live-restore": True})
            self._stop()
            self._service.start(self._limits.timeout)
            pid = verify.healthy(self._service, self._socket, Limits(self._limits.timeout, 0))
        except BaseException:
            # Not to be started without live-restore by systemd's own tries.
            self._stop()
            raise
        # From here on a run that resolves this one must not stop it: it may have let go of live-restore.
        with contextlib.suppress(atomic_files.Unwritable):
            self._transaction.note("started", pid=pid, started=_started(pid))
            self._transaction.note("reload")
        return self._reload_former()

    def prove(self) -> list[str]:
        """It is well, and its containers run; returns those that do not come back, in a sentence."""
        verify.healthy(self._service, self._socket, self._limits)
        attempt(engine_control.sweep, self._socket, self._limits.timeout)
        stopped = [
            each for note in self._transaction.notes("containers_stopped") for each in note.data["ids"]
        ]
        left = engine_control.start(self._socket, stopped, self._limits.timeout)
        survivors = {each.id: each for each in self._survivors() if each.id not in stopped}
        # Those that did not outlive the change come back if the engine starts them by itself.
        others = [
            _container(each)
            for each in self._head["containers"]
            if each["id"] not in survivors and each["id"] not in stopped
        ]
        verify.containers(self._user, survivors.values(), [], self._limits)
        lost = verify.missing(self._user, others, self._limits)
        return left + ([f"no longer running: {', '.join(lost)}"] if lost else [])

    def _running_now(self) -> list[dict[str, Any]]:
        """Also those that were started since: by others, or by a boot after a power cut."""
        try:
            if targets.answers_within(self._socket, 0):
                # The container that was run for a look is none of them.
                attempt(engine_control.sweep, self._socket, self._limits.timeout)
            target = targets.find(self._user, 3, patience=0, asked=targets.CONTAINERS)
        except targets.NoTarget:
            return []
        return _noted(target.containers) if target.live_restore else []

    def _survivors(self) -> list[Container]:
        """Those whose first process is there still; after a boot another may have its id."""
        known = (*self._head["containers"], *self._now)
        return [_container(each) for each in known if _is_same(each["pid"], each["started"])]

    def _former(self) -> dict[str, Any] | None:
        """The former daemon.json as settings, None where no dockerd would understand it, or others have edited it."""
        content = self._content()
        for entry in self._transaction.notes("file"):
            if self.is_configuration(entry):
                known = (entry.data["before"], *entry.data["written"])
                if (content and atomic_files.digest(content)) not in known:
                    return None
                content = self._transaction.image(entry)
        try:
            return dict(daemon_json.read(self._head["config"], content, force=True).settings)
        except daemon_json.Unsound:
            return None

    def _content(self) -> bytes | None:
        with located(self._place) as found, acting_as(self._place.owner):
            seen = atomic_files.look(found.by_handle)
        return seen[0] if seen else None

    def _added(self) -> dict[str, Any]:
        """Keys that the change brought and the former file has not, with dockerd's defaults."""
        added = set(self._transaction.manifest.get("added", ()))
        if not self._head["live_restore"]:
            added.add("live-restore")
        former = self._former() or {}
        return {
            key: OPTIONS[key].default
            for key in sorted(added - set(former))
            if key in OPTIONS and OPTIONS[key].effect == "reload"
        }

    def _write(self, settings: Mapping[str, Any]) -> None:
        document = daemon_json.read(self._head["config"], None)
        content = daemon_json.render(document, settings) or b""
        fresh = atomic_files.fresh(self._place.owner)
        files.write(self._transaction, self._account, self._place.path, content, fresh, in_place=True)


def _noted(containers: list[Container]) -> list[dict[str, Any]]:
    return [{**each._asdict(), "started": _started(each.pid)} for each in containers]


def _container(noted: Mapping[str, Any]) -> Container:
    return Container(**{name: noted[name] for name in Container._fields})


def _started(pid: int | None) -> int | None:
    return processes.started(pid) if pid else None


def _is_same(pid: int | None, started: int | None) -> bool:
    """Whether that process still lives. The kernel's time of boot, and with it of all starts, moves with the clock."""
    now = _started(pid)
    return now is not None and started is not None and abs(now - started) <= _CLOCK_GRACE
