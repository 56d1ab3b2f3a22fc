# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a snapshot: run the chosen controls, apply attestations and waivers, add up the score. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.audit import returned
from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    FAIL,
    MANUAL,
    NOT_APPLICABLE,
    PASS,
    SEVERITIES,
    SEVERITY_WEIGHTS,
    UNKNOWN,
    VERDICTS,
    Case,
    Control,
    Deviation,
    Item,
    NotApplicable,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.engine_places import is_off

# Scopes whose critical controls are about ways to root of the host.
_WAYS_TO_ROOT = ("containers", "files")
# For a rootless engine: the role that does what this one does for the system's, and its variable for the account.
_ROOTLESS_ROLES = {
    "daemon_config": ("daemon_config", "daemon_apply_user"),
    "rootless": ("rootless", "rootless_user"),
    "userns_remap": ("rootless", "rootless_user"),
}

# The verdict of a control is that of its worst subject.
_WORST_FIRST = (FAIL, UNKNOWN, MANUAL, PASS, NOT_APPLICABLE)


def findings_of(
    snapshot: Mapping[str, Any],
    controls: Iterable[Control],
    parameters: Mapping[str, Mapping[str, Any]],
    severities: Mapping[str, str],
) -> list[dict[str, Any]]:
    """One finding per control and engine, sorted by control id and engine."""
    findings = []
    for control in controls:
        chosen = {**control.parameters, **parameters.get(control.id, {})}
        for engine in _engines(snapshot, control):
            severity = severities.get(control.id) or _severity(control, engine)
            findings.append(_finding(control, Case(snapshot, engine, chosen), engine, severity))
    return sorted(findings, key=lambda finding: (finding["control"], finding["engine"] or ""))


def _engines(snapshot: Mapping[str, Any], control: Control) -> Sequence[Mapping[str, Any] | None]:
    engines = snapshot["engines"]
    if not control.per_engine or not isinstance(engines, list):
        return (None,)
    return engines or (None,)


def _severity(control: Control, engine: Mapping[str, Any] | None) -> str:
    """What gives root of the host gives no more than one account where the engine is that account's."""
    critical = control.severity == "critical" and control.scope in _WAYS_TO_ROOT
    return "high" if critical and _user_of(engine) else control.severity


def _user_of(engine: Mapping[str, Any] | None) -> str | None:
    return engine.get("user") if engine is not None else None


def _finding(control: Control, case: Case, engine: Mapping[str, Any] | None, severity: str) -> dict[str, Any]:
    counts = dict.fromkeys(VERDICTS, 0)
    subjects: list[dict[str, Any]] = []
    try:
        if deadline.passed():
            raise deadline.Passed
        verdict, reason = deadline.interruptible(_verdict, control, case, engine, counts, subjects)
    except NotApplicable as problem:
        verdict, reason = NOT_APPLICABLE, str(problem)
    except Unread as problem:
        verdict, reason = UNKNOWN, str(problem)
    except deadline.Passed:
        # What was found before still counts.
        verdict, reason = (FAIL, None) if counts[FAIL] else (UNKNOWN, deadline.reason())
    except Exception as problem:
        verdict, reason = (FAIL, None) if counts[FAIL] else (UNKNOWN, _crash(problem))
    if verdict == UNKNOWN and engine is not None and _asks_in_vain(case, reason, subjects):
        verdict, reason = NOT_APPLICABLE, "the engine is off, and no unit starts it"
        subjects, counts = [], {}
    subjects.sort(
        key=lambda subject: (_WORST_FIRST.index(subject["verdict"]), subject["name"], subject["id"])
    )
    return {
        "control": control.id,
        "title": control.title,
        "severity": severity,
        "verdict": verdict,
        "engine": engine["name"] if engine is not None else None,
        "scope": control.scope,
        "message": returned.text(reason or _message(verdict, counts, subjects)),
        "subjects": subjects,
        "counts": {verdict: count for verdict, count in counts.items() if count},
        "remedy": _remedy(control, _user_of(engine)) if verdict in (FAIL, MANUAL) else None,
        "references": _references(control),
    }


def words_of(control: Control, user: str | None) -> dict[str, Any]:
    """What every finding of the control says, whatever was seen; `user` is whose engine it is, None for the system's
    and for the host."""
    return {
        "title": control.title,
        "severity": _severity(control, {"user": user}),
        "scope": control.scope,
        "remedy": _remedy(control, user),
        "references": _references(control),
    }


def _references(control: Control) -> dict[str, list[str]]:
    return {
        "requirements": list(control.requirements),
        "cis_1_6_0": list(control.cis_1_6_0),
        "cis_1_8_0": list(control.cis_1_8_0),
        "owasp": list(control.owasp),
    }


def _verdict(
    control: Control,
    case: Case,
    engine: Mapping[str, Any] | None,
    counts: dict[str, int],
    subjects: list[dict[str, Any]],
) -> tuple[str, str | None]:
    """The verdict and why it does not apply; fills `counts` and `subjects`."""
    why_not = None
    if control.per_engine and engine is None:
        case.host("engines")
    for item in control.over(case):
        verdict, found, why_not = _judge_item(control, item, case)
        counts[verdict] += 1
        subjects += found
    verdict = next((verdict for verdict in _WORST_FIRST if counts[verdict]), PASS)
    return verdict, why_not if verdict == NOT_APPLICABLE else None


