# Strongroom: everything a developer types. `make` alone prints the list.
#
# Everything is installed into .venv with the versions of constraints.txt; nothing
# else on the machine is touched, except by `make setup` (root, system packages).

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SECONDS_OF_FUZZ ?= 60
FUZZ_SECONDS ?= 600
KILLS ?= 500
# One more than cores: many tests wait for brokers, leases and clocks.
PROCESSES ?= $(shell expr $$(nproc) + 1)
REQUESTS ?= 2000

# Where it is set, as in many containers, each of the thousand processes that tests start would compile
# all of the program anew, and each test process all tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

.PHONY: help
help: ## print this list
	@echo "Strongroom: make TARGET"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1|\2/' | column -t -s '|'

.PHONY: setup
setup: ## install the system packages that venv and the tests need (root, Debian)
	@bash tools/setup-system.sh

# The stamps live inside the environment: removing .venv starts afresh.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "no working venv module: as root, make setup" >&2; exit 1; }

$(VENV)/demo.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --quiet -c constraints.txt -e ".[demo]"
	@touch $@

# Programs that others wrote, each in an environment of its own, because they clash.
$(VENV)/clients.stamp: tests/clients/requirements/triton_http.txt tests/clients/requirements/kserve_rest.txt | $(BIN)/python
	@PYTHON=$(BIN)/python bash tools/setup-clients.sh $(VENV)/clients
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --quiet -c constraints.txt -e ".[dev]"
	@touch $@ $(VENV)/demo.stamp

.PHONY: demo
demo: $(VENV)/demo.stamp ## install into .venv and play hospital, clinic and competitor
	$(BIN)/strongroom demo

.PHONY: clients
clients: $(VENV)/clients.stamp ## install the clients of others that the tests ask us with

.PHONY: lint
lint: $(VENV)/dev.stamp ## format check, ruff, mypy strict
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

.PHONY: fix
fix: $(VENV)/dev.stamp ## format, and repair what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: test
test: lint tests ## lint, types, all tests, coverage gates

.PHONY: tests
tests: $(VENV)/dev.stamp clients ## all tests, coverage gates
	$(BIN)/python tools/coverage_everywhere.py --on
	rm -f .coverage .coverage.*
	touch .coverage-under-way; trap 'rm -f .coverage-under-way' EXIT; $(BIN)/coverage run -m pytest -n $(PROCESSES) --dist worksteal
	$(BIN)/coverage combine --quiet
	bash tools/coverage-gates.sh $(BIN)/coverage

.PHONY: attack
attack: $(VENV)/dev.stamp ## only the attacks: one test for each claim
	$(BIN)/pytest tests/attacks -v

.PHONY: fuzz
fuzz: $(VENV)/dev.stamp ## one minute of fuzzing, shared by all targets
	$(BIN)/python tests/fuzz/run.py --total $(SECONDS_OF_FUZZ)

.PHONY: soak
soak: $(VENV)/dev.stamp ## long fuzzing (FUZZ_SECONDS a target), 500 kills (KILLS), long property tests
	$(BIN)/python tests/fuzz/run.py --seconds $(FUZZ_SECONDS)
	STRONGROOM_KILLS=$(KILLS) $(BIN)/pytest tests/attacks/test_home.py tests/unit/home/test_files.py tests/integration/test_broker_faults.py
	HYPOTHESIS_PROFILE=soak $(BIN)/pytest tests/property
	STRONGROOM_REQUESTS=$(REQUESTS) $(BIN)/pytest tests/unit/broker/http/test_document.py

.PHONY: bench
bench: $(VENV)/dev.stamp ## measure on this machine; see benchmarks/README.md
	$(BIN)/python -m benchmarks.run

.PHONY: docs
docs: $(VENV)/dev.stamp ## write docs/errors.md; check links, claims, commands and the README example
	$(BIN)/python -m tools.errors_page
	$(BIN)/pytest tests/test_docs.py

.PHONY: newest
newest: ## build the wheel, install it with the newest of everything elsewhere, run the demo there
	@PYTHON=$(PYTHON) bash tools/try-newest.sh

.PHONY: constraints
constraints: ## renew constraints.txt from the newest versions that install together
	@PYTHON=$(PYTHON) bash tools/renew-constraints.sh

.PHONY: clean
clean: ## remove .venv and everything that was built or measured
	rm -rf $(VENV) build dist .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis fuzz-corpus
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
