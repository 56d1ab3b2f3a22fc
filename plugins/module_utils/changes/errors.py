# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every change may end with."""

from __future__ import annotations


class Unfit(Exception):
    """What is asked for would not work on this host; the sentences, each with its way out. Nothing was written."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("; ".join(sentences))
