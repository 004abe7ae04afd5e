# The lab's commands. `make` or `make help` lists them.
PYTHON ?= python3
VENV := .venv

# PYTHON=python3.12 uses .venv, or .venv-3.12 if .venv was made with another version of Python.
ifneq ($(origin PYTHON),file)
  VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
  ifeq ($(VERSION),)
    $(error PYTHON=$(PYTHON) cannot be run; name an installed Python 3.11 or newer)
  endif
  VENV := $(if $(filter-out python$(VERSION),$(notdir $(wildcard .venv/lib/python3.*))),.venv-$(VERSION),.venv)
endif

BIN := $(VENV)/bin
RAY := $(if $(RAY_ADDRESS),$(if $(filter 1,$(WORKERS)),,$(VENV)/ray))

.DEFAULT_GOAL := help
.PHONY: help install experiment study compare list dashboard mlflow server docs reference test coverage faults bench scale ideas quality audit check constraints clean

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# Installed again only when the dependencies change.
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("the lab needs Python 3.11 or newer; try make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (once, about two minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)/ray: $(VENV)/installed
	@echo "installing Ray ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	@touch $@

# aeon 1.6 asks for pandas below 3.1 and an older numba; what is measured with it works with those pinned here.
$(VENV)/quality: $(VENV)/installed
	@echo "installing what the lab is measured against ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[quality]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps aeon
	@touch $@

install: $(VENV)/installed ## create .venv and install the lab into it (PYTHON=python3.12: another interpreter)

experiment: $(VENV)/installed ## train, track and test one experiment: NAME=lstm ARGS="optimizer.lr=0.01 seed=3"; or RESUME=RUN
	@test -n "$(NAME)$(RESUME)" || { echo 'name an experiment: make experiment NAME=lstm (`make list` shows all)'; exit 2; }
	@$(BIN)/lab $(if $(RESUME),resume $(RESUME),run $(NAME)) $(ARGS)

study: $(VENV)/installed $(RAY) ## tune an experiment, confirm the winner on fresh seeds: NAME=lstm TRIALS=50 WORKERS=1 ARGS=...
	@test -n "$(NAME)" || { echo 'name an experiment: make study NAME=lstm TRIALS=50'; exit 2; }
	@$(BIN)/lab study $(NAME) $(ARGS) $(if $(WORKERS),--workers $(WORKERS)) $(if $(TRIALS),--trials $(TRIALS))

compare: $(VENV)/installed $(RAY) ## is A better than B? compare over seeds until it is decided: NAME=activations WORKERS=1 ARGS="--seeds 5..30"
	@test -n "$(NAME)" || { echo 'name a comparison: make compare NAME=activations'; exit 2; }
	@$(BIN)/lab compare $(NAME) $(ARGS) $(if $(WORKERS),--workers $(WORKERS))

list: $(VENV)/installed ## show all experiments
	@$(BIN)/lab list

dashboard: $(VENV)/installed ## compare runs in the browser, http://127.0.0.1:8501 (PORT=...)
	@$(BIN)/lab dashboard --port $(or $(PORT),8501)

mlflow: $(VENV)/installed ## browse runs in the MLflow UI, http://127.0.0.1:5000 (PORT=...)
	@$(BIN)/lab mlflow --port $(or $(PORT),5000)

server: $(VENV)/installed ## MLflow for a team, docs/team.md: ARGS="--host 0.0.0.0 --database postgresql://..." PORT=...
	@$(BIN)/lab server --port $(or $(PORT),5000) $(ARGS)

docs: $(VENV)/installed ## read the documentation in the browser, http://127.0.0.1:8000 (PORT=...)
	@$(BIN)/lab docs --port $(or $(PORT),8000)

reference: $(VENV)/installed ## write docs/reference/ anew from the code
	@$(BIN)/python -m lab.documentation.reference

test: $(VENV)/installed $(VENV)/ray ## run all tests (ARGS="tests/data -x": some; PYTHON=python3.12: with another interpreter)
	@$(BIN)/python -m pytest --numprocesses 3 --dist worksteal $(ARGS)

coverage: $(VENV)/installed $(VENV)/ray ## run all tests, report which lines of lab/ and dashboard/ they miss (ARGS=...)
	@$(BIN)/python -m pytest --numprocesses 3 --dist worksteal --cov --cov-report term-missing:skip-covered $(ARGS)

faults: $(VENV)/installed $(VENV)/ray ## inject faults into servers, files and processes (an hour; QUICK=1: fewer; ARGS="kills damage": some); writes docs/reliability.md
	@QUICK=$(QUICK) PYTHONPATH=tests $(BIN)/python tests/faults/suite.py $(ARGS)

bench: $(VENV)/installed ## measure the lab against hand-written loops; writes docs/performance.md (QUICK=1: four minutes)
	@QUICK=$(QUICK) PYTHONPATH=tests $(BIN)/python -m benchmarks.bench $(ARGS)

scale: $(VENV)/installed ## simulate 1 to 10,000 workers: where one driver becomes the limit (docs/scale.md; ARGS="100 1000 --sampler random")
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.drivers $(ARGS)

ideas: $(VENV)/installed ## twenty ideas to a verdict in five minutes each (ARGS="schedule table --minutes 1": some)
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.ideas $(ARGS)

quality: $(VENV)/quality ## measure what `lab new` writes against others; writes docs/quality.md (QUICK=1: few sets; ARGS="series --seeds 3")
	@QUICK=$(QUICK) OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m benchmarks.quality $(ARGS)

$(VENV)/audit: $(VENV)/installed
	@$(BIN)/python -m venv $@ && $@/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9,<3'

# pip-audit has its own environment, because the lab does not depend on it.
audit: $(VENV)/audit ## check the pinned dependencies for known vulnerabilities
	@$(BIN)/python tests/audit.py $(VENV)/audit/bin/pip-audit

check: $(VENV)/installed ## lint, formatting, types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

constraints: $(VENV)/installed ## rewrite constraints.txt from the installed packages
	@{ head -n 1 constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | grep '==' | sed 's/+cpu//'; } > constraints.new
	@mv constraints.new constraints.txt

clean: ## remove environments and caches; runs in mlruns/ stay
	@rm -rf .venv .venv-* .coverage .pytest_cache .ruff_cache .mypy_cache lab.egg-info
