# `make test` needs Python 3.11 or later with pip, and nothing else: it makes its own
# virtual environment, installs the package and what the tests need, and runs them all.
# TeX, Chromium, a C compiler and Node judge some of them: where there is none and Debian's
# packages can be installed, it is; elsewhere those tests are skipped.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: check test test-long lint tex browser compilers docs bench clean

check: test

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

TEX_PACKAGES = texlive-latex-base texlive-luatex texlive-latex-recommended \
  fontconfig fonts-wqy-microhei

tex:
	@{ kpsewhich amsmath.sty luaotfload.sty fontspec.sty && fc-list :lang=zh | grep .; } >/dev/null 2>&1 || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  $(TEX_PACKAGES) >/dev/null; } || \
	  echo "no TeX, and no way to install it: its tests are skipped"

browser: $(VENV)/installed
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  chromium >/dev/null; } || $(BIN)/playwright install chromium || \
	  echo "no Chromium, and no way to install it: its tests are skipped"

compilers:
	@{ command -v cc && command -v node; } >/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  gcc libc6-dev nodejs >/dev/null; } || \
	  echo "no C compiler or no Node, and no way to install it: its tests are skipped"

# On all processors; a worker that has nothing left to do takes tests over from another.
PYTEST = $(BIN)/python -m pytest -n auto --dist worksteal

test: lint tex browser compilers
	$(PYTEST)

test-long: lint tex browser compilers
	CHAINRULE_TEST_BUDGET=10 $(PYTEST)

docs: $(VENV)/installed
	$(BIN)/python docs/generate.py

bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) dist build
