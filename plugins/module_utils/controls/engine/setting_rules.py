# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the control of one daemon option is built from one row of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Control,
    Deviation,
    Remedy,
    on_engine,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import effective

control = scope("daemon", per_engine=True, over=on_engine)


class Rule(NamedTuple):
    """One row: the option, what is wrong of its values, what is shown as expected, and the control's card.

    `wrong(value, parameters)` gives what to show as actual, or None when the value is right;
    `applies(case)` raises NotApplicable.
    """

    id: str
    title: str
    severity: str
    option: str
    wrong: Callable[[Any, Mapping[str, Any]], Any]
    expected: Any
    remedy: Remedy
    why: str
    requirements: tuple[str, ...] = ()
    cis: tuple[str, ...] = ()
    cis_1_8_0: tuple[str, ...] | None = None
    level: int | None = None
    baseline: bool | None = None
    parameters: Mapping[str, Any] = {}
    applies: Callable[[Case], None] | None = None


def build(rule: Rule) -> Control:
    """The control of that row: it judges the option in force, and tells where a restart would change it."""

    def judge(engine: Mapping[str, Any], case: Case) -> Deviation | None:
        if rule.applies is not None:
            rule.applies(case)
        setting = effective(engine, rule.option)
        actual = rule.wrong(setting.value, case.parameters)
        return None if actual is None else Deviation(actual, rule.expected, setting.evidence)

    judge.__doc__ = rule.why
    built: Control = control(
        rule.id,
        rule.title,
        rule.severity,
        rule.remedy,
        requirements=rule.requirements,
        cis=rule.cis,
        cis_1_8_0=rule.cis_1_8_0,
        level=rule.level,
        baseline=rule.baseline,
        parameters=rule.parameters,
    )(judge)
    return built
