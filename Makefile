# `make` alone lists what there is to do. The first use of anything else makes .venv.
#   make test PYTHON=python3.12          another interpreter (after `make clean`)
#   make test LOCK=locks/full.txt        with training, the Loihi emulator and the docs

PYTHON ?= $(shell python3.11 -c '' 2>/dev/null && echo python3.11 || echo python3)
LOCK ?= locks/base.txt
VENV ?= .venv
UV = $(VENV)/bin/uv

# What needs TensorFlow or NengoLoihi has an environment of its own.
FULL := VENV=.venv-full LOCK=locks/full.txt

# The newest Python that the package is for: on the path, or one of pyenv's.
NEWEST ?= $(shell for found in python3.13 $$HOME/.pyenv/versions/3.13*/bin/python3.13; \
	do $$found -c '' 2>/dev/null && echo $$found && break; done)

# The stamp is the last thing an installation writes: without it .venv is made anew.
INSTALLED := $(VENV)/.installed-$(notdir $(LOCK))
PIP := $(VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-input
COMPILE := pip compile -q --no-emit-index-url --annotation-style line \
	--custom-compile-command "make lock" pyproject.toml --python-version 3.11

.PHONY: help run test test-fast rooms test-newest kernels kernels-newest kernels-train test-nengo test-train test-gui reproduce reproduce-train learned \
	bench lint notebooks executed docs pages lock clean
.DEFAULT_GOAL := help

# What `lmu-spiking reproduce` knows; the LSTM of capacity needs LOCK=locks/full.txt.
PUBLISHED := poisson-figure capacity delay-network
LEARNED := mackey-glass psmnist

# What needs TensorFlow or NengoLoihi; everything else has run without them.
TRAINED := tests/training tests/loihi tests/cli/test_train.py tests/cli/test_deploy.py \
	tests/lmu/importers tests/neurons/test_chip.py tests/neurons/test_chip_rates.py \
	tests/conversion/test_chip.py tests/experiments/chip tests/experiments/learning \
	$(foreach page,README.md docs/cli.md docs/loihi.md,tests/test_docs.py::test_every_block_of_a_page_runs[$(page)]) \
	$(patsubst %,tests/experiments/published/test_%.py,capacity mackey_glass psmnist)

# The tests of a room: a folder, or the file of a module.
ROOMS = $(if $(ROOM),$(or $(wildcard tests/$(ROOM) tests/test_$(ROOM).py),$(error no tests of $(ROOM): see tests/)))

# Many test processes with one thread each, not the other way round.
test test-nengo test-train test-gui reproduce executed pages: export OMP_NUM_THREADS = 1
test test-nengo test-train test-gui reproduce executed pages: export OPENBLAS_NUM_THREADS = 1
test-train: export TF_NUM_INTRAOP_THREADS = 1
test-train: export TF_NUM_INTEROP_THREADS = 1

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

# Once, not once in each test process.
kernels: $(INSTALLED)
	@$(VENV)/bin/python -c 'import numpy; from lmu_spiking.simulator import native; \
	[native.advance(numpy.dtype(name)) for name in ("float32", "float64")]'

kernels-train:
	@$(MAKE) --no-print-directory kernels $(FULL)

test-newest: ## the tests on Python 3.13, in .venv-3.13
test-newest kernels-newest:
	@if test -n "$(NEWEST)"; then \
	$(MAKE) --no-print-directory $(@:-newest=) VENV=.venv-3.13 PYTHON="$(NEWEST)"; else \
	echo "NOT RUN: no Python 3.13 on this machine; make test-newest NEWEST=..."; fi

test-nengo: $(INSTALLED) ## Nengo's own tests on the compiled simulator (half a minute)
	$(VENV)/bin/python tests/nengo_backend -q -n 2

test-train: ## the tests with TensorFlow and NengoLoihi (Python 3.11) in .venv-full
	$(MAKE) --no-print-directory test $(FULL) \
		TESTS="$(TRAINED)"

# What failed is tried once more: a browser may lose what a hand does.
test-gui: $(INSTALLED) ## the gallery in NengoGUI, in Chromium (a minute)
	LMU_SPIKING_BROWSER=1 $(VENV)/bin/pytest -m gui -n 0 tests/gui || \
	LMU_SPIKING_BROWSER=1 $(VENV)/bin/pytest -m gui -n 0 --last-failed tests/gui

reproduce: $(INSTALLED) ## published figures, spike noise and predicted errors again (hours)
	$(VENV)/bin/pytest -m slow -n 2
	$(VENV)/bin/python benchmarks noise
	$(VENV)/bin/python benchmarks law
	$(VENV)/bin/python benchmarks optimal
	$(VENV)/bin/python benchmarks off_signal
	$(VENV)/bin/python benchmarks conversion
	$(VENV)/bin/python benchmarks plan
	$(VENV)/bin/python benchmarks billion
	$(VENV)/bin/python benchmarks dask_sweep
	for name in $(PUBLISHED); do \
		$(VENV)/bin/lmu-spiking reproduce $$name --out out/$$name || exit; done
	$(VENV)/bin/python benchmarks spikes

reproduce-train: ## what is trained or runs on the emulator again, in .venv-full (half a day)
	$(MAKE) --no-print-directory learned $(FULL)

learned: export OMP_NUM_THREADS = 1
learned: export TF_NUM_INTRAOP_THREADS = 1
learned: export TF_NUM_INTEROP_THREADS = 1
learned: $(INSTALLED)
	for name in training learning_digits learning_length learning_theta \
		learning_invariance learning_cost chip_reading loihi loihi_noise \
		loihi_digits; do \
		$(VENV)/bin/python benchmarks $$name || exit; done
	for name in $(LEARNED); do \
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
notebooks: ## execute the notebooks in fast mode, in .venv-full, into build/notebooks
	$(MAKE) --no-print-directory executed $(FULL)

executed: $(INSTALLED)
	rm -rf build/notebooks && mkdir -p build/notebooks
	cp notebooks/*.ipynb build/notebooks
	LMU_SPIKING_FAST=$(FAST) $(VENV)/bin/pytest --nbmake --overwrite build/notebooks
	touch build/notebooks/.executed

docs: ## these pages with the notebooks' outputs, in docs/_build/html
	$(MAKE) --no-print-directory pages $(FULL)

pages: $(INSTALLED)
	test -e build/notebooks/.executed || $(MAKE) --no-print-directory executed
	$(VENV)/bin/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

lock: $(INSTALLED) ## resolve the locks again (FLAGS=--upgrade renews every pin)
	$(UV) $(COMPILE) $(FLAGS) --universal -o locks/base.txt \
		--extra data --extra dask --extra nir --extra gui --extra dev
	$(UV) $(COMPILE) $(FLAGS) -o locks/full.txt --extra all --extra docs --extra dev

clean: ## remove .venv and caches, never results
	rm -rf .venv .venv-full .venv-3.13 build dist docs/_build docs/generated docs/notebooks .pytest_cache .hypothesis .ruff_cache .import_linter_cache
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
