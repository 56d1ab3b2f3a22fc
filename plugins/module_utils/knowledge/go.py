# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Go reads text, and so the Docker daemon reads its flags and options."""

from __future__ import annotations

# strconv.ParseBool.
TRUE = ("1", "t", "T", "true", "TRUE", "True")
FALSE = ("0", "f", "F", "false", "FALSE", "False")


def is_on(value: str) -> bool:
    """Whether an option such as `no-new-privileges=VALUE` is on: without a value it is."""
    return not value or value in TRUE
