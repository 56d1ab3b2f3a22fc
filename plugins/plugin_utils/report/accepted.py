# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was accepted and attested: by the waivers and attestations of the play, never by what a host tells of them.

One host would otherwise end waivers of all, and say that somebody has approved what it shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.audit import waivers
from ansible_collections.bulwark.docker.plugins.module_utils.audit.catalogue import CATALOGUE
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import MANUAL, PASS

_LISTS = ("waivers", "attestations")


def problem_of(chosen: Mapping[str, Any]) -> str | None:
    """What is wrong with the `waivers`, `attestations` and `date` that a play chose for a host, if anything."""
    accepted, attested = (chosen.get(name) or [] for name in _LISTS)
    if not isinstance(accepted, list) or not isinstance(attested, list):
        return "its waivers and attestations are no lists"
    if (accepted or attested) and not waivers.is_date(str(chosen.get("date"))):
        return f"its waivers and attestations come without a date of the form 2026-12-31: {chosen.get('date')!r:.40}"
    return next(iter(waivers.errors_in(accepted, attested, CATALOGUE)), None)


def accept(findings: list[dict[str, Any]], chosen: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Mark the findings of a host by what the play chose for it, in place of the marks that they come with.

    Returns the waivers with what became of each on this host.
    """
    accepted, attested = (chosen.get(name) or [] for name in _LISTS)
    for finding in findings:
        _unmark(finding)
    waivers.attest(findings, attested, str(chosen.get("date")))
    return waivers.waive(findings, accepted, str(chosen.get("date")))


def _unmark(finding: dict[str, Any]) -> None:
    if finding["attestation"] and finding["verdict"] == PASS:
        finding["verdict"] = MANUAL
        finding["message"] = (
            "To be attested by a person; the host tells an attestation that the play does not have."
        )
    finding["attestation"] = None
    for subject in finding["subjects"]:
        subject["waiver"] = None
