# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make artifact` runs, each session in an environment of its own.

galaxy-importer wants other versions than the developers' tools do, so it cannot be in .venv.
"""

from __future__ import annotations

import antsibull_nox
import nox

nox.options.envdir = ".cache/nox"
nox.options.reuse_venv = "yes"

antsibull_nox.load_antsibull_nox_toml()


@nox.session
def artifact(session: nox.Session) -> None:
    """Build the collection, have Galaxy's importer judge it, and use it as a user does."""
    session.install("galaxy-importer>=0.4.44,<0.5", "-r", "requirements.txt")
    session.run("python", "-m", "tests.artifact")
