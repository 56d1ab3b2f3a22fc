# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One image: its configuration, its build steps and, on request, what lies in its layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import identity
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import attempt, error, is_error
from ansible_collections.bulwark.docker.plugins.module_utils.base.timestamps import seconds
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import containers
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.build_history import steps

# From the GraphDriver of an image to its content.
Look = Callable[[Any], dict[str, Any]]


def image(
    raw: Mapping[str, Any], history: Any, users: Sequence[str], look: Look | None = None
) -> dict[str, Any]:
    """The IMAGE that an answer of GET /images/ID/json describes; `history` may be an error mark.

    `users` are the ids of its containers. `look` looks at what its GraphDriver names.
    """
    configuration = raw.get("Config") or {}
    command = [*(configuration.get("Entrypoint") or ()), *(configuration.get("Cmd") or ())]
    return {
        **summary(raw, users),
        "created": seconds(raw.get("Created")),
        "config": {**containers.config(configuration), "program": command[0] if command else None},
        "history": history if is_error(history) else attempt(steps, history),
        "content": None if look is None else attempt(look, raw.get("GraphDriver")),
    }


def content(cache: dict[str, Any], owner: identity.Owner, driver: Any) -> dict[str, Any]:
    """The content of an image, with the ids of whose engine it is, which tells as it likes where the layers lie."""
    # Imported where it is needed: few ask for it, and Ansible has the host compile all that is imported.
    from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import layers

    with identity.acting_as(owner):
        return layers.content(driver, cache)


def left_out(listed: Mapping[str, Any], users: Sequence[str], why: str) -> dict[str, Any]:
    """The IMAGE that the engine lists and that was not looked at, for the reason `why`."""
    return {
        **summary(listed, users),
        "created": listed.get("Created"),
        "config": error(why),
        "history": error(why),
        "content": None,
    }


def summary(raw: Mapping[str, Any], users: Sequence[str]) -> dict[str, Any]:
    """What the list of images and the details of one share."""
    return {
        "id": raw["Id"],
        "tags": sorted(_real(raw.get("RepoTags"))),
        "digests": sorted(_real(raw.get("RepoDigests"))),
        "size": raw.get("Size"),
        "containers": sorted(users),
    }


def _real(names: Sequence[str] | None) -> list[str]:
    """Of an image without a name the list says "<none>:<none>", the details say nothing."""
    return [name for name in names or () if not name.startswith("<none>")]
