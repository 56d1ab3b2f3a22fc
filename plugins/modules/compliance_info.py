#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: compliance_info
short_description: Audit a Docker host in one pass
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Takes a snapshot of the host, its Docker engines and their containers, and judges it with the controls of a profile.
  - It reads only. Nothing is installed on the host, no program runs inside a container, and no process is started per
    container.
  - The effective state counts - the Engine API, C(/proc), sockets, systemd. Files only explain it.
  - The controls are listed in C(docs/controls.md), the snapshot is described in C(docs/snapshot.md).
extends_documentation_fragment:
  - bulwark.docker.attributes
  - bulwark.docker.attributes.info_module
options:
  profile:
    description:
      - The controls to judge with.
      - V(baseline) has what every Docker host should meet, V(cis_level_1) and V(cis_level_2) what the CIS Docker
        benchmark recommends (level 2 includes level 1), V(owasp) what the OWASP Docker Top 10 asks for, V(strict) has
        all controls.
    type: str
    choices: [baseline, cis_level_1, cis_level_2, owasp, strict]
    default: baseline
  controls:
    description:
      - Judge with the controls whose id matches one of these shell patterns instead of a profile's.
    type: list
    elements: str
    default: []
    aliases: [control_patterns]
  parameters:
    description:
      - Parameters of single controls, by control id. C(docs/controls.md) lists each control's parameters with their
        defaults.
    type: dict
    default: {}
  severities:
    description:
      - Another severity for single controls, by control id - one of C(critical), C(high), C(medium), C(low), C(info).
    type: dict
    default: {}
  waivers:
    description:
      - Accepted findings. A waiver never hides a finding; it is shown with it and counted apart in the score.
      - A waiver that has expired no longer counts, and one that matches nothing is shown as such.
    type: list
    elements: dict
    default: []
    suboptions:
      control:
        description: The id of the control.
        type: str
        required: true
      subject:
        description: A shell pattern for the name or the id of the subjects that are accepted.
        type: str
        required: true
      reason:
        description: Why it is accepted.
        type: str
        required: true
      owner:
        description: Who answers for it.
        type: str
        required: true
      expires:
        description: The last day on which it counts, as C(YYYY-MM-DD).
        type: str
        required: true
  attestations:
    description:
      - What a person vouches for, where no program can tell. A finding with the verdict V(manual) becomes V(pass) while
        its attestation is valid.
    type: list
    elements: dict
    default: []
    suboptions:
      control:
        description: The id of the control.
        type: str
        required: true
      by:
        description: Who looked.
        type: str
        required: true
      date:
        description: When, as C(YYYY-MM-DD).
        type: str
        required: true
      valid_until:
        description: The last day on which it counts, as C(YYYY-MM-DD).
        type: str
        required: true
      note:
        description: What was seen, or where it is written down.
        type: str
  date:
    description:
      - The day on which waivers and attestations are judged, as C(YYYY-MM-DD). The default is today by the clock of
        the machine that runs the module.
    type: str
  snapshot:
    description:
      - Whether to return the snapshot as well.
    type: bool
    default: false
  from_snapshot:
    description:
      - Path of a snapshot saved as JSON on the machine that runs the module. It is judged in the place of the host,
        which is not looked at.
    type: path
  updates:
    description:
      - Whether to ask the package manager which security updates are pending. It works on the package lists that are
        on the host and takes about a second.
    type: bool
    default: false
  image_content:
    description:
      - Whether to look into the layers of images for tools, setuid files, file capabilities and the number of packages.
    type: bool
    default: false
  timeout:
    description:
      - Seconds to wait for each answer of an engine or of a listener.
    type: float
    default: 5.0
  deadline:
    description:
      - Seconds that the audit may take as a whole. What was not read by then is C(unknown) with that reason, and the
        findings come all the same, a few seconds later at most.
      - Accounts, containers and whoever listens on the host can make answers slow. What they can make slow gets a part
        of this time, so that they cannot keep the rest from being read.
      - With O(from_snapshot) it limits judging.
    type: float
    default: 120.0
seealso:
  - name: Controls
    description: Every control with its severity, references and parameters.
    link: https://github.com/bulwark/docker/blob/main/docs/controls.md
"""

EXAMPLES = r"""
- name: Audit the host with the baseline
  bulwark.docker.compliance_info:
  register: audit

