# Everything a developer needs. A fresh machine has Python >= 3.11, git and make; each target sets up what it lacks.
#
#   make demo     watch an alert become an action and its result (about a minute on the first run)
#   make test     the whole test suite

PYTHON ?= python3
VENV ?= .venv
DATA ?= .data
PORT_BASE ?= 9100
BIN := $(VENV)/bin
STAMP := $(VENV)/.st2-installed

.DEFAULT_GOAL := help
.PHONY: help setup demo up test lint bench faults samples clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## make the virtual environment (the other targets do it by themselves)

# One install for running, testing and linting; it is repeated when the dependencies change.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; name one with: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up $(VENV) (once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 -m venv does not work; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[embedded,test]'
	@touch $@

demo: $(STAMP) ## start a platform of its own, post an alert, show what happens, stop
	@$(BIN)/python -m tests.demo

up: $(STAMP) ## start the platform and stay (data in ./.data; DATA=..., PORT_BASE=...)
	@exec $(BIN)/st2ctl up --data $(DATA) --port-base $(PORT_BASE) $(UP)

test: $(STAMP) ## run all tests (ARGS='-k name' for some)
	$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP) ## style, types and the import table
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(STAMP) ## latency, throughput, memory, backlog (ARGS=--help shows what can be chosen)
	$(BIN)/python -m tests.benchmarks $(ARGS)

faults: $(STAMP) ## kill every kind of process under load and workflows at every step, the long form (about 40 minutes)
	ST2_FAULTS=long $(BIN)/python -m pytest -s tests/faults $(ARGS)

samples: $(STAMP) ## write conf/*.conf.sample anew from the option models
	$(BIN)/python -m st2common.config.sample --write conf

clean: ## remove the virtual environment and caches (data stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
