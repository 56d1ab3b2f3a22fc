# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Halve what it takes to import from the zip archive in which Ansible ships a module.

Since Python 3.10 zipimport compiles each module twice: to tell the name of its file, and to run it (seen up to 3.13).
"""

from __future__ import annotations

import sys
import zipimport


class _Importer(zipimport.zipimporter):
    def get_filename(self, fullname: str) -> str:
        """The name of the module's file, without a look at what is in it."""
        tail = "/__init__.py" if self.is_package(fullname) else ".py"
        return f"{self.archive}/{self.prefix}{fullname.rpartition('.')[2]}{tail}"


def compile_once() -> None:
    """To be called before the other imports."""
    sys.path_hooks.insert(0, _Importer)
    # Python asks the hooks again about a directory that it has forgotten.
    for path, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, zipimport.zipimporter):
            del sys.path_importer_cache[path]
