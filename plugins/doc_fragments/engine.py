# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options and return values of every module that changes an engine."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  timeout:
    description:
      - Seconds to wait for the engine to answer, and for another run that changes this host to end.
    type: float
    default: 60.0
  settle:
    description:
      - Seconds for which the engine has to go on answering, with the same process, before a change is committed.
    type: float
    default: 5.0
requirements:
  - root on the host, systemd
notes:
  - What is changed is journalled in C(/var/lib/bulwark), with the former content, before it is changed. Should the run
    fail or die, the former state comes back - at once, or with the next run.
"""

    CHOSEN = r"""
options:
  user:
    description:
      - The account whose rootless engine is meant. Without it, the system's engine.
    type: str
  allow_container_stop:
    description:
      - Whether running containers may be stopped. With live-restore none has to be, except where an option counts only
        from a start without containers.
    type: bool
    default: false
"""
