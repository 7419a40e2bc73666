# These commands need only python3 and make:
#   make demo        set up .venv and run the main job on rendered hands
#   make serve       open the demo's gallery in a browser: who is this hand? (SERVE=options)
#   make check       all that continuous integration checks: style, then all tests
#   make docs        build the manual as a site into build/manual/site, warnings being errors
#   make lint        style, types and the floors of the house, in seconds
#   make style       style and types alone
#   make test        the same set-up with the test tools, and all tests (TEST=what to pass to pytest)
#   make test-quick  the tests not marked slow, for daily work
#   make fuzz        damaged and hostile input, TIMES as many inputs as the tests take (default 20)
#   make gpu-check   the test set-up, and a graphics card checked: numbers, speed, feeding (GPU=--dry)
#   make bench       the same set-up, and speed measured beside plain formulations (BENCH=names)
PYTHON ?= python3
VENV ?= .venv
DEMO ?=
SERVE ?=
TEST ?=
CORES ?= auto
BENCH ?=
GPU ?=
TIMES ?= 20

BIN = $(VENV)/bin
# A process for each core computes on one thread; idle ones take over tests of busy ones. What one has
# compiled is kept for all, and for the processes of tests. Layouts of a few points are done long before
# umap-learn would have compiled itself.
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 NUMBA_DISABLE_JIT=1 \
  $(BIN)/python -m pytest -n $(CORES) --dist worksteal
UV := $(shell command -v uv 2>/dev/null)

.PHONY: demo serve docs check lint style test test-quick fuzz bench gpu-check clean help

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.installed
	$(BIN)/promptreid demo $(DEMO)

serve: $(VENV)/.installed
	test -d runs/demo/hands.gallery || $(BIN)/promptreid demo
	$(BIN)/promptreid serve runs/demo/hands.gallery $(SERVE)

docs: $(VENV)/.installed-test
	$(BIN)/python -m manual

check: style test

test: $(VENV)/.installed-test
	$(PYTEST) $(TEST)

test-quick: $(VENV)/.installed-test
	$(PYTEST) -m 'not slow' $(TEST)

fuzz: $(VENV)/.installed-test
	FUZZ=$(TIMES) $(PYTEST) tests/fuzz $(TEST)

bench: $(VENV)/.installed
	$(BIN)/promptreid bench $(BENCH)

gpu-check: $(VENV)/.installed-test
	$(BIN)/python benchmarks/gpu_check.py $(GPU)

lint: style
	$(BIN)/python -m pytest tests/test_house.py

style: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check

# uv where there is one, else the environment's own pip; both take the pinned versions.
ifneq ($(UV),)
INSTALL = $(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt
$(BIN)/python:
	$(UV) venv --quiet --python $(PYTHON) $(VENV)
else
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "python3 cannot make a virtual environment; on Debian: apt install python3-venv"; exit 2; }
endif

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing promptreid and torch into $(VENV) (a few GB, some minutes the first time)"
	$(INSTALL) --editable '.[report,serve]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing promptreid, torch and the test tools into $(VENV) (a few GB, some minutes the first time)"
	$(INSTALL) --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.installed $(VENV)/.installed-test

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build dist
