# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of what new containers get: filter, logging, runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import foreign_json, reading
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.check_plugins import has_plugin
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.problems import (
    Case,
    Context,
    Found,
    Problem,
)


def seccomp(case: Case) -> Found:
    profile = case.settings.get("seccomp-profile")
    if not isinstance(profile, str) or not profile:
        return
    if profile in ("builtin", "unconfined"):
        if case.context.before(23):
            yield Problem(
                "seccomp-profile",
                f"seccomp-profile {profile} is a file name to engine {case.context.major}, which does not start "
                "as there is no such file; remove the key for the built-in profile, or name a profile's file",
            )
        return
    reason = _no_profile(case.context.place(profile))
    if reason:
        yield Problem(
            "seccomp-profile",
            f"seccomp-profile names {profile}, which {reason}; lay the profile there first, or remove the key "
            "for the built-in profile",
        )


def _no_profile(path: Path) -> str | None:
    try:
        content = reading.content(path)
    except Unreadable as problem:
        return f"cannot be read ({problem})"
    if content is None:
        return "does not exist, and dockerd does not start without it"
    try:
        profile = foreign_json.loads(content, str(path))
    except foreign_json.NotJson:
        profile = None
    if isinstance(profile, dict):
        return None
    return "holds no JSON object: dockerd starts, and no container does"


_DRIVERS = (
    "awslogs",
    "fluentd",
    "gcplogs",
    "gelf",
    "journald",
    "json-file",
    "local",
    "none",
    "splunk",
    "syslog",
)
_COMMON_LOG_OPTS = frozenset(["env", "env-regex", "labels", "labels-regex", "tag"])
_FILE_LOG_OPTS = frozenset(["compress", "max-file", "max-size"])
# Taken whatever the driver is, as are those that begin with `cache-`.
_ANY_LOG_OPTS = frozenset(["max-buffer-size", "mode"])
# moby's daemon/logger/*: ValidateLogOpt, the same from 19.03 to 29.3.
_LOG_OPTS = {
    "journald": _COMMON_LOG_OPTS,
    "json-file": _COMMON_LOG_OPTS | _FILE_LOG_OPTS,
    "local": _FILE_LOG_OPTS,
}


def ulimits(case: Case) -> Found:
    """A limit above the engine's own needs CAP_SYS_RESOURCE, which an engine in a container often lacks: dockerd
    starts, and no new container does (`error setting rlimit type 7: operation not permitted`, seen on 20.10, 26.1 and
    28.5)."""
    wanted = case.settings.get("default-ulimits")
    for name, limit in wanted.items() if isinstance(wanted, Mapping) else ():
        own = case.context.hard_limits.get(name)
        hard = limit.get("Hard") if isinstance(limit, Mapping) else None
        if own is not None and isinstance(hard, int) and (hard > own or hard < 0):
            yield Problem(
                "default-ulimits",
                f"the engine's own limit {name} is {own}, which it may not raise, so that no container would start "
                f"with {hard}; choose at most {own}",
            )


def logging(case: Case) -> Found:
    driver = case.value("log-driver") or "json-file"
    if not isinstance(driver, str) or not case.in_file("log-driver", "log-opts"):
        return
    if not (driver in _DRIVERS or (driver == "logentries" and not case.context.since(25))):
        if not case.context.rootless and not has_plugin(case, driver):
            yield Problem(
                "log-driver",
                f"there is no log driver {driver}: dockerd may start, and no new container would; choose one of "
                f"{', '.join(_DRIVERS)}, or install and enable the plugin first",
            )
        return
    options = case.settings.get("log-opts")
    if isinstance(options, Mapping) and driver != "none":
        yield from _log_opts(case, driver, options)


def _log_opts(case: Case, driver: str, options: Mapping[str, Any]) -> Found:
    taken = _LOG_OPTS.get(driver)
    # Between 29.3 and 29.5 local learned the common ones.
    if taken and driver == "local" and not case.context.before(29):
        taken |= _COMMON_LOG_OPTS
    for name in options if taken else ():
        if name not in (taken or ()) and name not in _ANY_LOG_OPTS and not name.startswith("cache-"):
            yield Problem(
                "log-opts",
                f"the log driver {driver} does not take {name}, and dockerd does not start with it; remove "
                f"{name} from log-opts in {case.path} ({driver} takes {', '.join(sorted(taken or ()))})",
            )
    mode = options.get("mode", "")
    if mode not in ("", "blocking", "non-blocking"):
        yield Problem(
            "log-opts",
            f"mode {mode} in log-opts is unknown, and dockerd does not start with it; use blocking or "
            "non-blocking",
        )
    elif "max-buffer-size" in options and mode != "non-blocking":
        yield Problem(
            "log-opts",
            "dockerd does not start with max-buffer-size in log-opts unless mode is non-blocking there; set "
            "mode to non-blocking, or remove max-buffer-size",
        )


_OLD_RUNTIMES = frozenset(["io.containerd.runc.v2", "io.containerd.runtime.v1.linux"])


def runtimes(case: Case) -> Found:
    runtimes = case.settings.get("runtimes")
    names = set(runtimes) if isinstance(runtimes, Mapping) else set()
    if "runc" in names:
        yield Problem(
            "runtimes",
            f"the runtime name runc is reserved, and dockerd does not start; rename it in {case.path}",
        )
    default = case.value("default-runtime")
    if not isinstance(default, str) or not case.in_file("default-runtime", "runtimes"):
        return
    names |= {word.partition("=")[0] for word in case.command.flags.get("add-runtime", ())}
    if default not in {"", "runc", *names} and not _is_shim(default, case.context):
        yield Problem(
            "default-runtime",
            f"default-runtime {default} is not among runtimes, and dockerd does not start; add it to runtimes in "
            f"{case.path}, or use runc",
        )


def _is_shim(name: str, context: Context) -> bool:
    """Whether containerd may find it by its name: any `prefix.name.version` since 23.0."""
    if context.before(23):
        return name in _OLD_RUNTIMES
    return "/" not in name and name.find(".") > 0
