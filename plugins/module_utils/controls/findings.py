# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vocabulary of judgement: verdicts, severities, controls, deviations and the case that a control judges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import read

PASS, FAIL, NOT_APPLICABLE, MANUAL, UNKNOWN = "pass", "fail", "not_applicable", "manual", "unknown"
VERDICTS = (PASS, FAIL, NOT_APPLICABLE, MANUAL, UNKNOWN)
# Worst first; the weight is what one control of that severity counts in the score.
SEVERITY_WEIGHTS = {"critical": 8, "high": 4, "medium": 2, "low": 1, "info": 0}
SEVERITIES = tuple(SEVERITY_WEIGHTS)
EFFECTS = ("live", "reload", "restart", "recreate", "manual")


class NotApplicable(Exception):
    """The control does not concern this subject; the text says why."""


class Deviation(NamedTuple):
    """What differs from what should hold. Values are plain data; evidence names where `actual` was seen."""

    actual: Any
    expected: Any = None
    evidence: str | None = None
    verdict: str = FAIL


class Item(NamedTuple):
    """One thing that a control judges: `kind`, `id` and `name` become the subject of the finding."""

    kind: str
    id: str
    name: str
    value: Any


class Remedy(NamedTuple):
    """How to put it right: the effect on what runs, a text, and the role with its variables where one does it."""

    effect: str
    text: str
    role: str | None = None
    variables: Mapping[str, Any] = {}


class Control(NamedTuple):
    """What should hold, for every item that `over` selects.

    `judge(item value, case)` returns None when it holds, otherwise a Deviation (or several);
    it raises NotApplicable or Unread for one item, `over` raises them for the whole control.
    """

    id: str
    title: str
    severity: str
    scope: str
    per_engine: bool
    over: Callable[[Case], Iterable[Item]]
    judge: Callable[[Any, Case], Any]
    remedy: Remedy
    requirements: tuple[str, ...] = ()
    cis_1_6_0: tuple[str, ...] = ()
    cis_1_8_0: tuple[str, ...] = ()
    level: int | None = None
    baseline: bool = True
    parameters: Mapping[str, Any] = {}

    @property
    def owasp(self) -> tuple[str, ...]:
        """Ids of the OWASP Docker Top 10, as the requirement rows begin with them."""
        return tuple(sorted({row[:3] for row in self.requirements if row.startswith("D")}))

    @property
    def doc(self) -> str:
        """Why the control exists: the docstring of its function."""
        return " ".join((self.judge.__doc__ or "").split())


class Case:
    """What a control may look at: the snapshot, the engine that is judged (None on the host's own), its parameters."""

    def __init__(
        self,
        snapshot: Mapping[str, Any],
        engine: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.snapshot = snapshot
        self._engine = engine
        self.parameters = parameters or {}

    @property
    def engine(self) -> Mapping[str, Any]:
        """The engine that is judged; only controls with `per_engine` may ask."""
        if self._engine is None:
            raise NotApplicable("no Docker engine on this host")
        return self._engine

    @property
    def rootless(self) -> bool:
        """Whether the engine runs for an ordinary user."""
        return self.engine.get("user") is not None

    def host(self, *path: Any) -> Any:
        """`read` from the snapshot's root."""
        return read(self.snapshot, *path)

    def of_engine(self, *path: Any) -> Any:
        """`read` from the engine that is judged."""
        return read(self.engine, *path)


def on_host(case: Case) -> Iterable[Item]:
    """The selector of controls about the host as a whole."""
    name = case.host("host", "name")
    return (Item("host", name, name, case.snapshot),)


def on_engine(case: Case) -> Iterable[Item]:
    """The selector of controls about the engine as a whole."""
    name = case.engine["name"]
    return (Item("engine", name, name, case.engine),)


def scope(
    name: str, per_engine: bool, over: Callable[[Case], Iterable[Item]]
) -> Callable[..., Callable[[Callable[[Any, Case], Any]], Control]]:
    """The decorator factory that the controls of one scope share.

    >>> control = scope("host", per_engine=False, over=on_host)
    >>> @control("host.example", "Something holds", "low", Remedy("manual", "Do it."), requirements=("D02-01",))
    ... def example(snapshot, case):
    ...     '''Why it matters.'''
    """

    def control(
        control_id: str,
        title: str,
        severity: str,
        remedy: Remedy,
        *,
        requirements: Sequence[str] = (),
        cis: Sequence[str] = (),
        cis_1_8_0: Sequence[str] | None = None,
        level: int | None = None,
        baseline: bool | None = None,
        parameters: Mapping[str, Any] | None = None,
        over: Callable[[Case], Iterable[Item]] = over,
    ) -> Callable[[Callable[[Any, Case], Any]], Control]:
        def decorate(judge: Callable[[Any, Case], Any]) -> Control:
            return Control(
                id=control_id,
                title=title,
                severity=severity,
                scope=name,
                per_engine=per_engine,
                over=over,
                judge=judge,
                remedy=remedy,
                requirements=tuple(requirements),
                cis_1_6_0=tuple(cis),
                cis_1_8_0=tuple(map(cis_id_in_1_8_0, cis)) if cis_1_8_0 is None else tuple(cis_1_8_0),
                level=level,
                baseline=severity in ("critical", "high", "medium") if baseline is None else baseline,
                parameters=parameters or {},
            )

        return decorate

    return control


def cis_id_in_1_8_0(cis_id: str) -> str:
    """The number that a recommendation of CIS Docker 1.6.0 has in 1.8.0, which put a new 2.7 before the old one."""
    section, _unused, number = cis_id.partition(".")
    if section == "2" and int(number) >= 7:
        return f"2.{int(number) + 1}"
    return cis_id
