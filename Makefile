# Every target makes what it needs and is quick the second time. ARGS="…" is handed on to the command behind a target.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(VENV)/.run-installed
DEV    := $(VENV)/.dev-installed
ARGS   ?=
RELAYS ?=
CONFIG ?= deploy/bigbrotr.yaml
DEMO   ?=
ALL    ?=

# The first interpreter that answers and is new enough; PYTHON=… overrides.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Where bytecode is not kept, each service that a test starts compiles the product anew, and each of its processes the
# tests: empty means unset.
export PYTHONDONTWRITEBYTECODE :=
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-virtualenv

.PHONY: help
help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  Each hands ARGS="…" on to its command, for example: make demo ARGS="--once --events 2000"'

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo 'make: no Python 3.11 or newer was found; install one or name it: make PYTHON=/path/to/python3' >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(RUN): requirements/run.lock pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes -r requirements/run.lock
	$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

$(DEV): requirements/dev.lock $(RUN)
	$(PIP) --require-hashes -r requirements/dev.lock
	@touch $@

.PHONY: install
install: $(RUN) ## Make the environment: .venv, with the command bigbrotr in it

.PHONY: wheel
wheel: $(RUN) ## Build the wheel into dist/, for pipx, uvx or an environment of its own
	$(BIN)/python -m pip --disable-pip-version-check wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .

.PHONY: demo
demo: $(RUN) ## Watch signed events travel from local relays to PostgreSQL
	$(BIN)/bigbrotr demo $(ARGS)

.PHONY: run
run: $(RUN) ## Archive real relays: RELAYS="wss://… wss://…", or those of CONFIG=FILE; ARGS=--discover finds more
	RELAYS="$(RELAYS)" $(BIN)/bigbrotr --config "$(CONFIG)" run $(ARGS)

# Twice as many processes as cores, since tests wait for half of their time; each has servers of its own. The order is
# that of tests/conftest.py: the files that take longest come first, and those of unit tests fill what is left.
PYTEST   := $(BIN)/python -m pytest
PARALLEL := $(PYTEST) --numprocesses 4 --dist loadfile --no-loadscope-reorder

# One run of all of it keeps every process at work to the end, and starts servers and collects tests once.
SELECTED := $(if $(ALL),-m "not long and not containers",--ignore=tests/broker/sinks)

.PHONY: test
test: $(DEV) ## Run unit, contract, broker and e2e tests but the archive's; ALL=1 adds these, the storms, the wheel and the browser
	$(PARALLEL) $(SELECTED) $(ARGS)

.PHONY: test-archive
test-archive: $(DEV) ## Run the tests of the archive: what the sink writes, counts, erases, audits, rebuilds and migrates
	$(PARALLEL) tests/broker/sinks $(ARGS)

# They hardly wait, and each process collects them all, so more of them than cores would take longer.
.PHONY: test-unit
test-unit: $(DEV) ## Run the tests that need no servers but the slow ones, which `make test` runs
	$(PARALLEL) --numprocesses logical -m "not slow and not long" tests/unit tests/contract $(ARGS)

.PHONY: coverage
coverage: $(DEV) ## Print how many branches of the product the last `make test ARGS=--cov` took
	@$(BIN)/python -m coverage json --quiet -o - | $(BIN)/python -c 'import json, sys; print("branch coverage of the in-process tests:", json.load(sys.stdin)["totals"]["percent_branches_covered_display"], "%")'

.PHONY: test-storms
test-storms: $(DEV) ## Kill parts while events flow, take servers away, and read relays that lie, for some minutes
	$(PARALLEL) -m "storms and not long" $(ARGS)

.PHONY: test-faults
test-faults: $(DEV) ## Kill every part 50 times while 50,000 events flow; 30 s outages of each server
	$(PYTEST) -m long -o log_cli=true --log-cli-level=WARNING $(ARGS)

.PHONY: test-containers
test-containers: $(DEV) ## Build the images and run the whole stack in a Docker engine; skipped where there is none
	$(PYTEST) tests/containers -m containers -o log_cli=true --log-cli-level=WARNING $(ARGS)

