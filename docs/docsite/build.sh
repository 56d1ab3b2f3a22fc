#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Builds the documentation in .cache/site: `make site`. A warning, such as a link to nowhere, fails it.
set -euo pipefail
cd "$(dirname "$0")/../.."
site=.cache/site

rm -rf "$site"
mkdir -p "$site/source"
# antsibull-docs refuses a directory into which others may write.
chmod go-w "$site/source"
antsibull-docs collection --use-current --fail-on-error --dest-dir "$site/source" bulwark.docker

# Where they stand in the repository, so that links between them hold.
cp --parents -- *.md docs/*.md docs/*.json docs/images/* roles/*/README.md roles/*/defaults/main.yml \
    tests/hosts/README.md COPYING "$site/source"
cp docs/docsite/index.md "$site/source"

sphinx-build -q -W --keep-going -c docs/docsite "$site/source" "$site/html"
echo "The documentation is in $site/html/index.html."
