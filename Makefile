# Two commands for newcomers: `make demo` and `make test`. Each sets everything up on a fresh machine
# (Python 3.11 to 3.13, make, a C compiler) and then does its job.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A file's tests stay together: their slow fixtures are made once. In the order of tests/conftest.py, the longest first.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder
# pip compiles on one core what compileall does on all: fifteen seconds of the set-up.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile --constraint constraints.txt
STORE := demo/store

version_of = $(shell $(1) -c 'import sys; print(*sys.version_info[:2])' 2>/dev/null)

# PYTHON=... names another Python than the one that was set up: set up again.
ifeq ($(origin PYTHON),command line)
ifneq ($(call version_of,$(PYTHON)),$(call version_of,$(BIN)/python))
$(shell rm -f $(VENV)/.ready $(VENV)/.ready-dev)
endif
endif

.PHONY: demo test test-quick check lint types layers clean help

help:
	@echo "make demo    set up, run the example study from end to end, say where its results lie"
	@echo "make test    set up, run the tests"
	@echo "make test-quick  those of types, statistics, tables and extraction: a minute or so, for the inner loop"
	@echo "make check   set up, then ruff, mypy, import layers and tests"
	@echo "make clean   remove the virtual environment and the demonstration"

demo: $(VENV)/.ready
	@$(BIN)/radzoo demo

test: $(VENV)/.ready-dev
	@$(PYTEST)

# What computes and checks without stores and processes around it.
QUICK := tests/schemas tests/zoo/evaluation tests/zoo/staging tests/zoo/logistic tests/zoo/figures tests/zoo/attention \
	tests/store/history tests/store/dictionary tests/store/kinds tests/flows/extract tests/flows/study \
	tests/flows/tables $(wildcard tests/test_names.py tests/test_architecture.py tests/test_public_names.py)

test-quick: $(VENV)/.ready-dev
	@$(PYTEST) -m "not slow" $(QUICK)

check: lint types layers
	@$(PYTEST)

lint: $(VENV)/.ready-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.ready-dev
	@$(BIN)/mypy

layers: $(VENV)/.ready-dev
	@$(BIN)/lint-imports

# The kernels are compiled when radzoo is installed: a changed one is another installation.
KERNELS := hatch_build.py $(wildcard $(addprefix flows/,extract/fast/*.pyx extract/fast/*.h imaging/intensities/*.pyx imaging/intensities/*.h))

# Radzoo itself, with what is named behind it.
define set_up
	@command -v $${CC:-cc} >/dev/null || { echo "a C compiler is needed: pyradiomics is built from source" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; PYTHON=... names one" >&2; exit 1; }
	@echo "setting up $(VENV): a minute or two, once"
	@test "$(call version_of,$(BIN)/python)" = "$(call version_of,$(PYTHON))" || rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@# Another build of the same module: of two, the files would be a mixture.
	@if $(BIN)/python -m pip show --quiet pyradiomics 2>/dev/null; then \
		$(BIN)/python -m pip uninstall --quiet --yes pyradiomics pyradiomics-bhklab; fi
	@$(PIP) --editable '.$(1)'
	@# Some packages bring files for other Pythons, which do not compile: nobody imports them here.
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true
endef

SOURCES := pyproject.toml constraints.txt $(KERNELS)

$(VENV)/.ready: $(SOURCES)
	$(call set_up)
	@touch $@

# At once, not what the demonstration needs first: to install radzoo is to compile it.
$(VENV)/.ready-dev: $(SOURCES)
	$(call set_up,[dev])
	@touch $(VENV)/.ready $@

clean:
	rm -rf $(VENV) demo
