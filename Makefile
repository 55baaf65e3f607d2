# `make` alone lists what there is to do. The first use of anything else makes .venv.
#   make test PYTHON=python3.12          another interpreter (after `make clean`)
#   make test LOCK=locks/full.txt        with training, the Loihi emulator and the docs

PYTHON ?= $(shell python3.11 -c '' 2>/dev/null && echo python3.11 || echo python3)
LOCK ?= locks/base.txt
UV ?= uv

# The stamp is the last thing an installation writes: without it .venv is made anew.
INSTALLED := .venv/.installed-$(notdir $(LOCK))
PIP := .venv/bin/python -m pip install -qq --disable-pip-version-check --no-input
COMPILE := pip compile -q --no-emit-index-url --annotation-style line \
	--custom-compile-command "make lock" pyproject.toml --python-version 3.11

.PHONY: help run test reproduce bench lint notebooks lock clean
.DEFAULT_GOAL := help

# What `lmu-spiking reproduce` knows; the LSTM of capacity needs LOCK=locks/full.txt.
PUBLISHED := poisson-figure capacity delay-network

# Many test processes with one thread each, not the other way round.
test reproduce notebooks: export OMP_NUM_THREADS = 1
test reproduce notebooks: export OPENBLAS_NUM_THREADS = 1

help: ## list these
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

run: $(INSTALLED) ## remember an ECG with spiking neurons; results in out/ecg
	.venv/bin/lmu-spiking run --input ecg --out out/ecg

test: $(INSTALLED) ## the tests
	.venv/bin/pytest

reproduce: $(INSTALLED) ## published figures, spike noise and the error law again (hours)
	.venv/bin/pytest -m slow -n 2
	.venv/bin/python benchmarks/noise.py
	.venv/bin/python benchmarks/law.py
	.venv/bin/python benchmarks/optimal.py
	.venv/bin/python benchmarks/plan.py
	.venv/bin/python benchmarks/billion.py
	.venv/bin/python benchmarks/dask_sweep.py
	for name in $(PUBLISHED); do \
		.venv/bin/lmu-spiking reproduce $$name --out out/$$name || exit; done
	.venv/bin/python benchmarks/spikes.py

bench: $(INSTALLED) ## speed, as ratios against peers
	.venv/bin/python benchmarks/scaling.py

lint: $(INSTALLED) ## style, imports and types
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/lint-imports --no-logo
	.venv/bin/pyright

notebooks: $(INSTALLED) ## execute the notebooks in fast mode
	LMU_SPIKING_FAST=1 .venv/bin/pytest --nbmake notebooks

lock: ## resolve the locks again (needs uv; FLAGS=--upgrade renews every pin)
	$(UV) $(COMPILE) $(FLAGS) --universal -o locks/base.txt \
		--extra data --extra dask --extra nir --extra dev
	$(UV) $(COMPILE) $(FLAGS) -o locks/full.txt --extra all --extra docs --extra dev

clean: ## remove .venv and caches, never results
	rm -rf .venv build dist .pytest_cache .hypothesis .ruff_cache .import_linter_cache
	find lmu_spiking tests -name __pycache__ -exec rm -rf {} +

$(INSTALLED): pyproject.toml $(LOCK)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 14) or sys.exit( \
	"lmu_spiking needs Python 3.11 to 3.13, this is %d.%d; use: make PYTHON=..." % v)'
	@echo "Installing $(LOCK) into .venv with $(PYTHON): a minute or two, once"
	@test -e $@ || $(PYTHON) -m venv --clear .venv
	@rm -f .venv/.installed-*
	@$(PIP) -r $(LOCK)
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@
