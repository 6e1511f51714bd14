# `make test` needs Python 3.11 or later with pip, and nothing else: it makes its own
# virtual environment, installs the package and what the tests need, and runs them all.
# One test is judged by TeX: where there is none and Debian's packages can be installed,
# it is; elsewhere that test is skipped.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: check test test-long lint tex docs bench clean

check: test

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

tex:
	@command -v pdflatex >/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  texlive-latex-base >/dev/null; } || \
	  echo "no TeX, and no way to install it: its test is skipped"

test: lint tex
	$(BIN)/python -m pytest

test-long: lint tex
	CHAINRULE_TEST_BUDGET=10 $(BIN)/python -m pytest

docs: $(VENV)/installed
	$(BIN)/python docs/generate.py

bench: $(VENV)/installed
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) dist build
