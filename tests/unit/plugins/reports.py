# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results of audits as a playbook collects them, for any number of hosts, with hostile names on request.

The same arguments give the same data: tests, screenshots and the bench compare runs.
"""

from __future__ import annotations

import csv
import glob
import random
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.audit import judge
from ansible_collections.bulwark.docker.plugins.module_utils.audit.catalogue import CATALOGUE
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Control

Data = dict[str, Any]

RTL_OVERRIDE, ISOLATE_END, ESCAPE, ZERO_WIDTH = "\u202e", "\u2069", "\x1b", "\u200b"
HOSTILE_NAMES = (
    "<script>window.pwned=1;alert(1)</script>",
    "<img src=https://evil.example/x.png onerror=window.pwned=2>",
    "</style><style>body{display:none}</style><h1 class=injected>owned</h1>",
    "</script><script>window.pwned=3</script>",
    "javascript:window.pwned=4",
    "[click](javascript:window.pwned=5) ![i](https://evil.example/y.png)",
    "https://evil.example/ www.evil.example <https://evil.example/>",
    "{{ 7 * 191 }} {% raw %} {# gone",
    "back`tick ``two`` | pipe | *bold* _it_ # head",
    f"invoice{RTL_OVERRIDE}gpj.exe{ISOLATE_END}",
    f"{ESCAPE}[2J{ESCAPE}]0;owned\x07{ESCAPE}[31mred\r\x08",
    "line one\nline two\u2028line three\n\n# heading\n- item",
    f"zero{ZERO_WIDTH}width\ufeff\x00nul\ud800",
    '" onmouseover="window.pwned=6" x=\'y\' &lt;b&gt; &amp;',
    "k" * 1024,
    "שלום-עולם",
    "@everyone #1 ~~gone~~ &#60;b&#62; <!-- -->",
)

_SCOPES = ("containers", "daemon", "files", "host", "images", "listeners", "networks", "orchestrators")
_OS = (
    ("Debian GNU/Linux 12 (bookworm)", "6.1.0-28-amd64", "20.10.24+dfsg1"),
    ("Debian GNU/Linux 13 (trixie)", "6.12.9-amd64", "26.1.5+dfsg1"),
    ("Ubuntu 24.04.1 LTS", "6.8.0-51-generic", "28.5.2"),
)
_VERDICTS = ("pass", "fail", "not_applicable", "manual", "unknown")
_ODDS = (52, 24, 14, 6, 4)
_SEVERITIES = ("critical", "high", "medium", "low", "info")
_MESSAGES = {
    "pass": "Everything judged is as expected.",
    "not_applicable": "There is nothing of the kind on this host.",
    "manual": "No attestation is given; it needs who, when and valid until.",
    "unknown": "The file could not be read: Permission denied.",
}


def catalogue(count: int) -> list[dict[str, str]]:
    """That many controls: those of reports.csv with what is seen of them, then others; all are in the catalogue, as
    far as it goes."""
    with Path(__file__).with_name("reports.csv").open(encoding="utf-8") as table:
        named = [{**row, **_words(CATALOGUE[row["control"]])} for row in csv.DictReader(table)]
    known = {row["control"] for row in named}
    named += [
        {**_words(control), "expected": "on", "actual": "off", "kind": "setting"}
        for control in CATALOGUE.values()
        if control.id not in known
    ]
    return (named + [_unknown(number) for number in range(len(named), count)])[:count]


def _words(control: Control) -> dict[str, str]:
    return {
        "control": control.id,
        "scope": control.scope,
        "severity": control.severity,
        "title": control.title,
        "effect": control.remedy.effect,
        "role": control.remedy.role or "",
    }


def _unknown(number: int) -> dict[str, str]:
    """A control that the controller does not have, as a result of another release may."""
    scope = _SCOPES[number % len(_SCOPES)]
    return {
        "control": f"{scope.rstrip('s')}.rule_{number:03}",
        "scope": scope,
        "severity": _SEVERITIES[1 + number % 4],
        "title": f"Setting {number} of the {scope} is as it should be",
        "effect": "manual",
        "role": "",
        "expected": "on",
        "actual": "off",
        "kind": "setting",
    }


def subject(kind: str, name: str, expected: Any = "on", actual: Any = "off", **more: Any) -> Data:
    """One failing subject."""
    return {
        "kind": kind,
        "id": f"{abs(hash_of(name)):064x}",
        "name": name,
        "verdict": "fail",
        "expected": expected,
        "actual": actual,
        "evidence": "GET /containers/json",
        "waiver": None,
        **more,
    }


def hash_of(name: str) -> int:
    """A number that depends on the name alone (hash() differs between runs)."""
    return int.from_bytes(name.encode("utf-8", "replace")[-24:], "big")


def finding(control: dict[str, str], verdict: str, subjects: list[Data], message: str | None = None) -> Data:
    """One finding of a control of the catalogue."""
    role, scope = control["role"] or None, control["scope"]
    number = hash_of(control["control"]) % 40
    return {
        "control": control["control"],
        "title": control["title"],
        "severity": control["severity"],
        "verdict": verdict,
        "scope": scope,
        "engine": "system" if scope in ("containers", "daemon", "images") else None,
        "counts": {**dict.fromkeys(_VERDICTS, 0), verdict: max(1, len(subjects))},
        "waived": False,
        "attestation": None,
        "message": message or _MESSAGES.get(verdict) or f"{len(subjects)} of {len(subjects) + 4} differ.",
        "subjects": subjects,
        "remedy": {
            "effect": control["effect"],
            "role": role,
            "variables": {f"{role}_state": "present"} if role else {},
            "text": "Change it where the container is defined, then create it anew."
            if role is None
            else "The role writes the setting, proves the daemon healthy and undoes it otherwise.",
        },
        "references": {
            "requirements": [f"D{number % 10 + 1:02}-{number:02}"],
            "cis_1_6_0": [f"{number % 7 + 1}.{number}"],
            "cis_1_8_0": [f"{number % 7 + 1}.{number + 1}"],
            "owasp": [f"D{number % 10 + 1:02}"],
        },
    }


def waiver(state: str = "active") -> Data:
    """What a subject carries when a waiver matches it."""
    return {
        "reason": "Build agent, replaced in the next quarter",
        "owner": "platform team",
        "expires": "2026-01-31" if state == "expired" else "2027-03-31",
        "state": state,
    }


DATE = "2026-11-22"


def chosen(findings: list[Data], waivers: list[Data] | None = None) -> Data:
    """What a play has to have chosen for findings to be waived and attested as they are, and waivers besides."""
    attested = {one["control"]: one["attestation"] for one in findings if one["attestation"]}
    accepted = [
        {
            "control": one["control"],
            "subject": glob.escape(subject["name"]),
            **(subject["waiver"] or waiver()),
        }
        for one in findings
        for subject in one["subjects"]
        if subject["waiver"] or one["waived"]
    ]
    return {
        "waivers": _without_state([*(waivers or []), *accepted]),
        "attestations": _without_state([{"control": name, **one} for name, one in attested.items()]),
        "date": DATE,
    }


def _without_state(entries: list[Data]) -> list[Data]:
    """Each once, as a user writes them."""
    found = [{key: value for key, value in one.items() if key != "state"} for one in entries]
    return [one for place, one in enumerate(found) if one not in found[:place]]


def score(findings: list[Data]) -> Data:
    """The score the module returns for the findings."""
    return judge.score_of(findings)


def result(findings: list[Data], number: int = 0, privileged: bool = True) -> Data:
    """What compliance_info returns."""
    system, kernel, engine = _OS[number % len(_OS)]
    engines = [{"name": "system", "state": "running", "version": engine, "containers": 20}]
    if number % 7 == 3:
        engines.append({"name": "rootless:builder", "state": "running", "version": engine, "containers": 4})
    return {
        "changed": False,
        "schema": 1,
        "profile": "baseline",
        "findings": findings,
        "score": score(findings),
        "waivers": [],
        "host": {
            "name": f"node{number}",
            "os": system,
            "kernel": kernel,
            "engines": engines,
            "privileged": privileged,
            "collected": "2026-11-22T10:00:00Z",
        },
    }


def audited(name: str, findings: list[Data], waivers: list[Data] | None = None, **more: Any) -> Data:
    """A host that was audited, in a play that has accepted what its findings say was accepted."""
    row = {"host": name, "status": "audited", "message": None, "result": result(findings, **more)}
    return {**row, **chosen(findings, waivers)}


def unaudited(name: str, status: str = "unreachable", message: str = "Connection timed out") -> Data:
    """A host that was not."""
    return {"host": name, "status": status, "message": message, "result": None}


def change(mode: str = "done", text: str | None = None, **more: Any) -> Data:
    """What a harden run did to a host; with `text`, every free text of it is that."""
    return {
        "mode": mode,
        "message": (text or "the daemon did not start: exit status 1") if mode == "failed" else None,
        "actions": [text or f"set {key} in /etc/docker/daemon.json" for key in ("icc", "no-new-privileges")],
        "effect": "restart",
        "costs": [
            {
                "kind": "containers_stop",
                "message": text or "2 containers would stop",
                "subjects": [text or "web", text or "db"],
            }
        ],
        "refused": [
            {
                "message": text or "remapping would hide 12 images",
                "consent": text or "userns_remap_allow_data_switch",
                "control": text or "daemon.userns_remap",
            }
        ],
        "skipped": [{"key": text or "live-restore", "reason": text or "the host is a node of a swarm"}],
        "notices": [text or "running containers keep the ulimits they have"],
        "transaction": text or "20261122T100000-1",
        "rolled_back": mode == "failed",
        **more,
    }


def hardened(name: str, before: list[Data], after: list[Data], mode: str = "done", **more: Any) -> Data:
    """A host that was audited, changed and audited again."""
    row = {**audited(name, after), **chosen([*before, *after])}
    return {**row, "before": result(before), "change": change(mode, **more)}


def make_hosts(count: int, controls: int = 150, hostile: bool = False, seed: int = 7) -> list[Data]:
    """That many hosts as the playbook collects them; the last of three or more is unreachable.

    With `hostile`, names, messages, evidence and changes are the strings of HOSTILE_NAMES.
    """
    chosen = catalogue(controls)
    reach = count - 1 if count >= 3 else count
    hosts = [
        _host(f"web{number:03}", number, chosen, hostile, random.Random(seed + number))
        for number in range(reach)
    ]
    missing = [unaudited(f"web{number:03}") for number in range(reach, count)]
    if hostile:
        missing += [
            {**unaudited(name, "failed", name), "change": change("failed", name)} for name in HOSTILE_NAMES
        ]
    return sorted(hosts + missing, key=lambda host: str(host["host"]))


def _host(name: str, number: int, chosen: list[dict[str, str]], hostile: bool, dice: random.Random) -> Data:
    findings = []
    for position, control in enumerate(chosen):
        verdict = dice.choices(_VERDICTS, _ODDS)[0]
        findings.append(_rolled(control, verdict, number, dice))
        if hostile and position < len(HOSTILE_NAMES):
            findings[-1] = _hostile(control, HOSTILE_NAMES[position])
    waivers = [
        {"control": "container.privileged", "subject": "cadvisor-old", **waiver()},
        {"control": "container.restart_policy", "subject": "agent-*", **waiver()},
        {"control": "daemon.icc", "subject": "*", **waiver("expired")},
    ]
    return audited(name, findings, number=number, privileged=number % 10 != 1, waivers=waivers)


def _rolled(control: dict[str, str], verdict: str, number: int, dice: random.Random) -> Data:
    if verdict != "fail":
        return finding(control, verdict, [])
    kind, actual = control["kind"], control["actual"]
    stem = ("agent", "api", "cache", "db", "proxy", "queue", "worker")
    names = [control["control"].split(".")[-1]]
    if kind in ("container", "image"):
        names = [f"{dice.choice(stem)}-{number}-{one}" for one in range(dice.randint(1, 14))]
    if kind == "file":
        names = [f"/etc/docker/{names[0]}"]
    subjects = [
        subject(kind, name, control["expected"], actual if dice.random() < 0.7 else f"{actual} (inherited)")
        for name in names
    ]
    whole = finding(control, "fail", subjects)
    if dice.random() < 0.08:
        whole["waived"] = True
        for one in subjects:
            one["waiver"] = waiver()
    return whole


def _hostile(control: dict[str, str], text: str) -> Data:
    """A failure whose every free text is the given one."""
    subjects = [subject(kind, text, text, [text, text], evidence=text) for kind in ("container", "image")]
    subjects[0]["waiver"] = {"reason": text, "owner": text, "expires": "2027-01-01", "state": "active"}
    return {
        **finding(control, "fail", subjects, message=f"{text} is not as expected."),
        "title": f"Title {text}",
        "engine": "rootless:*",
        "remedy": {"effect": "manual", "role": None, "variables": {text: text}, "text": text},
        "references": {"requirements": [text], "cis_1_6_0": [], "cis_1_8_0": [], "owasp": [text]},
        "attestation": {
            "by": text,
            "date": "2026-01-01",
            "valid_until": "2026-06-30",
            "note": text,
            "state": "expired",
        },
    }
