# What a developer runs. Needed on the machine: Python 3.11 or newer, git and make; the rest is brought by `make` itself.
# ARGS="…" goes to the program that a target runs: make test ARGS="-k reply", make demo ARGS="--port 8000".

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
ARGS ?=
MAIL ?=

# The newest Python that will do, unless the command line names one: make test PYTHON=python3.12
PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3 python,$(shell \
  $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))

.PHONY: help environment programs demo test test-versions test-long check lint types contracts docs pictures lock clean

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/make \1\t\2/p' Makefile | expand -t 20

environment: $(READY)  ## make the Python environment, or bring it up to date

# The stamp is newer than what the environment is made from, so that a second run has nothing to do.
$(READY): pyproject.toml requirements-dev.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none is on PATH" >&2; exit 1; }
	$(PYTHON) -m tools.environment $(VENV)
	@touch $@

programs: $(READY)  ## install the servers and the browser that tests talk to (Debian packages, as root)
	@$(BIN)/python -m tools.programs

demo: $(READY)  ## serve the example shop with sample data; MAIL=1: with a mail server on this machine
	$(BIN)/python -m examples.shop demo $(if $(MAIL),--mail) $(ARGS)

test: $(READY) programs  ## run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not long" tests $(ARGS)

test-versions: $(READY)  ## run the tests of hosts with the lowest and the newest versions, on each Python of the machine
	$(BIN)/python -m tools.versions $(ARGS)

test-long: $(READY) programs  ## run the tests that take minutes
	$(BIN)/python -m pytest -m long tests $(ARGS)

check: lint types contracts docs  ## run all that looks at the code without running it

lint: $(READY)  ## look for mistakes and untidiness
	$(BIN)/ruff check .

types: $(READY)  ## check the types
	$(BIN)/mypy

contracts: $(READY)  ## check that rooms import only what they may
	$(BIN)/lint-imports

docs: $(READY)  ## check that the generated documentation is current
	$(BIN)/python -m tools.docs --check

pictures: $(READY) programs  ## take the pictures of docs/pictures anew
	$(BIN)/python -m tools.pictures $(ARGS)

lock:  ## resolve the development requirements anew
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none is on PATH" >&2; exit 1; }
	$(PYTHON) -m tools.lock

clean:  ## remove the environment, the demo and all caches
	rm -rf $(VENV) .versions .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
