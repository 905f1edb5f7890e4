# Everything runs in .venv, which is made from wheels alone: Python 3.11 and make are enough.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help verify test slow benchmark lint book browser clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

verify: $(READY)  ## re-check every claim: proofs, numerics, simulation
	$(BIN)/metastable verify
	$(BIN)/metastable verify catalogue

test: $(READY)  ## run the fast tests
	$(BIN)/pytest -n $(JOBS)

slow: $(READY)  ## run the slow tests
	$(BIN)/pytest -n $(JOBS) -m "slow and not browser"

benchmark: $(READY)  ## compare speed and digits with other packages
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -e '.[benchmark]'
	$(BIN)/python tests/benchmarks/rows.py
	$(BIN)/python tests/benchmarks/accuracy.py
	$(BIN)/python tests/benchmarks/scale.py
	$(BIN)/python tests/benchmarks/simulation.py

lint: $(READY)  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

book: $(READY)  ## build the book into book/_build/html
	$(BIN)/metastable book

browser: $(READY)  ## look at every page of the built book in Chromium
	$(BIN)/pytest -n $(JOBS) --dist loadscope -m browser

clean:  ## remove the environment and everything built
	rm -rf .venv book/_build build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed: make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -e '.[all]'
	@touch $@
