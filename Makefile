# Dipper: `make` lists the targets.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEED ?= $(shell git rev-parse --short=8 HEAD 2>/dev/null || echo 1)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-long check format golden docs bench lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, $$($(PYTHON) --version) was found. Try: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m dipper.surface.compiling
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/installed-bench: requirements-bench.txt $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
	@touch $@

install: $(VENV)/installed ## install into .venv

demo: $(VENV)/installed ## run the example bank end to end: report in build/demo
	$(BIN)/dipper demo --folder build/demo $(if $(DEMO_SEED),--seed $(DEMO_SEED),)

test: $(VENV)/installed-dev ## run the tests (at most 8 minutes on 2 cores)
	$(BIN)/python -m pytest -m "not long" -n 2 --dist loadfile --no-loadscope-reorder

test-long: $(VENV)/installed-bench ## the long ones: full fault sizes, many seeds
	$(BIN)/python -m pytest -m long --timeout 3600

check: $(VENV)/installed-dev ## format, lint, types, import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: $(VENV)/installed-dev ## rewrite the golden files; read the diff
	DIPPER_GOLDEN=write $(BIN)/python -m pytest tests/golden tests/every tests/expr

docs: $(VENV)/installed-dev ## generate docs/reference from what the code declares
	$(BIN)/python -m dipper.surface.cli.reference docs/reference

bench: $(VENV)/installed-bench ## measure the hot paths beside their floors and peers
	@for file in bench/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

lock: ## pin the dependencies again
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header -q pyproject.toml --group build -o requirements.txt
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header -q pyproject.toml --group build --group dev -c requirements.txt -o requirements-dev.txt
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header -q pyproject.toml --group build --group dev --group bench -c requirements-dev.txt -o requirements-bench.txt

clean: ## remove what was built
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
