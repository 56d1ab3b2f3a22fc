# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepares this machine for test hosts: an engine that answers, and all images."""

from __future__ import annotations

import sys

from tests.hosts import engine, images


def main() -> None:
    try:
        images.ensure(engine.ensure())
    except engine.Unavailable as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