def _asks_in_vain(case: Case, reason: str | None, subjects: Iterable[Mapping[str, Any]]) -> bool:
    """Whether all that was not read is what an engine that is off does not tell."""
    silence = case.engine.get("error")
    reasons = {reason} if reason else {subject["evidence"] for subject in subjects}
    try:
        return isinstance(silence, str) and reasons == {silence} and is_off(case, case.engine)
    except Exception:
        return False


def _remedy(control: Control, user: str | None) -> dict[str, Any]:
    """`user` is whose engine it is, None for the system's: not every role is for a rootless engine too."""
    role, variables = control.remedy.role, dict(control.remedy.variables)
    if role and user:
        role, account = _ROOTLESS_ROLES.get(role, (None, ""))
        variables = {name: value for name, value in variables.items() if role and name.startswith(role)}
        variables.update({account: user} if role else {})
    return {**control.remedy._asdict(), "role": role, "variables": variables}


def _judge_item(control: Control, item: Item, case: Case) -> tuple[str, list[dict[str, Any]], str | None]:
    """The item's verdict, the subjects to show for it (passing ones are only counted), why it is not applicable."""
    deviations: list[Deviation] = []
    try:
        outcome = control.judge(item.value, case)
        # One by one: what was found before something could not be read still counts.
        for deviation in [outcome] if isinstance(outcome, Deviation) else outcome or ():
            deviations.append(deviation)
    except NotApplicable as problem:
        if not deviations:
            return NOT_APPLICABLE, [], str(problem)
    except Unread as problem:
        deviations.append(Deviation(None, evidence=str(problem), verdict=UNKNOWN))
    except Exception as problem:
        deviations.append(Deviation(None, evidence=_crash(problem), verdict=UNKNOWN))
    if not deviations:
        return PASS, [], None
    worst = min((deviation.verdict for deviation in deviations), key=_WORST_FIRST.index)
    return worst, [_subject(item, deviation) for deviation in deviations], None


def _crash(problem: Exception) -> str:
    """A host may show what nobody thought of; that must not cost the rest of the audit."""
    return f"the control itself failed: {type(problem).__name__}: {problem}"


def _subject(item: Item, deviation: Deviation) -> dict[str, Any]:
    evidence = deviation.evidence
    return {
        "kind": item.kind,
        # A saved snapshot may hold anything in the place of a name.
        "id": returned.text(str(item.id)),
        "name": returned.text(str(item.name)),
        "verdict": deviation.verdict,
        "expected": returned.value(deviation.expected),
        "actual": returned.value(deviation.actual),
        "evidence": evidence if evidence is None else returned.text(str(evidence)),
        "waiver": None,
    }


def _message(verdict: str, counts: Mapping[str, int], subjects: Sequence[Mapping[str, Any]]) -> str:
    checked = sum(counts.values())
    if not checked:
        return "There is nothing of this kind."
    if verdict == PASS:
        return "Holds." if checked == 1 else f"Holds for all {checked - counts[NOT_APPLICABLE]}."
    if checked > 1:
        return f"{counts[verdict]} of {checked}: {_names(verdict, subjects)}."
    first = subjects[0]
    if verdict == UNKNOWN:
        return f"Not read: {first['evidence']}"
    if verdict == MANUAL:
        return "To be attested by a person."
    wanted = "" if first["expected"] is None else f", expected {_shown(first['expected'])}"
    return f"{first['name']}: {_shown(first['actual'])}{wanted}."


def _names(verdict: str, subjects: Sequence[Mapping[str, Any]], most: int = 3) -> str:
    names = list(dict.fromkeys(subject["name"] for subject in subjects if subject["verdict"] == verdict))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else "not set" if value is None else str(value)


def score_of(findings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Passed / (passed + failed) by severity weight, in percent. Waived findings are counted apart.

    A control over containers holds when there are none, so a further container can lower the score, never raise it.
    """
    weights = {PASS: 0, FAIL: 0, "waived": 0}
    verdicts = dict.fromkeys((*VERDICTS, "waived"), 0)
    failed_by_severity = dict.fromkeys(SEVERITIES, 0)
    for finding in findings:
        verdict = "waived" if finding["waived"] else finding["verdict"]
        verdicts[verdict] += 1
        if verdict == NOT_APPLICABLE and finding["scope"] == "containers" and finding["counts"]:
            # It concerns none of the containers there are: as with no container at all, it holds.
            verdict = PASS
        if verdict in weights:
            weights[verdict] += SEVERITY_WEIGHTS[finding["severity"]]
        if verdict == FAIL:
            failed_by_severity[finding["severity"]] += 1
    applicable = weights[PASS] + weights[FAIL]
    return {
        "percent": round(100 * weights[PASS] / applicable, 1) if applicable else None,
        "passed": weights[PASS],
        "failed": weights[FAIL],
        "waived": weights["waived"],
        "verdicts": verdicts,
        "failed_by_severity": failed_by_severity,
    }