- name: Judge with the CIS benchmark, level 1, and accept one finding until the end of the year
  bulwark.docker.compliance_info:
    profile: cis_level_1
    waivers:
      - control: container.privileged
        subject: node-exporter
        reason: Reads hardware sensors; to be replaced by single devices.
        owner: platform team
        expires: "2026-12-31"
  register: audit

- name: Keep a snapshot
  bulwark.docker.compliance_info:
    snapshot: true
  register: audit

- name: Write it on the controller
  ansible.builtin.copy:
    content: "{{ audit.snapshot | to_json }}"
    dest: "{{ inventory_hostname }}.snapshot.json"
    mode: "0600"
  delegate_to: localhost

- name: Judge the kept snapshot with all controls
  bulwark.docker.compliance_info:
    from_snapshot: "{{ inventory_hostname }}.snapshot.json"
    profile: strict
  delegate_to: localhost
"""

RETURN = r"""
schema:
  description: The version of the shape of findings.
  returned: success
  type: int
  sample: 1
profile:
  description: The profile that was judged with, or V(custom) when O(controls) was given.
  returned: success
  type: str
  sample: baseline
host:
  description: What was audited.
  returned: success
  type: dict
  sample:
    name: web1
    os: Debian GNU/Linux 12 (bookworm)
    kernel: 6.1.0-30-amd64
    privileged: true
    collected: "2026-11-22T10:00:00Z"
    engines:
      - name: system
        state: running
        version: 20.10.24+dfsg1
        containers: 4
findings:
  description:
    - One entry per control and engine, sorted by control id.
    - RV(findings[].subjects) lists what does not hold; what holds is only counted, in RV(findings[].counts).
  returned: success
  type: list
  elements: dict
  contains:
    control:
      description: The id of the control.
      type: str
      sample: container.privileged
    title:
      description: What should hold.
      type: str
      sample: No container runs privileged
    severity:
      description: One of V(critical), V(high), V(medium), V(low), V(info).
      type: str
      sample: critical
    scope:
      description: The part of the host that it is about.
      type: str
      sample: containers
    verdict:
      description:
        - One of V(pass), V(fail), V(not_applicable), V(manual), V(unknown).
        - What could not be read is V(unknown), never V(pass).
      type: str
      sample: fail
    waived:
      description: Whether every failing subject has an active waiver. The verdict stays V(fail).
      type: bool
      sample: false
    engine:
      description: V(system), V(rootless:USER), or null for what concerns the whole host.
      type: str
      sample: system
    message:
      description: The finding in one sentence.
      type: str
      sample: "1 of 4: backup."
    subjects:
      description:
        - The containers, files, sockets and so on that do not hold or could not be read.
        - Where a result has no room for all, the worst, and RV(findings[].message) says how many there are.
      type: list
      elements: dict
      sample:
        - kind: container
          id: 5c3b0a1d2e4f
          name: backup
          verdict: fail
          expected: false
          actual: true
          evidence: HostConfig.Privileged
          waiver: null
    counts:
      description: How many subjects got which verdict. A verdict that none got is left out.
      type: dict
      sample: {pass: 3, fail: 1}
    attestation:
      description: The attestation of a finding that no program can judge.
      returned: when there is one
      type: dict
      sample: {by: A. Person, date: "2026-11-01", valid_until: "2027-05-01", note: null, state: active}
    remedy:
      description:
        - How to put it right, and what that does to what runs (its effect).
        - Null where there is nothing to put right, that is unless the verdict is V(fail) or V(manual).
      type: dict
      sample:
        effect: recreate
        text: Run it without --privileged; add the single device or capability it needs.
        role: null
        variables: {}
    references:
      description: Ids of the requirement rows, of the CIS Docker benchmark 1.6.0 and 1.8.0, and of OWASP.
      type: dict
      sample:
        requirements: [D01-02]
        cis_1_6_0: ["5.5"]
        cis_1_8_0: ["5.5"]
        owasp: [D01]
score:
  description:
    - Passed / (passed + failed) of the applicable controls, weighted by severity, in percent.
    - Waived findings are counted apart. More containers never raise it.
  returned: success
  type: dict
  sample:
    percent: 71.4
    passed: 150
    failed: 60
    waived: 8
    verdicts: {pass: 60, fail: 20, not_applicable: 10, manual: 0, unknown: 1, waived: 1}
    failed_by_severity: {critical: 1, high: 6, medium: 13, low: 0, info: 0}
