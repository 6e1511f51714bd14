# `make test` needs Python 3.11 or later with pip, and nothing else: it makes its own
# virtual environment, installs the package and what the tests need, and runs them all.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: check test test-long lint docs bench clean

check: test

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest

test-long: lint
	CHAINRULE_TEST_BUDGET=10 $(BIN)/python -m pytest

docs: $(VENV)/installed
	$(BIN)/python docs/generate.py

bench: $(VENV)/installed
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) dist build
