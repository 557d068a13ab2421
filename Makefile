# Tianbao. Bare `make` lists the targets. Works with GNU make 3.81 and later.
#
# The active environment (venv or conda) is used; if none is active, .venv is created and used.
# ARGS passes options on: make crawl ARGS="--seed 2".

.DEFAULT_GOAL := help
.PHONY: help setup mechs crawl data data-check test train-check mutants packages lint docs docs-check clean

ARGS ?=
export PYTHON ?=
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
IN_VENV := import sys; sys.exit(sys.prefix == sys.base_prefix)

ACTIVE := $(shell \
  if [ -x "$$VIRTUAL_ENV/bin/python" ]; then echo "$$VIRTUAL_ENV/bin/python"; \
  elif [ "$$CONDA_DEFAULT_ENV" != base ] && [ -x "$$CONDA_PREFIX/bin/python" ]; then echo "$$CONDA_PREFIX/bin/python"; \
  elif python3 -c '$(IN_VENV)' 2>/dev/null; then python3 -c 'import sys; print(sys.executable)'; fi)
# Recipes read it from their shell, not from make: a path may hold quotes or dollar signs.
export TIANBAO_PYTHON := $(if $(ACTIVE),$(ACTIVE),.venv/bin/python)
PY := $$TIANBAO_PYTHON

# A compile or a test run started from here must not inherit the options of this make.
CLEAN_ENV := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL

help:  ## list the targets
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

setup:  ## install missing packages into the active environment, or into .venv
	@if [ "$$TIANBAO_PYTHON" != .venv/bin/python ]; then \
	  "$(PY)" -c '$(FITS)' || { echo "Tianbao needs Python 3.11, 3.12 or 3.13, but the active environment has $$("$(PY)" --version 2>&1): activate another one, or none" >&2; exit 1; }; \
	elif ! .venv/bin/python -c '$(FITS)' 2>/dev/null; then \
	  for each in $${PYTHON:+"$$PYTHON"} python3 python3.13 python3.12 python3.11; do \
	    if "$$each" -c '$(FITS)' 2>/dev/null; then found="$$each"; break; fi; \
	  done; \
	  [ -n "$$found" ] || { echo "Tianbao needs Python 3.11, 3.12 or 3.13, but none is on the PATH: install one, or give its path with make PYTHON=/path/to/python3" >&2; exit 1; }; \
	  echo "creating .venv with $$("$$found" --version 2>&1)"; \
	  "$$found" -m venv --clear .venv || { rm -rf .venv; echo "$$found cannot make a virtual environment: install its venv module (Debian: python3-venv) and run make again" >&2; exit 1; }; \
	fi
	@if [ ! -d build/mechs ]; then \
	  command -v "$${CXX:-g++}" >/dev/null || command -v c++ >/dev/null \
	  || { echo "no C++ compiler was found: install g++ (Debian: build-essential; macOS: xcode-select --install) and run make again" >&2; exit 1; }; \
	fi
	@py="$(PY)"; stamp="$${py%/bin/*}/.tianbao-installed"; \
	if ! { [ "$$stamp" -nt setup.cfg ] && [ "$$stamp" -nt pyproject.toml ] && grep -qxF -e "$$(pwd -P)" "$$stamp"; }; then \
	  echo "installing Tianbao and its packages into $${py%/bin/*} (minutes, the first time)"; \
	  "$$py" -m pip --version >/dev/null 2>&1 || "$$py" -m ensurepip >/dev/null; \
	  $(CLEAN_ENV) "$$py" -m pip install --quiet --disable-pip-version-check -e ".[test]" \
	  && pwd -P > "$$stamp"; \
	fi

mechs: setup  ## compile the ion channels and synapses (NMODL) if they have changed
	@$(CLEAN_ENV) "$(PY)" -m tianbao.mechanisms

crawl: mechs  ## simulate 10 s of crawling: results, plots and a video in output/
	@$(CLEAN_ENV) "$(PY)" sims/forward_crawl.py $(ARGS)

data: setup  ## rebuild morphologies/ and connectome/ from their pinned sources
	@"$(PY)" -m tianbao.anatomy.build $(ARGS)

data-check: setup  ## rebuild the data in a temporary folder and compare with the committed files
	@"$(PY)" -m tianbao.anatomy.build --check $(ARGS)

test: mechs  ## run the default tests
	@$(CLEAN_ENV) "$(PY)" -m pytest -q -n auto --maxprocesses 4 --dist loadfile $(ARGS)

train-check: mechs  ## check the environments of learning with stable-baselines3 and torch (some GB to install)
	@"$(PY)" -c 'import stable_baselines3, torch' 2>/dev/null \
	|| $(CLEAN_ENV) "$(PY)" -m pip install --quiet --disable-pip-version-check -e ".[test,train]"
	@$(CLEAN_ENV) "$(PY)" -m pytest -q -m train tests $(ARGS)

mutants: mechs  ## break a line of a copy at a time and see whether the tests notice (half an hour)
	@$(CLEAN_ENV) "$(PY)" tests/mutants.py $(ARGS)

packages: setup  ## build source archive and wheel, install the wheel elsewhere and use it (ARGS="python3.12 python3.13")
	@$(CLEAN_ENV) "$(PY)" tests/packages.py $(ARGS)

lint: setup  ## check style
	@"$(PY)" -m ruff check .

docs: mechs  ## build the documentation into build/site/
	@"$(PY)" -c 'import sphinx, myst_parser, furo, nbclient, nbformat, ipykernel' 2>/dev/null \
	|| $(CLEAN_ENV) "$(PY)" -m pip install --quiet --disable-pip-version-check -e ".[docs]"
	@$(CLEAN_ENV) "$(PY)" docs/tables --check
	@$(CLEAN_ENV) "$(PY)" -m sphinx -q -W --keep-going -b html docs build/site
	@echo "open build/site/index.html"

docs-check: docs  ## run all code in the tutorials and notebooks (minutes)
	@$(CLEAN_ENV) "$(PY)" -m pytest -q -n auto --maxprocesses 4 -m "slow or not slow" tests/test_docs.py tests/test_extending.py $(ARGS)

clean:  ## remove compiled and cached files; keep .venv and output/
	rm -rf build dist .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -not -path "./.venv/*" -prune -exec rm -rf {} +
