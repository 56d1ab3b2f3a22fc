# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a finding says of its control: by the controller's own catalogue, never by the host.

One host would otherwise write the headings and remedies that stand over the findings of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.audit import judge
from ansible_collections.bulwark.docker.plugins.module_utils.audit.catalogue import CATALOGUE
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.vocabulary import SEVERITIES

_ROOTLESS = "rootless:"


def in_own_words(finding: dict[str, Any], severities: Mapping[str, Any]) -> dict[str, Any]:
    """The finding, of a valid shape, with title, severity, scope, remedy and references from the catalogue.

    `severities` are those that the play chose for the host, by control. A control that is not in the catalogue, which
    only a result of another release has, keeps its own texts, and its title says that the host tells them.
    """
    control = CATALOGUE.get(finding["control"])
    if control is None:
        title = f"Not in the catalogue, as {finding['host']} tells it: {finding['title']}"
        return {**finding, "catalogued": False, "title": title}
    words = judge.words_of(control, _user(finding["engine"]))
    chosen = severities.get(control.id)
    return {
        **finding,
        **words,
        "catalogued": True,
        "severity": chosen if isinstance(chosen, str) and chosen in SEVERITIES else words["severity"],
        # Whether there is something to do depends on what was seen.
        "remedy": None if finding["remedy"] is None else words["remedy"],
        "references": {key: sorted(ids) for key, ids in words["references"].items()},
    }


def remedy_of_all(control: str) -> dict[str, Any] | None:
    """The remedy that may stand over findings of several hosts and engines: it names nobody's engine."""
    known = CATALOGUE.get(control)
    return None if known is None else dict(judge.words_of(known, None)["remedy"])


def _user(engine: str | None) -> str | None:
    """Whose engine it is: rootless engines are called rootless:<user>."""
    return engine.removeprefix(_ROOTLESS) if engine and engine.startswith(_ROOTLESS) else None