waivers:
  description: Every waiver with what became of it - V(active), V(expired) or V(unmatched).
  returned: success
  type: list
  elements: dict
  sample:
    - control: container.privileged
      subject: node-exporter
      reason: Reads hardware sensors.
      owner: platform team
      expires: "2026-12-31"
      state: active
      matched: 1
snapshot:
  description: What was read, as C(docs/snapshot.md) describes it.
  returned: when O(snapshot=true)
  type: dict
"""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulwark.docker.plugins.module_utils.compile_once import compile_once

compile_once()

from ansible_collections.bulwark.docker.plugins.module_utils.audit import timed
from ansible_collections.bulwark.docker.plugins.module_utils.audit.catalogue import PROFILES
from ansible_collections.bulwark.docker.plugins.module_utils.audit.compliance import (
    NotASnapshot,
    option_errors,
)
from ansible_collections.bulwark.docker.plugins.module_utils.audit.waivers import is_date
from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline, foreign_json
from ansible_collections.bulwark.docker.plugins.module_utils.snapshot import SCHEMA

_LONGEST = 24 * 3600
_ISSUES = "https://github.com/bulwark/docker/issues"


def load(module: AnsibleModule, path: str) -> dict[str, Any]:
    """The snapshot saved at `path`; fails the module when it is none, or has another schema."""
    snapshot: dict[str, Any]
    try:
        snapshot = foreign_json.DECODER.decode(Path(path).read_text(encoding="utf-8"))
        foreign_json.check_depth(snapshot)
    except RecursionError:
        module.fail_json(
            msg=f"from_snapshot: {path} is nested deeper than a snapshot can be. Give a file that was saved from this "
            f"module's return value 'snapshot'."
        )
    except (OSError, ValueError) as problem:
        module.fail_json(
            msg=f"from_snapshot: {path} cannot be read as JSON: {problem}. Give a file that was saved "
            f"from this module's return value 'snapshot'."
        )
    schema = snapshot.get("schema") if isinstance(snapshot, dict) else None
    if schema != SCHEMA:
        module.fail_json(
            msg=f"from_snapshot: {path} has the schema {schema!r}, this version of bulwark.docker judges "
            f"schema {SCHEMA}. Take a new snapshot, or judge it with the version that took it."
        )
    return snapshot


def main() -> None:
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "profile": {"type": "str", "choices": sorted(PROFILES), "default": "baseline"},
            "controls": {"type": "list", "elements": "str", "default": [], "aliases": ["control_patterns"]},
            "parameters": {"type": "dict", "default": {}},
            "severities": {"type": "dict", "default": {}},
            "waivers": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"control": text, "subject": text, "reason": text, "owner": text, "expires": text},
            },
            "attestations": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "control": text,
                    "by": text,
                    "date": text,
                    "valid_until": text,
                    "note": {"type": "str"},
                },
            },
            "date": {"type": "str"},
            "snapshot": {"type": "bool", "default": False},
            "from_snapshot": {"type": "path"},
            "updates": {"type": "bool", "default": False},
            "image_content": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 5.0},
            "deadline": {"type": "float", "default": 120.0},
        },
        supports_check_mode=True,
    )
    options = module.params
    problems = option_errors(options)
    if options["date"] and not is_date(options["date"]):
        problems.append(f"date: '{options['date']}' is no date of the form 2026-12-31")
    for name in ("timeout", "deadline"):
        if not 0 < options[name] <= _LONGEST:
            problems.append(f"{name}: {options[name]} is not a positive number of seconds up to {_LONGEST}")
    if problems:
        module.fail_json(msg="Nothing was read: " + "; ".join(problems) + ".")

    try:
        result = _audit(module, options, options["date"] or datetime.date.today().isoformat())
        module.exit_json(changed=False, **result)
    except NotASnapshot as problem:
        module.fail_json(msg=f"from_snapshot: {options['from_snapshot']} {problem}")
    except Exception as problem:
        why = str(problem) if isinstance(problem, timed.Failed) else timed.place(problem)
        module.fail_json(msg=f"Nothing was judged: {why}. Please report it at {_ISSUES}.")


def _audit(module: AnsibleModule, options: Mapping[str, Any], today: str) -> dict[str, Any]:
    if not options["from_snapshot"]:
        return timed.run(options, today)
    snapshot = load(module, options["from_snapshot"])
    with deadline.limited(options["deadline"]):
        return timed.judged(snapshot, options, today)


if __name__ == "__main__":
    main()
