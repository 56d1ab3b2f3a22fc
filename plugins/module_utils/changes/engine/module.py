# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that change an engine share: their options, the lock, and errors as one sentence."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulwark.docker.plugins.module_utils.base import redact
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import ExplainedError
from ansible_collections.bulwark.docker.plugins.module_utils.changes import errors
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import (
    apply,
    operations,
    plan,
    stage,
    staging,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.result import result, sentence
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.rollback import Resolved, resolve
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.verify import Limits
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps.run import Failed
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import (
    StateError,
    Store,
)

OPTIONS: dict[str, Any] = {
    "timeout": {"type": "float", "default": 60.0},
    "settle": {"type": "float", "default": 5.0},
}
# Of those that take any engine.
CHOSEN: dict[str, Any] = {
    "user": {"type": "str"},
    "allow_container_stop": {"type": "bool", "default": False},
}


def engine_of(user: str | None) -> str:
    """The name of the engine that an option `user` means."""
    return f"rootless:{user}" if user else "system"


class DiscreetModule(AnsibleModule):  # type: ignore[misc]
    """Keeps the credentials among options of dockerd out of the host's journal and of what Ansible shows."""

    def _log_invocation(self) -> None:
        """The first to tell the options to anybody: until it returns, only names of options are known as secret."""
        for text in redact.secrets(self.params):
            # The journal gets the options as Python writes them.
            self.no_log_values |= {text, repr(text)[1:-1]}
        super()._log_invocation()


class EngineModule:
    """One run of such a module. Whatever goes wrong ends in fail_json.

    `subject` is what the run changes: the name of an engine, or that of a module that changes none.
    """

    def __init__(self, module: AnsibleModule, subject: str) -> None:
        self._module = module
        self._subject = subject
        self.options: dict[str, Any] = module.params
        self.check_mode = bool(module.check_mode)
        self.store = Store()
        self.limits = Limits(self.options["timeout"], self.options.get("settle", 0.0))
        self.consents = operations.Consents(
            self.options.get("allow_container_stop", False), self.options.get("allow_data_switch", False)
        )
        # What runs that died have left open, and whether it could be undone.
        self.resolved: list[Resolved] = []

    def run(self, work: Callable[[EngineModule], dict[str, Any]], alone: bool = True) -> None:
        """Do the work and return what it tells. It is alone on the host, unless in check mode or told otherwise.

        What runs that died have left open is undone before anything is planned.
        """
        for name in ("timeout", "settle"):
            if self.options.get(name, 0) < 0 or (name == "timeout" and not self.options[name]):
                self._module.fail_json(
                    msg=f"{name}: {self.options[name]:g} is not a positive number of seconds."
                )
        told: dict[str, Any] = {}
        try:
            if self.check_mode:
                self.resolved = resolve(self.store, self.limits, dry=True)
                told = work(self)
            elif not alone:
                told = work(self)
            else:
                with self.store.locked(self.options["timeout"]):
                    self.resolved = resolve(self.store, self.limits, dry=False)
                    self._refuse_unresolved()
                    told = work(self)
        except apply.Refused as problem:
            self._fail(str(problem), refused=problem.refused)
        except Failed as problem:
            self._fail(
                str(problem),
                rolled_back=problem.rolled_back,
                transaction=problem.transaction,
                journal=problem.journal,
            )
        except errors.Unfit as problem:
            self._fail(f"Nothing was changed: {problem}.")
        except ExplainedError as problem:
            self._fail(str(problem))
        except Exception as problem:
            self._fail(_unforeseen(problem))
        told["notices"] = [*self._notices(), *told.get("notices", ())]
        self._module.exit_json(**result(self.check_mode, **told))

    def _refuse_unresolved(self) -> None:
        """Raises StateError where a transaction about the subject is still open. What is open of others is told alone:
        an account can see to it that its own cannot be undone."""
        open_still = [
            f"{each.transaction}: {each.trouble}"
            for each in self.resolved
            if each.trouble and each.subject == self._subject
        ]
        if open_still:
            raise StateError(
                "What a run that died has left open cannot be undone: "
                f"{'; '.join(open_still)}. The former files lie in {self.store.transactions}; put right what it says, "
                "then run this again."
            )

    def _notices(self) -> list[str]:
        """What became of the transactions that runs that died have left open."""
        found = []
        for each in self.resolved:
            opened = f"Transaction {each.transaction} was left open by a run that died"
            if each.trouble:
                found.append(f"{opened}, and is open still: {each.trouble}")
            elif self.check_mode:
                found.append(f"{opened}; it is undone first.")
            else:
                found += [f"{opened}; it was undone.", *each.left]
        return found

    def staged(
        self, found: staging.Ground, told: dict[str, Any], refused: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """What is told when the stage has been saved, unless in check mode.

        With `refused` nothing is staged: the module fails, or where `when_refused` is "skip" tells that alone.
        """
        if refused:
            return self.withheld(told, refused)
        if not self.check_mode:
            stage.save(self.store, found.target.name, found.stage)
        return told

    def withheld(self, told: dict[str, Any], refused: list[dict[str, Any]]) -> dict[str, Any]:
        """What is told when nothing is done for want of consent. Raises Refused unless `when_refused` is "skip"."""
        if self.options["when_refused"] == "fail":
            raise apply.Refused(sentence(refused), refused)
        undone = {"changed": False, "actions": [], "costs": [], "effect": plan.NONE}
        return {**told, **undone, "refused": [*told.get("refused", ()), *refused]}

    def stage_and_apply(self, work: Callable[[EngineModule], dict[str, Any]]) -> None:
        """The same for modules that stage, and apply at once where their option `apply` says so."""
        self.run(lambda module: self._applied(work(module)))

    def _applied(self, told: dict[str, Any]) -> dict[str, Any]:
        if not (self.options["apply"] and told.get("changed")) or self.check_mode:
            return told
        done = operations.apply_staged(self.store, self.options.get("user"), self.limits, self.consents)
        costs = told.get("costs", [])
        # The module knows what its change hides, the engine's transaction only what it stops.
        kinds = {cost["kind"] for cost in costs}
        return {
            **told,
            **done,
            "costs": [*costs, *(cost for cost in done.get("costs", ()) if cost["kind"] not in kinds)],
            "notices": [*told.get("notices", ()), *done.get("notices", ())],
        }

    def _fail(self, sentence: str, **known: Any) -> None:
        self._module.fail_json(msg=sentence, **result(self.check_mode, **known))


def _unforeseen(problem: Exception) -> str:
    """What and where, without a value: whose values they are, and what of them is secret, nobody knows here."""
    frame, line = list(traceback.walk_tb(problem.__traceback__))[-1]
    where = str(frame.f_globals.get("__name__")).rpartition("module_utils.")[2]
    return (
        f"bulwark.docker met something that it was not made for ({type(problem).__name__} in {where}, line {line}). "
        "What was begun was undone, or is undone by the next run; please report it with these words."
    )
