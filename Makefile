# Two commands for newcomers: `make demo` and `make test`. Each sets everything up on a fresh machine
# (Python 3.11 or later, make, a C compiler) and then does its job.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A file's tests stay together: their slow fixtures are made once.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
STORE := demo/store

.PHONY: demo test check lint types layers clean help

help:
	@echo "make demo    set up, run the example study from end to end, say where its results lie"
	@echo "make test    set up, run the tests"
	@echo "make check   set up, then ruff, mypy, import layers and tests"
	@echo "make clean   remove the virtual environment and the demonstration"

demo: $(VENV)/.ready
	@$(BIN)/radzoo demo

test: $(VENV)/.ready-dev
	@$(PYTEST)

check: lint types layers
	@$(PYTEST)

lint: $(VENV)/.ready-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.ready-dev
	@$(BIN)/mypy

layers: $(VENV)/.ready-dev
	@$(BIN)/lint-imports

$(VENV)/.ready: pyproject.toml constraints.txt
	@command -v $${CC:-cc} >/dev/null || { echo "a C compiler is needed: pyradiomics is built from source" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; PYTHON=... names one" >&2; exit 1; }
	@echo "setting up $(VENV): a minute or two, once"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --editable .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) demo
