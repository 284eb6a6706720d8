# Everything runs in .venv, which is made when it is first needed.
# Python 3.11 or newer is all that must be there.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
PORT ?= 12000

.DEFAULT_GOAL := help
.PHONY: help demo test programs clients check fmt bench dev clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## Serve a gateway that needs no key (PORT=12000)
	@$(BIN)/plano-filters demo --port $(PORT)

test: $(VENV)/installed-dev programs tests/clients/installed ## Run the tests (ARGS="-k name" for some of them)
	@$(BIN)/pytest -n auto $(ARGS)

# Programs that tests use and pip cannot install. Without one, its tests are skipped and say so.
programs:
	@$(call program,promtool,prometheus,the test of the metrics)
	@$(call program,redis-server,redis-server,the tests of pins in Redis)
	@$(call program,npm,nodejs npm,the tests with clients in JavaScript)

clients: tests/clients/installed

# Clients that tests put in front of the gateway: SDKs in JavaScript and coding agents, and the
# Python SDKs' majors before those that are installed for development.
tests/clients/installed: $(addprefix tests/clients/,package.json previous.txt langchain.txt) | programs
	@echo "installing clients for the tests into tests/clients ..."
	@for set in previous langchain; do $(BIN)/python -m pip install --quiet --upgrade \
		--disable-pip-version-check --target tests/clients/$$set \
		--requirement tests/clients/$$set.txt || exit 1; done
	@cd tests/clients && { ! command -v npm >/dev/null || \
		npm install --silent --no-package-lock --no-audit --no-fund; }
	@touch $@

# $(call program,COMMAND,DEBIAN PACKAGE,WHAT USES IT)
define program
command -v $(1) >/dev/null || { \
	test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	echo "installing $(2), for $(3) ..." && apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2) \
		>/dev/null; } || echo "$(1) is missing, so $(3) will be skipped: install $(2)" >&2
endef

check: $(VENV)/installed-dev ## Run formatter, linter, type checker, layers; validate configs/
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/validate_configs.py

fmt: $(VENV)/installed-dev ## Format and fix what can be fixed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/installed-dev ## Measure what the gateway adds to a request
	@$(BIN)/python -m benchmarks.bench_gateway

dev: $(VENV)/installed-dev ## Install everything into .venv

clean: ## Remove .venv and caches
	rm -rf $(VENV) tests/clients/node_modules tests/clients/previous tests/clients/langchain \
		tests/clients/installed .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment; install its venv package" >&2; exit 1; }

# An install of the package alone is enough for the demo; one for development covers it.
$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo "installing plano-filters into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cpu]'
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/python
	@echo "installing plano-filters and its tools into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(VENV)/installed $@
