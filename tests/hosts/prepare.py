# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepares this machine for test hosts: an engine that answers, and the images that are named, or all."""

from __future__ import annotations

import sys

from tests.hosts import engine, images


def main() -> None:
    try:
        images.ensure(engine.ensure(), tuple(sys.argv[1:]) or tuple(images.RECIPES))
    except engine.Unavailable as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
