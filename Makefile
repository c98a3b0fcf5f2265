# Every habit as a command. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint docs reference screenshots sbom audit up down chaos bench

PYTHON ?= python3
BIN := .venv/bin
UV = PATH="$$PATH:$(CURDIR)/$(BIN)" uv

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

setup: .venv/.locked ## make the virtual environment from the lock file

# uv comes from the machine or, where it is missing, from pip into the environment itself.
.venv/.locked: uv.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@command -v uv >/dev/null || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@UV_PROJECT_ENVIRONMENT=.venv $(UV) sync --locked --all-groups --inexact --quiet
	@touch $@

demo: setup ## from nothing to a model that heals itself, and a summary
	$(BIN)/automl-stream demo

test: setup ## all tests, on a real broker and a real database; those without one run beside them, and are shown last
	@nice $(BIN)/python -m pytest -m "not stack" >.venv/rest.log 2>&1 & rest=$$!; trap "kill $$rest" INT TERM; \
	$(BIN)/python -m pytest -m stack; failed=$$?; \
	wait $$rest || failed=$$?; cat .venv/rest.log; exit $$failed

chaos: setup ## every fault in full, over a million events and more: about 110 minutes
	$(BIN)/python -m tests.chaos --json
	$(BIN)/python -m tests.chaos --churn --json
	for fault in shapes fuzz swaps not_finite agreement trainer recorder alerts; do $(BIN)/python -m tests.chaos.$$fault --full --json || exit 1; done

bench: setup ## every benchmark in full on a quiet machine, then docs/benchmarks.md: about 80 minutes
	for name in scoring latency http profile growth swap recorder retraining onset memory closing decisions policies; do $(BIN)/python -m bench.$$name --write || exit 1; done
	$(BIN)/python -m bench.report

lint: setup ## style, types, import rules, unused dependencies
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/deptry .

docs: setup ## the documentation site, into site/; fails where a link leads nowhere
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html is written"

reference: setup ## docs/reference and lists of pages, written anew from the code
	$(BIN)/python -m schemas.json_schema
	$(BIN)/python -m manual

screenshots: setup ## the pictures of docs/console.md, of a stack that plays a stream: needs chromium, 3 minutes
	$(BIN)/python -m tests.console.screenshots

sbom: setup ## every package that a user's installation may have, with its hashes, as CycloneDX: sbom.cdx.json
	@$(UV) export --locked --all-extras --no-dev --format cyclonedx1.5 --preview-features sbom-export --quiet --output-file sbom.cdx.json
	@echo "sbom.cdx.json is written"

# --strict: a package that could not be looked up fails, as one with a known weakness does. Only the lock file is asked about.
audit: setup ## known weaknesses of what is locked; needs pypi.org, and fails where a package was skipped
	@$(UV) export --locked --all-extras --all-groups --no-emit-project --format requirements.txt --quiet --output-file .venv/audited.txt
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off --requirement .venv/audited.txt

up: setup ## start the local stack and run it until Ctrl-C
	$(BIN)/automl-stream up

down: setup ## end the local stack
	$(BIN)/automl-stream down
