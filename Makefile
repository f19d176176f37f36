# Needs Python 3.11 or newer, git and make. Everything else goes to .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: quickstart test lint setup setup-dev clean

quickstart: setup  ## set up and run a real search on embedded data
	$(BIN)/tuner search quickstart --trials 20
	$(BIN)/tuner best quickstart --export best.yaml

test: setup-dev    ## set up and run the tests
	$(BIN)/pytest -n 2 --dist worksteal --durations=40

lint: setup-dev    ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

setup: $(VENV)/.ready
setup-dev: $(VENV)/.ready-dev

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tuner needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): PyTorch is large, this takes a few minutes."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

clean:
	rm -rf $(VENV)
