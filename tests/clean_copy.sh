#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Copies the files that git knows, with their changes, into the directory $1: what a fresh clone would have.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf "$1"
mkdir -p "$1"
git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi
done | tar --create --null --files-from=- | tar --extract --directory="$1"
