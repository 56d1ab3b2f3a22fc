# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a daemon option is in the running engine: as the API shows it, else from its flags or its file as
of start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.daemon_options import FLAGS
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.engine_versions import engine_version
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.go import TRUE

# An edit that close to the start may have come before it: a start time is known to the second, twice rounded.
_CLOCK_GRACE = 2


class Setting(NamedTuple):
    """An option's value in force, where that was seen, and what the file or the flags say instead, if they
    do."""

    value: Any
    source: str
    pending: str | None = None

    @property
    def evidence(self) -> str:
        """The source, with the difference that a restart would settle."""
        return self.source if self.pending is None else f"{self.source}; {self.pending}"


class Configured(NamedTuple):
    """What the flags or the file ask for, whether or not the running engine has heard of it."""

    value: Any
    source: str


class Option(NamedTuple):
    """A daemon option: its default, and how the running engine shows it (None from `seen`: this engine
    does not).

    `alias` maps other spellings of one value, `ignore` gives the beginnings of entries of a list that do
    not count.
    """

    default: Any
    seen: Callable[[Mapping[str, Any]], Any] | None = None
    where: str = ""
    effect: str = "restart"
    alias: Mapping[Any, Any] = {}
    ignore: tuple[str, ...] = ()


def _info(key: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda engine: read(engine, "info", key)


def _bridge_option(name: str, make: Callable[[str], Any]) -> Callable[[Mapping[str, Any]], Any]:
    def seen(engine: Mapping[str, Any]) -> Any:
        for network in read(engine, "networks"):
            if network["name"] == "bridge" and name in network["options"]:
                return make(network["options"][name])
        return None

    return seen


def _no_new_privileges(engine: Mapping[str, Any]) -> bool | None:
    if "no-new-privileges" in security_options(engine):
        return True
    # /info lists it since 24.0; 20.10 and 23.0 keep silent although it is in force.
    return False if engine_version(engine) >= (24,) else None


def _seccomp(engine: Mapping[str, Any]) -> str:
    return security_options(engine).get("seccomp", "not available")


def _cgroupns(engine: Mapping[str, Any]) -> str:
    return "private" if "cgroupns" in security_options(engine) else "host"


def _insecure_registries(engine: Mapping[str, Any]) -> list[str]:
    registries = read(engine, "info", "RegistryConfig")
    names = [str(cidr) for cidr in registries.get("InsecureRegistryCIDRs") or ()]
    for name, index in (registries.get("IndexConfigs") or {}).items():
        if not index.get("Secure", True):
            names.append(name)
    return names


_ICC = "com.docker.network.bridge.enable_icc"
HOST_BINDING = "com.docker.network.bridge.host_binding_ipv4"

OPTIONS = {
    "authorization-plugins": Option(
        [],
        lambda engine: sorted(read(engine, "info", "Plugins").get("Authorization") or ()),
        "/info Plugins.Authorization",
    ),
    "cgroup-parent": Option(""),
    "containerd": Option(""),
    "data-root": Option("/var/lib/docker"),
    "debug": Option(False, _info("Debug"), "/info Debug", "reload"),
    "default-cgroupns-mode": Option("private", _cgroupns, "/info SecurityOptions", "reload"),
    "default-runtime": Option("runc", _info("DefaultRuntime"), "/info DefaultRuntime", "reload"),
    "default-ulimits": Option({}),
    "experimental": Option(False, _info("ExperimentalBuild"), "/info ExperimentalBuild"),
    "group": Option("docker"),
    "hosts": Option([]),
    "icc": Option(
        True, _bridge_option(_ICC, lambda text: text == "true"), "network inspect bridge: enable_icc"
    ),
    "insecure-registries": Option(
        [], _insecure_registries, "/info RegistryConfig", "reload", ignore=("127.", "::1", "localhost")
    ),
    "ip": Option("0.0.0.0", _bridge_option(HOST_BINDING, str), "network inspect bridge: host_binding_ipv4"),
    "iptables": Option(True),
    "live-restore": Option(False, _info("LiveRestoreEnabled"), "/info LiveRestoreEnabled", "reload"),
    "log-driver": Option("json-file", _info("LoggingDriver"), "/info LoggingDriver"),
    "log-level": Option("info"),
    "log-opts": Option({}),
    "no-new-privileges": Option(False, _no_new_privileges, "/info SecurityOptions"),
    "seccomp-profile": Option(
        "builtin", _seccomp, "/info SecurityOptions", alias={"": "builtin", "default": "builtin"}
    ),
    "storage-driver": Option("", _info("Driver"), "/info Driver"),
    "storage-opts": Option([]),
    "tls": Option(False),
    "tlscacert": Option(""),
    "tlscert": Option(""),
    "tlskey": Option(""),
    "tlsverify": Option(False),
    "userland-proxy": Option(True),
    "userns-remap": Option(""),
}


def effective(engine: Mapping[str, Any], name: str) -> Setting:
    """The option in force. Unread when neither the API nor what the engine was started with can tell it."""
    option = OPTIONS[name]
    if option.seen is not None:
        value = option.seen(engine)
        if value is not None:
            return Setting(
                _normal(value, option), option.where, _pending(engine, name, _normal(value, option))
            )
    if read(engine, "pid") is None:
        raise Unread(engine["error"] or "the engine does not run")
    asked = _from_flags(engine, name)
    if asked is None:
        if edited_since_start(engine):
            raise Unread(
                f"{engine['config']['path']} was edited after the engine started (restart pending): which "
                f"{name} is in force is not known"
            )
        asked = _from_file(engine, name) or Configured(option.default, "default")
    return Setting(*asked)


def configured(engine: Mapping[str, Any], name: str) -> Configured | None:
    """What the flags or the file of today say, None where neither names the option."""
    return _from_flags(engine, name) or _from_file(engine, name)


def configured_value(engine: Mapping[str, Any], name: str) -> Any:
    """The value alone of what `configured` tells."""
    asked = configured(engine, name)
    return None if asked is None else asked.value


def edited_since_start(engine: Mapping[str, Any]) -> bool:
    """Whether the configuration file is younger than the running engine: written, or moved there, after
    its start."""
    config = read(engine, "config")
    if config.get("in_force"):
        return False
    times = [time for time in (config["modified"], config.get("changed")) if time is not None]
    if not times:
        return False
    if engine["started"] is None:
        raise Unread("when the engine started is not known")
    return bool(max(times) > engine["started"] + _CLOCK_GRACE)


def drifts(engine: Mapping[str, Any]) -> Iterator[tuple[str, Setting]]:
    """The options that the API shows and that flags or file want otherwise."""
    for name, option in OPTIONS.items():
        if option.seen is not None and configured(engine, name) is not None:
            setting = effective(engine, name)
            if setting.pending is not None:
                yield name, setting


def security_options(engine: Mapping[str, Any]) -> dict[str, str]:
    """/info SecurityOptions as name -> profile: `name=seccomp,profile=builtin` becomes {"seccomp":
    "builtin"}."""
    options = {}
    for entry in read(engine, "info", "SecurityOptions") or ():
        fields = dict(field.partition("=")[::2] for field in entry.split(","))
        options[fields.get("name", entry)] = fields.get("profile", "")
    return options


def _pending(engine: Mapping[str, Any], name: str, value: Any) -> str | None:
    try:
        asked = configured(engine, name)
    except Unread:
        return None
    if asked is None or asked.value == value:
        return None
    return f"{asked.source} says {_plain(asked.value)}: {OPTIONS[name].effect} pending"


def _from_flags(engine: Mapping[str, Any], name: str) -> Configured | None:
    flag = FLAGS.get(name, name)
    flags = read(engine, "flags") or {}
    if flag not in flags:
        return None
    given, option = flags[flag], OPTIONS[name]
    if isinstance(option.default, dict):
        value: Any = dict(word.partition("=")[::2] for word in given)
    elif isinstance(option.default, list):
        value = given
    else:
        value = given[-1]
    return Configured(_normal(value, option), f"--{flag}")


def _from_file(engine: Mapping[str, Any], name: str) -> Configured | None:
    config = read(engine, "config")
    settings = read(config, "settings") or {}
    if settings.get(name) is None:
        return None
    return Configured(_normal(settings[name], OPTIONS[name]), config["path"])


def _normal(value: Any, option: Option) -> Any:
    """Values of flags, of the file and of the API in one form, so that they compare."""
    if isinstance(option.default, bool):
        return value if isinstance(value, bool) else str(value) in TRUE
    if isinstance(option.default, list):
        words = value if isinstance(value, list) else [value]
        return sorted(word for word in map(str, words) if word and not word.startswith(option.ignore))
    if isinstance(option.default, dict):
        return value if isinstance(value, dict) else {}
    text = str(value)
    return option.alias.get(text, text)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, (list, dict)) else str(value)
