# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this collection keeps on a host what has to outlast a run."""

from __future__ import annotations

STATE = "/var/lib/bulwark"