.PHONY: test-wheel
test-wheel: $(DEV) ## Build the wheel, install it into an environment of its own, and run its commands and the demo there
	$(PYTEST) tests/wheel -m wheel $(ARGS)

.PHONY: test-browser
test-browser: $(DEV) ## Open the API's reference page, and pages that read the API, in Chromium; skipped where there is none
	$(PYTEST) -m browser tests/broker/api/browser $(ARGS)

.PHONY: check
check: $(DEV) ## Lint, format, import and type checks: ruff, import-linter and mypy --strict
	$(BIN)/ruff check $(ARGS)
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy

.PHONY: format
format: $(DEV) ## Mend what ruff can mend
	$(BIN)/ruff check --fix $(ARGS)
	$(BIN)/ruff format

.PHONY: bench
bench: $(DEV) ## Measure the hot path and the whole pipeline, as ratios of one run
	$(BIN)/python -m tests.bench $(ARGS)

.PHONY: bench-hostile
bench-hostile: $(DEV) ## Measure what hostile relays do to an honest one, for 85 minutes; ARGS="--load notices" for one
	$(BIN)/python -m tests.bench.bench_hostile $(ARGS)

.PHONY: bench-live
bench-live: $(DEV) ## Measure how late new events reach 2,000 subscriptions of one API process, for two minutes
	$(BIN)/python -m tests.bench.bench_live $(ARGS)

.PHONY: bench-read
bench-read: $(DEV) ## Measure how long reading takes at a million events, idle and while events are written
	$(BIN)/python -m tests.bench.bench_read $(ARGS)

.PHONY: bench-api-hostile
bench-api-hostile: $(DEV) ## Attack the API with 100,000 requests, and measure what an honest client and the sink feel of it
	$(BIN)/python -m tests.bench.bench_api_hostile $(ARGS)

.PHONY: lock
lock: $(BIN)/python ## Resolve the lock files anew from pyproject.toml
	$(PIP) uv
	$(BIN)/uv pip compile $(LOCK) --extra demo --extra dev --group build -o requirements/dev.lock $(ARGS)
	$(BIN)/uv pip compile $(LOCK) -c requirements/dev.lock --extra demo --group build -o requirements/run.lock
	$(BIN)/uv pip compile $(LOCK) -c requirements/dev.lock -o requirements/service.lock
	echo nostr-sdk | $(BIN)/uv pip compile $(LOCK:pyproject.toml=-) -c requirements/dev.lock -o requirements/demo.lock
	$(BIN)/uv pip compile $(LOCK:pyproject.toml=--group build) -c requirements/dev.lock -o requirements/build.lock

LOCK := pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

# In its folder, Compose also finds .env and a compose.override.yaml. With DEMO=1, the variables of demo.env are those
# of .env.
COMPOSE = cd deploy && docker compose $(if $(DEMO),--env-file demo.env)
PASSWORD_FILES = $(foreach role,kafka postgres owner writer reader,deploy/secrets/$(role)_password)

# The folder keeps other users of the machine out; the files are read in containers, by users with other numbers.
.PHONY: secrets
secrets: ## Make the passwords of the containers, in deploy/secrets; those that are there stay
	@umask 077; mkdir -p deploy/secrets; for file in $(PASSWORD_FILES); do test -s $$file || { \
		head -c 24 /dev/urandom | base64 | tr '+/' '-_' >$$file; chmod 444 $$file; echo "made $$file"; }; done

.PHONY: up
up: ## Build and start the containers of deploy/compose.yaml; DEMO=1: relays of their own, without the network
	$(COMPOSE) up --build --detach --wait $(ARGS)

.PHONY: down
down: ## Drain, stop and remove the containers; data stays. DEMO=1 as above
	$(COMPOSE) --profile "*" down $(ARGS)

.PHONY: logs
logs: ## Follow what the containers say. DEMO=1 as above
	$(COMPOSE) logs --follow --tail 50 $(ARGS)

.PHONY: clean
clean: ## Remove the environment and the caches of the tools, never data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .grimp_cache .coverage
