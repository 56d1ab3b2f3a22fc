# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# `make audit` audits this machine. `make test` sets up everything the tests need and runs them all; `make quick` is for
# between two changes. Everything made here lies in .venv, .ansible, .cache and reports.

PYTHON ?= python3
BIN := .venv/bin
# Of pytest's processes.
WORKERS ?= 2
LINK := .ansible/collections/ansible_collections/bulwark/docker
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Nothing of the caller's Ansible settings may change what is tested.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

.PHONY: audit test quick setup setup-dev docs site lint artifact sanity unit unit-modules fuzz faults hosts browser \
	molecule demo bench clean

audit: setup
	ansible-playbook bulwark.docker.audit --extra-vars compliance_audit_hosts=localhost $(ARGS)

test: lint unit sanity artifact browser hosts molecule

setup: .venv/runtime $(LINK)

setup-dev: .venv/developer $(LINK)

$(LINK):
	mkdir -p $(@D)
	ln -s ../../../.. $@

.venv/bin/pip:
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $(PYTHON) must be Python 3.11 or newer with venv (Debian: apt install python3-venv)," \
		"or name another one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/runtime: requirements.txt .venv/bin/pip
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -r requirements.txt
	touch $@

.venv/developer: requirements-dev.txt .venv/runtime
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -r requirements-dev.txt
	touch $@

docs: setup-dev
	PYTHONPATH=.ansible/collections python -m docs.generate
	python -m docs.generate_roles

# The documentation as a site, by packages that nothing else needs.
site: export PATH := $(CURDIR)/.cache/site-venv/bin:$(PATH)
site: .cache/site-venv/ready $(LINK)
	docs/docsite/build.sh

.cache/site-venv/ready: docs/docsite/requirements.txt requirements.txt .venv/bin/pip
	.venv/bin/python -m venv .cache/site-venv
	.cache/site-venv/bin/pip install --quiet --no-compile --disable-pip-version-check -r $<
	touch $@

lint: setup-dev
	ruff check
	ruff format --check
	mypy plugins tests
	yamllint --strict .
	ansible-lint
	antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=self .
	antsibull-changelog lint

# While you work: no Ansible is started, and no host.
quick: setup-dev
	ruff check
	ruff format --check
	mypy plugins tests
	pytest -q -n $(WORKERS) tests/unit --ignore tests/unit/roles \
		--ignore tests/unit/plugins/plugin_utils/test_own_module.py

# What would be released: built, judged by Galaxy's importer, installed and used elsewhere.
artifact: setup-dev
	nox --session license-check extra-checks artifact

sanity: setup-dev
	tests/sanity.sh

unit: setup-dev
	pytest -n $(WORKERS) --durations=25 $(T) tests/unit tests/fuzz

# What runs on hosts, with their oldest Python: make unit-modules PYTHON=python3.9
MODULES := .cache/unit-$(notdir $(PYTHON))
unit-modules: $(LINK)
	$(PYTHON) -m venv $(MODULES)
	$(MODULES)/bin/pip install --quiet --no-compile --disable-pip-version-check ansible-core pytest pytest-xdist
	$(MODULES)/bin/python -m pytest -q -n $(WORKERS) $(T) tests/unit/plugins/module_utils

# Seconds for each test.
FUZZ_SECONDS ?= 60
fuzz: setup-dev
	FUZZ_SECONDS=$(FUZZ_SECONDS) pytest -n 2 tests/fuzz

# Forty kills of each workload at random times: half an hour or more.
KILLS ?= 40
faults: setup-dev
	python -m tests.hosts.prepare
	python -m tests.faults --kills $(KILLS)

browser: setup-dev
	pytest tests/browser

# A part of them: make hosts T="-k name" IMAGES=bookworm,trixie
comma := ,
hosts: setup-dev
	python -m tests.hosts.prepare $(subst $(comma), ,$(IMAGES))
	# More at a time than cores: most of a test is waiting for a host.
	pytest -n 3 --dist loadgroup --durations=25 $(IMAGES:%=--images %) $(T) tests/hosts

molecule: setup-dev
	python -m tests.hosts.prepare
	# What a run that was killed has left behind would keep the next one from making its hosts.
	molecule destroy --all
	molecule test --all

demo: setup-dev
	python -m tests.hosts.demo

bench: setup-dev
	python -m tests.hosts.prepare
	python -m tests.bench

clean:
	rm -rf .venv .ansible .cache .mypy_cache .pytest_cache .ruff_cache reports
