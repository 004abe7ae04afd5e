# The lab's commands. `make` or `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help install experiment study compare list dashboard mlflow test faults bench audit check constraints clean

WORKERS ?= 1
RAY := $(if $(filter-out 1,$(WORKERS)),.venv/ray)

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# Made anew only when the dependencies change.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("the lab needs Python 3.11 or newer; try make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (once, about two minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

.venv/ray: .venv/installed
	@echo "installing Ray ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	@touch $@

install: .venv/installed ## make .venv and install the lab into it

experiment: .venv/installed ## train, track and test one experiment: NAME=lstm ARGS="optimizer.lr=0.01 seed=3"; or RESUME=RUN
	@test -n "$(NAME)$(RESUME)" || { echo 'name an experiment: make experiment NAME=lstm (`make list` shows all)'; exit 2; }
	@$(BIN)/lab $(if $(RESUME),resume $(RESUME),run $(NAME)) $(ARGS)

study: .venv/installed $(RAY) ## tune an experiment, prove the winner on fresh seeds: NAME=lstm TRIALS=50 WORKERS=2 ARGS=...
	@test -n "$(NAME)" || { echo 'name an experiment: make study NAME=lstm TRIALS=50'; exit 2; }
	@$(BIN)/lab study $(NAME) $(ARGS) --workers $(WORKERS) $(if $(TRIALS),--trials $(TRIALS))

compare: .venv/installed $(RAY) ## is A really better than B? a verdict with evidence: NAME=activations WORKERS=2 ARGS="--seeds 5..30"
	@test -n "$(NAME)" || { echo 'name a comparison: make compare NAME=activations'; exit 2; }
	@$(BIN)/lab compare $(NAME) $(ARGS) --workers $(WORKERS)

list: .venv/installed ## show all experiments
	@$(BIN)/lab list

dashboard: .venv/installed ## compare runs in the browser, http://127.0.0.1:8501 (PORT=...)
	@$(BIN)/lab dashboard --port $(or $(PORT),8501)

mlflow: .venv/installed ## browse runs in the MLflow UI, http://127.0.0.1:5000 (PORT=...)
	@$(BIN)/lab mlflow --port $(or $(PORT),5000)

test: .venv/installed .venv/ray ## prove it all works
	@$(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(ARGS)

faults: .venv/installed ## break servers, files and processes, and see what holds (11 minutes); writes docs/reliability.md
	@$(BIN)/python tests/faults/suite.py $(ARGS)

bench: .venv/installed ## what the lab costs, beside loops by hand; writes docs/performance.md (QUICK=1: three minutes)
	@QUICK=$(QUICK) PYTHONPATH=tests $(BIN)/python -m benchmarks.bench $(ARGS)

.venv/audit: .venv/installed
	@$(BIN)/python -m venv $@ && $@/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9,<3'

# pip-audit in an environment of its own, since it is no part of the lab.
audit: .venv/audit ## look the pinned dependencies up in a database of known vulnerabilities
	@$(BIN)/python tests/audit.py .venv/audit/bin/pip-audit

check: .venv/installed ## lint, formatting, types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

constraints: .venv/installed ## write constraints.txt anew from what is installed
	@{ head -n 1 constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | grep '==' | sed 's/+cpu//'; } > constraints.new
	@mv constraints.new constraints.txt

clean: ## remove .venv and caches; runs in mlruns/ stay
	@rm -rf .venv .pytest_cache .ruff_cache .mypy_cache lab.egg-info
