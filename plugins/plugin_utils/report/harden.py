# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the roles of a harden run registered on a host, as one change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.vocabulary import CHANGE_EFFECTS

APPLIED, FAILURE = "daemon_apply_result", "harden_failure"
# In the order in which the change tells of them.
REGISTERED = (
    "rootless_result",
    "rootless_daemon_result",
    "daemon_config_result",
    "daemon_config_files_result",
    "userns_remap_result",
    "daemon_tls_result",
    APPLIED,
    "daemon_apply_resolved",
    "listening_services_result",
)
# What these plan is done by daemon_apply, all in one restart, and what it says of that is the truth: with other changes
# beside it a reload becomes a restart, and containers stop that one alone would have left.
_STAGED = ("daemon_config_result", "userns_remap_result", "daemon_tls_result")
_TOLD_BY_APPLY = ("actions", "effect")
_COST_TOLD_BY_APPLY = "containers_stop"
# A list of the change -> the keys of a result that hold it. A result with a list `skipped` is a skipped task for
# Ansible, which then notifies no handler (seen on ansible-core 2.19); so a module has another name for it.
_LISTS = {
    "actions": ("actions",),
    "costs": ("costs",),
    "refused": ("refused",),
    "skipped": ("left_alone", "skipped"),
    "notices": ("notices",),
}
_NO_MESSAGE = "no message was given"


def change_of(variables: Mapping[str, Any]) -> dict[str, Any] | None:
    """The change that a host's variables tell of, None where no role registered anything."""
    results = {name: list(_results(variables.get(name))) for name in REGISTERED}
    if any(one.get("actions") for one in results[APPLIED]):
        results.update({name: [_without_plan(one) for one in results[name]] for name in _STAGED})
    found = [one for name in REGISTERED for one in results[name]]
    failure = _failure(results, variables.get(FAILURE))
    if not found and failure is None:
        return None
    check = any(one.get("check_mode") is True for one in found)
    applied = results[APPLIED]
    return {
        "mode": "failed" if failure is not None else "check" if check else "done",
        "message": failure,
        "effect": next(
            (effect for effect in CHANGE_EFFECTS if any(one.get("effect") == effect for one in found)), "none"
        ),
        **{name: _merged(found, keys) for name, keys in _LISTS.items()},
        "transaction": next((one["transaction"] for one in applied if one.get("transaction")), None),
        "rolled_back": any(one.get("rolled_back") is True for one in found),
    }


def _without_plan(staged: Mapping[str, Any]) -> dict[str, Any]:
    """What a result of a module that only stages still says once its change was applied."""
    kept = {key: value for key, value in staged.items() if key not in _TOLD_BY_APPLY}
    costs = staged.get("costs")
    if isinstance(costs, list):
        kept["costs"] = [
            cost
            for cost in costs
            if not (isinstance(cost, Mapping) and cost.get("kind") == _COST_TOLD_BY_APPLY)
        ]
    return kept


def _results(registered: Any) -> Iterator[Mapping[str, Any]]:
    """The results of a registered task, those of a loop one by one; a task that was skipped has none."""
    if not isinstance(registered, Mapping) or registered.get("skipped") is True:
        return
    if isinstance(registered.get("results"), list):
        for one in registered["results"]:
            yield from _results(one)
    else:
        yield registered


def _failure(results: Mapping[str, list[Mapping[str, Any]]], kept: Any) -> str | None:
    """Why the host could not be changed: what daemon_apply says comes first, it knows what was undone."""
    said = [*map(_failed, results[APPLIED])]
    if isinstance(kept, Mapping):
        said.append(str(kept.get("msg") or _NO_MESSAGE))
    said += [_failed(one) for name in REGISTERED for one in results[name]]
    return next((message for message in said if message is not None), None)


def _failed(result: Mapping[str, Any]) -> str | None:
    if result.get("failed") or result.get("unreachable"):
        return str(result.get("msg") or _NO_MESSAGE)
    return None


def _merged(results: list[Mapping[str, Any]], keys: tuple[str, ...]) -> list[Any]:
    """The entries of all results in their order, each once."""
    # By their text, as a host may return any number of them.
    merged: dict[str, Any] = {}
    for entries in (result.get(key) for result in results for key in keys):
        for one in entries if isinstance(entries, list) else ():
            merged.setdefault(json.dumps(one, sort_keys=True, allow_nan=False), one)
    return list(merged.values())
