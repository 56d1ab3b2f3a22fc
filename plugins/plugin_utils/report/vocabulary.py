# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words of a report, each list from worst to best."""

from __future__ import annotations

from ansible_collections.bulwark.docker.plugins.module_utils.controls import findings

SCHEMA = 1
SEVERITIES = findings.SEVERITIES
VERDICTS = ("fail", "unknown", "manual", "pass", "not_applicable")
# An outcome is the verdict, save that a failure whose subjects are all waived counts apart.
OUTCOMES = ("fail", "unknown", "manual", "waived", "pass", "not_applicable")
STATUSES = ("unreachable", "failed", "audited")
WAIVER_STATES = ("expired", "unmatched", "active")

OUTCOME_WORDS = {
    "fail": "failed",
    "unknown": "unknown",
    "manual": "manual",
    "waived": "waived",
    "pass": "passed",
    "not_applicable": "not applicable",
}
EFFECT_WORDS = {
    "live": "takes effect at once",
    "reload": "reloads the daemon",
    "restart": "restarts the daemon",
    "recreate": "recreates the container",
    "manual": "by hand",
}

# What a harden run made of a host, and what its changes ask of the daemon.
MODES = ("failed", "check", "done")
CHANGE_EFFECTS = ("restart", "reload", "live", "none")
CHANGE_EFFECT_WORDS = {
    "restart": "a restart of the daemon",
    "reload": "a reload of the daemon",
    "live": "at once",
    "none": "none on what runs",
}
