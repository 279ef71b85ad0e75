# make run    the main job: install into .venv, then isotherm demo
# make test   install with the test tools, then run all tests
# make lint   ruff, mypy, and known vulnerabilities of the pinned packages, where they can be looked up
# make docs   write docs/reference.md from docstrings and help texts
# make bench  the benchmarks that need no data; the others say what they need

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
BENCHMARKS = gram ease evaluation add_items marec_fit vae_step vae_sampled

.PHONY: run test lint docs bench clean

run: $(VENV)/.core
	$(BIN)/isotherm demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.dev
	$(BIN)/ruff format --check src tests benchmarks docs .ci
	$(BIN)/ruff check src tests benchmarks docs .ci
	$(BIN)/mypy
	$(BIN)/python .ci/audit.py

docs: $(VENV)/.dev
	$(BIN)/python docs/build_reference.py

bench: $(VENV)/.bench
	cd benchmarks && for name in $(BENCHMARKS); do echo "== $$name"; $(abspath $(BIN))/python $$name.py || exit 1; done

clean:
	rm -rf $(VENV) out

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "isotherm needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 1; }
	@# where venv cannot bring its own pip (some Linux packages split it off), the outer pip brings it
	$(PYTHON) -m venv $(VENV) 2>/dev/null \
		|| { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/.bench: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[dev,bench]'
	@touch $@
