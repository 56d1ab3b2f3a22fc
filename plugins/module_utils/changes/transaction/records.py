# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two records of a change: a step, which is to be done, and an entry of the journal, which tells how to undo it.

Both are of a kind (kinds.py), are about one thing, and name whose that thing is. Both are kept as JSON in the state
directory: docs/state_directory.md has their shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import ExplainedError
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import Account


class Malformed(ExplainedError):
    """What was read back is not of the shape that is written; one sentence without the file's path."""


@dataclass(frozen=True)
class Step:
    """What is to be so: `value` about `key`, a path, a unit or an account, as the step's kind understands both.

    A path that begins with ~/ is below the home of the account.
    """

    kind: str
    key: str
    account: Account
    value: Any = None

    @property
    def about(self) -> tuple[str, str, str]:
        """By what a step is the same as another, whatever its value."""
        return self.kind, self.account.name, self.key

    def with_value(self, value: Any) -> Step:
        """The same step with another value."""
        return replace(self, value=value)

    def as_json(self) -> dict[str, Any]:
        """As from_json() takes it."""
        return {"kind": self.kind, "key": self.key, "account": list(self.account), "value": self.value}

    @classmethod
    def from_json(cls, data: Any) -> Step:
        """The step that as_json() gave. Raises Malformed."""
        known = _fields(data, {"kind": str, "key": str, "account": list, "value": object})
        return cls(known["kind"], known["key"], _account(known["account"]), known["value"])


@dataclass(frozen=True)
class Entry:
    """What was changed, or noted: `data` is all that its kind needs to undo it."""

    kind: str
    key: str
    account: Account
    data: Mapping[str, Any] = field(default_factory=dict)
    undone: bool = False

    def as_json(self) -> dict[str, Any]:
        """As from_json() takes it."""
        return {
            "kind": self.kind,
            "key": self.key,
            "account": list(self.account),
            "data": dict(self.data),
            "undone": self.undone,
        }

    @classmethod
    def from_json(cls, data: Any) -> Entry:
        """The entry that as_json() gave. Raises Malformed."""
        known = _fields(data, {"kind": str, "key": str, "account": list, "data": dict, "undone": bool})
        return cls(known["kind"], known["key"], _account(known["account"]), known["data"], known["undone"])


def _fields(data: Any, types: Mapping[str, type]) -> dict[str, Any]:
    if not isinstance(data, dict) or set(data) != set(types):
        raise Malformed(f"it holds {str(data)[:80]!r} where a record with {', '.join(types)} is to be")
    wrong = [name for name, kind in types.items() if not isinstance(data[name], kind)]
    if wrong:
        raise Malformed(f"{wrong[0]} of a record is {str(data[wrong[0]])[:80]!r}")
    return data


def _account(data: list[Any]) -> Account:
    if len(data) == 3 and isinstance(data[0], str):
        name, uid, gid = data
        if (_is_id(uid) and _is_id(gid)) or (uid is None and gid is None):
            return Account(name, uid, gid)
    raise Malformed(f"{str(data)[:80]!r} is not an account with its ids")


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
