# make run · make test · make check · make bench: each sets up what it needs, once.
.DEFAULT_GOAL := help
.PHONY: help setup run test torture check bench lock clean

BIN := .venv/bin
# The first Python on the path that really starts, is new enough and can make a venv.
FIND_PYTHON = for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	if $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then echo $$p; exit; fi; done; echo python3.11
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: .venv/dev.stamp ## Install what development needs into .venv

run: .venv/run.stamp ## Start the server (FOCUSMATE_STORAGE, FOCUSMATE_HTTP_BIND, FOCUSMATE_REALTIME_BIND)
	@exec $(BIN)/focusmate serve

test: .venv/dev.stamp ## Run the tests, with the core's coverage as a floor
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not torture and not bench" \
		--cov --cov-report=term $(ARGS)

torture: .venv/dev.stamp ## Hurt real processes, for long
	$(BIN)/python -m pytest -m torture --hypothesis-profile=thorough --timeout=3600 -s $(ARGS)

check: .venv/dev.stamp ## Lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/dev.stamp ## Measure ours beside its peers
	$(BIN)/python -m tests.benchmarks $(ARGS)

# Universal (every Python from 3.11, Linux and macOS), with hashes, naming no index.
LOCK := .venv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	--custom-compile-command "make lock" $(UPGRADE)

lock: ## Renew the locks (UPGRADE=--upgrade takes the newest of everything)
	@test -x $(BIN)/uv || $(MAKE) .venv/dev.stamp
	$(LOCK) --extra server --group build --output-file requirements.lock
	$(LOCK) --extra server --extra testing --group dev --constraint requirements.lock \
		--output-file requirements-dev.lock

clean: ## Forget the environment and what tools left behind
	rm -rf .venv dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

.venv/bin/python:
	@python=$$($(FIND_PYTHON)); $$python -c 'import sys; assert sys.version_info >= (3, 11)' \
		|| { echo "focusmate needs Python 3.11 or newer" >&2; exit 1; }; \
	echo "making .venv with $$python"; $$python -m venv .venv

# The locks are whole: with --no-deps there is nothing to resolve, and a third less to wait for.
.venv/run.stamp: requirements.lock pyproject.toml | .venv/bin/python
	@echo "installing what running needs (once)"
	@$(PIP) install --quiet --no-deps --require-hashes -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/run.stamp
	@echo "installing what development needs (once)"
	@$(PIP) install --quiet --no-deps --require-hashes -r requirements-dev.lock
	@touch $@
