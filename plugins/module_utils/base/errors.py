# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a probe says that something could not be read: `{"error": "one sentence"}` in the place of the value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline

# Of what an exception says: it may repeat what it stumbled over.
_LONGEST = 300


class ExplainedError(Exception):
    """A failure that explains itself: its text is one sentence with the path, unit or socket, the cause and the way
    out."""


class Unreadable(ExplainedError):
    """What was to be read cannot be; the text is one sentence with the path or socket and the cause."""


def error(sentence: str) -> dict[str, str]:
    """The mark that stands in a snapshot where a value could not be read."""
    return {"error": sentence}


def is_error(value: Any) -> bool:
    """Whether the value is such a mark."""
    return isinstance(value, dict) and set(value) == {"error"}


def attempt(read: Callable[..., Any], *arguments: Any) -> Any:
    """What `read(*arguments)` returns, or the mark when it fails.

    One probe that meets something nobody thought of must not cost the rest of the audit, so every exception counts,
    and so does the audit's deadline.
    """
    if deadline.passed():
        return error(deadline.reason())
    try:
        return deadline.interruptible(read, *arguments)
    except deadline.Passed:
        return error(deadline.reason())
    except Unreadable as problem:
        return error(str(problem))
    except OSError as problem:
        return error(f"{problem.filename or _name(read)}: {problem.strerror or problem}")
    except Exception as problem:
        return error(f"{_name(read)}: {type(problem).__name__}: {str(problem)[:_LONGEST]}")


def _name(read: Callable[..., Any]) -> str:
    module = str(getattr(read, "__module__", "")).rpartition(".")[2]
    return f"{module}.{getattr(read, '__name__', type(read).__name__)}"


def then(read: Callable[..., Any], needed: Any, *arguments: Any) -> Any:
    """What `read(needed, *arguments)` returns, as `attempt` gives it; the mark that `needed` is, when it is one."""
    return needed if is_error(needed) else attempt(read, needed, *arguments)


class Unread(Exception):
    """What somebody needs of a snapshot could not be read; the text says why."""


def read(data: Any, *path: Any) -> Any:
    """The value at `path` in snapshot data. Unread when it, or something above it, could not be read."""
    for depth, step in enumerate(path):
        _refuse_error(data)
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            where = ".".join(str(name) for name in path[: depth + 1])
            raise Unread(f"the snapshot has no {where}") from None
    _refuse_error(data)
    return data


def _refuse_error(data: Any) -> None:
    if is_error(data):
        raise Unread(str(data["error"]))
