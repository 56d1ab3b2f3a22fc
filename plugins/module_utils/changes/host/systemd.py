# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units that run one engine: asked and ordered by systemctl, every call with a time limit."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import identity, limits, redact
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import ExplainedError, Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import account as accounts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.atomic_files import Unwritable

# For calls that only ask or tell, and do not wait for the engine.
SECONDS = 20
# Longer than TimeoutStopSec of the vendors' units (90 s), after which systemd kills what does not stop.
STOP_SECONDS = 120
JOURNAL_LINES = 12
_JOURNAL_READ = 500
PAUSE = 0.2


class ServiceError(ExplainedError):
    """A unit did not do what it was told, or not in time; one sentence with systemd's reason."""


class State(NamedTuple):
    """What systemd says of a unit."""

    active: str
    sub: str
    result: str
    main_pid: int
    load: str
    load_error: str
    needs_reload: bool

    @property
    def failed(self) -> bool:
        """Whether it ought to run and does not: failed, or between two of its tries."""
        return self.active == "failed" or self.sub == "auto-restart"


_PROPERTIES = (
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "LoadState",
    "LoadError",
    "NeedDaemonReload",
)


class Service:
    """The service of an engine and the sockets that start it, of the system or of an account's own systemd."""

    def __init__(self, unit: str, sockets: Sequence[str], account: Account) -> None:
        self.unit = unit
        self.sockets = tuple(sockets)
        self._account = account
        self._journal: tuple[str, ...] = ("journalctl", f"--unit={unit}")
        if not account.is_root:
            # --user-unit shows root's own alone. What the unit wrote, or its systemd of it.
            owner = f"_UID={account.uid}"
            self._journal = (
                "journalctl",
                f"_SYSTEMD_USER_UNIT={unit}",
                owner,
                "+",
                f"USER_UNIT={unit}",
                owner,
            )

    def state(self) -> State:
        """How the service is now."""
        shown = self._call(SECONDS, "show", f"--property={','.join(_PROPERTIES)}", self.unit)
        values = _properties(shown)
        return State(
            values.get("ActiveState", "unknown"),
            values.get("SubState", ""),
            values.get("Result", ""),
            int(values.get("MainPID") or 0),
            values.get("LoadState", ""),
            # A D-Bus error name, then the message in quotes.
            values.get("LoadError", "").partition(" ")[2].strip('"'),
            values.get("NeedDaemonReload") == "yes",
        )

    def daemon_reload(self) -> None:
        """systemd reads the unit files anew."""
        self._call(SECONDS, "daemon-reload")

    def reload(self) -> None:
        """Send the engine its SIGHUP. That it was sent says nothing: a broken file is a line in the journal only."""
        self._call(SECONDS, "reload", self.unit)

    def restart(self, seconds: float, opened: Sequence[str] = ()) -> None:
        """Stop and start, at most `seconds` for the start; the socket units `opened` open, or open anew, in between.

        One order to systemd, so that the engine starts again even if this run is killed meanwhile. The start limit
        counts successful starts too, three a minute: it is reset before.
        """
        former, limit = self.state().main_pid, time.monotonic() + STOP_SECONDS
        self.reset_failed()
        # A socket unit does not open while its service runs. Named after the service it waits for the end of that, as
        # it is ordered before it; named first, it is refused at once (seen on systemd 252 and 257). One that the
        # service wants is part of the same order.
        self._call(SECONDS, "restart", "--no-block", self.unit, *opened)
        while former and self.state().main_pid == former:
            if time.monotonic() > limit:
                raise ServiceError(f"{self.unit} did not stop within {STOP_SECONDS} s")
            time.sleep(PAUSE)
        # Waits for the start that is under way.
        self._call(seconds, "start", self.unit)
        if not all(map(self.is_active, opened)):
            # The service had ended before systemd came to the sockets (seen once on 252).
            self._call(STOP_SECONDS, "stop", self.unit)
            self._call(seconds, "start", *opened, self.unit)
        closed = [each for each in opened if not self.is_active(each)]
        if closed:
            raise ServiceError(f"{', '.join(closed)} did not open; see journalctl -u {closed[0]}")

    def start(self, seconds: float) -> None:
        """Start the sockets and the service."""
        self.reset_failed()
        self._call(seconds, "start", *self.sockets, self.unit)

    def stop(self, also: Sequence[str] = ()) -> None:
        """Stop the service; its sockets, and those of `also`, first, or the next client would start it again."""
        self._call(STOP_SECONDS, "stop", *self.sockets, *also, self.unit)

    def close(self, sockets: Sequence[str]) -> None:
        """Stop these socket units. What they have handed to the running service stays open until that ends."""
        if sockets:
            self._call(SECONDS, "stop", *sockets)

    def open(self, sockets: Sequence[str]) -> None:
        """Start these socket units of a service that does not run."""
        if sockets:
            self._call(SECONDS, "start", *sockets)

    def unit_file(self, order: str) -> None:
        """enable, disable, mask or unmask the unit."""
        self._call(SECONDS, "--quiet", order, self.unit)

    def is_active(self, unit: str) -> bool:
        """Whether that unit is active."""
        return self._call(SECONDS, "show", "--property=ActiveState", "--value", unit).strip() == "active"

    def reset_failed(self) -> None:
        """Forget failures and starts, which would count against the start limit."""
        # systemd knows no unit any more whose file is gone, and refuses to be asked.
        shown = (
            self._call(SECONDS, "show", "--property=Id,ActiveState", *self.sockets) if self.sockets else ""
        )
        blocks = [_properties(block) for block in shown.split("\n\n")]
        failed = [block["Id"] for block in blocks if block.get("ActiveState") == "failed"]
        try:
            self._call(SECONDS, "reset-failed", *failed, self.unit)
        except ServiceError as problem:
            # What is neither active nor wanted by anybody systemd has forgotten already.
            if "not loaded" not in str(problem):
                raise

    def journal(self, since: float) -> list[str]:
        """The last lines that the service has logged since then (epoch), without credentials and its debug output."""
        options = (
            f"--since=@{int(since)}",
            f"--lines={_JOURNAL_READ}",
            "--output=cat",
            "--no-pager",
            "--quiet",
        )
        try:
            done = limits.run([*self._journal, *options], SECONDS)
        except Unreadable as problem:
            return [f"the journal cannot be read: {problem}"]
        lines = [
            line.strip() for line in done.out.splitlines() if line.strip() and " level=debug " not in line
        ]
        return [redact.url(line) for line in lines[-JOURNAL_LINES:]]

    def _call(self, seconds: float, *words: str) -> str:
        try:
            done = self._run(seconds, words)
        except (Unreadable, Unwritable) as problem:
            raise ServiceError(f"systemctl {' '.join(words)}: {problem}") from problem
        if done.status != 0:
            reason = done.err.strip().partition("\n")[0].rstrip(".") or f"exit code {done.status}"
            raise ServiceError(f"systemctl {' '.join(words)}: {reason}")
        return done.out

    def _run(self, seconds: float, words: Sequence[str]) -> limits.Ended:
        if self._account.is_root:
            return limits.run(["systemctl", *words], seconds)
        owner = accounts.same(self._account).owner
        runtime = {"XDG_RUNTIME_DIR": f"/run/user/{owner.uid}"}
        return identity.run(owner, ["systemctl", "--user", *words], seconds, runtime)


def _properties(text: str) -> Mapping[str, str]:
    return dict(line.partition("=")[::2] for line in text.splitlines())
