#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# ansible-test sanity on a copy of the files git knows: ansible-test does not work through the link of a clone.
# Arguments go to ansible-test: `tests/sanity.sh --test compile`.
set -euo pipefail
cd "$(dirname "$0")/.."

tree=.cache/tree/ansible_collections/bulwark/docker
log=$PWD/.cache/sanity.log
tests/clean_copy.sh "$tree"

# ansible-test downloads a pip of its own from a host that may be out of reach; the one Python brings does as well.
# It looks for it below HOME, so it gets a HOME of its own, with the user's settings for pip.
home=$PWD/.cache/home
mkdir -p "$home/.ansible/test/cache"
for settings in .config .pip; do
    if [ -e "$HOME/$settings" ]; then ln -sfn "$HOME/$settings" "$home/$settings"; fi
done
cp tests/get_pip_stand_in.py "$home/.ansible/test/cache/get_pip_24_2.py"
export HOME=$home

version=$(python -c 'import sys; print("{0}.{1}".format(*sys.version_info))')
unset ANSIBLE_CONFIG
cd "$tree"
# Without a repository ansible-test finds no target and reports success.
git init --quiet
git add --all
ansible-test sanity --venv --requirements --python "$version" --color no "$@" 2>&1 | tee "$log"
if ! grep --quiet "Running sanity test" "$log"; then
    echo "tests/sanity.sh: ansible-test ran no test" >&2
    exit 1
fi
