# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders to an engine that answers as none should: whoever listens chooses the answers."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Place
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import containers

from tests.unit.plugins.module_utils.probes.engine_server import SELF, Engine, listening

ID = "a" * 64


class Lying(Engine):
    """Makes the image and the container that it is asked for, and tells `inspected` of it."""

    def __init__(self, inspected: Any) -> None:
        created = {"Id": ID}
        super().__init__(
            {
                "/containers/create": lambda: (201, created),
                f"/containers/{ID}/start": lambda: (204, None),
                f"/containers/{ID}/json": inspected,
                "/containers/json": [],
                "/images/json": [],
                "/images/create": {},
            }
        )

    def _answer(self, path: str) -> tuple[int, bytes]:
        status, body = super()._answer(path.partition("?")[0])
        return status, b"" if status == 204 else body


@pytest.mark.parametrize("answer", [[1], {"Id": ID}, [{"Id": "../../x"}], [{}], "x", None])
def test_a_list_of_another_shape_is_refused(answer: Any) -> None:
    with listening(Engine({"/containers/json": answer})) as path, pytest.raises(Unreadable):
        containers.running(Place(path, SELF), 2)


@pytest.mark.parametrize(
    ("inspected", "reason"),
    [
        # Below it a FIFO would hold root up for ever, and a file would be the proof that the account wants.
        ({"State": {"Pid": "../home/worker/w"}}, "is told as the number of a process"),
        ({"State": {"Pid": True}}, "is told as the number of a process"),
        ({"State": {"Pid": os.getpid()}}, "is not the container's"),
        ({"State": {"Pid": 0}}, "has ended at once"),
        ({"State": 1}, "is told as the number of a process"),
        ([], "is told as the number of a process"),
    ],
)
def test_the_process_of_a_container_is_looked_at_not_believed(inspected: Any, reason: str) -> None:
    with listening(Lying(inspected)) as path, pytest.raises(Unreadable, match=reason):
        containers.root_of_a_container(Place(path, SELF), 2)
