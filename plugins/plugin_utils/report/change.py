# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a harden run did to a host, or would do: read into the report, and the words people read of it."""

from __future__ import annotations

from typing import Any

from ansible_collections.bulwark.docker.plugins.plugin_utils.report.bounds import Malformed, bounded
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.text import count, percent
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.vocabulary import CHANGE_EFFECTS, MODES

# A list of a change -> the keys of its entries: texts, texts or null.
_LISTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "costs": (("kind", "message"), ()),
    "refused": (("message",), ("consent", "control")),
    "skipped": (("key", "reason"), ()),
}


def read_change(raw: Any) -> dict[str, Any] | None:
    """The `change` of a host as the report holds it: {"mode", "message", "actions", "effect", "costs", "refused",
    "skipped", "notices", "transaction", "rolled_back"}; None when there is none.

    What cannot be read is a failed change, never none: nobody shall take the host for unchanged.
    """
    if raw is None:
        return None
    try:
        return _change(bounded(raw, "change"))
    except Malformed as error:
        message = f"what was changed cannot be read: {error}"
    except Exception as error:
        # Whatever a host may return, the report of the others is whole.
        message = f"what was changed cannot be read: {type(error).__name__}: {error}"
    return _change({"mode": "failed", "message": message, "effect": "none"})


def _change(raw: dict[str, Any]) -> dict[str, Any]:
    if raw["mode"] not in MODES or raw["effect"] not in CHANGE_EFFECTS:
        raise ValueError(f"the mode {raw['mode']} and the effect {raw['effect']}")
    message = _text(raw.get("message"))
    if raw["mode"] == "failed":
        message = message or "no reason was given"
    return {
        "mode": raw["mode"],
        "message": message,
        "actions": _texts(raw.get("actions")),
        "effect": raw["effect"],
        **{name: [_entry(one, name) for one in raw.get(name) or ()] for name in _LISTS},
        "notices": _texts(raw.get("notices")),
        "transaction": _text(raw.get("transaction")),
        "rolled_back": bool(raw.get("rolled_back")),
    }


def _entry(raw: dict[str, Any], name: str) -> dict[str, Any]:
    texts, optional = _LISTS[name]
    entry: dict[str, Any] = {key: str(raw[key]) for key in texts}
    entry |= {key: _text(raw.get(key)) for key in optional}
    return {**entry, "subjects": _texts(raw.get("subjects"))} if name == "costs" else entry


def _text(raw: Any) -> str | None:
    return None if raw is None else str(raw)


def _texts(raw: Any) -> list[str]:
    if raw is not None and not isinstance(raw, list):
        raise TypeError(f"a {type(raw).__name__} where a list is to be")
    return [str(one) for one in raw or ()]


def differences(before: dict[str, str], after: dict[str, str]) -> dict[str, list[str]]:
    """The controls that failed before and pass now, and those that failed only after; each control's worst
    outcome is given."""
    return {
        "fixed": sorted(name for name in after if (before.get(name), after[name]) == ("fail", "pass")),
        "new": sorted(name for name in after if after[name] == "fail" and before.get(name) != "fail"),
    }


def scores(host: dict[str, Any]) -> str:
    """The host's score as people read it, with the one before the change where there is one."""
    now = percent(host["score"]["percent"]) if host["score"] else "not audited"
    return f"{percent(host['before']['score']['percent'])} -> {now}" if host["before"] else now


def state(change: dict[str, Any]) -> str:
    """What became of the host, in one or two words."""
    if change["mode"] == "failed":
        return "failed, rolled back" if change["rolled_back"] else "failed"
    if not change["actions"]:
        return "nothing to change"
    return "would be changed" if change["mode"] == "check" else "changed"


def heading_of_actions(change: dict[str, Any]) -> str:
    """What the actions of the change are; of those that were tried, what was not part of the daemon's transaction
    may stand."""
    return {"failed": "Tried", "check": "Would be changed", "done": "Changed"}[change["mode"]]


def consent(refused: dict[str, Any]) -> str:
    """How to consent to what was refused; empty where nothing does."""
    return f"to consent, set {refused['consent']}" if refused["consent"] else ""


def moved(before: dict[str, Any] | None) -> str:
    """How many controls came out otherwise than before."""
    if not before:
        return ""
    return ", ".join(
        f"{count(len(before[key]), 'control')} {words}"
        for key, words in (("fixed", "fixed"), ("new", "newly failed"))
        if before[key]
    )
