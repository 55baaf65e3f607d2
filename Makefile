# `make` alone lists what there is to do. The first use of anything else makes .venv.
#   make test PYTHON=python3.12          another interpreter (after `make clean`)

# A Python of this version: on the path, or one of pyenv's.
interpreter = $(shell for found in python$(1) $$HOME/.pyenv/versions/$(1)*/bin/python$(1); \
	do $$found -c '' 2>/dev/null && echo $$found && break; done)

PYTHON ?= $(or $(call interpreter,3.11),python3)
LOCK ?= locks/all.txt
VENV ?= .venv
UV = $(VENV)/bin/uv

# Environments beside .venv: the newest Python that the package is for, and NengoDL's.
NEWEST ?= $(call interpreter,3.13)
NENGO_DL_PYTHON ?= $(call interpreter,3.11)
IN_NEWEST = VENV=.venv-3.13 PYTHON="$(NEWEST)"
IN_NENGO_DL = VENV=.venv-nengo-dl PYTHON="$(NENGO_DL_PYTHON)" LOCK=locks/nengo-dl.txt

# The stamp is the last thing an installation writes: without it .venv is made anew.
INSTALLED := $(VENV)/.installed-$(notdir $(LOCK))
PIP := $(VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-input
COMPILE := pip compile -q --no-emit-index-url --annotation-style line \
	--custom-compile-command "make lock" pyproject.toml --python-version 3.11

.PHONY: help run install test test-fast rooms kernels test-newest install-newest test-nengo test-nengo-dl \
	install-nengo-dl test-wheel test-gui reproduce bench lint notebooks docs lock clean
.DEFAULT_GOAL := help

# What `lmu-spiking reproduce` knows; the LSTM of capacity needs NengoDL's TensorFlow.
PUBLISHED := poisson-figure capacity delay-network mackey-glass psmnist

# What is skipped without NengoDL and its TensorFlow.
NENGO_DL_TESTS := $(wildcard tests/*/test_nengo_dl*.py) tests/training/test_keras.py \
	tests/experiments/test_speed.py

# The tests of a room: a folder, or the file of a module.
ROOMS = $(if $(ROOM),$(or $(wildcard tests/$(ROOM) tests/test_$(ROOM).py),$(error no tests of $(ROOM): see tests/)))

# Many processes with one thread each, not the other way round.
test test-nengo test-gui reproduce notebooks docs: export OMP_NUM_THREADS = 1
test test-nengo test-gui reproduce notebooks docs: export OPENBLAS_NUM_THREADS = 1
test reproduce: export TF_NUM_INTRAOP_THREADS = 1
test reproduce: export TF_NUM_INTEROP_THREADS = 1

help: ## list these
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

run: $(INSTALLED) ## remember an ECG with spiking neurons; results in out/ecg
	$(VENV)/bin/lmu-spiking run --input ecg --compare --out out/ecg

test: kernels ## the tests, or those of one room: make test ROOM=networks
	$(VENV)/bin/pytest $(or $(TESTS),$(ROOMS))

# What everything stands on.
FAST_TESTS := $(addprefix tests/,dynamics neurons signals memory lmu tasks test_errors.py test_files.py test_brief.py)
test-fast: ## the tests of what everything stands on (under a minute)
	$(MAKE) --no-print-directory test TESTS="$(FAST_TESTS)"

rooms: $(INSTALLED) ## draw the picture of docs/architecture.md from the imports
	$(VENV)/bin/python docs/rooms.py

install: $(INSTALLED)

# Once, not once in each test process; environments with the same numba share them.
kernels: $(INSTALLED)
	@$(VENV)/bin/python -c 'import numpy; from lmu_spiking.simulator import native; \
	[native.advance(numpy.dtype(name)) for name in ("float32", "float64")]'

# What depends on no version of Python is tested on one.
ONCE := test_docs.py test_claims.py test_frozen.py fuzz experiments theory/test_plan.py
test-newest: ## the tests on Python 3.13, in .venv-3.13
test-newest install-newest:
	@if test -n "$(NEWEST)"; then \
	$(MAKE) --no-print-directory $(@:-newest=) $(IN_NEWEST) \
	$(if $(TESTS)$(ROOM),,TESTS="$(addprefix --ignore=tests/,$(ONCE))"); else \
	echo "NOT RUN: no Python 3.13 on this machine; make $@ NEWEST=..."; fi

test-nengo-dl: ## the tests of what needs NengoDL: Python 3.11, in .venv-nengo-dl
test-nengo-dl install-nengo-dl:
	@if test -n "$(NENGO_DL_PYTHON)"; then \
	$(MAKE) --no-print-directory $(@:-nengo-dl=) $(IN_NENGO_DL) TESTS="$(NENGO_DL_TESTS)"; else \
	echo "NOT RUN: no Python 3.11 on this machine; make $@ NENGO_DL_PYTHON=..."; fi

test-nengo: $(INSTALLED) ## Nengo's own tests on the compiled simulator (half a minute)
	$(VENV)/bin/python tests/nengo_backend -q -n 2

test-wheel: $(INSTALLED) ## wheel and sdist, installed with pip where nothing else is
	.ci/wheel $(VENV)/bin/python

# What failed is tried once more: a browser may lose what a hand does.
test-gui: $(INSTALLED) ## the gallery in NengoGUI, in Chromium (a minute)
	LMU_SPIKING_BROWSER=1 $(VENV)/bin/pytest -m gui -n 0 tests/gui || \
	LMU_SPIKING_BROWSER=1 $(VENV)/bin/pytest -m gui -n 0 --last-failed tests/gui

reproduce: $(INSTALLED) ## every published and measured result again (a day)
	$(VENV)/bin/pytest -m slow -n 2
	for name in noise law optimal off_signal conversion plan billion dask_sweep spikes \
		training learning_digits learning_length learning_nonlinear learning_theta \
		learning_theta_layers learning_invariance learning_rates \
		learning_cost rivals_mackey_glass rivals_capacity exponents \
		chip_reading loihi loihi_noise loihi_digits; do \
		$(VENV)/bin/python benchmarks $$name || exit; done
	for name in $(PUBLISHED); do \
		$(VENV)/bin/lmu-spiking reproduce $$name --out out/$$name || exit; done

bench: $(INSTALLED) ## speed, as ratios against peers (an hour)
	$(VENV)/bin/python benchmarks scaling
	$(VENV)/bin/python benchmarks simulator

lint: $(INSTALLED) ## style, imports and types
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/lint-imports --no-logo
	$(VENV)/bin/pyright

# FAST= (nothing) for their full sizes: half an hour.
FAST ?= 1
notebooks: $(INSTALLED) ## execute the notebooks in fast mode, into build/notebooks
	rm -rf build/notebooks && mkdir -p build/notebooks
	cp notebooks/*.ipynb build/notebooks
	LMU_SPIKING_FAST=$(FAST) $(VENV)/bin/pytest --nbmake --overwrite build/notebooks
	touch build/notebooks/.executed

docs: $(INSTALLED) ## these pages with the notebooks' outputs, in docs/_build/html
	test -e build/notebooks/.executed || $(MAKE) --no-print-directory notebooks
	$(VENV)/bin/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

lock: $(INSTALLED) ## resolve the locks again (FLAGS=--upgrade renews every pin)
	$(UV) $(COMPILE) $(FLAGS) --universal -o locks/all.txt --extra all --extra docs --extra dev
	$(UV) $(COMPILE) $(FLAGS) -o locks/nengo-dl.txt --extra nengo-dl --extra loihi --extra data --extra dev

clean: ## remove .venv and caches, never results
	rm -rf .venv .venv-3.13 .venv-nengo-dl build dist docs/_build docs/generated docs/notebooks .pytest_cache .hypothesis .ruff_cache .import_linter_cache
	find lmu_spiking tests -name __pycache__ -exec rm -rf {} +

$(INSTALLED): pyproject.toml $(LOCK)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 14) or sys.exit( \
	"lmu_spiking needs Python 3.11 to 3.13, this is %d.%d; use: make PYTHON=..." % v)'
	@echo "Installing $(LOCK) into $(VENV) with $(PYTHON): a minute or two, once"
	@test -e $@ || test ! -e $(VENV) || ls $(VENV)/.installed-* $(VENV)/.begun >/dev/null 2>&1 \
	|| { echo "$(VENV) was not made here and is left alone; give another VENV=" >&2; exit 2; }
	@test -e $@ || $(PYTHON) -m venv --clear $(VENV)
	@touch $(VENV)/.begun
	@rm -f $(VENV)/.installed-*
	@$(PIP) "$$(grep -o '^uv==[^ ]*' $(LOCK) || echo uv)"
	@$(UV) pip install -q --python $(VENV)/bin/python -r $(LOCK) || $(PIP) -r $(LOCK)
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@
