# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every control there is, and the profiles that choose among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.controls.containers import (
    capabilities,
    confinement,
    contents,
    images,
    mounts,
    namespaces,
    network,
    networks,
    privileges,
    resources,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.engine import (
    daemon,
    endpoints,
    operation,
    rootless,
    settings,
    swarm,
    tls,
    userns,
    versions,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import SEVERITIES, Control
from ansible_collections.bulwark.docker.plugins.module_utils.controls.host import (
    accounts,
    attested,
    audit_rules,
    clients,
    files,
    host,
    maintenance,
    packages,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.network import (
    firewall,
    listeners,
    orchestrators,
    services,
    unauthenticated,
)

_FILES = (
    accounts,
    audit_rules,
    clients,
    capabilities,
    confinement,
    contents,
    mounts,
    namespaces,
    network,
    privileges,
    resources,
    daemon,
    settings,
    versions,
    endpoints,
    files,
    firewall,
    host,
    packages,
    images,
    listeners,
    maintenance,
    attested,
    services,
    networks,
    operation,
    orchestrators,
    rootless,
    swarm,
    tls,
    unauthenticated,
    userns,
)


def _controls_in(file: Any) -> Iterable[Control]:
    for value in vars(file).values():
        if isinstance(value, Control):
            yield value
        elif isinstance(value, tuple) and value and all(isinstance(entry, Control) for entry in value):
            yield from value


# A control is found by standing in one of the files, alone or in a tuple built from a table.
CATALOGUE: dict[str, Control] = {control.id: control for file in _FILES for control in _controls_in(file)}

PROFILES: dict[str, Callable[[Control], bool]] = {
    "baseline": lambda control: control.baseline,
    "cis_level_1": lambda control: control.level == 1,
    "cis_level_2": lambda control: control.level is not None,
    "owasp": lambda control: bool(control.owasp),
    "strict": lambda control: True,
}


def choose(profile: str, patterns: Sequence[str] = ()) -> list[Control]:
    """The controls of a profile, or those whose id matches one of `patterns`, whatever the profile."""
    if patterns:
        return [
            control for control in CATALOGUE.values() if any(fnmatchcase(control.id, p) for p in patterns)
        ]
    return [control for control in CATALOGUE.values() if PROFILES[profile](control)]


def option_errors(
    parameters: Mapping[str, Any], severities: Mapping[str, Any], patterns: Sequence[str] = ()
) -> list[str]:
    """What is wrong with a user's parameters, severities and control patterns: one sentence each."""
    errors = []
    for control_id, chosen in parameters.items():
        if control_id not in CATALOGUE:
            errors.append(f"parameters: there is no control '{control_id}'")
        elif not isinstance(chosen, Mapping):
            errors.append(f"parameters: '{control_id}' takes a dictionary of its parameters")
        else:
            known = CATALOGUE[control_id].parameters
            errors += [
                f"parameters: control '{control_id}' has no parameter '{name}'; it has {', '.join(known) or 'none'}"
                for name in chosen
                if name not in known
            ] + [
                f"parameters: '{name}' of control '{control_id}' takes a {_kind(known[name])}, not a {_kind(value)}"
                for name, value in chosen.items()
                if name in known and _kind(value) != _kind(known[name])
            ]
    for control_id, severity in severities.items():
        if control_id not in CATALOGUE:
            errors.append(f"severities: there is no control '{control_id}'")
        elif severity not in SEVERITIES:
            errors.append(f"severities: '{severity}' of '{control_id}' is none of {', '.join(SEVERITIES)}")
    for pattern in patterns:
        if not any(fnmatchcase(control_id, pattern) for control_id in CATALOGUE):
            errors.append(f"controls: '{pattern}' matches no control")
    return errors


def _kind(value: Any) -> str:
    """The name a user knows the type by. Ansible hands over subclasses of str, int, list and dict."""
    for kind, name in (
        (bool, "boolean"),
        ((int, float), "number"),
        (str, "string"),
        (Mapping, "dictionary"),
        ((list, tuple), "list"),
    ):
        if isinstance(value, kind):
            return name
    return "null"
