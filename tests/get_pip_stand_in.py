# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the get-pip script that ansible-test downloads: installs the pip that Python itself brings.

ansible-test runs it as get-pip, with pip's arguments, and again through its own entry point that GET_PIP names.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys

# get-pip knows these, pip install does not.
GET_PIP_ONLY = ("--no-setuptools", "--no-wheel")

# Without this, ansible-test's entry point would come back here instead of running pip.
os.environ.pop("GET_PIP", None)
# A process of its own: ensurepip switches pip's configuration off for the rest of the process.
subprocess.run([sys.executable, "-m", "ensurepip"], check=True)
sys.argv = ["pip", "install", *(word for word in sys.argv[1:] if word not in GET_PIP_ONLY)]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
