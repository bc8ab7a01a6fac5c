# FocusViewer from a clone: `make demo` shows it, `make test` checks it. Neither needs anything typed before.
#
# PYTHON=python3.12 make ...      another interpreter (3.11 or newer)
# PIP_EXTRA_INDEX_URL=... make    another package index, e.g. the one with small CPU-only builds of torch (README)

SHELL := /bin/bash
PYTHON ?=
VENV ?= .venv
OUT ?= demo-out
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
CONSTRAINTS := packaging/constraints.txt

.DELETE_ON_ERROR:
.PHONY: help demo test lint bench clean

help:
	@echo "make demo    make the demo slide and show it (without a display: pictures in $(OUT)/)"
	@echo "make test    everything that is checked before a change lands: lint, types, imports, tests"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make bench   the benchmark table"
	@echo "make clean   remove the virtual environment and everything that was built"

demo: $(VENV)/.ready
	$(BIN)/focusviewer demo $(if $(DISPLAY)$(WAYLAND_DISPLAY)$(filter Darwin,$(shell uname -s)),,--snapshot $(OUT))

test: lint
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check focusviewer tests
	$(BIN)/ruff format --check focusviewer tests
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.ready
	$(BIN)/focusviewer bench

clean:
	rm -rf $(VENV) $(OUT) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find focusviewer tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second run start at once; a change of the project's dependencies or pins installs again.
$(VENV)/.python: packaging/make-venv
	packaging/make-venv "$(VENV)" "$(PYTHON)"
	@touch $@

$(VENV)/.ready: $(VENV)/.python packaging/system-libs pyproject.toml $(CONSTRAINTS)
	packaging/system-libs
	$(PIP) install -c $(CONSTRAINTS) -e .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(PIP) install -c $(CONSTRAINTS) -e ".[dev]"
	@touch $@
